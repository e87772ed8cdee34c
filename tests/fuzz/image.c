/* Images by every decoder of the tools: JPEG, PNG, BMP.  The first byte says whether alpha is
 * wanted and what is done with the checksums of a PNG, which no mutation would hit; a picture that
 * says it has more pixels than a small file's decoder gets done in a moment is not decoded. */
#include "choices.h"
#include "input.h"
#include "memory.h"

#include <criterion/criterion.h>
#include <image.h>
#include <stdlib.h>

/* libjpeg keeps the coefficients of progressive files: whole blocks where a side is one pixel. */
enum { MOST_PIXELS = 1 << 16, BYTES_PER_PIXEL = 256, MULTIPLE = 64 };

static uint32_t big_endian(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put_checksum(uint8_t *type, size_t size) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= type[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
    }
    for (int i = 0; i < 4; i++) type[size + (size_t)i] = (uint8_t)(~crc >> (24 - 8 * i));
}

/* With right checksums, as far as there are chunks. */
static void mend_png(uint8_t *data, size_t size) {
    for (size_t at = 8; at + 12 <= size;) {
        const size_t length = big_endian(data + at);
        if (length > size - at - 12) return;
        put_checksum(data + at + 4, length + 4);
        at += 12 + length;
    }
}

/* Of a PNG or BMP, as its header has them, and of every frame that a JPEG may begin with. */
static bool is_small(const uint8_t *data, size_t size) {
    if (size > 24 && data[0] == 0x89) {
        return (uint64_t)big_endian(data + 16) * big_endian(data + 20) <= MOST_PIXELS;
    }
    for (size_t i = 0; size > 8 && data[0] == 0xff && i < size - 8; i++) {
        if (data[i] != 0xff || (data[i + 1] & 0xf0) != 0xc0) continue;
        const uint8_t *sides = data + i + 5;
        const uint32_t height = (uint32_t)(sides[0] << 8 | sides[1]);
        const uint32_t width = (uint32_t)(sides[2] << 8 | sides[3]);
        if ((uint64_t)height * width > MOST_PIXELS) return false;
    }
    return true; /* a BMP has all of its bytes, or is refused */
}

int fuzz_input(const uint8_t *data, size_t size) {
    choices c = {data, size};
    const int32_t mode = choose(&c, 0, 3);
    if (!is_small(c.data, c.size)) return 0;
    uint8_t *copy = malloc(c.size + (c.size == 0)); /* its end is watched */
    if (copy == NULL) return 0;
    if (c.size > 0) memcpy(copy, c.data, c.size);
    if ((mode & 2) == 0 && c.size > 0 && copy[0] == 0x89) mend_png(copy, c.size);
    mbn_rgb image = {0};
    mbn_error error = {MBN_OK, ""};
    memory_watch();
    const mbn_status status = mbn_rgb_decode(copy, c.size, (mode & 1) != 0, &image, &error);
    memory_bound(c.size, MULTIPLE, MOST_PIXELS * BYTES_PER_PIXEL);
    free(copy);
    if (status != MBN_OK) {
        cr_assert(error.status == status && error.message[0] != '\0');
        return 0;
    }
    cr_assert(image.channels == 3 || ((mode & 1) != 0 && image.channels == 4));
    cr_assert_eq(mbn_rgb_check_size((uint64_t)image.width, (uint64_t)image.height, &error), MBN_OK);
    const size_t bytes = (size_t)image.width * (size_t)image.height * (size_t)image.channels;
    volatile uint8_t sum = 0; /* all of them are read */
    for (size_t i = 0; i < bytes; i++) sum = (uint8_t)(sum + image.pixels[i]);
    free(image.pixels);
    return 0;
}
