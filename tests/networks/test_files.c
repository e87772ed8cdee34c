/* Model files of version 0.1 (format mobilenet/1), which load for ever: tests/golden/mobilenet-1
 * has one per network, and what frameworks computed with its weights
 * (tests/golden/make_files.py). */
#include "golden.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 5, IMAGE_WIDTH = 100, IMAGE_HEIGHT = 76 };

static const struct file {
    const char *name, *network;
    int32_t height, width;
    mbn_source source;
    mbn_padding padding;
    int32_t resize;
    float mean[3], deviation[3];
    const char *label; /* of class 2; NULL: no labels */
    uint64_t seed;     /* not 0: only its header is kept, and its tensors are seeded */
} files[] = {
    {"v1",
     "mobilenet_v1",
     65,
     49,
     MBN_SOURCE_KERAS,
     MBN_PADDING_TRAILING,
     0,
     {0.5F, 0.5F, 0.5F},
     {0.5F, 0.5F, 0.5F},
     NULL,
     0},
    {"v2",
     "mobilenet_v2",
     64,
     64,
     MBN_SOURCE_TORCHVISION,
     MBN_PADDING_SYMMETRIC,
     72,
     {0.485F, 0.456F, 0.406F},
     {0.229F, 0.224F, 0.225F},
     "caf\xC3\xA9",
     0},
    {"v3-small",
     "mobilenet_v3_small",
     96,
     64,
     MBN_SOURCE_TORCHVISION,
     MBN_PADDING_SYMMETRIC,
     0,
     {0.5F, 0.5F, 0.5F},
     {0.5F, 0.5F, 0.5F},
     NULL,
     0},
    {"v3-large",
     "mobilenet_v3_large",
     70,
     64,
     MBN_SOURCE_TORCHVISION,
     MBN_PADDING_SYMMETRIC,
     80,
     {0.5F, 0.25F, 0.75F},
     {0.5F, 0.5F, 1.0F},
     NULL,
     0},
    {"article",
     "mobilenet_v3_small_article",
     64,
     64,
     MBN_SOURCE_KERAS,
     MBN_PADDING_SAME,
     0,
     {0.5F, 0.5F, 0.5F},
     {0.5F, 0.5F, 0.5F},
     NULL,
     45},
    {"table",
     "mobilenet_v3_variant",
     48,
     64,
     MBN_SOURCE_TORCHVISION,
     MBN_PADDING_SYMMETRIC,
     0,
     {0.5F, 0.5F, 0.5F},
     {0.5F, 0.5F, 0.5F},
     NULL,
     0},
};
enum { FILE_COUNT = sizeof files / sizeof files[0] };

static unsigned char *read_file(const char *name, const char *ending, size_t *size) {
    char path[512];
    snprintf(path, sizeof path, "%s/mobilenet-1/%s.%s", GOLDEN_DIRECTORY, name, ending);
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    cr_assert_eq(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(*size);
    cr_assert_not_null(bytes);
    cr_assert_eq(fread(bytes, 1, *size, file), *size, "%s", path);
    fclose(file);
    return bytes;
}

/* A kept header before the tensors of a file that is seeded now. */
static unsigned char *read_header(const struct file *f, size_t *size) {
    size_t header_size, seeded_size = 0;
    unsigned char *header = read_file(f->name, "json", &header_size);
    const mbn_network_options options = {.network = f->network, .classes = CLASSES};
    cr_assert_eq(mbn_network_init(&options, f->seed, NULL, &seeded_size, NULL), MBN_OK);
    unsigned char *seeded = malloc(seeded_size);
    cr_assert_not_null(seeded);
    cr_assert_eq(mbn_network_init(&options, f->seed, seeded, &seeded_size, NULL), MBN_OK);
    size_t tensors = 8;
    for (size_t i = 0; i < 8; i++) tensors += (size_t)seeded[i] << 8 * i;

    *size = 8 + header_size + seeded_size - tensors;
    unsigned char *bytes = malloc(*size);
    cr_assert_not_null(bytes);
    for (size_t i = 0; i < 8; i++) bytes[i] = (unsigned char)(header_size >> 8 * i);
    memcpy(bytes + 8, header, header_size);
    memcpy(bytes + 8 + header_size, seeded + tensors, seeded_size - tensors);
    free(seeded);
    free(header);
    return bytes;
}

static void check_metadata(const struct file *f, const mbn_model *model) {
    const mbn_network *network = mbn_model_network(model);
    cr_expect_str_eq(network->name, f->network);
    cr_expect_eq(network->input_height, f->height, "%s", f->name);
    cr_expect_eq(network->input_width, f->width, "%s", f->name);
    cr_expect_eq(network->classes, CLASSES, "%s", f->name);
    cr_expect_eq(network->source, f->source, "%s", f->name);
    cr_expect_eq(network->padding, f->padding, "%s", f->name);
    mbn_preprocessing preprocessing;
    mbn_model_preprocessing(model, &preprocessing);
    cr_expect_eq(preprocessing.resize, f->resize, "%s", f->name);
    for (int c = 0; c < 3; c++) {
        cr_expect_eq(preprocessing.mean[c], f->mean[c], "%s", f->name);
        cr_expect_eq(preprocessing.standard_deviation[c], f->deviation[c], "%s", f->name);
    }
    const char *label = mbn_model_label(model, 2);
    cr_expect((label == NULL) == (f->label == NULL), "%s", f->name);
    if (label != NULL && f->label != NULL) cr_expect_str_eq(label, f->label);
}

static void check_outputs(const struct file *f, const mbn_model *model, const float *golden) {
    mbn_context *context = NULL;
    mbn_error error = {MBN_OK, ""};
    cr_assert_eq(mbn_context_create(model, NULL, &context, &error), MBN_OK, "%s", error.message);
    float values[CLASSES];
    float *input = seeded_input(1, (size_t)f->height * (size_t)f->width * 3);
    cr_assert_eq(mbn_run(context, input, MBN_NHWC, 1, MBN_LOGITS, values, &error), MBN_OK, "%s",
                 error.message);
    compare_golden(f->name, model, values, golden, CLASSES);

    static uint8_t pixels[IMAGE_HEIGHT * IMAGE_WIDTH * 3];
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(256 * seeded_unit("image", 1, i));
    const mbn_image image = {.pixels = pixels, .width = IMAGE_WIDTH, .height = IMAGE_HEIGHT};
    cr_assert_eq(mbn_run_images(context, &image, 1, MBN_PROBABILITIES, values, &error), MBN_OK,
                 "%s", error.message);
    compare_golden(f->name, model, values, golden + CLASSES, CLASSES);
    free(input);
    mbn_context_free(context);
}

Test(files, of_version_0_1_load_for_ever) {
    const uint32_t mask = isas_to_test(MBN_PRECISION_FLOAT32);
    for (const struct file *f = files; f < files + FILE_COUNT; f++) {
        size_t size;
        unsigned char *bytes =
            f->seed != 0 ? read_header(f, &size) : read_file(f->name, "safetensors", &size);
        char name[64];
        snprintf(name, sizeof name, "mobilenet-1/%s", f->name);
        float *golden = read_golden(name, 2 * CLASSES);
        for (int isa = 0; isa < MBN_ISA_COUNT; isa++) {
            if ((mask >> isa & 1U) == 0) continue;
            mbn_model *model = NULL;
            mbn_error error = {MBN_OK, ""};
            const mbn_model_options options = {.isa_mask = 1U << isa};
            cr_assert_eq(mbn_model_load_memory(bytes, size, &options, &model, &error), MBN_OK,
                         "%s: %s", f->name, error.message);
            check_metadata(f, model);
            check_outputs(f, model, golden);
            mbn_model_free(model);
        }
        free(golden);
        free(bytes);
    }
}
