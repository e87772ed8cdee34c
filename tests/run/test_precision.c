/* Which precision a model is loaded in, and what it holds then. */
#include "models.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void *make_small_file(size_t *size) {
    const mbn_network_options options = {.network = "mobilenet_v3_small",
                                         .width = 0.35,
                                         .input_height = HEIGHT,
                                         .input_width = WIDTH,
                                         .classes = CLASSES};
    return make_file(&options, size);
}

static mbn_model *load(const void *file, size_t size, mbn_precision precision, uint32_t mask) {
    mbn_error error = {MBN_OK, ""};
    mbn_model *model = NULL;
    const mbn_model_options options = {.isa_mask = mask, .precision = precision};
    cr_assert_eq(mbn_model_load_memory(file, size, &options, &model, &error), MBN_OK, "%s",
                 error.message);
    return model;
}

Test(precision, names) {
    static const char *const names[] = {"default", "float32", "bfloat16", "int8", "fastest"};
    for (int i = 0; i < 5; i++) cr_expect_str_eq(mbn_precision_name((mbn_precision)i), names[i]);
    cr_expect_null(mbn_precision_name((mbn_precision)5));
    cr_expect_null(mbn_precision_name((mbn_precision)-1));
}

Test(precision, unknown_ones_are_refused) {
    size_t size;
    void *file = make_small_file(&size);
    static const int unknown[] = {5, -1, 1 << 20};
    for (int i = 0; i < 3; i++) {
        const mbn_model_options options = {.precision = (mbn_precision)unknown[i]};
        mbn_model *model = (mbn_model *)&options;
        mbn_error error = {MBN_OK, ""};
        cr_expect_eq(mbn_model_load_memory(file, size, &options, &model, &error),
                     MBN_INVALID_ARGUMENT);
        cr_expect_null(model);
        char expected[64];
        snprintf(expected, sizeof expected, "precision: %d is no mbn_precision", unknown[i]);
        cr_expect_str_eq(error.message, expected);
    }
    free(file);
}

/* ---- The choice ------------------------------------------------------------------------------ */

static void expect_choice(const void *file, size_t size, mbn_precision asked, uint32_t mask,
                          const mbn_kernels *kernels) {
    mbn_model *model = load(file, size, asked, mask);
    cr_expect_eq(mbn_model_kernels(model), kernels, "%s, mask %#x: %s, not %s",
                 mbn_precision_name(asked), (unsigned)mask, mbn_model_kernels(model)->name,
                 kernels->name);
    cr_expect_eq(mbn_model_precision(model), kernels->element == MBN_ELEMENT_BF16
                                                 ? MBN_PRECISION_BFLOAT16
                                                 : MBN_PRECISION_FLOAT32);
    mbn_model_free(model);
}

/* Fastest is bfloat16 where its best instruction set has nothing for float32: it is there for
 * bfloat16. */
Test(precision, best_tables_under_every_mask) {
    size_t size;
    void *file = make_small_file(&size);
    unsetenv("MOBILENET_ISA");
    for (uint32_t mask = 1; mask <= MBN_ISA_MASK_ALL; mask++) {
        if ((mask & mbn_isa_usable()) != mask) continue;
        const mbn_kernels *f32 = mbn_kernels_best(MBN_ELEMENT_F32, mask);
        const mbn_kernels *bf16 = mbn_kernels_best(MBN_ELEMENT_BF16, mask);
        cr_assert(f32 != NULL && bf16 != NULL);
        expect_choice(file, size, MBN_PRECISION_DEFAULT, mask, f32);
        expect_choice(file, size, MBN_PRECISION_FLOAT32, mask, f32);
        expect_choice(file, size, MBN_PRECISION_BFLOAT16, mask, bf16);
        const bool gains = mbn_kernels_for(MBN_ELEMENT_F32, bf16->isa) == NULL;
        expect_choice(file, size, MBN_PRECISION_FASTEST, mask, gains ? bf16 : f32);
    }
    expect_choice(file, size, MBN_PRECISION_BFLOAT16, 0,
                  mbn_kernels_best(MBN_ELEMENT_BF16, MBN_ISA_MASK_ALL));
    free(file);
}

Test(precision, environment_holds_for_every_one) {
    size_t size;
    void *file = make_small_file(&size);
    setenv("MOBILENET_ISA", "scalar", 1);
    const mbn_kernels *f32 = mbn_kernels_for(MBN_ELEMENT_F32, MBN_ISA_SCALAR);
    const mbn_kernels *bf16 = mbn_kernels_for(MBN_ELEMENT_BF16, MBN_ISA_SCALAR);
    expect_choice(file, size, MBN_PRECISION_DEFAULT, 0, f32);
    expect_choice(file, size, MBN_PRECISION_FASTEST, 0, f32);
    expect_choice(file, size, MBN_PRECISION_BFLOAT16, 0, bf16);
    free(file);
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

/* Biases and the list of layers stay what they are. */
Test(precision, bfloat16_halves_the_bytes) {
    const uint32_t isas = isas_to_test(MBN_PRECISION_BFLOAT16);
    const char *network;
    for (int32_t n = 0; (network = mbn_network_name(n)) != NULL; n++) {
        for (unsigned isa = 0; isa < MBN_ISA_COUNT; isa++) {
            if ((isas >> isa & 1U) == 0) continue;
            mbn_model *full = make_model(network, 1U << isa, NULL);
            mbn_model *half = make_model_in(MBN_PRECISION_BFLOAT16, network, 1U << isa, NULL);
            const double ratio = (double)mbn_model_bytes(half) / (double)mbn_model_bytes(full);
            cr_expect(ratio > 0.5 && ratio < 0.52, "%s on %s: %g", network,
                      mbn_isa_name((mbn_isa)isa), ratio);
            mbn_model_free(half);
            mbn_model_free(full);
        }
    }
}

/* ---- Files of other types -------------------------------------------------------------------- */

/* To a multiple of 1/64 between -2 and 2, which every type holds. */
static float coarse(float value) {
    const float rounded = roundf(value * 64.0F) / 64.0F;
    return fminf(fmaxf(rounded, -1.984375F), 1.984375F);
}

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static uint16_t to_bfloat(float value) {
    return (uint16_t)(bits_of(value) >> 16);
}

/* Of a number whose exponent a half has, or zero. */
static uint16_t to_half(float value) {
    const uint32_t bits = bits_of(value);
    const uint32_t magnitude = bits & 0x7FFFFFFFU;
    const uint32_t half = magnitude == 0 ? 0 : (magnitude - ((127U - 15U) << 23)) >> 13;
    return (uint16_t)(bits >> 31 << 15 | half);
}

/* The file with coarse values, in which tensor i is of type i % types: F32, BF16, F16.  Variances
 * stay positive. */
static void *retyped(const char *file, size_t *size, int types) {
    static const char *const dtypes[] = {"F32", "BF16", "F16"};
    uint64_t length;
    memcpy(&length, file, sizeof length);
    const char *data = file + 8 + length;
    json_t *header = json_loadb(file + 8, (size_t)length, 0, NULL);
    cr_assert_not_null(header);
    char *tensors = malloc(*size);
    cr_assert_not_null(tensors);
    size_t used = 0;
    int index = 0;
    const char *name;
    json_t *tensor;
    json_object_foreach(header, name, tensor) {
        if (strcmp(name, "__metadata__") == 0) continue;
        json_t *offsets = json_object_get(tensor, "data_offsets");
        const size_t begin = (size_t)json_integer_value(json_array_get(offsets, 0));
        const size_t end = (size_t)json_integer_value(json_array_get(offsets, 1));
        const int type = index++ % types;
        json_array_set_new(offsets, 0, json_integer((json_int_t)used));
        for (size_t at = begin; at < end; at += sizeof(float)) {
            float value;
            memcpy(&value, data + at, sizeof value);
            value = coarse(value);
            if (type == 0) {
                memcpy(tensors + used, &value, sizeof value);
                used += sizeof value;
            } else {
                const uint16_t narrow = type == 1 ? to_bfloat(value) : to_half(value);
                memcpy(tensors + used, &narrow, sizeof narrow);
                used += sizeof narrow;
            }
        }
        json_array_set_new(offsets, 1, json_integer((json_int_t)used));
        json_object_set_new(tensor, "dtype", json_string(dtypes[type]));
    }
    char *text = json_dumps(header, JSON_COMPACT);
    json_decref(header);
    const uint64_t text_length = strlen(text);
    char *made = malloc(8 + text_length + used);
    cr_assert_not_null(made);
    memcpy(made, &text_length, sizeof text_length);
    memcpy(made + 8, text, text_length);
    memcpy(made + 8 + text_length, tensors, used);
    free(text);
    free(tensors);
    *size = 8 + text_length + used;
    return made;
}

/* The tensors' types do not show in what is computed, in either precision. */
Test(precision, files_may_mix_types) {
    size_t size;
    void *file = make_small_file(&size);
    float *image = make_images(1, 2), logits[2][CLASSES];
    for (mbn_precision p = MBN_PRECISION_FLOAT32; p <= MBN_PRECISION_BFLOAT16; p++) {
        size_t sizes[2] = {size, size};
        for (int i = 0; i < 2; i++) {
            void *same = retyped(file, &sizes[i], i == 0 ? 1 : 3);
            mbn_model *model = load(same, sizes[i], p, 0);
            free(same);
            mbn_context *context = make_context(model, NULL);
            run_logits(context, image, logits[i]);
            mbn_context_free(context);
            mbn_model_free(model);
        }
        cr_expect_lt(sizes[1], sizes[0] * 4 / 5);
        cr_expect_arr_eq(logits[1], logits[0], sizeof logits[0], "%s", mbn_precision_name(p));
        for (int c = 1; c < CLASSES; c++) cr_expect_neq(logits[0][c], logits[0][0]);
    }
    free(image);
    free(file);
}
