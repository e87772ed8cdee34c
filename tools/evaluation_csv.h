/* An evaluation, photo by photo. */
#ifndef MBN_TOOLS_EVALUATION_CSV_H
#define MBN_TOOLS_EVALUATION_CSV_H

#include "evaluation.h"

/* Writes a file of comma-separated values (RFC 4180, but lines end in \n): a head, then a row for
 * each image: file, class and label, predicted class, its label and probability, the rank of the
 * right class (1: it is the predicted one; empty: behind the first `top`), and what is wrong with
 * the file.  Of an evaluation that keeps its scores: file, indices of the classes that it shows,
 * the probability of each label, and what is wrong. */
mbn_status mbn_evaluation_csv(const mbn_evaluation *evaluation, const char *path, mbn_error *error);

#endif
