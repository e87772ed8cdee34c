#include "image.h"
#include "orientation.h"
#include "report.h"

#include <setjmp.h>
#include <stdio.h> /* before jpeglib.h, which needs it */
#include <stdlib.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

struct decoder {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr manager;
    jmp_buf failed;
    mbn_error *error;
    uint8_t *pixels;
    int orientation;
};

/* libjpeg must not get control back after an error. */
static _Noreturn void fail(j_common_ptr jpeg) {
    struct decoder *decoder = jpeg->client_data;
    char message[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, message);
    mbn_status status =
        jpeg->err->msg_code == JERR_OUT_OF_MEMORY ? MBN_OUT_OF_MEMORY : MBN_MALFORMED;
    mbn_explain(decoder->error, status, "%s", message);
    longjmp(decoder->failed, 1);
}

/* Warnings, at level -1, and traces.  Like Pillow, takes what the decoder makes of damaged data,
 * but not of missing data. */
static void notice(j_common_ptr jpeg, int level) {
    if (level >= 0 || jpeg->err->msg_code != JWRN_JPEG_EOF) return;
    struct decoder *decoder = jpeg->client_data;
    mbn_explain(decoder->error, MBN_MALFORMED, "truncated JPEG");
    longjmp(decoder->failed, 1);
}

/* a * b / 255, rounded, for bytes. */
static unsigned multiply(unsigned a, unsigned b) {
    unsigned product = a * b + 128;
    return (product + (product >> 8)) >> 8;
}

/* The CMYK of JPEG files is stored as Adobe does, inverted: c here is 255 - cyan. */
static void cmyk_to_rgb(const uint8_t *cmyk, uint8_t *rgb, size_t count) {
    for (size_t i = 0; i < count; i++) {
        unsigned light = cmyk[4 * i + 3];
        for (size_t c = 0; c < 3; c++) {
            rgb[3 * i + c] = (uint8_t)(light - multiply(255u - cmyk[4 * i + c], light));
        }
    }
}

/* As the first EXIF segment says; there are other segments of its kind, XMP's for one. */
static int find_orientation(const struct jpeg_decompress_struct *jpeg) {
    static const uint8_t exif[6] = {'E', 'x', 'i', 'f'};
    for (jpeg_saved_marker_ptr m = jpeg->marker_list; m != NULL; m = m->next) {
        if (m->data_length >= sizeof exif && memcmp(m->data, exif, sizeof exif) == 0) {
            return mbn_exif_orientation(m->data + sizeof exif, m->data_length - sizeof exif);
        }
    }
    return MBN_UPRIGHT;
}

/* Leaves the pixels in decoder->pixels, and how to turn them in decoder->orientation. */
static mbn_status decode(struct decoder *decoder, const uint8_t *data, size_t size) {
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    if (setjmp(decoder->failed) != 0) return decoder->error->status;
    jpeg_create_decompress(jpeg);
    jpeg_mem_src(jpeg, data, size);
    jpeg_save_markers(jpeg, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(jpeg, TRUE);
    decoder->orientation = find_orientation(jpeg);
    mbn_status status = mbn_rgb_check_size(jpeg->image_width, jpeg->image_height, decoder->error);
    if (status != MBN_OK) return status;

    bool cmyk = jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK;
    jpeg->out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(jpeg);
    size_t width = jpeg->output_width;
    decoder->pixels = malloc(width * jpeg->output_height * 3);
    if (decoder->pixels == NULL) {
        return mbn_explain(decoder->error, MBN_OUT_OF_MEMORY, "out of memory");
    }
    JSAMPARRAY row = NULL;
    if (cmyk) {
        row = jpeg->mem->alloc_sarray((j_common_ptr)jpeg, JPOOL_IMAGE, jpeg->output_width * 4, 1);
    }
    while (jpeg->output_scanline < jpeg->output_height) {
        uint8_t *rgb = decoder->pixels + width * jpeg->output_scanline * 3;
        if (cmyk) {
            jpeg_read_scanlines(jpeg, row, 1);
            cmyk_to_rgb(row[0], rgb, width);
        } else {
            jpeg_read_scanlines(jpeg, &rgb, 1);
        }
    }
    jpeg_finish_decompress(jpeg);
    return MBN_OK;
}

mbn_status mbn_rgb_decode_jpeg(const uint8_t *data, size_t size, mbn_rgb *image, mbn_error *error) {
    struct decoder decoder = {.error = error};
    decoder.jpeg.err = jpeg_std_error(&decoder.manager);
    decoder.manager.error_exit = fail;
    decoder.manager.emit_message = notice;
    decoder.jpeg.client_data = &decoder;
    mbn_status status = decode(&decoder, data, size);
    if (status == MBN_OK) {
        *image = (mbn_rgb){decoder.pixels, (int32_t)decoder.jpeg.output_width,
                           (int32_t)decoder.jpeg.output_height, 3};
        status = mbn_rgb_turn(image, decoder.orientation, error);
    }
    if (status != MBN_OK) free(decoder.pixels);
    jpeg_destroy_decompress(&decoder.jpeg);
    return status;
}
