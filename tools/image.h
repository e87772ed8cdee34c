/* Image files to 8-bit RGB, or RGBA: JPEG by libjpeg-turbo, PNG and BMP by stb_image.  Grey becomes
 * three equal channels, alpha is dropped unless it is asked for, CMYK becomes RGB and 16 bits
 * become 8 as Pillow's convert("RGB") does it, with one exception: 16-bit grey keeps its high byte,
 * where Pillow clamps.  A 16-bit PNG with no value above 255, but not black, is refused.  The image
 * is turned upright as EXIF says (JPEG's APP1, PNG's eXIf). */
#ifndef MBN_TOOLS_IMAGE_H
#define MBN_TOOLS_IMAGE_H

#include <mobilenet.h>

typedef struct mbn_rgb {
    uint8_t *pixels; /* [height][width][channels], from malloc */
    int32_t width, height;
    int32_t channels; /* 3, or with alpha 4 */
} mbn_rgb;

/* alpha: whether it is wanted, and a PNG then is RGBA; other files have none.  Messages do not
 * repeat the path.  A file that ends early is an error, not half an image. */
mbn_status mbn_rgb_read(const char *path, bool alpha, mbn_rgb *image, mbn_error *error);

/* The same from memory. */
mbn_status mbn_rgb_decode(const uint8_t *data, size_t size, bool alpha, mbn_rgb *image,
                          mbn_error *error);

/* One format's decoder: size checked against the limits, data known to begin with its signature. */
mbn_status mbn_rgb_decode_jpeg(const uint8_t *data, size_t size, mbn_rgb *image, mbn_error *error);

/* Limits on an image's size: mbn_image's 65536 per side, and as many pixels as Pillow takes. */
mbn_status mbn_rgb_check_size(uint64_t width, uint64_t height, mbn_error *error);

#endif
