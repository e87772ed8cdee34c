/* Which part of an image the pixels of a network's input come from (mbn_fit in mobilenet.h). */
#ifndef MBN_ARCH_FIT_H
#define MBN_ARCH_FIT_H

#include <mobilenet.h>

/* The rows, or the columns.  `source` pixels from `first` on, which are of the image or, with
 * TENSORFLOW's LETTERBOX, also around it, are resized to `resized`; output pixel x is number
 * x + offset of these, or padding. */
typedef struct mbn_axis {
    int32_t input; /* pixels of the image */
    int64_t first, source, resized, offset;
    int32_t begin, end; /* the output pixels that are not padding */
} mbn_axis;

/* Rounds as the sources do.  Sizes are 1 to 65536, so that all of them fit into 49 bits. */
void mbn_fit_image(const mbn_preprocessing *preprocessing, const mbn_image *image,
                   int32_t output_height, int32_t output_width, mbn_axis *rows, mbn_axis *columns);

#endif
