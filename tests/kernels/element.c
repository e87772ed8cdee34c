#include "element.h"

#include "../check.h"

#include <float.h>
#include <math.h>
#include <string.h>

static float load_float(const void *at) {
    float value;
    memcpy(&value, at, sizeof value);
    return value;
}

static void store_float(void *at, float value) {
    memcpy(at, &value, sizeof value);
}

/* Quiet, with a payload of its own. */
static const uint32_t float_canary = 0x7FC0DEADu;

static float load_bf16(const void *at) {
    uint16_t upper;
    memcpy(&upper, at, sizeof upper);
    return load_float(&(uint32_t){(uint32_t)upper << 16});
}

/* By the definition: the two neighbours of the value in the type, and the one that is nearer, or
 * even. */
static void store_bf16(void *at, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint16_t lower = (uint16_t)(bits >> 16), upper = (uint16_t)(lower + 1);
    if (isnan(value)) {
        lower |= 0x40;
    } else if (fabsf(value) < FLT_MIN) {
        lower &= 0x8000;
    } else if (!isinf(value)) {
        const double below = (double)load_bf16(&lower);
        /* Infinity stands for the number after the largest. */
        const double above =
            upper % 0x8000 == 0x7F80 ? copysign(0x1p128, below) : (double)load_bf16(&upper);
        const double to_below = fabs((double)value - below), to_above = fabs(above - (double)value);
        if (to_above < to_below || (to_above == to_below && upper % 2 == 0)) lower = upper;
    }
    memcpy(at, &lower, sizeof lower);
}

static const uint16_t bf16_canary = 0x7FDE;

static float load_q8(const void *at) {
    return *(const uint8_t *)at;
}

/* What no byte stands for becomes one at an end. */
static void store_q8(void *at, float value) {
    *(uint8_t *)at = (uint8_t)(value > 0.0f ? fminf(value, 255.0f) : 0.0f);
}

/* A byte as any other: it differs from what ought to be there but once in 256 times. */
static const uint8_t q8_canary = 0xA7;

static const element_type types[MBN_ELEMENT_COUNT] = {
    [MBN_ELEMENT_F32] = {sizeof(float), load_float, store_float, 0.0, 0.0, &float_canary},
    [MBN_ELEMENT_BF16] = {sizeof(uint16_t), load_bf16, store_bf16, 0x1p-8, 0x1p-126, &bf16_canary},
    [MBN_ELEMENT_Q8] = {sizeof(uint8_t), load_q8, store_q8, 0.0, 0.0, &q8_canary},
};

const element_type *element_type_of(mbn_element element) {
    CHECK((unsigned)element < MBN_ELEMENT_COUNT && types[element].bytes > 0,
          "the tests do not know element type %d", (int)element);
    return &types[element];
}

float element_round(const element_type *type, float value) {
    max_align_t stored;
    type->store(&stored, value);
    return type->load(&stored);
}
