#include "golden.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Random weights pass errors on as trained ones do not.  The worst that scalar code does is a
 * difference of 0.026 of the range, five steps of bfloat16, in a map behind 45 layers (of logits:
 * 0.011), and a cosine of 0.99985. */
static const double bfloat16_difference = 0.04, bfloat16_cosine = 0.9995;

double seeded_unit(const char *name, uint64_t seed, uint64_t index) {
    const uint64_t golden_ratio = 0x9E3779B97F4A7C15;
    uint64_t state = 0xCBF29CE484222325;
    for (const char *c = name; *c != '\0'; c++) state = (state ^ (unsigned char)*c) * 0x100000001B3;
    uint64_t x = (state ^ seed * golden_ratio) + (index + 1) * golden_ratio;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
    x = (x ^ x >> 27) * 0x94D049BB133111EB;
    x ^= x >> 31;
    return (double)(x >> 40) * 0x1p-24;
}

float *seeded_input(uint64_t seed, size_t count) {
    float *input = malloc(count * sizeof *input);
    cr_assert_not_null(input);
    for (size_t i = 0; i < count; i++)
        input[i] = (float)(-1.0 + 2.0 * seeded_unit("input", seed, i));
    return input;
}

float *read_golden(const char *name, size_t count) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s.npy", GOLDEN_DIRECTORY, name);
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    unsigned char start[10];
    cr_assert_eq(fread(start, 1, sizeof start, file), sizeof start);
    cr_assert_eq(memcmp(start, "\x93NUMPY\x01\x00", 8), 0, "%s", path);
    cr_assert_eq(fseek(file, start[8] + 256 * start[9], SEEK_CUR), 0);
    float *values = malloc(count * sizeof *values);
    cr_assert_not_null(values);
    cr_assert_eq(fread(values, sizeof *values, count, file), count, "%s", path);
    cr_assert_eq(fgetc(file), EOF, "%s", path);
    fclose(file);
    return values;
}

mbn_model *load_seeded(const mbn_network_options *options, uint64_t seed, mbn_precision precision,
                       uint32_t isa_mask) {
    mbn_error error = {0};
    size_t size = 0;
    cr_assert_eq(mbn_network_init(options, seed, NULL, &size, &error), MBN_OK, "%s", error.message);
    void *bytes = malloc(size);
    cr_assert_not_null(bytes);
    cr_assert_eq(mbn_network_init(options, seed, bytes, &size, &error), MBN_OK, "%s",
                 error.message);
    mbn_model *model = NULL;
    const mbn_model_options model_options = {.isa_mask = isa_mask, .precision = precision};
    cr_assert_eq(mbn_model_load_memory(bytes, size, &model_options, &model, &error), MBN_OK, "%s",
                 error.message);
    free(bytes);
    return model;
}

static double cosine(const float *a, const float *b, size_t count) {
    double aa = 0, bb = 0, ab = 0;
    for (size_t i = 0; i < count; i++) {
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
        ab += (double)a[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

void compare_golden(const char *name, const mbn_model *model, const float *values,
                    const float *golden, size_t count) {
    const char *isa = mbn_model_kernels(model)->name;
    const bool narrow = mbn_model_precision(model) == MBN_PRECISION_BFLOAT16;
    float least = golden[0], largest = golden[0];
    double worst = 0;
    for (size_t i = 0; i < count; i++) {
        const double difference = fabs((double)values[i] - (double)golden[i]);
        if (!(difference <= worst)) worst = difference; /* a NaN is the worst */
        if (golden[i] < least) least = golden[i];
        if (golden[i] > largest) largest = golden[i];
    }
    const double range = (double)largest - (double)least;
    const double direction = cosine(values, golden, count);
    cr_log_info("%s%s on %s: %.1e of the range %.2f, cosine %.6f", name,
                narrow ? " in bfloat16" : "", isa, worst / range, range, direction);
    cr_expect(worst <= (narrow ? bfloat16_difference : 1e-4) * range,
              "%s%s on %s: off by %g, the range is %g", name, narrow ? " in bfloat16" : "", isa,
              worst, range);
    cr_expect(direction >= (narrow ? bfloat16_cosine : 0.999999), "%s on %s: cosine %g", name, isa,
              direction);
}
