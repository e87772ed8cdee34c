#include "families.h"

#include <tests/kernels/test_softmax.c>

void check_softmaxes(const convolution_case *shape, operands *memory, random_state *r) {
    (void)memory;
    static const float ranges[] = {1e-3f, 1.0f, 20.0f, 200.0f, 1e30f};
    const int32_t count = shape->channels * shape->width;
    const float range = ranges[random_int(r, 0, 4)];
    float *values = make_values((size_t)count, MBN_ELEMENT_F32, DATA_RANDOM, r);
    for (int32_t i = 0; i < count; i++) values[i] *= range;
    if (!data_is_finite(shape->data)) {
        values[random_int(r, 0, count - 1)] = shape->data == DATA_NAN ? NAN : INFINITY;
    }
    check_tables(values, count, data_name(shape->data));
    free(values);
}
