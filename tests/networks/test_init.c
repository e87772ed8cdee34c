/* Seeded model files: values that numpy computed (tests/golden/seeded.py), metadata, sizes. */
#include <arch/model/safetensors.h>
#include <criterion/criterion.h>
#include <mobilenet.h>
#include <stdlib.h>
#include <string.h>

struct file {
    void *bytes;
    size_t size;
};

static struct file make_file(const mbn_network_options *options, uint64_t seed) {
    struct file file = {NULL, 0};
    mbn_error error = {0};
    cr_assert_eq(mbn_network_init(options, seed, NULL, &file.size, &error), MBN_OK, "%s",
                 error.message);
    file.bytes = malloc(file.size);
    cr_assert_not_null(file.bytes);
    size_t size = file.size;
    cr_assert_eq(mbn_network_init(options, seed, file.bytes, &size, &error), MBN_OK, "%s",
                 error.message);
    cr_assert_eq(size, file.size);
    return file;
}

static mbn_safetensors *parse(struct file file) {
    mbn_safetensors *parsed = NULL;
    mbn_error error = {0};
    cr_assert_eq(mbn_safetensors_parse(file.bytes, file.size, &parsed, &error), MBN_OK, "%s",
                 error.message);
    return parsed;
}

static void expect_values(const mbn_safetensors *file, const char *name, const float *expected,
                          size_t count) {
    const mbn_tensor *tensor = mbn_safetensors_find(file, name);
    cr_assert_not_null(tensor, "%s", name);
    cr_assert_eq(tensor->dtype, MBN_DTYPE_F32);
    cr_expect_eq(memcmp(tensor->data, expected, count * sizeof *expected), 0, "%s", name);
}

Test(init, values_as_numpy) {
    const mbn_network_options options = {.network = "mobilenet_v2", .classes = 10};
    struct file file = make_file(&options, 1);
    mbn_safetensors *parsed = parse(file);
    static const float weight[] = {-0x1.6c2b46p-2F, 0x1.f14306p-3F, -0x1.c2837cp-2F};
    static const float bias[] = {-0x1.2c5bb4p-6F, 0x1.626f14p-5F, -0x1.6a448cp-4F};
    static const float variance[] = {0x1.aaeb1p-1F, 0x1.bd26d8p-1F};
    expect_values(parsed, "features.0.0.weight", weight, 3);
    expect_values(parsed, "classifier.1.bias", bias, 3);
    expect_values(parsed, "features.0.1.running_var", variance, 2);
    mbn_safetensors_free(parsed);
    free(file.bytes);

    file = make_file(&options, UINT64_MAX);
    parsed = parse(file);
    static const float last[] = {0x1.ef5b62p-3F, -0x1.ff0db8p-3F, -0x1.19ecfep-2F};
    expect_values(parsed, "features.0.0.weight", last, 3);
    mbn_safetensors_free(parsed);
    free(file.bytes);
}

Test(init, metadata) {
    const struct file file = make_file(&(mbn_network_options){.network = "mobilenet_v3_small",
                                                              .width = 0.35,
                                                              .input_height = 97,
                                                              .input_width = 1024,
                                                              .classes = 7,
                                                              .padding = MBN_PADDING_TRAILING,
                                                              .source = MBN_SOURCE_KERAS,
                                                              .batch_norm_epsilon = 1e-5},
                                       3);
    mbn_safetensors *parsed = parse(file);
    static const char *const expected[][2] = {
        {"format", "mobilenet/1"},
        {"network", "mobilenet_v3_small"},
        {"source", "keras"},
        {"width", "0.35"},
        {"input_height", "97"},
        {"input_width", "1024"},
        {"classes", "7"},
        {"padding", "trailing"},
        {"batch_norm_epsilon", "1e-5"},
        {"mean", "[0.5,0.5,0.5]"},
        {"std", "[0.5,0.5,0.5]"},
        {"resize", "0"},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        const char *value = mbn_safetensors_metadata(parsed, expected[i][0]);
        cr_assert_not_null(value, "%s", expected[i][0]);
        cr_expect_str_eq(value, expected[i][1]);
    }
    mbn_safetensors_free(parsed);
    free(file.bytes);
}

Test(init, metadata_of_other_channels) {
    static const char *const halves[] = {NULL, "[0.5]", "[0.5,0.5]", NULL, "[0.5,0.5,0.5,0.5]"};
    for (int32_t channels = 1; channels <= 4; channels++) {
        if (channels == 3) continue;
        const struct file file = make_file(
            &(mbn_network_options){
                .network = "mobilenet_v1", .width = 0.1, .classes = 1, .input_channels = channels},
            0);
        mbn_safetensors *parsed = parse(file);
        const char number[] = {(char)('0' + channels), '\0'};
        cr_expect_str_eq(mbn_safetensors_metadata(parsed, "format"), "mobilenet/2");
        cr_expect_str_eq(mbn_safetensors_metadata(parsed, "input_channels"), number);
        cr_expect_str_eq(mbn_safetensors_metadata(parsed, "mean"), halves[channels]);
        cr_expect_str_eq(mbn_safetensors_metadata(parsed, "std"), halves[channels]);
        mbn_safetensors_free(parsed);
        free(file.bytes);
    }
}

/* A width that no short decimal is survives the file. */
Test(init, width_reads_back_exactly) {
    const double width = 1.0 / 3.0;
    const struct file file = make_file(
        &(mbn_network_options){.network = "mobilenet_v1", .width = width, .classes = 1}, 0);
    mbn_model *model = NULL;
    mbn_error error = {0};
    cr_assert_eq(mbn_model_load_memory(file.bytes, file.size, NULL, &model, &error), MBN_OK, "%s",
                 error.message);
    cr_expect_eq(mbn_model_network(model)->width, width);
    mbn_model_free(model);
    free(file.bytes);
}

Test(init, same_seed_same_bytes) {
    const mbn_network_options options = {.network = "mobilenet_v1", .width = 0.25, .classes = 3};
    const struct file one = make_file(&options, 5), two = make_file(&options, 5),
                      other = make_file(&options, 6);
    cr_assert_eq(one.size, two.size);
    cr_assert_eq(one.size, other.size);
    cr_expect_eq(memcmp(one.bytes, two.bytes, one.size), 0);
    cr_expect_neq(memcmp(one.bytes, other.bytes, one.size), 0);
    free(one.bytes);
    free(two.bytes);
    free(other.bytes);
}

Test(init, tensors_are_aligned) {
    for (int32_t i = 0; mbn_network_name(i) != NULL; i++) {
        const struct file file =
            make_file(&(mbn_network_options){.network = mbn_network_name(i), .classes = 2}, 1);
        mbn_safetensors *parsed = parse(file);
        const mbn_tensor *first = mbn_safetensors_at(parsed, 0);
        cr_expect_eq(((const char *)first->data - (const char *)file.bytes) % 8, 0);
        mbn_safetensors_free(parsed);
        free(file.bytes);
    }
}

Test(init, errors_leave_the_output_alone) {
    mbn_network_options options = {.network = "mobilenet_v1", .width = 0.25, .classes = 3};
    mbn_error error = {0};
    size_t needed = 0;
    cr_assert_eq(mbn_network_init(&options, 1, NULL, &needed, &error), MBN_OK);
    unsigned char byte = 42;
    size_t size = needed - 1;
    cr_expect_eq(mbn_network_init(&options, 1, &byte, &size, &error), MBN_INVALID_ARGUMENT);
    cr_expect_not_null(strstr(error.message, "size: "), "%s", error.message);
    cr_expect_eq(size, needed - 1);
    cr_expect_eq(byte, 42);

    cr_expect_eq(mbn_network_init(&options, 1, NULL, NULL, &error), MBN_INVALID_ARGUMENT);
    cr_expect_str_eq(error.message, "size: NULL");
    cr_expect_eq(mbn_network_init(NULL, 1, NULL, &size, &error), MBN_INVALID_ARGUMENT);
    cr_expect_str_eq(error.message, "options: NULL");
    options.standard_convolution = true;
    cr_expect_eq(mbn_network_init(&options, 1, NULL, &size, &error), MBN_INVALID_ARGUMENT);
    cr_expect_not_null(strstr(error.message, "standard_convolution"), "%s", error.message);
    cr_expect_eq(size, needed - 1);
}
