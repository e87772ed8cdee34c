/* An image's floats as pixels, and what the network's own graph makes of those. */
#include "kernels/q8.h"
#include "plan.h"

static uint8_t look_up(const mbn_image_lookup *lookup, int32_t c, float x) {
    const float pixel = (x - lookup->shift[c]) * lookup->inverse_scale[c];
    return lookup->bytes[c][mbn_nearest_even((float)mbn_clamp((double)pixel, 0.0, 255.0))];
}

void mbn_look_up_image(const mbn_image_lookup *lookup, const mbn_layout_args *args,
                       mbn_range range) {
    const int32_t block = args->blocking.block;
    for (int32_t y = range.row_begin; y < range.row_end; y++) {
        uint8_t *to = (uint8_t *)args->blocked.data + y * args->blocked.row_stride;
        const float *from = args->strided + y * args->strided_row_stride;
        for (int32_t x = 0; x < args->width; x++, to += block, from += args->pixel_stride) {
            for (int32_t c = 0; c < block; c++) {
                to[c] = c < args->channels ? look_up(lookup, c, from[c * args->channel_stride])
                                           : (uint8_t)args->quantization.zero;
            }
        }
    }
}
