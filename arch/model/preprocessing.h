/* What an mbn_preprocessing may hold. */
#ifndef MBN_ARCH_PREPROCESSING_H
#define MBN_ARCH_PREPROCESSING_H

#include <mobilenet.h>

enum { MBN_MAX_IMAGE_SIDE = 65536 };

/* MBN_INVALID_ARGUMENT, naming the field, if one is out of its range for inputs of this size. */
mbn_status mbn_preprocessing_check(const mbn_preprocessing *preprocessing, int32_t height,
                                   int32_t width, int32_t channels, mbn_error *error);

#endif
