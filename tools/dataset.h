/* Labelled images: which files there are, and which class each shows. */
#ifndef MBN_TOOLS_DATASET_H
#define MBN_TOOLS_DATASET_H

#include <mobilenet.h>

typedef struct mbn_labelled {
    char *path; /* from malloc */
    int32_t class_index;
} mbn_labelled;

typedef struct mbn_dataset {
    mbn_labelled *images;
    size_t count;
} mbn_dataset;

/* A class by its label in the model, or by its index where no label is that text. */
mbn_status mbn_dataset_class(const mbn_model *model, const char *text, int32_t *class_index,
                             mbn_error *error);

/* The .jpg, .jpeg, .png and .bmp files of FOLDER/CLASS, in the order of their names.  Messages name what is wrong. */
mbn_status mbn_dataset_folders(const char *folder, const mbn_model *model, mbn_dataset *dataset,
                               mbn_error *error);

/* A text file of lines "FILE CLASS".  The first tab, or else the first blank, parts them; FILE is
 * relative to the folder.  Empty lines do not count. */
mbn_status mbn_dataset_list(const char *folder, const char *list, const mbn_model *model,
                            mbn_dataset *dataset, mbn_error *error);

void mbn_dataset_free(mbn_dataset *dataset);

#endif
