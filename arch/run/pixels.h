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

/* Converts `count` neighbouring pixels to [count][channels]: grey, grey and alpha, RGB or RGBA.
 * premultiplied: colours are times alpha, as Pillow has them while it resizes. */
void mbn_convert_pixels(const uint8_t *pixels, mbn_pixel_order order, int32_t count,
                        int32_t channels, bool premultiplied, uint8_t *converted);

/* Undoes the multiplication of one pixel, as far as 8 bits allow. */
void mbn_divide_by_alpha(uint8_t *pixel, int32_t channels);

#endif
