/* Labelled images: which files there are, which class each shows, and what was left out. */
#ifndef MBN_TOOLS_DATASET_H
#define MBN_TOOLS_DATASET_H

#include "labels.h"

typedef struct mbn_labelled {
    char *path;          /* from malloc */
    int32_t class_index; /* the first of several, or -1 */
    int32_t *classes;    /* [class_count] if an image may show several, from malloc; else NULL */
    int32_t class_count;
} mbn_labelled;

typedef enum mbn_left_reason {
    MBN_LEFT_KIND,         /* a file whose name says that it is no JPEG, PNG or BMP */
    MBN_LEFT_NO_EXTENSION, /* a file whose name does not say what it is */
    MBN_LEFT_FOLDER,       /* a folder inside of a class's folder */
    MBN_LEFT_BESIDE,       /* a file beside the folders */
    MBN_LEFT_CLASS,        /* a folder or a line of a list without a class */
    MBN_LEFT_REASONS
} mbn_left_reason;

typedef struct mbn_left_out {
    char *what; /* a path, or a line of a list; from malloc */
    char *why;  /* what is wrong with it, from malloc; NULL where the reason says it all */
    mbn_left_reason reason;
} mbn_left_out;

typedef struct mbn_dataset {
    mbn_labelled *images;
    size_t count;
    mbn_left_out *left_out;
    size_t left_out_count;
} mbn_dataset;

/* What the classes are called. */
typedef struct mbn_classes {
    const mbn_labels *labels;
    int32_t count;
    bool alphabetical; /* folder i in the order of their names is class i */
    bool several;      /* in a list, an image may show several, or none */
} mbn_classes;

/* A class by its label, by its WordNet ID, or by its index where no label is that text. */
mbn_status mbn_dataset_class(const mbn_classes *classes, const char *text, int32_t *class_index,
                             mbn_error *error);

/* The JPEG, PNG and BMP files of FOLDER/CLASS, in the order of their names; hidden ones do not
 * count.  Messages name what is wrong. */
mbn_status mbn_dataset_folders(const char *folder, const mbn_classes *classes, mbn_dataset *dataset,
                               mbn_error *error);

/* The images of a folder and of the folders in it, without classes, in the order of their names. */
mbn_status mbn_dataset_photos(const char *folder, mbn_dataset *dataset, mbn_error *error);

/* A text file of lines "FILE CLASS".  The first tab, or else the first blank, parts them; FILE is
 * relative to the folder.  Empty lines do not count.  Several classes are parted by tabs, commas or
 * blanks, or stand on several lines of the same file; a FILE alone shows none. */
mbn_status mbn_dataset_list(const char *folder, const char *list, const mbn_classes *classes,
                            mbn_dataset *dataset, mbn_error *error);

void mbn_dataset_free(mbn_dataset *dataset);

#endif
