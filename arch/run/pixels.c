#include "pixels.h"

/* Where the colours of a pixel are; alpha -1: opaque. */
struct layout {
    int32_t bytes, red, green, blue, alpha;
};

static struct layout layout_of(mbn_pixel_order order) {
    switch (order) {
    case MBN_RGB: return (struct layout){3, 0, 1, 2, -1};
    case MBN_BGR: return (struct layout){3, 2, 1, 0, -1};
    case MBN_RGBA: return (struct layout){4, 0, 1, 2, 3};
    case MBN_BGRA: return (struct layout){4, 2, 1, 0, 3};
    case MBN_GRAY: return (struct layout){1, 0, 0, 0, -1};
    case MBN_GRAY_ALPHA: return (struct layout){2, 0, 0, 0, 1};
    }
    return (struct layout){0, 0, 0, 0, -1};
}

int32_t mbn_pixel_bytes(mbn_pixel_order order) {
    return layout_of(order).bytes;
}

int32_t mbn_channel_position(mbn_pixel_order order, int32_t channels, int32_t index) {
    const struct layout in = layout_of(order);
    if (mbn_has_alpha(channels) && index == channels - 1) {
        return in.alpha < 0 ? MBN_CHANNEL_OPAQUE : in.alpha;
    }
    if (channels < 3) return in.red == in.blue ? in.red : MBN_CHANNEL_LUMA;
    return index == 0 ? in.red : index == 1 ? in.green : in.blue;
}

/* value * alpha / 255, rounded. */
static uint8_t multiply(uint32_t value, uint32_t alpha) {
    const uint32_t product = value * alpha + 128;
    return (uint8_t)((product + (product >> 8)) >> 8);
}

void mbn_convert_pixels(const uint8_t *pixels, mbn_pixel_order order, int32_t count,
                        int32_t channels, bool premultiplied, uint8_t *converted) {
    const struct layout in = layout_of(order);
    const int32_t colours = channels < 3 ? 1 : 3;
    for (int32_t i = 0; i < count; i++, pixels += in.bytes, converted += channels) {
        if (colours == 1) {
            converted[0] = mbn_luma(pixels[in.red], pixels[in.green], pixels[in.blue]);
        } else {
            converted[0] = pixels[in.red];
            converted[1] = pixels[in.green];
            converted[2] = pixels[in.blue];
        }
        if (channels == colours) continue;
        const uint8_t alpha = in.alpha < 0 ? 255 : pixels[in.alpha];
        converted[colours] = alpha;
        for (int32_t c = 0; premultiplied && c < colours; c++) {
            converted[c] = multiply(converted[c], alpha);
        }
    }
}

void mbn_divide_by_alpha(uint8_t *pixel, int32_t channels) {
    const int32_t alpha = pixel[channels - 1];
    if (alpha == 0 || alpha == 255) return;
    for (int32_t c = 0; c < channels - 1; c++) {
        const int32_t colour = 255 * pixel[c] / alpha;
        pixel[c] = (uint8_t)(colour > 255 ? 255 : colour);
    }
}
