#include "element.h"

#include <criterion/criterion.h>
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

static const element_type types[MBN_ELEMENT_COUNT] = {
    [MBN_ELEMENT_F32] = {sizeof(float), load_float, store_float, 0.0, &float_canary},
};

const element_type *element_type_of(mbn_element element) {
    cr_assert((unsigned)element < MBN_ELEMENT_COUNT && types[element].bytes > 0,
              "the tests do not know element type %d", (int)element);
    return &types[element];
}

float element_round(const element_type *type, float value) {
    max_align_t stored;
    type->store(&stored, value);
    return type->load(&stored);
}
