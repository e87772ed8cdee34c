#include "evaluation_csv.h"

#include "file.h"
#include "report.h"
#include "text.h"

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

static const char *failure_of(const mbn_outcome *outcome) {
    return outcome->failure != NULL ? outcome->failure : mbn_status_text(MBN_OUT_OF_MEMORY);
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
        put_text(csv, failure_of(outcome));
    }
    putc('\n', csv);
}

/* A column for each label. */
static void put_label_head(FILE *csv, const mbn_evaluation *evaluation) {
    fputs("file,classes", csv);
    for (int32_t c = 0; c < evaluation->scoring.classes; c++) {
        const char *label = mbn_labels_name(evaluation->labels, c);
        putc(',', csv);
        if (label != NULL) {
            put_text(csv, label);
        } else {
            fprintf(csv, "class %d", c);
        }
    }
    fputs(",error\n", csv);
}

static void put_label_row(FILE *csv, const mbn_evaluation *evaluation, size_t index) {
    const mbn_labelled *image = &evaluation->dataset->images[index];
    const mbn_outcome *outcome = &evaluation->outcomes[index];
    const int32_t classes = evaluation->scoring.classes;
    const float *scores = evaluation->scores + index * (size_t)classes;
    put_text(csv, image->path);
    putc(',', csv);
    for (int32_t i = 0; i < image->class_count; i++) {
        fprintf(csv, "%s%d", i == 0 ? "" : " ", image->classes[i]);
    }
    for (int32_t c = 0; c < classes; c++) {
        putc(',', csv);
        if (outcome->best >= 0) fprintf(csv, "%.9g", (double)scores[c]);
    }
    putc(',', csv);
    if (outcome->best < 0) put_text(csv, failure_of(outcome));
    putc('\n', csv);
}

static void put_all(FILE *csv, const mbn_evaluation *evaluation) {
    if (evaluation->scores != NULL) {
        put_label_head(csv, evaluation);
    } else {
        fputs("file,class,label,predicted,predicted_label,probability,rank,error\n", csv);
    }
    for (size_t i = 0; i < evaluation->dataset->count; i++) {
        (evaluation->scores != NULL ? put_label_row : put_row)(csv, evaluation, i);
    }
}

mbn_status mbn_evaluation_csv(const mbn_evaluation *evaluation, const char *path,
                              mbn_error *error) {
    mbn_text text;
    mbn_text_begin(&text);
    if (text.stream != NULL) put_all(text.stream, evaluation);
    if (!mbn_text_end(&text)) return mbn_explain(error, MBN_OUT_OF_MEMORY, "out of memory");
    const mbn_part part = {text.bytes, text.size};
    const mbn_status status = mbn_file_write(path, &part, 1, error);
    free(text.bytes);
    return status;
}
