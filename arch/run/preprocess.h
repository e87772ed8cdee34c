/* From 8-bit pixels of any size to a network's input (mbn_preprocessing in mobilenet.h). */
#ifndef MBN_ARCH_PREPROCESS_H
#define MBN_ARCH_PREPROCESS_H

#include <mobilenet.h>

/* Bytes of scratch that mbn_preprocess_image needs for outputs of this width and number of
 * channels, whatever the image. */
size_t mbn_preprocess_scratch_bytes(const mbn_preprocessing *preprocessing, int32_t output_width,
                                    int32_t channels);

/* MBN_INVALID_ARGUMENT on a NULL pointer, a size outside 1..65536, an unknown order, or a row
 * stride smaller than a row. */
mbn_status mbn_check_image(const mbn_image *image, mbn_error *error);

/* Resizes, crops or fills, and normalises one image into output
 * [output_height][output_width][channels]; 1 to 4 channels, which is not checked.
 * preprocessing->resize is used as it is.  No allocation.  scratch is aligned to 64.  Fails as
 * mbn_check_image and mbn_preprocessing_check do, or on another NULL pointer. */
mbn_status mbn_preprocess_image(const mbn_preprocessing *preprocessing, const mbn_image *image,
                                int32_t output_height, int32_t output_width, int32_t channels,
                                void *scratch, float *output, mbn_error *error);

#endif
