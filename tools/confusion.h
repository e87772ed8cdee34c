/* What an evaluation's outcomes say: accuracy, and the classes that it is worst at. */
#ifndef MBN_TOOLS_CONFUSION_H
#define MBN_TOOLS_CONFUSION_H

#include "evaluation.h"

typedef struct mbn_accuracy {
    int64_t images; /* that could be classified */
    int64_t failed; /* that could not */
    int64_t first;  /* whose most probable class is the right one */
    int64_t top;    /* whose first `top` classes have the right one */
} mbn_accuracy;

mbn_accuracy mbn_accuracy_of(const mbn_evaluation *evaluation);

enum { MBN_CONFUSIONS = 3 };

/* A class with wrong answers, and the classes that it was most often taken for. */
typedef struct mbn_class_accuracy {
    int32_t class_index;
    int64_t images, correct;
    int32_t taken_for[MBN_CONFUSIONS]; /* most often first; -1: no more */
    int64_t times[MBN_CONFUSIONS];
} mbn_class_accuracy;

/* Writes the `most` worst classes, those with the smallest part of correct answers first; of equal
 * ones the one with more images, then the one with the smaller index.  Returns their number, or -1
 * when out of memory. */
int32_t mbn_worst_classes(const mbn_evaluation *evaluation, int32_t most,
                          mbn_class_accuracy *worst);

#endif
