#include "label_precision.h"

#include "report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct scored {
    float score;
    bool shows;
};

/* The largest first, NaN last. */
static int by_score(const void *left, const void *right) {
    const struct scored *a = left, *b = right;
    if (isnan(a->score) || isnan(b->score)) return (int)isnan(a->score) - (int)isnan(b->score);
    return a->score > b->score ? -1 : a->score < b->score;
}

static bool shows(const mbn_labelled *image, int32_t label) {
    for (int32_t i = 0; i < image->class_count; i++) {
        if (image->classes[i] == label) return true;
    }
    return false;
}

/* Images of one score come in together. */
static double average_precision(const struct scored *sorted, size_t count, int64_t positives) {
    double sum = 0;
    int64_t found = 0;
    for (size_t begin = 0, end; begin < count; begin = end) {
        int64_t here = 0;
        for (end = begin; end < count && by_score(&sorted[end], &sorted[begin]) == 0; end++) {
            here += sorted[end].shows;
        }
        found += here;
        sum += (double)here * (double)found / (double)end;
    }
    return sum / (double)positives;
}

/* room: for all images. */
static mbn_label_precision precision_of(const mbn_evaluation *evaluation, int32_t label,
                                        struct scored *room) {
    const mbn_dataset *dataset = evaluation->dataset;
    mbn_label_precision precision = {0, (double)NAN};
    size_t count = 0;
    for (size_t i = 0; i < dataset->count; i++) {
        if (evaluation->outcomes[i].best < 0) continue;
        const size_t at = i * (size_t)evaluation->scoring.classes + (size_t)label;
        room[count] = (struct scored){evaluation->scores[at], shows(&dataset->images[i], label)};
        precision.images += room[count++].shows;
    }
    if (precision.images == 0) return precision;
    qsort(room, count, sizeof *room, by_score);
    precision.average_precision = average_precision(room, count, precision.images);
    return precision;
}

mbn_status mbn_precisions_of(const mbn_evaluation *evaluation, mbn_precisions *precisions,
                             mbn_error *error) {
    const int32_t classes = evaluation->scoring.classes;
    struct scored *room = malloc(evaluation->dataset->count * sizeof *room);
    *precisions = (mbn_precisions){.labels = calloc((size_t)classes, sizeof *precisions->labels)};
    if (room == NULL || precisions->labels == NULL) {
        free(room);
        mbn_precisions_free(precisions);
        return mbn_explain(error, MBN_OUT_OF_MEMORY, "precision: out of memory");
    }
    double sum = 0;
    for (int32_t c = 0; c < classes; c++) {
        precisions->labels[c] = precision_of(evaluation, c, room);
        if (precisions->labels[c].images == 0) continue;
        sum += precisions->labels[c].average_precision;
        precisions->counted++;
    }
    precisions->mean = precisions->counted == 0 ? (double)NAN : sum / precisions->counted;
    free(room);
    return MBN_OK;
}

void mbn_precisions_free(mbn_precisions *precisions) {
    free(precisions->labels);
    *precisions = (mbn_precisions){0};
}

void mbn_precisions_print(const mbn_evaluation *evaluation, const mbn_precisions *precisions) {
    const int32_t classes = evaluation->scoring.classes;
    printf("mean average precision  %.4f  (%d of %d labels are shown)\n", precisions->mean,
           precisions->counted, classes);
    if (precisions->counted > 0) puts("average precision  images  label");
    for (int32_t c = 0; c < classes; c++) {
        const mbn_label_precision *of = &precisions->labels[c];
        if (of->images == 0) continue;
        printf("%17.4f  %6lld  ", of->average_precision, (long long)of->images);
        const char *label = mbn_labels_name(evaluation->labels, c);
        if (label == NULL) {
            printf("class %d\n", c);
        } else {
            mbn_print_label(label);
            printf(" (%d)\n", c);
        }
    }
}

json_t *mbn_precisions_json(const mbn_evaluation *evaluation, const mbn_precisions *precisions) {
    json_t *labels = json_array();
    for (int32_t c = 0; c < evaluation->scoring.classes; c++) {
        const mbn_label_precision *of = &precisions->labels[c];
        const char *label = mbn_labels_name(evaluation->labels, c);
        mbn_json_append(&labels, json_pack("{s:i, s:o, s:I, s:o}", "index", c, "label",
                                           label != NULL ? mbn_json_text(label) : json_null(),
                                           "images", (json_int_t)of->images, "average_precision",
                                           mbn_json_real(of->average_precision)));
    }
    return labels;
}
