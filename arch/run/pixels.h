/* From the orders of an image's pixels to a network's channels (mbn_pixel_order in mobilenet.h). */
#ifndef MBN_ARCH_PIXELS_H
#define MBN_ARCH_PIXELS_H

#include <mobilenet.h>

/* Bytes of a pixel; 0 for an unknown order. */
int32_t mbn_pixel_bytes(mbn_pixel_order order);

/* Whether `channels` channels have alpha, the last. */
static inline bool mbn_has_alpha(int32_t channels) {
    return channels == 2 || channels == 4;
}

/* Rec. 601 in Pillow's fixed point; of three equal values it is that value. */
static inline uint8_t mbn_luma(uint32_t red, uint32_t green, uint32_t blue) {
    return (uint8_t)((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16);
}

/* Where channel `index` of a network's `channels` is in a pixel, in bytes, or one of these. */
enum { MBN_CHANNEL_OPAQUE = -1, MBN_CHANNEL_LUMA = -2 };
int32_t mbn_channel_position(mbn_pixel_order order, int32_t channels, int32_t index);

/* Converts `count` neighbouring pixels to [count][channels]: grey, grey and alpha, RGB or RGBA.
 * premultiplied: colours are times alpha, as Pillow has them while it resizes. */
void mbn_convert_pixels(const uint8_t *pixels, mbn_pixel_order order, int32_t count,
                        int32_t channels, bool premultiplied, uint8_t *converted);

/* Undoes the multiplication of one pixel, as far as 8 bits allow. */
void mbn_divide_by_alpha(uint8_t *pixel, int32_t channels);

#endif
