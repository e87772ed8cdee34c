/* Models to classify with, and their labels; images, and tensors from .npy files as a network's
 * input. */
#ifndef MBN_TOOLS_INPUT_H
#define MBN_TOOLS_INPUT_H

#include "image.h"
#include "labels.h"
#include "npy.h"

/* mbn_model_load, which fails for a model without a classifier. */
mbn_status mbn_load_classifier(const char *path, const mbn_model_options *options,
                               mbn_model **model, mbn_error *error);

/* Says so where a model's probabilities say nothing: those of a softmax of one output. */
void mbn_report_certain(const char *path, const mbn_model *model);

/* The labels of the file, or where it is NULL the model's own.  A single sigmoid has two, or
 * one. */
mbn_status mbn_load_labels(const char *file, const mbn_model *model, mbn_labels *labels,
                           mbn_error *error);

/* Reads an image file for a model of so many input channels: free pixels->pixels, into which *image
 * points.  Messages do not repeat the path. */
mbn_status mbn_read_image(const char *path, int32_t input_channels, mbn_rgb *pixels,
                          mbn_image *image, mbn_error *error);

/* Checks that the array is (N, height, width, channels), and creates a context of its size with the
 * other options. */
mbn_status mbn_input_context(const mbn_model *model, const mbn_npy *input,
                             const mbn_context_options *options, mbn_context **context,
                             mbn_error *error);

#endif
