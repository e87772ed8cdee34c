/* The images that a model is quantised with, and the report of what came of it. */
#ifndef MBN_TOOLS_QUANTIZATION_H
#define MBN_TOOLS_QUANTIZATION_H

#include <mobilenet/quantize.h>

#include "dataset.h"
#include "npy.h"

/* Photos, or preprocessed images. */
typedef struct mbn_calibration_set {
    mbn_dataset photos;
    mbn_npy images;
    int32_t count;
    char **failures; /* [count] of photos: why one could not be read, from malloc, or NULL */
    const mbn_model *model;
} mbn_calibration_set;

/* Opens a folder, or a .npy file of images as the model takes them.  Messages name it. */
mbn_status mbn_calibration_open(const char *path, const mbn_model *model, mbn_calibration_set *set,
                                mbn_error *error);
void mbn_calibration_close(mbn_calibration_set *set);

/* mbn_calibration.read; user: the set. */
mbn_status mbn_calibration_read(void *user, int32_t index, mbn_context *context, float *input,
                                mbn_error *error);

/* Prints the trials, and every layer's loss. */
void mbn_quantized_print(const mbn_quantized *quantized, const mbn_network *network);

#endif
