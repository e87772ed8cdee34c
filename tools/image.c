#include "image.h"

#include "file.h"
#include "orientation.h"
#include "report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "stb_image.h"

enum {
    MAX_SIDE = 65536,
    MAX_PIXELS = 178956970,  /* where Pillow suspects a decompression bomb */
    MAX_FILE_SIZE = 1 << 30, /* stb_image counts bytes in int */
    PNG_SIGNATURE_SIZE = 8,
    PNG_CHUNK_OVERHEAD = 12, /* length, type, checksum */
    PNG_HEADER_SIZE = PNG_CHUNK_OVERHEAD + 13,
    BMP_FILE_HEADER_SIZE = 14,
};

static uint32_t big_endian(const uint8_t *data) {
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

static uint32_t little_endian(const uint8_t *data) {
    return (uint32_t)data[3] << 24 | (uint32_t)data[2] << 16 | (uint32_t)data[1] << 8 | data[0];
}

mbn_status mbn_rgb_check_size(uint64_t width, uint64_t height, mbn_error *error) {
    if (width == 0 || height == 0) return mbn_explain(error, MBN_MALFORMED, "image without pixels");
    if (width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS) {
        return mbn_explain(error, MBN_UNSUPPORTED,
                           "image too large: %" PRIu64 "x%" PRIu64
                           ", at most %d per side and %d pixels",
                           width, height, MAX_SIDE, MAX_PIXELS);
    }
    return MBN_OK;
}

/* The CRC-32 of a byte in front of a CRC, for all bytes (polynomial 0x04c11db7, reflected). */
static void fill_crc_table(uint32_t table[256]) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
        }
        table[byte] = crc;
    }
}

static uint32_t checksum(const uint32_t table[256], const uint8_t *data, size_t size) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) crc = crc >> 8 ^ table[(crc ^ data[i]) & 0xff];
    return ~crc;
}

/* What stb_image does not look at: whether all of the file is there, unharmed, and which way up it
 * is. */
static mbn_status check_png(const uint8_t *data, size_t size, int *orientation, mbn_error *error) {
    static const char truncated[] = "truncated PNG";
    uint32_t table[256];
    fill_crc_table(table);
    for (size_t at = PNG_SIGNATURE_SIZE;;) {
        if (size - at < PNG_CHUNK_OVERHEAD) return mbn_explain(error, MBN_MALFORMED, truncated);
        size_t length = big_endian(data + at);
        if (length > size - at - PNG_CHUNK_OVERHEAD) {
            return mbn_explain(error, MBN_MALFORMED, truncated);
        }
        const uint8_t *type = data + at + 4;
        bool critical = (type[0] & 0x20) == 0;
        if (critical && checksum(table, type, length + 4) != big_endian(type + 4 + length)) {
            return mbn_explain(error, MBN_MALFORMED, "corrupt PNG: wrong checksum at byte %zu", at);
        }
        if (at == PNG_SIGNATURE_SIZE) {
            if (memcmp(type, "IHDR", 4) != 0 || length + PNG_CHUNK_OVERHEAD != PNG_HEADER_SIZE) {
                return mbn_explain(error, MBN_MALFORMED, "corrupt PNG: no header");
            }
            mbn_status status =
                mbn_rgb_check_size(big_endian(type + 4), big_endian(type + 8), error);
            if (status != MBN_OK) return status;
        }
        if (memcmp(type, "eXIf", 4) == 0) *orientation = mbn_exif_orientation(type + 4, length);
        if (memcmp(type, "IEND", 4) == 0) return MBN_OK;
        at += PNG_CHUNK_OVERHEAD + length;
    }
}

/* stb_image shows what was on the stack for an index past the palette. */
static mbn_status check_indices(const uint8_t *rows, uint64_t stride, uint32_t width,
                                uint32_t height, uint32_t bits, uint64_t colours,
                                mbn_error *error) {
    for (uint32_t y = 0; y < height; y++) {
        const uint8_t *row = rows + y * stride;
        for (uint32_t x = 0; x < width; x++) {
            uint32_t bit = x * bits;
            uint32_t index = (uint32_t)row[bit / 8] >> (8 - bits - bit % 8) & ((1u << bits) - 1);
            if (index >= colours) {
                return mbn_explain(error, MBN_MALFORMED,
                                   "corrupt BMP: colour %" PRIu32 " of a palette of %" PRIu64,
                                   index, colours);
            }
        }
    }
    return MBN_OK;
}

struct bmp {
    uint32_t width, height, bits, compression;
    uint64_t headers; /* bytes in front of the palette */
    uint64_t pixels;  /* where they begin */
    bool os2;
};

/* False if the headers are not all there. */
static bool read_bmp(const uint8_t *data, size_t size, struct bmp *bmp) {
    if (size < BMP_FILE_HEADER_SIZE + 12) return false;
    bmp->pixels = little_endian(data + 10);
    bmp->headers = BMP_FILE_HEADER_SIZE + (uint64_t)little_endian(data + 14);
    bmp->os2 = bmp->headers == BMP_FILE_HEADER_SIZE + 12;
    if (bmp->os2) { /* sizes of two bytes */
        uint32_t sides = little_endian(data + 18);
        bmp->width = sides & 0xffff;
        bmp->height = sides >> 16;
        bmp->bits = little_endian(data + 22) >> 16;
        bmp->compression = 0;
        return true;
    }
    if (size < BMP_FILE_HEADER_SIZE + 40) return false;
    bmp->width = little_endian(data + 18);
    bmp->height = little_endian(data + 22);
    if (bmp->height > INT32_MAX) bmp->height = -bmp->height; /* rows from the top */
    bmp->bits = little_endian(data + 26) >> 16;
    bmp->compression = little_endian(data + 30);
    return true;
}

/* stb_image reads zeros past the end of a file, so that a truncated BMP would end in black. */
static mbn_status check_bmp(const uint8_t *data, size_t size, mbn_error *error) {
    static const char truncated[] = "truncated BMP";
    enum { UNCOMPRESSED = 0, BIT_FIELDS = 3 };
    struct bmp bmp;
    if (!read_bmp(data, size, &bmp)) return mbn_explain(error, MBN_MALFORMED, truncated);
    mbn_status status = mbn_rgb_check_size(bmp.width, bmp.height, error);
    if (status != MBN_OK) return status;
    uint32_t bits = bmp.bits;
    if (bits != 1 && bits != 4 && bits != 8 && bits != 16 && bits != 24 && bits != 32) {
        return mbn_explain(error, MBN_UNSUPPORTED, "BMP of %" PRIu32 " bits per pixel", bits);
    }
    if (bmp.os2 && bits <= 8) { /* stb_image 2.27 loses the last four colours */
        return mbn_explain(error, MBN_UNSUPPORTED, "BMP with a palette in OS/2's form");
    }
    if (bmp.compression != UNCOMPRESSED && bmp.compression != BIT_FIELDS) {
        return mbn_explain(error, MBN_UNSUPPORTED, "compressed BMP");
    }
    uint64_t row_bits = (uint64_t)bmp.width * bits;
    uint64_t stride = (row_bits + 31) / 32 * 4;
    if (bmp.pixels + stride * (bmp.height - 1) + (row_bits + 7) / 8 > size) {
        return mbn_explain(error, MBN_MALFORMED, truncated);
    }
    if (bmp.pixels < bmp.headers) {
        return mbn_explain(error, MBN_MALFORMED, "corrupt BMP: pixels inside the headers");
    }
    if (bits > 8) return MBN_OK;
    return check_indices(data + bmp.pixels, stride, bmp.width, bmp.height, bits,
                         (bmp.pixels - bmp.headers) / 4, error);
}

static mbn_status decode_with_stb(const uint8_t *data, size_t size, bool alpha, mbn_rgb *image,
                                  mbn_error *error) {
    int width;
    int height;
    int stored;
    const int channels = alpha ? 4 : 3;
    stbi_uc *pixels = stbi_load_from_memory(data, (int)size, &width, &height, &stored, channels);
    if (pixels == NULL) return mbn_explain(error, MBN_MALFORMED, "%s", stbi_failure_reason());
    *image = (mbn_rgb){pixels, width, height, channels};
    return MBN_OK;
}

mbn_status mbn_rgb_decode(const uint8_t *data, size_t size, bool alpha, mbn_rgb *image,
                          mbn_error *error) {
    static const uint8_t jpeg[] = {0xff, 0xd8, 0xff};
    static const uint8_t png[PNG_SIGNATURE_SIZE] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    static const uint8_t bmp[] = {'B', 'M'};
    if (size == 0) return mbn_explain(error, MBN_MALFORMED, "empty file");
    if (size > MAX_FILE_SIZE) {
        return mbn_explain(error, MBN_UNSUPPORTED, "larger than %d bytes", MAX_FILE_SIZE);
    }
    if (size >= sizeof jpeg && memcmp(data, jpeg, sizeof jpeg) == 0) {
        return mbn_rgb_decode_jpeg(data, size, image, error);
    }
    int orientation = MBN_UPRIGHT;
    mbn_status status;
    if (size >= sizeof png && memcmp(data, png, sizeof png) == 0) {
        status = check_png(data, size, &orientation, error);
    } else if (size >= sizeof bmp && memcmp(data, bmp, sizeof bmp) == 0) {
        status = check_bmp(data, size, error);
        alpha = false; /* what most BMPs have in a fourth byte is no alpha, and Pillow ignores it */
    } else {
        return mbn_explain(error, MBN_MALFORMED, "not a JPEG, PNG or BMP image");
    }
    if (status == MBN_OK) status = decode_with_stb(data, size, alpha, image, error);
    if (status != MBN_OK) return status;
    status = mbn_rgb_turn(image, orientation, error);
    if (status != MBN_OK) free(image->pixels);
    return status;
}

mbn_status mbn_rgb_read(const char *path, bool alpha, mbn_rgb *image, mbn_error *error) {
    mbn_bytes file;
    mbn_status status = mbn_file_read(path, MAX_FILE_SIZE, &file, error);
    if (status != MBN_OK) return status;
    status = mbn_rgb_decode(file.data, file.size, alpha, image, error);
    free(file.data);
    return status;
}
