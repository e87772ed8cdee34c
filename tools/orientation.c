#include "orientation.h"

#include "report.h"

#include <stdlib.h>
#include <string.h>

/* ---- EXIF ------------------------------------------------------------------------------------ */

struct tiff {
    const uint8_t *data;
    size_t size;
    bool big_endian;
};

/* The unsigned number of `bytes` bytes at `at`; 0 where the data ends before. */
static uint32_t read_number(const struct tiff *tiff, size_t at, size_t bytes) {
    if (at > tiff->size || tiff->size - at < bytes) return 0;
    uint32_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        const size_t byte = tiff->big_endian ? i : bytes - 1 - i;
        value = value << 8 | tiff->data[at + byte];
    }
    return value;
}

int mbn_exif_orientation(const uint8_t *data, size_t size) {
    enum { TAG = 0x0112, SHORT = 3, LONG = 4, ENTRY_SIZE = 12 };
    struct tiff tiff = {data, size, false};
    if (size < 8) return MBN_UPRIGHT;
    if (memcmp(data, "MM", 2) == 0) {
        tiff.big_endian = true;
    } else if (memcmp(data, "II", 2) != 0) {
        return MBN_UPRIGHT;
    }
    if (read_number(&tiff, 2, 2) != 42) return MBN_UPRIGHT;
    const size_t directory = read_number(&tiff, 4, 4);
    const size_t count = read_number(&tiff, directory, 2);
    for (size_t i = 0; i < count; i++) {
        /* tag, type, number of values, then the value itself, since it fits into four bytes */
        const size_t entry = directory + 2 + i * ENTRY_SIZE;
        if (entry > size || size - entry < ENTRY_SIZE) break;
        if (read_number(&tiff, entry, 2) != TAG) continue;
        const uint32_t type = read_number(&tiff, entry + 2, 2);
        const uint32_t value = type == SHORT  ? read_number(&tiff, entry + 8, 2)
                               : type == LONG ? read_number(&tiff, entry + 8, 4)
                                              : 0;
        return value >= 1 && value <= 8 ? (int)value : MBN_UPRIGHT;
    }
    return MBN_UPRIGHT;
}

/* ---- Turning --------------------------------------------------------------------------------- */

mbn_status mbn_rgb_turn(mbn_rgb *image, int orientation, mbn_error *error) {
    if (orientation == MBN_UPRIGHT) return MBN_OK;
    const bool transposed = orientation >= 5; /* stored columns are the image's rows */
    const bool from_right =
        orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    const bool from_bottom =
        orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    const ptrdiff_t width = image->width, height = image->height;
    const size_t pixel = (size_t)image->channels;
    uint8_t *turned = malloc((size_t)width * (size_t)height * pixel);
    if (turned == NULL) return mbn_explain(error, MBN_OUT_OF_MEMORY, "out of memory");

    const ptrdiff_t along_row = from_right ? -image->channels : image->channels;
    const ptrdiff_t along_column = image->channels * (from_bottom ? -width : width);
    const uint8_t *row =
        image->pixels +
        image->channels * ((from_right ? width - 1 : 0) + (from_bottom ? (height - 1) * width : 0));
    const mbn_rgb result = {turned, transposed ? image->height : image->width,
                            transposed ? image->width : image->height, image->channels};
    uint8_t *to = turned;
    for (int32_t y = 0; y < result.height; y++) {
        const uint8_t *from = row;
        for (int32_t x = 0; x < result.width; x++, to += pixel) {
            memcpy(to, from, pixel);
            from += transposed ? along_column : along_row;
        }
        row += transposed ? along_row : along_column;
    }
    free(image->pixels);
    *image = result;
    return MBN_OK;
}
