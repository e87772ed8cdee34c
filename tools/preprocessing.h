/* Options of the commands that read images: another preprocessing than the model's. */
#ifndef MBN_TOOLS_PREPROCESSING_H
#define MBN_TOOLS_PREPROCESSING_H

#include <mobilenet.h>

#include <argp.h>

typedef struct mbn_preprocessing_options {
    mbn_preprocessing values;
    bool resize, interpolation, resampling, fit; /* which of them were given */
    int32_t fill_count;                          /* 0: not given; 1: the same for all channels */
} mbn_preprocessing_options;

/* --resize, --interpolation, --resampling, --fit, --fill; input: an mbn_preprocessing_options of
 * zeros. */
extern const struct argp mbn_preprocessing_argp;

/* A context with the model's preprocessing, where the options do not say otherwise. */
mbn_status mbn_create_image_context(const mbn_model *model, const mbn_context_options *options,
                                    const mbn_preprocessing_options *preprocessing,
                                    mbn_context **context, mbn_error *error);

#endif
