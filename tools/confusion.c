#include "confusion.h"

#include <stdlib.h>
#include <string.h>

mbn_accuracy mbn_accuracy_of(const mbn_evaluation *evaluation) {
    mbn_accuracy sum = {0};
    for (size_t i = 0; i < evaluation->dataset->count; i++) {
        const mbn_outcome *outcome = &evaluation->outcomes[i];
        if (outcome->best < 0) {
            sum.failed++;
            continue;
        }
        sum.images++;
        if (outcome->rank == 0) sum.first++;
        if (outcome->rank >= 0) sum.top++;
    }
    return sum;
}

/* Wrong first, by the part that is right (compared without rounding). */
static int by_accuracy(const void *left, const void *right) {
    const mbn_class_accuracy *a = left, *b = right;
    const int64_t x = a->correct * b->images, y = b->correct * a->images;
    if (x != y) return x < y ? -1 : 1;
    if (a->images != b->images) return a->images > b->images ? -1 : 1;
    return a->class_index < b->class_index ? -1 : 1;
}

/* Inserts a class that was answered `times` times among the most frequent ones. */
static void note_confusion(mbn_class_accuracy *of, int32_t class_index, int64_t times) {
    int at = MBN_CONFUSIONS;
    while (at > 0 && (of->taken_for[at - 1] < 0 || times > of->times[at - 1])) at--;
    if (at == MBN_CONFUSIONS) return;
    for (int i = MBN_CONFUSIONS - 1; i > at; i--) {
        of->taken_for[i] = of->taken_for[i - 1];
        of->times[i] = of->times[i - 1];
    }
    of->taken_for[at] = class_index;
    of->times[at] = times;
}

/* counts: [classes] of zeros, which are back to zero afterwards. */
static void find_confusions(const mbn_evaluation *evaluation, int32_t classes,
                            mbn_class_accuracy *of, int64_t *counts) {
    for (size_t i = 0; i < evaluation->dataset->count; i++) {
        const mbn_outcome *outcome = &evaluation->outcomes[i];
        if (evaluation->dataset->images[i].class_index != of->class_index) continue;
        if (outcome->best >= 0 && outcome->rank != 0) counts[outcome->best]++;
    }
    for (int i = 0; i < MBN_CONFUSIONS; i++) of->taken_for[i] = -1;
    for (int32_t c = 0; c < classes; c++) {
        if (counts[c] > 0) note_confusion(of, c, counts[c]);
        counts[c] = 0;
    }
}

int32_t mbn_worst_classes(const mbn_evaluation *evaluation, int32_t most,
                          mbn_class_accuracy *worst) {
    const int32_t classes = evaluation->scoring.classes;
    mbn_class_accuracy *all = calloc((size_t)classes, sizeof *all);
    int64_t *counts = calloc((size_t)classes, sizeof *counts);
    int32_t count = -1;
    if (all != NULL && counts != NULL) {
        for (int32_t c = 0; c < classes; c++) all[c].class_index = c;
        for (size_t i = 0; i < evaluation->dataset->count; i++) {
            if (evaluation->outcomes[i].best < 0) continue;
            mbn_class_accuracy *of = &all[evaluation->dataset->images[i].class_index];
            of->images++;
            if (evaluation->outcomes[i].rank == 0) of->correct++;
        }
        count = 0;
        for (int32_t c = 0; c < classes; c++) {
            if (all[c].correct < all[c].images) all[count++] = all[c];
        }
        qsort(all, (size_t)count, sizeof *all, by_accuracy);
        if (count > most) count = most;
        for (int32_t i = 0; i < count; i++) {
            find_confusions(evaluation, classes, &all[i], counts);
        }
        memcpy(worst, all, (size_t)count * sizeof *all);
    }
    free(counts);
    free(all);
    return count;
}
