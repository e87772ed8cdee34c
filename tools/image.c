#include "image.h"

#include "file.h"
#include "orientation.h"
#include "report.h"
#include "stb_memory.h"

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
    MIN_PNG_BUFFER = 1 << 16,
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

struct png {
    int orientation;
    bool of_16_bits;
    size_t pixels;
    size_t colours;                  /* that a pixel can choose from; 0: without a palette */
    size_t palette_at, palette_size; /* of the chunk with the palette, and its colours; 0: none */
};

static void read_png_header(const uint8_t *header, struct png *png) {
    enum { BITS = 8, KIND = 9, WITH_PALETTE = 3 };
    const unsigned bits = header[BITS];
    png->of_16_bits = bits == 16;
    if (header[KIND] == WITH_PALETTE && bits <= 8) png->colours = (size_t)1 << bits;
}

/* What stb_image does not look at: whether all of the file is there, unharmed, and which way up it
 * is. */
static mbn_status check_png(const uint8_t *data, size_t size, struct png *png, mbn_error *error) {
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
            png->pixels = (size_t)big_endian(type + 4) * big_endian(type + 8);
            read_png_header(type + 4, png);
        }
        if (memcmp(type, "PLTE", 4) == 0) {
            png->palette_at = at;
            png->palette_size = length / 3;
        }
        if (memcmp(type, "eXIf", 4) == 0) {
            png->orientation = mbn_exif_orientation(type + 4, length);
        }
        if (memcmp(type, "IEND", 4) == 0) return MBN_OK;
        at += PNG_CHUNK_OVERHEAD + length;
    }
}

/* stb_image shows what was on the stack for an index past the palette; Pillow shows black.  This is
 * the file with black for what its palette lacks, without a checksum; free() it. */
static uint8_t *complete_palette(const uint8_t *data, size_t size, const struct png *png,
                                 size_t *completed_size) {
    const size_t end = png->palette_at + PNG_CHUNK_OVERHEAD - 4 + 3 * png->palette_size;
    const size_t missing = 3 * (png->colours - png->palette_size);
    uint8_t *completed = calloc(1, size + missing);
    if (completed == NULL) return NULL;
    memcpy(completed, data, end);
    memcpy(completed + end + missing, data + end, size - end);
    const size_t length = 3 * png->colours;
    completed[png->palette_at + 2] = (uint8_t)(length >> 8);
    completed[png->palette_at + 3] = (uint8_t)length;
    *completed_size = size + missing;
    return completed;
}

/* The same of a bitmap is an error. */
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
    if (bmp->height > INT32_MAX) bmp->height = UINT32_MAX - bmp->height + 1; /* rows from the top */
    bmp->bits = little_endian(data + 26) >> 16;
    bmp->compression = little_endian(data + 30);
    return true;
}

enum { UNCOMPRESSED = 0, BIT_FIELDS = 3 };

static uint32_t count_green_bits(const uint8_t *data, size_t size, uint32_t compression) {
    if (compression == UNCOMPRESSED) return 5;
    if (size < BMP_FILE_HEADER_SIZE + 52) return 0;
    const uint8_t *masks = data + BMP_FILE_HEADER_SIZE + 40; /* red, green, blue */
    const uint32_t green = little_endian(masks + 4), blue = little_endian(masks + 8);
    if (blue != 0x1f) return 0;
    if (green == 0x7e0 && little_endian(masks) == 0xf800) return 6;
    return green == 0x3e0 && little_endian(masks) == 0x7c00 ? 5 : 0;
}

/* 5 and 6 bits become 8 by division in Pillow; stb_image repeats the upper bits. */
static void scale_as_pillow(const mbn_rgb *image, uint32_t green_bits) {
    const size_t count = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < count; i++) {
        uint8_t *pixel = image->pixels + 3 * i;
        for (int c = 0; c < 3; c++) {
            const uint32_t bits = c == 1 ? green_bits : 5;
            const uint32_t value = (uint32_t)pixel[c] >> (8 - bits);
            pixel[c] = (uint8_t)(value * 255u / ((1u << bits) - 1));
        }
    }
}

/* stb_image reads zeros past the end of a file, so that a truncated BMP would end in black. */
static mbn_status check_bmp(const uint8_t *data, size_t size, uint32_t *green_bits,
                            mbn_error *error) {
    static const char truncated[] = "truncated BMP";
    struct bmp bmp;
    if (!read_bmp(data, size, &bmp)) return mbn_explain(error, MBN_MALFORMED, truncated);
    mbn_status status = mbn_rgb_check_size(bmp.width, bmp.height, error);
    if (status != MBN_OK) return status;
    uint32_t bits = bmp.bits;
    *green_bits = bits == 16 ? count_green_bits(data, size, bmp.compression) : 0;
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
    if (pixels == NULL) {
        return mbn_explain(error, MBN_MALFORMED, "%s",
                           mbn_stb_refused() ? "corrupt PNG: it unpacks to more than its pixels"
                                             : stbi_failure_reason());
    }
    *image = (mbn_rgb){pixels, width, height, channels};
    return MBN_OK;
}

/* Values below 256 in 16 bits are most likely 8 bits that were not scaled.  Their upper bytes are
 * zero, so that the image would be black, which one of 16 bits may well be. */
static mbn_status check_16_bits(const uint8_t *data, size_t size, const mbn_rgb *image,
                                mbn_error *error) {
    const size_t count = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *pixel = image->pixels + i * (size_t)image->channels;
        if (pixel[0] != 0 || pixel[1] != 0 || pixel[2] != 0) return MBN_OK;
    }
    int width, height, channels;
    uint16_t *values = stbi_load_16_from_memory(data, (int)size, &width, &height, &channels, 3);
    if (values == NULL) return mbn_explain(error, MBN_MALFORMED, "%s", stbi_failure_reason());
    bool black = true;
    for (size_t i = 0; i < 3 * count; i++) black = black && values[i] == 0;
    free(values);
    if (black) return MBN_OK;
    return mbn_explain(
        error, MBN_UNSUPPORTED,
        "PNG of 16 bits with no value above 255, which would be black; store it with "
        "8 bits");
}

static mbn_status decode_png(const uint8_t *data, size_t size, bool alpha, mbn_rgb *image,
                             mbn_error *error) {
    struct png png = {.orientation = MBN_UPRIGHT};
    mbn_status status = check_png(data, size, &png, error);
    if (status != MBN_OK) return status;
    uint8_t *completed = NULL;
    if (png.palette_size > 0 && png.palette_size < png.colours) {
        completed = complete_palette(data, size, &png, &size);
        if (completed == NULL) return mbn_explain(error, MBN_OUT_OF_MEMORY, "out of memory");
        data = completed;
    }
    /* A pixel has at most 8 bytes, a row one more, twice where rows are interlaced; buffers grow
     * by doubling. */
    mbn_stb_allow(2 * (10 * png.pixels + size) + MIN_PNG_BUFFER);
    status = decode_with_stb(data, size, alpha, image, error);
    free(completed);
    if (status != MBN_OK) return status;
    if (png.of_16_bits) status = check_16_bits(data, size, image, error);
    if (status == MBN_OK) status = mbn_rgb_turn(image, png.orientation, error);
    if (status != MBN_OK) free(image->pixels);
    return status;
}

/* What most BMPs have in a fourth byte is no alpha, and Pillow ignores it. */
static mbn_status decode_bmp(const uint8_t *data, size_t size, mbn_rgb *image, mbn_error *error) {
    uint32_t green_bits = 0;
    mbn_status status = check_bmp(data, size, &green_bits, error);
    if (status == MBN_OK) status = decode_with_stb(data, size, false, image, error);
    if (status == MBN_OK && green_bits > 0) scale_as_pillow(image, green_bits);
    return status;
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
    if (size >= sizeof png && memcmp(data, png, sizeof png) == 0) {
        return decode_png(data, size, alpha, image, error);
    }
    if (size >= sizeof bmp && memcmp(data, bmp, sizeof bmp) == 0) {
        return decode_bmp(data, size, image, error);
    }
    return mbn_explain(error, MBN_MALFORMED, "not a JPEG, PNG or BMP image");
}

mbn_status mbn_rgb_read(const char *path, bool alpha, mbn_rgb *image, mbn_error *error) {
    mbn_bytes file;
    mbn_status status = mbn_file_read(path, MAX_FILE_SIZE, &file, error);
    if (status != MBN_OK) return status;
    status = mbn_rgb_decode(file.data, file.size, alpha, image, error);
    free(file.data);
    return status;
}
