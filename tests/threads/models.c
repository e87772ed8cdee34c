#include "models.h"

#include <mobilenet/quantize.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void insist(int condition, const char *what, const char *why) {
    if (condition) return;
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

void models_draw(int number, float input[IMAGE]) {
    for (int i = 0; i < IMAGE; i++) input[i] = (float)((i + 5 * number) * 37 % 256) / 128 - 1;
}

static mbn_status read_image(void *user, int32_t index, mbn_context *context, float *input,
                             mbn_error *error) {
    (void)user, (void)context, (void)error;
    models_draw(index, input);
    return MBN_OK;
}

static void make_integers(models *m) {
    char path[] = "/tmp/mobilenet-test-XXXXXX";
    const int file = mkstemp(path);
    insist(file >= 0 && write(file, m->floats, m->floats_size) == (ssize_t)m->floats_size, path,
           "cannot be written");
    close(file);
    const mbn_calibration calibration = {4, read_image, NULL};
    const mbn_quantize_options options = {.method = MBN_RANGE_MINMAX, .threads = 2};
    mbn_quantized *quantized;
    mbn_error error = {MBN_OK, ""};
    const mbn_status status = mbn_quantize(path, &calibration, &options, &quantized, &error);
    unlink(path);
    insist(status == MBN_OK, "mbn_quantize", error.message);
    m->integers_size = quantized->file_bytes;
    m->integers = malloc(m->integers_size);
    insist(m->integers != NULL, "malloc", "no memory");
    memcpy(m->integers, quantized->file, m->integers_size);
    mbn_quantized_free(quantized);
}

void models_make(models *m) {
    const mbn_network_options options = {.network = "mobilenet_v3_small",
                                         .width = 0.25,
                                         .input_height = SIDE,
                                         .input_width = SIDE,
                                         .classes = CLASSES};
    mbn_error error = {MBN_OK, ""};
    insist(mbn_network_init(&options, 1, NULL, &m->floats_size, &error) == MBN_OK,
           "mbn_network_init", error.message);
    m->floats = malloc(m->floats_size);
    insist(m->floats != NULL, "malloc", "no memory");
    insist(mbn_network_init(&options, 1, m->floats, &m->floats_size, &error) == MBN_OK,
           "mbn_network_init", error.message);
    make_integers(m);
}

void models_free(models *m) {
    free(m->floats);
    free(m->integers);
}

mbn_model *models_load(const models *m, int precision) {
    static const mbn_precision precisions[PRECISIONS] = {
        MBN_PRECISION_FLOAT32, MBN_PRECISION_BFLOAT16, MBN_PRECISION_INT8};
    const int integers = precisions[precision] == MBN_PRECISION_INT8;
    const mbn_model_options options = {.precision = precisions[precision]};
    mbn_model *model;
    mbn_error error = {MBN_OK, ""};
    insist(mbn_model_load_memory(integers ? m->integers : m->floats,
                                 integers ? m->integers_size : m->floats_size, &options, &model,
                                 &error) == MBN_OK,
           "mbn_model_load_memory", error.message);
    return model;
}
