#include <tests/arch/safetensors_file.h>

#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Good files ---------------------------------------------------------------------------- */

Test(safetensors, reads_names_shapes_and_data) {
    static const char header[] =
        "{\"__metadata__\":{\"network\":\"mobilenet_v2\",\"labels\":\"[\\\"d\\u00f6g\\\"]\"},"
        "\"late\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[6,30]},"
        "\"empty\":{\"dtype\":\"F32\",\"shape\":[4,0,2],\"data_offsets\":[6,6]},"
        "\"scalar\":{\"data_offsets\":[2,6],\"shape\":[],\"dtype\":\"F32\",\"note\":[{}]},"
        "\"a/deep\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,2,1],\"data_offsets\":[0,2]},"
        "\"z-end\":{\"dtype\":\"I64\",\"shape\":[0],\"data_offsets\":[30,30]}}  \n";
    static const float values[7] = {-1.5f, 0, 1, 2, 3, 4, 5};
    uint8_t data[30] = {7, 9};
    memcpy(data + 2, values, sizeof values);
    file made = file_of(header, sizeof header - 1, data, sizeof data);
    mbn_safetensors *parsed = parse_good(made);
    const uint8_t *begin = made.bytes + made.size - sizeof data;

    static const char *const order[] = {"a/deep", "scalar", "empty", "late", "z-end"};
    for (size_t i = 0; i < 5; i++) {
        const mbn_tensor *tensor = mbn_safetensors_at(parsed, i);
        cr_assert_not_null(tensor);
        cr_expect_str_eq(tensor->name, order[i]);
        cr_expect_eq(mbn_safetensors_find(parsed, order[i]), tensor);
    }
    cr_expect_null(mbn_safetensors_at(parsed, 5));
    cr_expect_null(mbn_safetensors_at(parsed, SIZE_MAX));
    cr_expect_null(mbn_safetensors_find(parsed, "lat"));
    cr_expect_null(mbn_safetensors_find(parsed, ""));
    cr_expect_null(mbn_safetensors_find(parsed, "__metadata__"));

    const mbn_tensor *deep = mbn_safetensors_find(parsed, "a/deep");
    cr_expect_eq(deep->dtype, MBN_DTYPE_U8);
    cr_expect_str_eq(deep->dtype_name, "U8");
    cr_expect_eq(deep->rank, 8);
    cr_expect_eq(deep->shape[6], 2);
    cr_expect_eq(deep->data, begin);
    cr_expect_eq(deep->bytes, 2);

    const mbn_tensor *scalar = mbn_safetensors_find(parsed, "scalar");
    float out[6];
    cr_expect_eq(scalar->rank, 0);
    cr_expect_eq(scalar->count, 1);
    mbn_tensor_to_floats(scalar, out);
    cr_expect_eq(out[0], -1.5f);

    const mbn_tensor *late = mbn_safetensors_find(parsed, "late");
    cr_expect_eq(late->dtype, MBN_DTYPE_F32);
    cr_expect_eq(late->rank, 2);
    cr_expect(late->shape[0] == 2 && late->shape[1] == 3);
    cr_expect_eq(late->count, 6);
    mbn_tensor_to_floats(late, out);
    cr_expect_arr_eq(out, values + 1, sizeof out);

    const mbn_tensor *empty = mbn_safetensors_find(parsed, "empty");
    cr_expect_eq(empty->count, 0);
    cr_expect_eq(empty->bytes, 0);
    mbn_tensor_to_floats(empty, out);
    cr_expect_arr_eq(out, values + 1, sizeof out);

    cr_expect_str_eq(mbn_safetensors_metadata(parsed, "network"), "mobilenet_v2");
    cr_expect_str_eq(mbn_safetensors_metadata(parsed, "labels"), "[\"d\xc3\xb6g\"]");
    cr_expect_null(mbn_safetensors_metadata(parsed, "width"));
    mbn_safetensors_free(parsed);
    guarded_free(&made.memory);
}

Test(safetensors, reads_an_empty_file) {
    file made = file_of("{}", 2, NULL, 0);
    mbn_safetensors *parsed = parse_good(made);
    cr_expect_null(mbn_safetensors_at(parsed, 0));
    cr_expect_null(mbn_safetensors_find(parsed, "a"));
    cr_expect_null(mbn_safetensors_metadata(parsed, "network"));
    mbn_safetensors_free(parsed);
    mbn_safetensors_free(NULL);
    guarded_free(&made.memory);
}

Test(safetensors, knows_the_size_of_every_dtype) {
    static const struct {
        const char *name;
        mbn_dtype dtype;
        size_t bytes;
    } dtypes[] = {
        {"BOOL", MBN_DTYPE_OTHER, 1},    {"U8", MBN_DTYPE_U8, 1},
        {"I8", MBN_DTYPE_I8, 1},         {"F8_E5M2", MBN_DTYPE_OTHER, 1},
        {"F8_E4M3", MBN_DTYPE_OTHER, 1}, {"I16", MBN_DTYPE_OTHER, 2},
        {"U16", MBN_DTYPE_OTHER, 2},     {"F16", MBN_DTYPE_F16, 2},
        {"BF16", MBN_DTYPE_BF16, 2},     {"I32", MBN_DTYPE_I32, 4},
        {"U32", MBN_DTYPE_OTHER, 4},     {"F32", MBN_DTYPE_F32, 4},
        {"F64", MBN_DTYPE_F64, 8},       {"I64", MBN_DTYPE_OTHER, 8},
        {"U64", MBN_DTYPE_OTHER, 8},
    };
    static const uint8_t data[24];
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        char header[128];
        const size_t bytes = 3 * dtypes[i].bytes;
        const int length =
            snprintf(header, sizeof header, "{\"t\":" ENTRY("%s", "[3]", "[0,%zu]") "}",
                     dtypes[i].name, bytes);
        file made = file_of(header, (size_t)length, data, bytes);
        mbn_safetensors *parsed = parse_good(made);
        const mbn_tensor *tensor = mbn_safetensors_find(parsed, "t");
        cr_expect_eq(tensor->dtype, dtypes[i].dtype, "%s", dtypes[i].name);
        cr_expect_str_eq(tensor->dtype_name, dtypes[i].name);
        cr_expect_eq(tensor->bytes, bytes, "%s", dtypes[i].name);
        mbn_safetensors_free(parsed);
        guarded_free(&made.memory);
    }
}

Test(safetensors, reads_data_at_any_alignment) {
    static const float values[3] = {1.25f, -7e30f, 1e-40f};
    for (size_t padding = 0; padding < 8; padding++) {
        char header[128] = "{\"t\":" ENTRY("F32", "[3]", "[0,12]") "}";
        const size_t length = strlen(header);
        memset(header + length, ' ', padding);
        file made = file_of(header, length + padding, values, sizeof values);
        mbn_safetensors *parsed = parse_good(made);
        guarded memory = {0};
        float *out = guarded_floats(&memory, 3, GUARD_AFTER);
        mbn_tensor_to_floats(mbn_safetensors_find(parsed, "t"), out);
        cr_expect_arr_eq(out, values, sizeof values);
        guarded_free(&memory);
        mbn_safetensors_free(parsed);
        guarded_free(&made.memory);
    }
}

/* ---- Conversions: all 65536 values, against the formulas of the formats ---------------------- */

/* (-1)^s 1.f 2^(e - bias), f / 2^fraction_bits 2^(1 - bias) for e = 0, infinity or NaN at the
 * top. */
static double value_of(uint32_t bits, int exponent_bits, int fraction_bits) {
    const int bias = (1 << (exponent_bits - 1)) - 1;
    const int exponent = (int)(bits >> fraction_bits) & ((1 << exponent_bits) - 1);
    const double fraction = ldexp(bits & ((1U << fraction_bits) - 1), -fraction_bits);
    const double sign = (bits >> (exponent_bits + fraction_bits)) != 0 ? -1 : 1;
    if (exponent == (1 << exponent_bits) - 1) return fraction > 0 ? NAN : sign * INFINITY;
    if (exponent == 0) return sign * ldexp(fraction, 1 - bias);
    return sign * ldexp(1 + fraction, exponent - bias);
}

static void check_conversion(const char *dtype, int exponent_bits, int fraction_bits) {
    enum { COUNT = 65536 };
    char header[128];
    /* An odd header, so that no value is aligned. */
    int length = snprintf(header, sizeof header, "{\"t\":" ENTRY("%s", "[%d]", "[0,%d]") "} ",
                          dtype, COUNT, 2 * COUNT);
    length -= length % 2 == 0;
    uint8_t *data = malloc(2 * COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        data[2 * i] = (uint8_t)i;
        data[2 * i + 1] = (uint8_t)(i >> 8);
    }
    file made = file_of(header, (size_t)length, data, 2 * COUNT);
    mbn_safetensors *parsed = parse_good(made);
    guarded memory = {0};
    float *got = guarded_floats(&memory, COUNT, GUARD_AFTER);
    mbn_tensor_to_floats(mbn_safetensors_find(parsed, "t"), got);
    for (uint32_t i = 0; i < COUNT; i++) {
        const double expected = value_of(i, exponent_bits, fraction_bits);
        const bool same =
            isnan(expected) ? isnan(got[i]) != 0
                            : (double)got[i] == expected && !signbit(got[i]) == !signbit(expected);
        cr_assert(same, "%s 0x%04" PRIx32 ": %a, not %a", dtype, i, (double)got[i], expected);
    }
    guarded_free(&memory);
    mbn_safetensors_free(parsed);
    guarded_free(&made.memory);
    free(data);
}

Test(safetensors, widens_every_half) {
    check_conversion("F16", 5, 10);
}

Test(safetensors, widens_every_bfloat) {
    check_conversion("BF16", 8, 7);
}
