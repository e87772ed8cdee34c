#include "evaluation_csv.h"

#include "file.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Quoted where it must be. */
static void put_text(FILE *csv, const char *text) {
    if (text == NULL) return;
    if (strpbrk(text, ",\"\r\n") == NULL) {
        fputs(text, csv);
        return;
    }
    putc('"', csv);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"') putc('"', csv);
        putc(*c, csv);
    }
    putc('"', csv);
}

static void put_class(FILE *csv, const mbn_evaluation *evaluation, int32_t class_index) {
    fprintf(csv, ",%d,", class_index);
    put_text(csv, mbn_labels_name(evaluation->labels, class_index));
}

static void put_row(FILE *csv, const mbn_evaluation *evaluation, size_t index) {
    const mbn_labelled *image = &evaluation->dataset->images[index];
    const mbn_outcome *outcome = &evaluation->outcomes[index];
    put_text(csv, image->path);
    put_class(csv, evaluation, image->class_index);
    if (outcome->best >= 0) {
        put_class(csv, evaluation, outcome->best);
        fprintf(csv, ",%.9g,", (double)outcome->probability);
        if (outcome->rank >= 0) fprintf(csv, "%d", outcome->rank + 1);
        putc(',', csv);
    } else {
        fputs(",,,,,", csv);
        put_text(csv,
                 outcome->failure != NULL ? outcome->failure : mbn_status_text(MBN_OUT_OF_MEMORY));
    }
    putc('\n', csv);
}

mbn_status mbn_evaluation_csv(const mbn_evaluation *evaluation, const char *path,
                              mbn_error *error) {
    char *text = NULL;
    size_t size = 0;
    FILE *csv = open_memstream(&text, &size);
    bool complete = csv != NULL;
    if (complete) {
        fputs("file,class,label,predicted,predicted_label,probability,rank,error\n", csv);
        for (size_t i = 0; i < evaluation->dataset->count; i++) put_row(csv, evaluation, i);
        complete = !ferror(csv);
        complete = fclose(csv) == 0 && complete;
    }
    mbn_status status;
    if (complete) {
        const mbn_part part = {text, size};
        status = mbn_file_write(path, &part, 1, error);
    } else {
        status = mbn_explain(error, MBN_OUT_OF_MEMORY, "out of memory");
    }
    free(text);
    return status;
}
