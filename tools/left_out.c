#include "left_out.h"

#include "report.h"

#include <stdio.h>
#include <stdlib.h>

enum { SHOWN = 5 };

static const char *const reasons[][2] = {
    [MBN_LEFT_KIND] = {"file that is not named as a JPEG, PNG or BMP image",
                       "files that are not named as JPEG, PNG or BMP images"},
    [MBN_LEFT_NO_EXTENSION] = {"file without an extension", "files without an extension"},
    [MBN_LEFT_FOLDER] = {"folder inside of a class's folder", "folders inside of classes' folders"},
    [MBN_LEFT_BESIDE] = {"file beside the folders", "files beside the folders"},
    [MBN_LEFT_CLASS] = {"without a class", "without a class"},
};

size_t mbn_left_out_count(const mbn_dataset *dataset, mbn_left_reason reason) {
    size_t count = 0;
    for (size_t i = 0; i < dataset->left_out_count; i++) {
        if (dataset->left_out[i].reason == reason) count++;
    }
    return count;
}

/* "left out 7 files without an extension: a, b, c, d, e and 2 more". */
static void report_reason(const mbn_dataset *dataset, mbn_left_reason reason) {
    const size_t count = mbn_left_out_count(dataset, reason);
    if (count == 0) return;
    fprintf(stderr, "mobilenet: left out %zu %s", count, reasons[reason][count > 1]);
    size_t shown = 0;
    for (size_t i = 0; i < dataset->left_out_count && shown < SHOWN; i++) {
        if (dataset->left_out[i].reason != reason) continue;
        fprintf(stderr, "%s %s", shown++ == 0 ? ":" : ",", dataset->left_out[i].what);
    }
    if (count > shown) fprintf(stderr, " and %zu more", count - shown);
    putc('\n', stderr);
}

void mbn_left_out_report(const mbn_dataset *dataset) {
    for (int reason = 0; reason < MBN_LEFT_REASONS; reason++) {
        if (reason != MBN_LEFT_CLASS) report_reason(dataset, (mbn_left_reason)reason);
    }
    for (size_t i = 0; i < dataset->left_out_count; i++) {
        const mbn_left_out *left = &dataset->left_out[i];
        if (left->why != NULL) mbn_report(left->what, left->why);
    }
}

json_t *mbn_left_out_json(const mbn_dataset *dataset) {
    json_t *array = json_array();
    for (size_t i = 0; i < dataset->left_out_count; i++) {
        const mbn_left_out *left = &dataset->left_out[i];
        const char *reason = left->why != NULL ? left->why : reasons[left->reason][0];
        mbn_json_append(&array, json_pack("{s:o, s:o}", "what", mbn_json_text(left->what), "reason",
                                          mbn_json_text(reason)));
    }
    return array;
}
