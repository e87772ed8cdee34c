/* What loading says of files of integers: every refusal names the tensor or the key. */
#include "integer_file.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tests/brief.h>
#include <tests/guarded.h>
#include <tests/random.h>

/* Loads a file that must fail, from in front of a guard page. */
static void expect_failure(const integer_file *file, const mbn_model_options *options,
                           mbn_status status, const char *message) {
    size_t size;
    void *bytes = integer_file_bytes(file, &size);
    guarded memory = {0};
    uint8_t *copy = guarded_bytes(&memory, size, GUARD_AFTER);
    memcpy(copy, bytes, size);
    mbn_model *model = (mbn_model *)&memory;
    mbn_error error = {MBN_OK, ""};
    const mbn_status got = mbn_model_load_memory(copy, size, options, &model, &error);
    cr_expect_eq(got, status, "%s: %s (%s)", message, mbn_status_text(got), error.message);
    cr_expect_str_eq(error.message, message);
    cr_expect_null(model);
    if (got == MBN_OK) mbn_model_free(model);
    guarded_free(&memory);
    free(bytes);
}

/* ---- Tensors --------------------------------------------------------------------------------- */

/* A file of which one tensor is replaced, added or, without a type, removed. */
typedef struct wrong_tensor {
    integer_arithmetic arithmetic;
    const char *name, *dtype;
    int rank;
    int64_t shape[4];
    double values[4]; /* the last of them again and again */
    size_t given;
    const char *message;
} wrong_tensor;

#define FLOAT ARITHMETIC_FLOAT
#define FIXED ARITHMETIC_FIXED
#define STEM "features.0.0."
#define PROJECT "features.1.block.2.0."
#define EXCITE "features.2.block.2.fc2."
#define SCALE "features.2.block.2.scale."
#define POOL "features.2.block.2.avgpool."
#define MISSING(arithmetic, name)                                                                  \
    { arithmetic, name, NULL, 0, {0}, {0}, 0, name ": missing from the file" }
#define VECTOR(arithmetic, name, dtype, count, value, message)                                     \
    { arithmetic, name, dtype, 1, {count}, {value}, 1, name ": " message }

static const wrong_tensor wrong_tensors[] = {
    /* The image. */
    MISSING(FLOAT, "input_scale"),
    MISSING(FLOAT, "input_zero_point"),
    VECTOR(FLOAT, "input_scale", "F32", 1, -1, "[0] is -1, not a finite number from 0 on"),
    VECTOR(FLOAT, "input_scale", "F32", 1, NAN, "[0] is nan, not a finite number from 0 on"),
    VECTOR(FLOAT, "input_scale", "F32", 1, INFINITY, "[0] is inf, not a finite number from 0 on"),
    VECTOR(FLOAT, "input_scale", "F64", 1, 1, "type F64, not F32"),
    VECTOR(FLOAT, "input_scale", "F32", 2, 1, "expected [1], got [2]"),
    {FLOAT, "input_scale", "F32", 0, {0}, {1}, 1, "input_scale: expected [1], got []"},
    VECTOR(FLOAT, "input_zero_point", "I32", 1, 5, "type I32, not I8 or U8"),
    VECTOR(FLOAT, "input_zero_point", "U8", 0, 5, "expected [1], got [0]"),
    VECTOR(FLOAT, "input_lookup", "U8", 255, 5, "expected [256], got [255]"),
    VECTOR(FLOAT, "input_lookup", "I8", 256, 5, "type I8, but input_zero_point is U8"),
    {FLOAT,
     "input_lookup",
     "U8",
     2,
     {4, 256},
     {1},
     1,
     "input_lookup: expected [3,256], got [4,256]"},
    {FLOAT, "input_lookup", "U8", 1, {256}, {1}, 1, "image_scale: missing from the file"},
    VECTOR(FLOAT, "image_scale", "F32", 1, 1, "integers has no such tensor"),
    /* Weights. */
    MISSING(FLOAT, STEM "weight"),
    MISSING(FLOAT, STEM "weight_scale"),
    MISSING(FLOAT, STEM "bias"),
    MISSING(FLOAT, STEM "multiplier"),
    {FLOAT,
     STEM "weight",
     "I8",
     4,
     {8, 3, 3, 1},
     {1},
     1,
     STEM "weight: expected [8,3,3,3], got [8,3,3,1]"},
    {FLOAT, STEM "weight", "I32", 4, {8, 3, 3, 3}, {1}, 1, STEM "weight: type I32, not I8 or U8"},
    /* A layer that stays in floats. */
    {FLOAT,
     STEM "weight",
     "F32",
     4,
     {8, 3, 3, 3},
     {1},
     1,
     STEM "bias: type I32, not F32, F16 or BF16"},
    {FLOAT,
     STEM "weight",
     "F32",
     3,
     {8, 3, 9},
     {1},
     1,
     STEM "weight: expected [8,3,3,3], got [8,3,9]"},
    {FLOAT,
     STEM "weight",
     "U8",
     4,
     {8, 3, 3, 3},
     {1},
     1,
     STEM "weight_zero_point: missing from the file, and weights are U8"},
    {FLOAT,
     "classifier.0.weight",
     "I8",
     4,
     {32, 48, 1, 1},
     {1},
     1,
     "classifier.0.weight: expected [32,48], got [32,48,1,1]"},
    VECTOR(FLOAT, STEM "weight_scale", "F32", 7, 1, "expected [8], got [7]"),
    VECTOR(FLOAT, STEM "weight_scale", "F32", 8, -0.5,
           "[0] is -0.5, not a finite number from 0 on"),
    {FLOAT,
     STEM "weight_scale",
     "F32",
     1,
     {8},
     {1, 1, NAN, 1},
     4,
     STEM "weight_scale: [2] is nan, not a finite number from 0 on"},
    VECTOR(FLOAT, STEM "weight_zero_point", "U8", 1, 1, "type U8, but features.0.0.weight is I8"),
    VECTOR(FLOAT, STEM "weight_zero_point", "I8", 5, 1, "expected [8], got [5]"),
    VECTOR(FLOAT, STEM "bias", "F32", 8, 1, "type F32, not I32"),
    VECTOR(FLOAT, STEM "bias", "I32", 9, 1, "expected [8], got [9]"),
    /* Multipliers. */
    VECTOR(FLOAT, STEM "multiplier", "I8", 8, 1, "type I8, not F32, I32 or F64"),
    VECTOR(FLOAT, STEM "multiplier", "F32", 1, 1, "expected [8], got [1]"),
    VECTOR(FLOAT, STEM "multiplier", "F32", 8, -1, "[0] is -1, not a finite number from 0 on"),
    VECTOR(FLOAT, STEM "multiplier", "F64", 8, INFINITY,
           "[0] is inf, not a finite number from 0 on"),
    VECTOR(FLOAT, STEM "multiplier", "I32", 8, 0, "expected [8,2], got [8]"),
    {FLOAT,
     STEM "multiplier",
     "I32",
     2,
     {8, 2},
     {0, 0, 5, 0},
     4,
     STEM "multiplier: [1,0] is 5, neither 0 nor from 2^30 on"},
    {FLOAT,
     STEM "multiplier",
     "I32",
     2,
     {8, 2},
     {0, 31, 0},
     3,
     STEM "multiplier: [0,1] is 31, not a shift from -31 to 30"},
    {FLOAT,
     STEM "multiplier",
     "I32",
     2,
     {8, 2},
     {0, -32, 0},
     3,
     STEM "multiplier: [0,1] is -32, not a shift from -31 to 30"},
    VECTOR(FLOAT, SCALE "multiplier", "F32", 40, 1, "expected [1], got [40]"),
    VECTOR(FIXED, SCALE "multiplier", "I32", 2, 0, "expected [1,2], got [2]"),
    MISSING(FLOAT, SCALE "multiplier"),
    MISSING(FLOAT, SCALE "output_scale"),
    /* Outputs. */
    MISSING(FLOAT, STEM "output_scale"),
    MISSING(FLOAT, STEM "output_zero_point"),
    VECTOR(FLOAT, STEM "output_zero_point", "F32", 1, 1, "type F32, not I8 or U8"),
    VECTOR(FLOAT, STEM "output_range", "I8", 2, 1,
           "type I8, but features.0.0.output_zero_point is U8"),
    VECTOR(FLOAT, STEM "output_range", "U8", 3, 1, "expected [2], got [3]"),
    {FLOAT, STEM "output_range", "U8", 1, {2}, {9, 8}, 2, STEM "output_range: 9 is above 8"},
    MISSING(FLOAT, POOL "output_zero_point"),
    VECTOR(FLOAT, POOL "output_scale", "F32", 1, 0, "0, by which means would be divided"),
    VECTOR(FLOAT, POOL "output_zero_point", "I8", 1, 0,
           "one of the mean and what it is of is signed and the other is not"),
    /* Lookups. */
    MISSING(FLOAT, EXCITE "lookup_scale"),
    VECTOR(FLOAT, EXCITE "lookup", "U8", 255, 1, "expected [256], got [255]"),
    VECTOR(FLOAT, EXCITE "lookup", "I8", 256, 1,
           "type I8, but features.2.block.2.fc2.lookup_zero_point is U8"),
    /* Sums. */
    MISSING(FLOAT, PROJECT "sum_multiplier"),
    MISSING(FLOAT, PROJECT "sum_scale"),
    MISSING(FLOAT, PROJECT "sum_zero_point"),
    VECTOR(FLOAT, PROJECT "sum_multiplier", "F64", 3, 1, "type F64, not I32 or F32"),
    VECTOR(FLOAT, PROJECT "sum_multiplier", "I32", 2, 1, "expected [3], got [2]"),
    VECTOR(FLOAT, PROJECT "sum_multiplier", "I32", 3, 2097153, "[0] is 2097153, beyond 2^21"),
    VECTOR(FLOAT, PROJECT "sum_multiplier", "I32", 3, -2097153, "[0] is -2097153, beyond 2^21"),
    VECTOR(FLOAT, PROJECT "sum_multiplier", "I32", 3, 0, "[2] is 0, not a shift from 1 to 31"),
    VECTOR(FLOAT, PROJECT "sum_multiplier", "I32", 3, 32, "[2] is 32, not a shift from 1 to 31"),
    {FLOAT,
     PROJECT "sum_multiplier",
     "I32",
     2,
     {3, 2},
     {0, 0, 0, 1},
     4,
     PROJECT "sum_multiplier: [1,1] is 1, not a shift from -31 to 0"},
    VECTOR(ARITHMETIC_ONNX, PROJECT "sum_multiplier", "F32", 3, INFINITY, "[0] is inf"),
    VECTOR(ARITHMETIC_ONNX, PROJECT "sum_swapped", "U8", 1, 2, "2 is neither 0 nor 1"),
    VECTOR(ARITHMETIC_ONNX, PROJECT "sum_swapped", "I8", 1, 1, "type I8, not U8"),
    VECTOR(ARITHMETIC_ONNX, PROJECT "sum_zero_point", "I8", 1, 1,
           "one of the sum and its two terms is signed and another is not"),
    /* What is of no use. */
    VECTOR(FLOAT, PROJECT "sum_swapped", "U8", 1, 1, "integers has no such tensor"),
    VECTOR(FLOAT, STEM "sum_scale", "F32", 1, 1, "integers has no such tensor"),
    VECTOR(FLOAT, STEM "lookup_scale", "F32", 1, 1, "integers has no such tensor"),
    VECTOR(FLOAT, "avgpool.output_zero_point", "U8", 1, 1, "integers has no such tensor"),
    VECTOR(FLOAT, POOL "multiplier", "F32", 1, 1, "integers has no such tensor"),
    VECTOR(FLOAT, SCALE "bias", "I32", 40, 1, "integers has no such tensor"),
    VECTOR(FLOAT, "features.0.1.weight", "F32", 8, 1, "integers has no such tensor"),
    VECTOR(FLOAT, "features.0.1.num_batches_tracked", "I32", 1, 1, "integers has no such tensor"),
    VECTOR(FLOAT, "probabilities_zero_point", "U8", 1, 1, "integers has no such tensor"),
};

Test(integer_files, refusals_name_the_tensor) {
    for (size_t i = 0; i < sizeof wrong_tensors / sizeof *wrong_tensors; i++) {
        const wrong_tensor *w = &wrong_tensors[i];
        integer_file *file = integer_file_make(w->arithmetic, false, true);
        if (w->dtype == NULL) {
            integer_file_remove(file, w->name);
        } else {
            integer_file_put(file, w->name, w->dtype, w->rank, w->shape, w->values, w->given);
        }
        expect_failure(file, NULL, MBN_MALFORMED, w->message);
        expect_failure(file, &(mbn_model_options){.precision = MBN_PRECISION_FLOAT32},
                       MBN_MALFORMED, w->message);
        integer_file_free(file);
    }
}

/* Puts floats in the place of the tensors of a layer that has them as integers. */
static void keep_in_floats(integer_file *file, const char *layer) {
    static const char *const integers[] = {"weight_scale",     "multiplier",   "output_range",
                                           "lookup",           "lookup_scale", "lookup_zero_point",
                                           "weight_zero_point"};
    char name[96];
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        snprintf(name, sizeof name, "%s.%s", layer, integers[i]);
        if (integer_file_find(file, name) != NULL) integer_file_remove(file, name);
    }
    static const char *const floats[] = {"weight", "bias"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s.%s", layer, floats[i]);
        const integer_tensor tensor = *integer_file_find(file, name);
        integer_file_put(file, name, "F32", tensor.rank, tensor.shape, (const double[]){0.125}, 1);
    }
}

Test(integer_files, floats_have_bytes_where_they_are_read_as_such) {
    static const char *const numbers[] = {"output_scale", "output_zero_point"};
    static const char *const layers[] = {"features.0.0", "features.2.block.2.fc2"};
    static const char *const readers[] = {"features.1.block.0.0", "features.2.block.2.scale"};
    for (size_t i = 0; i < 2; i++) {
        integer_file *file = integer_file_make(FLOAT, false, true);
        char name[96], message[256];
        keep_in_floats(file, layers[i]);
        mbn_model_free(integer_file_load(file, NULL));
        for (int n = 1; n >= 0; n--) {
            snprintf(name, sizeof name, "%s.%s", layers[i], numbers[n]);
            integer_file_remove(file, name);
            snprintf(message, sizeof message, "%s: missing from the file%s%s%s", name,
                     n == 0 ? ", and " : "", n == 0 ? readers[i] : "",
                     n == 0 ? " reads bytes" : "");
            expect_failure(file, NULL, MBN_MALFORMED, message);
        }
        integer_file_free(file);
    }
}

static void put_number(integer_file *file, const char *name, const char *dtype, double value) {
    integer_file_put(file, name, dtype, 1, (const int64_t[]){1}, &value, 1);
}

Test(integer_files, numbers_at_the_ends_are_legal) {
    static const double zeros[] = {0}, fixed[] = {0, -31, 0x1p30, 30, 0x7FFFFFFF, 0};
    integer_file *file = integer_file_make(ARITHMETIC_FLOAT, true, true);
    put_number(file, "input_scale", "F32", 0);
    put_number(file, "input_zero_point", "I8", -128);
    put_number(file, STEM "output_zero_point", "I8", 127);
    integer_file_put(file, STEM "weight_scale", "F32", 1, (const int64_t[]){8}, zeros, 1);
    integer_file_put(file, STEM "multiplier", "I32", 2, (const int64_t[]){8, 2}, fixed, 6);
    integer_file_put(file, STEM "bias", "I32", 1, (const int64_t[]){8},
                     (const double[]){INT32_MIN, INT32_MAX}, 2);
    integer_file_put(file, "features.1.block.0.0.multiplier", "F32", 1, (const int64_t[]){24},
                     (const double[]){0, 1e38, 1e-45, 2}, 4);
    integer_file_put(file, PROJECT "sum_multiplier", "I32", 1, (const int64_t[]){3},
                     (const double[]){-2097152, 2097152, 31}, 3);
    for (mbn_precision p = MBN_PRECISION_DEFAULT; p <= MBN_PRECISION_BFLOAT16; p++) {
        mbn_model *model = integer_file_load(file, &(mbn_model_options){.precision = p});
        mbn_context *context = make_context(model, NULL);
        float *image = make_images(1, 1), logits[CLASSES];
        run_logits(context, image, logits);
        mbn_quantization q;
        if (mbn_model_output_quantization(model, MBN_LOGITS, &q)) {
            for (int i = 0; i < CLASSES; i++) {
                const float distance = rintf(logits[i] / q.scale);
                cr_expect_eq(logits[i], q.scale * distance);
            }
        }
        free(image);
        mbn_context_free(context);
        mbn_model_free(model);
    }
    integer_file_free(file);
}

/* ---- Metadata -------------------------------------------------------------------------------- */

static void expect_key_failure(const char *key, const char *value, mbn_status status,
                               const char *message) {
    integer_file *file = integer_file_make(ARITHMETIC_FIXED, false, true);
    integer_file_set(file, key, value);
    expect_failure(file, NULL, status, message);
    integer_file_free(file);
}

Test(integer_files, refusals_name_the_key) {
    static const char floats[] = "features.0.0.weight: type I8; F32, F16 and BF16 are read, and "
                                 "integers where a file of mobilenet/2 says its `rescaling'";
    expect_key_failure("rescaling", "fast", MBN_MALFORMED,
                       "metadata rescaling: unknown value: fast");
    expect_key_failure("rescaling", "double", MBN_MALFORMED,
                       "metadata rescaling: unknown value: double");
    expect_key_failure("arithmetic", "pytorch", MBN_MALFORMED,
                       "metadata arithmetic: unknown value: pytorch");
    expect_key_failure("arithmetic", "onnx", MBN_MALFORMED,
                       "metadata rescaling: fixed, which arithmetic onnx has not");
    expect_key_failure("rescaling", NULL, MBN_UNSUPPORTED, floats);
    expect_key_failure("format", "mobilenet/1", MBN_UNSUPPORTED, floats);
    expect_key_failure("format", "mobilenet/3", MBN_UNSUPPORTED,
                       "metadata format: mobilenet/3 is unknown to this version, " MBN_VERSION
                       ", which reads mobilenet/1 and mobilenet/2");
    expect_key_failure("architecture",
                       "{\"stem\":{\"channels\":8,\"activation\":\"relu\"},\"rows\":[{\"kernel\":3,"
                       "\"channels\":8,\"activation\":\"relu\"}]}",
                       MBN_MALFORMED,
                       "metadata rescaling: a network of integers has an `architecture' with "
                       "\"batch_norm\": false");
}

/* ---- Ends ------------------------------------------------------------------------------------ */

/* One table of exponentials, F32 or I32, for logits in steps of 0.052. */
static void put_softmax(integer_file *file, const char *dtype, bool is_signed) {
    const bool fixed = strcmp(dtype, "I32") == 0;
    double table[256];
    for (int d = 0; d < 256; d++) {
        const double e = exp(-0.052 * d);
        table[d] = fixed ? fmin(round(e * 0x1p31), 0x7FFFFFFF) : e;
    }
    integer_file_put(file, "probabilities_table", dtype, 1, (const int64_t[]){256}, table, 256);
    put_number(file, "probabilities_scale", "F32", 1 / 256.0);
    put_number(file, "probabilities_zero_point", is_signed ? "I8" : "U8", is_signed ? -128 : 0);
}

static void expect_softmax_failure(const char *name, const char *dtype, size_t index, double value,
                                   const char *message) {
    integer_file *file = integer_file_make(ARITHMETIC_FLOAT, false, true);
    put_softmax(file, "F32", false);
    const integer_tensor *tensor = integer_file_find(file, name);
    double values[256];
    for (int i = 0; i < 256; i++) values[i] = 1;
    values[index] = value;
    if (dtype == NULL) {
        integer_file_remove(file, name);
    } else {
        const int64_t count = tensor->shape[0];
        integer_file_put(file, name, dtype, 1, &count, values, (size_t)count);
    }
    expect_failure(file, NULL, MBN_MALFORMED, message);
    integer_file_free(file);
}

Test(integer_files, refusals_of_probabilities) {
    expect_softmax_failure("probabilities_table", NULL, 0, 0,
                           "probabilities_table: missing from the file");
    expect_softmax_failure("probabilities_zero_point", NULL, 0, 0,
                           "probabilities_zero_point: missing from the file");
    expect_softmax_failure("probabilities_scale", NULL, 0, 0,
                           "probabilities_table: integers has no such tensor");
    expect_softmax_failure("probabilities_scale", "F32", 0, 0,
                           "probabilities_scale: 0, by which a softmax would be divided");
    expect_softmax_failure("probabilities_table", "U8", 0, 1,
                           "probabilities_table: type U8, not F32 or I32");
    expect_softmax_failure("probabilities_table", "F32", 0, 0.5,
                           "probabilities_table: [0] is 0.5, not 1");
    expect_softmax_failure("probabilities_table", "F32", 7, 2,
                           "probabilities_table: [7] is 2, not from 0 to 1");
    expect_softmax_failure("probabilities_table", "F32", 7, NAN,
                           "probabilities_table: [7] is nan, not from 0 to 1");
    expect_softmax_failure("probabilities_table", "I32", 0, 1,
                           "probabilities_table: [0] is 1, not 2147483647");

    integer_file *file = integer_file_make(ARITHMETIC_FLOAT, false, true);
    put_softmax(file, "F32", false);
    integer_file_set(file, "probabilities", "sigmoid");
    expect_failure(file, NULL, MBN_MALFORMED, "probabilities_lookup: missing from the file");
    integer_file_free(file);
}

/* Logits and probabilities of one image. */
static void run_ends(const mbn_model *model, float logits[CLASSES], float probabilities[CLASSES]) {
    mbn_context *context = make_context(model, NULL);
    float *image = make_images(1, 3);
    run_logits(context, image, logits);
    cr_assert_eq(mbn_run(context, image, MBN_NHWC, 1, MBN_PROBABILITIES, probabilities, NULL),
                 MBN_OK);
    free(image);
    mbn_context_free(context);
}

/* Probabilities are whole multiples of 1/256, within one of those of a softmax in double; fixed
 * point too. */
Test(integer_files, softmax_of_bytes) {
    for (int c = 0; c < 4; c++) {
        const bool is_signed = (c & 1) != 0;
        const integer_arithmetic arithmetic = (c & 2) != 0 ? ARITHMETIC_FIXED : ARITHMETIC_FLOAT;
        integer_file *file = integer_file_make(arithmetic, is_signed, true);
        put_softmax(file, arithmetic == ARITHMETIC_FIXED ? "I32" : "F32", is_signed);
        mbn_model *model = integer_file_load(file, NULL);
        mbn_quantization q;
        cr_assert(mbn_model_output_quantization(model, MBN_PROBABILITIES, &q));
        cr_expect_eq(q.scale, 1.0F / 256.0F);
        cr_expect(q.zero == 0 && q.origin == (is_signed ? 128 : 0));
        float logits[CLASSES], probabilities[CLASSES];
        run_ends(model, logits, probabilities);
        double sum = 0;
        for (int i = 0; i < CLASSES; i++) sum += exp((double)logits[i]);
        for (int i = 0; i < CLASSES; i++) {
            const double byte = (double)probabilities[i] * 256;
            cr_expect(byte == round(byte) && byte >= 0 && byte <= 255);
            cr_expect_lt(fabs(byte - exp((double)logits[i]) / sum * 256), 0.51, "case %d: %g", c,
                         byte);
        }
        mbn_model_free(model);
        /* In floats there is nothing to quantise. */
        model = integer_file_load(file, &(mbn_model_options){.precision = MBN_PRECISION_FLOAT32});
        cr_expect_not(mbn_model_output_quantization(model, MBN_PROBABILITIES, &q));
        mbn_model_free(model);
        integer_file_free(file);
    }
}

Test(integer_files, sigmoid_of_bytes_is_a_lookup) {
    integer_file *file = integer_file_make(ARITHMETIC_FLOAT, true, true);
    double table[256];
    for (int i = 0; i < 256; i++) table[i] = (i * 37 + 11) % 256 - 128; /* no function of theirs */
    integer_file_set(file, "probabilities", "sigmoid");
    integer_file_put(file, "probabilities_lookup", "I8", 1, (const int64_t[]){256}, table, 256);
    put_number(file, "probabilities_scale", "F32", 0.01);
    put_number(file, "probabilities_zero_point", "I8", -100);
    mbn_model *model = integer_file_load(file, NULL);
    mbn_quantization q, of_logits;
    cr_assert(mbn_model_output_quantization(model, MBN_PROBABILITIES, &q));
    cr_assert(mbn_model_output_quantization(model, MBN_LOGITS, &of_logits));
    cr_expect(q.scale == 0.01F && q.zero == 28 && q.origin == 128);
    float logits[CLASSES], probabilities[CLASSES];
    run_ends(model, logits, probabilities);
    for (int i = 0; i < CLASSES; i++) {
        const int byte = (int)rintf(logits[i] / of_logits.scale) + of_logits.zero;
        cr_expect_eq(probabilities[i], 0.01F * (float)(table[byte] + 100));
    }
    mbn_model_free(model);
    integer_file_free(file);
}

/* Where the file says nothing of them, they are computed in floats. */
Test(integer_files, probabilities_without_quantisation) {
    integer_file *file = integer_file_make(ARITHMETIC_FLOAT, true, true);
    mbn_model *model = integer_file_load(file, NULL);
    mbn_quantization q;
    cr_expect_not(mbn_model_output_quantization(model, MBN_PROBABILITIES, &q));
    float logits[CLASSES], probabilities[CLASSES];
    run_ends(model, logits, probabilities);
    double sum = 0;
    for (int i = 0; i < CLASSES; i++) sum += exp((double)logits[i]);
    for (int i = 0; i < CLASSES; i++) {
        cr_expect_float_eq((double)probabilities[i], exp((double)logits[i]) / sum, 1e-6);
    }
    mbn_model_free(model);
    integer_file_free(file);
}

/* A network of pixels: its lookups give the same bytes as the image that has them already. */
Test(integer_files, images_of_pixels_are_looked_up) {
    for (int per_channel = 0; per_channel <= 1; per_channel++) {
        integer_file *file = integer_file_make(ARITHMETIC_FLOAT, true, true);
        const float scale[3] = {1 / 64.0F, per_channel ? 0.02F : 1 / 64.0F,
                                per_channel ? 0.03F : 1 / 64.0F};
        const float shift[3] = {-2, per_channel ? 1 : -2, per_channel ? 0.5F : -2};
        double table[3 * 256], scales[3], shifts[3];
        for (int i = 0; i < 3 * 256; i++) {
            table[i] = (i % 256 * 3 + i / 256 * 50 * per_channel) % 256 - 128;
        }
        for (int c = 0; c < 3; c++) {
            scales[c] = (double)scale[c];
            shifts[c] = (double)shift[c];
        }
        /* The image that the lookups are of, and what comes of them. */
        random_state random = {5};
        float *pixels = malloc(PIXELS * sizeof *pixels), *bytes = malloc(PIXELS * sizeof *bytes);
        cr_assert(pixels != NULL && bytes != NULL);
        for (int i = 0; i < PIXELS; i++) {
            const int p = random_int(&random, 0, 255), c = i % 3;
            const double byte = table[256 * c * per_channel + p];
            pixels[i] = shift[c] + scale[c] * ((float)p + random_float(&random, -0.4F, 0.4F));
            bytes[i] = (float)((byte + 1) / 127.5); /* input_scale, and a zero point of -1 */
        }
        float expected[CLASSES], logits[CLASSES];
        mbn_model *model = integer_file_load(file, NULL);
        mbn_context *context = make_context(model, NULL);
        run_logits(context, bytes, expected);
        mbn_context_free(context);
        mbn_model_free(model);
        const int64_t channels = per_channel ? 3 : 1;
        integer_file_put(file, "input_lookup", "I8", per_channel ? 2 : 1,
                         per_channel ? (const int64_t[]){3, 256} : (const int64_t[]){256}, table,
                         (size_t)(256 * channels));
        integer_file_put(file, "image_scale", "F32", 1, &channels, scales, (size_t)channels);
        integer_file_put(file, "image_shift", "F32", 1, &channels, shifts, (size_t)channels);
        model = integer_file_load(file, NULL);
        context = make_context(model, NULL);
        run_logits(context, pixels, logits);
        cr_expect_arr_eq(logits, expected, sizeof logits);
        pixels[0] = NAN; /* nothing breaks */
        pixels[1] = INFINITY;
        run_logits(context, pixels, logits);
        mbn_context_free(context);
        mbn_model_free(model);
        free(pixels);
        free(bytes);
        integer_file_free(file);
    }
}

Test(integer_files, headless_ones_need_no_classifier) {
    integer_file *file = integer_file_make(ARITHMETIC_FIXED, true, true);
    put_softmax(file, "I32", true);
    mbn_model *whole = integer_file_load(file, &(mbn_model_options){.headless = true});
    static const char *const rest[] = {"weight",     "weight_scale", "bias",
                                       "multiplier", "output_scale", "output_zero_point"};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) {
        char name[64];
        snprintf(name, sizeof name, "classifier.3.%s", rest[i]);
        integer_file_remove(file, name);
    }
    expect_failure(file, NULL, MBN_MALFORMED, "classifier.3.weight: missing from the file");
    mbn_model *model = integer_file_load(file, &(mbn_model_options){.headless = true});
    cr_expect_eq(mbn_model_bytes(model), mbn_model_bytes(whole));
    mbn_quantization q;
    cr_expect_not(mbn_model_output_quantization(model, MBN_LOGITS, &q));
    cr_expect_not(mbn_model_output_quantization(model, MBN_PROBABILITIES, &q));
    cr_expect_not(
        mbn_model_layer_quantization(model, mbn_model_network(model)->layer_count - 1, &q));
    cr_expect(mbn_model_layer_quantization(model, 0, &q));
    mbn_model_free(model);
    mbn_model_free(whole);
    integer_file_free(file);
}

/* ---- Hostile files --------------------------------------------------------------------------- */

/* Files with some bytes changed load or fail, with a message, and what loads runs. */
Test(integer_files, changed_bytes_do_no_harm) {
    enum { CHANGES = 4 };
    const int files = tests_are_brief() ? 100 : 400; /* loading takes long under an emulator */
    random_state random = {11};
    int loaded = 0;
    for (int arithmetic = 0; arithmetic < ARITHMETICS; arithmetic++) {
        integer_file *file = integer_file_make((integer_arithmetic)arithmetic, true, false);
        put_softmax(file, arithmetic == ARITHMETIC_FIXED ? "I32" : "F32", true);
        size_t size;
        char *bytes = integer_file_bytes(file, &size), *image = NULL;
        uint64_t header;
        memcpy(&header, bytes, sizeof header);
        float *pixels = make_images(1, 1), logits[CLASSES];
        for (int i = 0; i < files; i++) {
            guarded memory = {0};
            image = (char *)guarded_bytes(&memory, size, GUARD_AFTER);
            memcpy(image, bytes, size);
            for (int change = 0; change < CHANGES; change++) {
                const int32_t end = (int32_t)(change % 2 == 0 ? size - 1 : header + 7);
                const int32_t at =
                    random_int(&random, change % 2 == 0 ? (int32_t)header + 8 : 8, end);
                const bool small = change == 1 && i % 2 == 0; /* leaves most headers whole */
                if (change % 2 == 1 && i % 4 != 0) continue;
                image[at] = (char)random_int(&random, small ? '0' : 0, small ? '9' : 255);
            }
            mbn_model *model = NULL;
            mbn_error error = {MBN_OK, ""};
            const mbn_status status = mbn_model_load_memory(image, size, NULL, &model, &error);
            guarded_free(&memory);
            cr_assert_eq(status == MBN_OK, model != NULL);
            cr_assert_eq(error.status, status);
            cr_assert_eq(status == MBN_OK, error.message[0] == '\0');
            if (model == NULL) continue;
            loaded++;
            mbn_context *context = make_context(model, NULL);
            cr_assert_eq(mbn_run(context, pixels, MBN_NHWC, 1, MBN_PROBABILITIES, logits, NULL),
                         MBN_OK);
            mbn_context_free(context);
            mbn_model_free(model);
        }
        free(pixels);
        free(bytes);
        integer_file_free(file);
    }
    cr_expect_gt(loaded, files / 2);
}
