/* Which taps of an output, or positions of a window, lie inside the input plane. */
#ifndef MBN_KERNELS_WALK_TAPS_H
#define MBN_KERNELS_WALK_TAPS_H

#include "kernels/inline.h"

typedef struct taps {
    int32_t y_begin, y_end, x_begin, x_end; /* those inside the plane */
} taps;

MBN_INLINE int32_t smaller(int32_t a, int32_t b) {
    return a < b ? a : b;
}

/* the taps of output `o` that fall into [0, size): first and one past the last */
MBN_INLINE int32_t first_tap(int32_t o, int32_t stride, int32_t pad) {
    const int32_t start = o * stride - pad;
    return start < 0 ? -start : 0;
}
MBN_INLINE int32_t last_tap(int32_t o, int32_t stride, int32_t pad, int32_t kernel, int32_t size) {
    return smaller(size - (o * stride - pad), kernel);
}

MBN_INLINE taps taps_at(const mbn_convolution_args *args, int32_t oy, int32_t ox) {
    return (taps){
        first_tap(oy, args->stride_vertical, args->pad_top),
        last_tap(oy, args->stride_vertical, args->pad_top, args->kernel_height, args->input_height),
        first_tap(ox, args->stride_horizontal, args->pad_left),
        last_tap(ox, args->stride_horizontal, args->pad_left, args->kernel_width,
                 args->input_width),
    };
}

/* Bytes between the inputs of neighbouring outputs of the stem, of which every MobileNet has stride
 * 2, over 3 interleaved channels and over planes, which only steps of one k can read. */
enum { INTERLEAVED_STRIDE = 2 * IMAGE_BLOCK * IMAGE_BYTES, PLANE_STRIDE = 2 * IMAGE_BYTES };

/* Whether a tile is of the stem, whose stride the walk makes a constant: a constant, too. */
MBN_INLINE bool is_stem_tile(int32_t pixels, ptrdiff_t pixel_stride) {
    return pixels > 1 && __builtin_constant_p(pixel_stride) &&
           (pixel_stride == INTERLEAVED_STRIDE || pixel_stride == PLANE_STRIDE);
}

#endif
