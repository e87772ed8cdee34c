/* Names of classes: those of a model, or of a file as people have them. */
#ifndef MBN_TOOLS_LABELS_H
#define MBN_TOOLS_LABELS_H

#include <mobilenet.h>

enum { MBN_WORDNET_ID_LENGTH = 9 }; /* "n01440764" */

typedef struct mbn_label {
    char *name;                              /* from malloc */
    char wordnet[MBN_WORDNET_ID_LENGTH + 1]; /* "": not known */
} mbn_label;

typedef struct mbn_labels {
    mbn_label *classes; /* [count], from malloc */
    int32_t count;      /* 0: there are no labels */
} mbn_labels;

/* Copies the labels of a model. */
mbn_status mbn_labels_of_model(const mbn_model *model, mbn_labels *labels, mbn_error *error);

/* Reads a file with a label for each of `count` classes.  It may be
 *
 *     text    a label per line, or on every line an index from 0 or 1 ("0 cat", "0: cat", "0,cat"),
 *             a WordNet ID ("n02123045 tabby", also alone), or both, in front of it; the lines of a
 *             Python dictionary ("0: 'cat',")
 *     JSON    an array of labels; an object {"0": label} or {label: 0}; {"n02123045": label}, whose
 *             IDs are in the order of the classes when sorted; a label may be ["n02123045",
 *             "tabby"]; or an object that has one of these as "id2label", "class_to_idx" and
 *             the like
 *
 * Indices must be all of 0 to count - 1, or of 1 to count.  Messages begin with the path. */
mbn_status mbn_labels_read(const char *path, int32_t count, mbn_labels *labels, mbn_error *error);

void mbn_labels_free(mbn_labels *labels);

/* NULL where there are no labels. */
const char *mbn_labels_name(const mbn_labels *labels, int32_t index);

/* Whether the text begins with a WordNet ID, which ends there or before a blank or comma. */
bool mbn_is_wordnet_id(const char *text);

#endif
