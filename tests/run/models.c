#include "models.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <tests/random.h>

void *make_file(const mbn_network_options *options, size_t *size) {
    mbn_error error = {MBN_OK, ""};
    cr_assert_eq(mbn_network_init(options, 7, NULL, size, &error), MBN_OK, "%s", error.message);
    void *bytes = malloc(*size);
    cr_assert_not_null(bytes);
    cr_assert_eq(mbn_network_init(options, 7, bytes, size, &error), MBN_OK, "%s", error.message);
    return bytes;
}

void *with_metadata(void *file, size_t *size, const char *format, const char *more) {
    static const char start[] = "{\"__metadata__\":{\"format\":\"mobilenet/1\",";
    const size_t old = sizeof start - 1, added = strlen(more);
    cr_assert_eq(strlen(format), strlen("mobilenet/1"));
    cr_assert_eq(memcmp((char *)file + 8, start, old), 0);
    char *bytes = malloc(*size + added);
    cr_assert_not_null(bytes);
    uint64_t length;
    memcpy(&length, file, sizeof length);
    length += added;
    memcpy(bytes, &length, sizeof length);
    memcpy(bytes + 8, start, old);
    memcpy(bytes + 8 + old - 13, format, strlen(format)); /* before the quote and the comma */
    memcpy(bytes + 8 + old, more, added);
    memcpy(bytes + 8 + old + added, (char *)file + 8 + old, *size - 8 - old);
    *size += added;
    free(file);
    return bytes;
}

mbn_model *make_model_in(mbn_precision precision, const char *network, uint32_t isa_mask,
                         const mbn_allocator *allocator) {
    const mbn_network_options options = {
        .network = network, .input_height = HEIGHT, .input_width = WIDTH, .classes = CLASSES};
    size_t size;
    void *file = make_file(&options, &size);
    mbn_error error = {MBN_OK, ""};
    mbn_model *model = NULL;
    const mbn_model_options model_options = {
        .isa_mask = isa_mask, .precision = precision, .allocator = allocator};
    cr_assert_eq(mbn_model_load_memory(file, size, &model_options, &model, &error), MBN_OK, "%s",
                 error.message);
    free(file);
    return model;
}

mbn_model *make_model(const char *network, uint32_t isa_mask, const mbn_allocator *allocator) {
    return make_model_in(MBN_PRECISION_FLOAT32, network, isa_mask, allocator);
}

void in_every_precision(void (*check)(mbn_precision precision)) {
    check(MBN_PRECISION_FLOAT32);
    check(MBN_PRECISION_BFLOAT16);
}

mbn_context *make_context(const mbn_model *model, const mbn_context_options *options) {
    mbn_error error = {MBN_OK, ""};
    mbn_context *context = NULL;
    cr_assert_eq(mbn_context_create(model, options, &context, &error), MBN_OK, "%s", error.message);
    return context;
}

float *make_images(int32_t images, uint64_t seed) {
    random_state random = {seed};
    float *values = malloc((size_t)images * PIXELS * sizeof *values);
    cr_assert_not_null(values);
    for (int32_t i = 0; i < images * PIXELS; i++) values[i] = random_float(&random, -1.0F, 1.0F);
    return values;
}

void run_logits(mbn_context *context, const float *image, float *logits) {
    mbn_error error = {MBN_OK, ""};
    cr_assert_eq(mbn_run(context, image, MBN_NHWC, 1, MBN_LOGITS, logits, &error), MBN_OK, "%s",
                 error.message);
}
