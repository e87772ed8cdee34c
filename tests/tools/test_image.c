#include <image.h>

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* Written by Pillow 9.4.  png: 3x2, red, green, blue; (1,2,3), (100,150,200), white. */
static const uint8_t png[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44,
    0x52, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00, 0x02, 0x08, 0x02, 0x00, 0x00, 0x00, 0x12,
    0x16, 0xf1, 0x4d, 0x00, 0x00, 0x00, 0x1d, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0xf8,
    0xcf, 0xc0, 0xc0, 0xf0, 0x9f, 0x81, 0x81, 0xe1, 0x3f, 0x13, 0x13, 0x13, 0x73, 0xca, 0xf4,
    0x13, 0xff, 0xff, 0x33, 0x00, 0x00, 0x3a, 0x98, 0x06, 0xc8, 0xef, 0x10, 0x37, 0xc8, 0x00,
    0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};
static const uint8_t six_pixels[] = {255, 0, 0, 0,   255, 0,   0,   0,   255,
                                     1,   2, 3, 100, 150, 200, 255, 255, 255};

/* 8x8, grey, all 200. */
static const uint8_t jpeg[] = {
    0xff, 0xd8, 0xff, 0xe0, 0x00, 0x10, 0x4a, 0x46, 0x49, 0x46, 0x00, 0x01, 0x01, 0x00, 0x00, 0x01,
    0x00, 0x01, 0x00, 0x00, 0xff, 0xdb, 0x00, 0x43, 0x00, 0x03, 0x02, 0x02, 0x03, 0x02, 0x02, 0x03,
    0x03, 0x03, 0x03, 0x04, 0x03, 0x03, 0x04, 0x05, 0x08, 0x05, 0x05, 0x04, 0x04, 0x05, 0x0a, 0x07,
    0x07, 0x06, 0x08, 0x0c, 0x0a, 0x0c, 0x0c, 0x0b, 0x0a, 0x0b, 0x0b, 0x0d, 0x0e, 0x12, 0x10, 0x0d,
    0x0e, 0x11, 0x0e, 0x0b, 0x0b, 0x10, 0x16, 0x10, 0x11, 0x13, 0x14, 0x15, 0x15, 0x15, 0x0c, 0x0f,
    0x17, 0x18, 0x16, 0x14, 0x18, 0x12, 0x14, 0x15, 0x14, 0xff, 0xc0, 0x00, 0x0b, 0x08, 0x00, 0x08,
    0x00, 0x08, 0x01, 0x01, 0x11, 0x00, 0xff, 0xc4, 0x00, 0x14, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x08, 0xff, 0xc4, 0x00, 0x14,
    0x10, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0xff, 0xda, 0x00, 0x08, 0x01, 0x01, 0x00, 0x00, 0x3f, 0x00, 0x60, 0x3f, 0xff, 0xd9};
enum { JPEG_HEIGHT_AT = 94 }; /* two bytes each, big-endian: height, width */

/* ---- Bitmaps, made here ---------------------------------------------------------------------- */

static void put32(uint8_t *at, uint32_t value) {
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> 8 * i);
}

enum { BMP_HEADER_SIZE = 54, BMP_MAX_SIZE = 256 };

struct bmp {
    uint8_t data[BMP_MAX_SIZE];
    size_t size;
};

/* A header of Windows 3, then `extra` bytes (palette and pixels). */
static struct bmp make_bmp(int32_t width, int32_t height, uint32_t bits, uint32_t palette_size,
                           const uint8_t *extra, size_t extra_size) {
    struct bmp bmp = {{'B', 'M'}, BMP_HEADER_SIZE + extra_size};
    put32(bmp.data + 2, (uint32_t)bmp.size);
    put32(bmp.data + 10, BMP_HEADER_SIZE + 4 * palette_size);
    put32(bmp.data + 14, 40);
    put32(bmp.data + 18, (uint32_t)width);
    put32(bmp.data + 22, (uint32_t)height);
    put32(bmp.data + 26, 1 | bits << 16);
    memcpy(bmp.data + BMP_HEADER_SIZE, extra, extra_size);
    return bmp;
}

/* Rows of blue, green, red, padded to 4 bytes, from the bottom. */
static struct bmp make_bmp_24(int32_t height) {
    static const uint8_t rows[] = {3, 2, 1,   200, 150, 100, 255, 255, 255, 0, 0, 0,
                                   0, 0, 255, 0,   255, 0,   255, 0,   0,   0, 0, 0};
    return make_bmp(3, height, 24, 0, rows, sizeof rows);
}

/* ---- Decoding -------------------------------------------------------------------------------- */

/* From a copy of exactly this size, so that the sanitizer sees an over-read. */
static mbn_status decode(const uint8_t *data, size_t size, mbn_rgb *image, mbn_error *error) {
    uint8_t *copy = malloc(size + (size == 0));
    cr_assert_not_null(copy);
    memcpy(copy, data, size);
    *error = (mbn_error){MBN_OK, ""};
    mbn_status status = mbn_rgb_decode(copy, size, false, image, error);
    free(copy);
    return status;
}

static void expect_pixels(const uint8_t *data, size_t size, int32_t width, int32_t height,
                          const uint8_t *pixels) {
    mbn_rgb image;
    mbn_error error;
    cr_assert_eq(decode(data, size, &image, &error), MBN_OK, "%s", error.message);
    cr_expect(image.width == width && image.height == height);
    cr_expect_eq(memcmp(image.pixels, pixels, (size_t)width * (size_t)height * 3), 0);
    free(image.pixels);
}

static void expect_error(const uint8_t *data, size_t size, mbn_status status, const char *message) {
    mbn_rgb image;
    mbn_error error;
    cr_expect_eq(decode(data, size, &image, &error), status, "%zu bytes: %s", size, error.message);
    cr_expect_not_null(strstr(error.message, message), "%zu bytes: expected '%s' in '%s'", size,
                       message, error.message);
}

Test(image, decodes_png) {
    expect_pixels(png, sizeof png, 3, 2, six_pixels);
}

Test(image, decodes_grey_jpeg) {
    uint8_t pixels[8 * 8 * 3];
    memset(pixels, 200, sizeof pixels);
    expect_pixels(jpeg, sizeof jpeg, 8, 8, pixels);
}

Test(image, decodes_bmp) {
    struct bmp bmp = make_bmp_24(2);
    expect_pixels(bmp.data, bmp.size, 3, 2, six_pixels);
    bmp = make_bmp_24(-2); /* from the top */
    uint8_t flipped[sizeof six_pixels];
    memcpy(flipped, six_pixels + 9, 9);
    memcpy(flipped + 9, six_pixels, 9);
    expect_pixels(bmp.data, bmp.size, 3, 2, flipped);
}

/* Two colours, blue first, then a row of four bytes. */
static struct bmp make_bmp_8(uint8_t last_index) {
    const uint8_t extra[] = {9, 8, 7, 0, 30, 20, 10, 0, 1, 0, 1, last_index};
    return make_bmp(4, 1, 8, 2, extra, sizeof extra);
}

Test(image, decodes_bmp_with_a_palette) {
    struct bmp bmp = make_bmp_8(0);
    static const uint8_t pixels[] = {10, 20, 30, 7, 8, 9, 10, 20, 30, 7, 8, 9};
    expect_pixels(bmp.data, bmp.size, 4, 1, pixels);
    /* One bit per pixel: 1, 0, 1, 1. */
    static const uint8_t extra[] = {9, 8, 7, 0, 30, 20, 10, 0, 0xb0, 0, 0, 0};
    bmp = make_bmp(4, 1, 1, 2, extra, sizeof extra);
    static const uint8_t bits[] = {10, 20, 30, 7, 8, 9, 10, 20, 30, 10, 20, 30};
    expect_pixels(bmp.data, bmp.size, 4, 1, bits);
}

/* ---- Malformed files ------------------------------------------------------------------------- */

Test(image, refuses_what_is_not_an_image) {
    expect_error(png, 0, MBN_MALFORMED, "empty file");
    expect_error((const uint8_t *)"GIF89a", 6, MBN_MALFORMED, "not a JPEG, PNG or BMP image");
    expect_error((const uint8_t *)"\xff", 1, MBN_MALFORMED, "not a JPEG, PNG or BMP image");
}

Test(image, refuses_files_cut_anywhere) {
    for (size_t size = 1; size < sizeof png; size++) {
        expect_error(png, size, MBN_MALFORMED,
                     size < 8 ? "not a JPEG, PNG or BMP image" : "truncated PNG");
    }
    for (size_t size = 1; size < sizeof jpeg; size++) {
        expect_error(jpeg, size, MBN_MALFORMED,
                     size < 3 ? "not a JPEG, PNG or BMP image" : "truncated JPEG");
    }
    struct bmp bmp = make_bmp_24(2);
    /* The padding of the last row is no loss. */
    for (size_t size = 1; size < bmp.size - 3; size++) {
        expect_error(bmp.data, size, MBN_MALFORMED,
                     size < 2 ? "not a JPEG, PNG or BMP image" : "truncated BMP");
    }
}

/* The checksums see every single changed byte, and where they do not look, the structure does. */
Test(image, refuses_a_png_with_any_byte_changed) {
    for (size_t at = 0; at < sizeof png; at++) {
        for (int bit = 0; bit < 8; bit++) {
            uint8_t changed[sizeof png];
            memcpy(changed, png, sizeof png);
            changed[at] ^= (uint8_t)(1 << bit);
            expect_error(changed, sizeof changed, MBN_MALFORMED, "");
        }
    }
}

/* Without checksums, damage may go unnoticed; it must not do more than change pixels. */
static void survive(const uint8_t *data, size_t size, size_t changed_size) {
    for (size_t at = 0; at < changed_size; at++) {
        for (int byte = 0; byte < 256; byte += at < 64 ? 1 : 5) {
            uint8_t changed[512];
            cr_assert_leq(size, sizeof changed);
            memcpy(changed, data, size);
            changed[at] = (uint8_t)byte;
            mbn_rgb image;
            mbn_error error;
            if (decode(changed, size, &image, &error) == MBN_OK) {
                cr_assert(image.width >= 1 && image.height >= 1);
                size_t bytes = (size_t)image.width * (size_t)image.height * 3;
                unsigned sum = 0; /* reads all of it */
                for (size_t i = 0; i < bytes; i++) sum += image.pixels[i];
                cr_assert_leq(sum, 255 * bytes);
                free(image.pixels);
            } else {
                cr_assert_str_not_empty(error.message);
            }
        }
    }
}

Test(image, survives_any_byte_in_a_bmp) {
    struct bmp bmp = make_bmp_24(2);
    survive(bmp.data, bmp.size, BMP_HEADER_SIZE);
    bmp = make_bmp_8(0);
    survive(bmp.data, bmp.size, bmp.size);
}

Test(image, survives_any_byte_in_a_jpeg) {
    survive(jpeg, sizeof jpeg, sizeof jpeg);
}

static void put_big_endian(uint8_t *at, uint32_t value) {
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> 8 * (3 - i));
}

static uint32_t crc32(const uint8_t *data, size_t size) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < 8 * size; i++) {
        uint32_t bit = (crc ^ (uint32_t)data[i / 8] >> i % 8) & 1;
        crc = crc >> 1 ^ (bit ? UINT32_C(0xedb88320) : 0);
    }
    return ~crc;
}

/* Damage on purpose comes with checksums that match.  The chunks' data: IHDR's at 16, IDAT's at
 * 41. */
Test(image, survives_any_byte_in_a_png_with_good_checksums) {
    static const struct { size_t at, size; } chunks[] = {{16, 13}, {41, 29}};
    uint8_t changed[sizeof png];
    for (size_t chunk = 0; chunk < 2; chunk++) {
        uint8_t *data = changed + chunks[chunk].at;
        size_t size = chunks[chunk].size;
        memcpy(changed, png, sizeof png);
        put_big_endian(data + size, crc32(data - 4, size + 4));
        cr_assert_eq(memcmp(changed, png, sizeof png), 0);
        for (size_t at = 0; at < size; at++) {
            for (int byte = 0; byte < 256; byte++) {
                memcpy(changed, png, sizeof png);
                data[at] = (uint8_t)byte;
                put_big_endian(data + size, crc32(data - 4, size + 4));
                mbn_rgb image;
                mbn_error error;
                if (decode(changed, sizeof changed, &image, &error) == MBN_OK) {
                    cr_assert(image.width >= 1 && image.width * image.height <= 6);
                    free(image.pixels);
                } else {
                    cr_assert_str_not_empty(error.message);
                }
            }
        }
    }
}

/* Appends a chunk; returns its end. */
static uint8_t *put_chunk(uint8_t *at, const char *type, const uint8_t *data, size_t size) {
    put_big_endian(at, (uint32_t)size);
    memcpy(at + 4, type, 4);
    if (size > 0) memcpy(at + 8, data, size);
    put_big_endian(at + 8 + size, crc32(at + 4, size + 4));
    return at + 12 + size;
}

/* 4x1 pixels of 8 bits: colours 0, 1, 200 and 255 of a palette with all bytes `value`. */
static size_t make_palette_png(uint8_t *file, size_t colours, uint8_t value) {
    static const uint8_t header[13] = {0, 0, 0, 4, 0, 0, 0, 1, 8, 3};
    /* zlib with one stored block, a row of no filter; its checksum is not looked at. */
    static const uint8_t row[] = {0x78, 1, 1, 5, 0, 0xfa, 0xff, 0, 0, 1, 200, 255, 0, 0, 0, 0};
    uint8_t palette[3 * 256];
    memset(palette, value, sizeof palette);
    memcpy(file, png, 8);
    uint8_t *end = put_chunk(file + 8, "IHDR", header, sizeof header);
    end = put_chunk(end, "PLTE", palette, 3 * colours);
    end = put_chunk(end, "IDAT", row, sizeof row);
    return (size_t)(put_chunk(end, "IEND", NULL, 0) - file);
}

/* Pillow shows black. */
Test(image, shows_no_leftovers_for_colours_that_a_png_lacks) {
    uint8_t file[1024], pixels[12];
    memset(pixels, 99, sizeof pixels);
    expect_pixels(file, make_palette_png(file, 256, 99), 4, 1, pixels);
    memset(pixels, 0, sizeof pixels);
    memset(pixels, 77, 6);
    expect_pixels(file, make_palette_png(file, 2, 77), 4, 1, pixels);
    expect_error(file, make_palette_png(file, 0, 0), MBN_MALFORMED, "Corrupt PNG");
}

/* zlib with a byte of 0 and `repeats` copies of 258: a code of 13 bits each (RFC 1951, 3.2.6). */
static size_t put_zeros(uint8_t *at, int repeats) {
    static const char first[] = "110"
                                "00110000",
                      repeat[] = "11000101"
                                 "00000",
                      end[] = "0000000";
    size_t bits = 0;
    at[0] = 0x78;
    at[1] = 1;
    for (int i = -1; i <= repeats; i++) {
        for (const char *bit = i < 0 ? first : i < repeats ? repeat : end; *bit != '\0'; bit++) {
            if (bits % 8 == 0) at[2 + bits / 8] = 0;
            at[2 + bits / 8] |= (uint8_t)((*bit - '0') << bits % 8);
            bits++;
        }
    }
    return 2 + (bits + 7) / 8 + 4; /* whose checksum is not looked at */
}

/* 2x1 grey pixels, and what comes behind them. */
Test(image, refuses_a_png_that_unpacks_to_more_than_its_pixels) {
    static const uint8_t header[13] = {0, 0, 0, 2, 0, 0, 0, 1, 8, 0};
    static uint8_t file[1 << 16], zeros[1 << 15];
    memcpy(file, png, 8);
    for (int repeats = 1; repeats <= 16384; repeats *= 16384) {
        uint8_t *chunks = put_chunk(file + 8, "IHDR", header, sizeof header);
        chunks = put_chunk(chunks, "IDAT", zeros, put_zeros(zeros, repeats));
        const size_t size = (size_t)(put_chunk(chunks, "IEND", NULL, 0) - file);
        if (repeats == 1) {
            expect_pixels(file, size, 2, 1, (const uint8_t[6]){0});
        } else {
            expect_error(file, size, MBN_MALFORMED, "it unpacks to more than its pixels");
        }
    }
}

Test(image, refuses_sizes_out_of_range) {
    static const struct {
        int32_t width, height;
        mbn_status status;
        const char *message;
    } cases[] = {
        {0, 2, MBN_MALFORMED, "image without pixels"},
        {3, 0, MBN_MALFORMED, "image without pixels"},
        {65537, 1, MBN_UNSUPPORTED, "image too large: 65537x1"},
        {1, -65537, MBN_UNSUPPORTED, "image too large: 1x65537"},
        {-1, 1, MBN_UNSUPPORTED, "image too large: 4294967295x1"},
        {1, INT32_MIN, MBN_UNSUPPORTED, "image too large: 1x2147483648"},
        {65536, 65536, MBN_UNSUPPORTED, "image too large: 65536x65536"},
        {10000, 10000, MBN_MALFORMED, "truncated BMP"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bmp bmp = make_bmp_24(2);
        put32(bmp.data + 18, (uint32_t)cases[i].width);
        put32(bmp.data + 22, (uint32_t)cases[i].height);
        expect_error(bmp.data, bmp.size, cases[i].status, cases[i].message);
    }
    uint8_t huge[sizeof jpeg];
    memcpy(huge, jpeg, sizeof jpeg);
    memset(huge + JPEG_HEIGHT_AT, 0xf0, 4);
    expect_error(huge, sizeof huge, MBN_UNSUPPORTED, "image too large: 61680x61680");
}

Test(image, refuses_colours_that_a_palette_lacks) {
    struct bmp bmp = make_bmp_8(2);
    expect_error(bmp.data, bmp.size, MBN_MALFORMED, "colour 2 of a palette of 2");
    static const uint8_t extra[] = {0x10, 0x20, 0, 0}; /* indices 1, 0, 2, 0, no palette */
    bmp = make_bmp(4, 1, 4, 0, extra, sizeof extra);
    expect_error(bmp.data, bmp.size, MBN_MALFORMED, "colour 1 of a palette of 0");
    put32(bmp.data + 10, 20); /* pixels inside the header */
    expect_error(bmp.data, bmp.size, MBN_MALFORMED, "pixels inside the headers");
}

Test(image, refuses_bitmaps_of_other_kinds) {
    struct bmp bmp = make_bmp_24(2);
    put32(bmp.data + 26, 1 | 2 << 16);
    expect_error(bmp.data, bmp.size, MBN_UNSUPPORTED, "BMP of 2 bits per pixel");
    bmp = make_bmp_24(2);
    put32(bmp.data + 30, 1);
    expect_error(bmp.data, bmp.size, MBN_UNSUPPORTED, "compressed BMP");
}

/* OS/2's short header, with sizes of two bytes. */
Test(image, decodes_bmp_of_os2) {
    struct bmp bmp = make_bmp_24(2);
    put32(bmp.data + 10, 26);
    put32(bmp.data + 14, 12);
    put32(bmp.data + 18, 3 | 2 << 16);  /* width, height */
    put32(bmp.data + 22, 1 | 24 << 16); /* planes, bits */
    memmove(bmp.data + 26, bmp.data + BMP_HEADER_SIZE, bmp.size - BMP_HEADER_SIZE);
    bmp.size -= BMP_HEADER_SIZE - 26;
    expect_pixels(bmp.data, bmp.size, 3, 2, six_pixels);
    for (size_t size = 2; size < bmp.size - 3; size++) {
        expect_error(bmp.data, size, MBN_MALFORMED, "truncated BMP");
    }
    put32(bmp.data + 22, 1 | 8 << 16);
    expect_error(bmp.data, bmp.size, MBN_UNSUPPORTED, "OS/2");
}

Test(image, names_what_cannot_be_read) {
    mbn_rgb image;
    mbn_error error;
    cr_expect_eq(mbn_rgb_read("/nonexistent/a.png", false, &image, &error), MBN_IO);
    cr_expect_str_eq(error.message, "No such file or directory");
    cr_expect_eq(mbn_rgb_read("/", false, &image, &error), MBN_IO);
    cr_expect_str_eq(error.message, "Is a directory");
}
