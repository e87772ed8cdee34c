#include "checks.h"

#include <math.h>
#include <stdlib.h>

/* As many outputs as channels, pixel by pixel. */
static convolution_case pixels_of(const convolution_case *shape) {
    convolution_case c = *shape;
    c.outputs = c.channels;
    c.output_height = c.height;
    c.output_width = c.width;
    c.kernel_height = c.kernel_width = 1;
    c.stride_vertical = c.stride_horizontal = 1;
    c.pad_top = c.pad_left = 0;
    return c;
}

/* A pool's, global or of windows. */
static convolution_case pool_of(const convolution_case *shape, bool *global, random_state *r) {
    convolution_case c = *shape;
    *global = random_int(r, 0, 1) == 1;
    c.outputs = c.channels;
    if (*global) {
        c.output_height = c.output_width = 1;
    } else {
        choose_windows(&c, r);
    }
    return c;
}

static void elementwises(const convolution_case *shape, bool layouts, operands *memory,
                         random_state *r) {
    const convolution_case c = pixels_of(shape);
    const int32_t kind = random_int(r, 0, ELEMENTWISE_KINDS - 1);
    check_elementwises((elementwise_kind)kind, &c, layouts, memory, r);
}

static void q8_elementwises(const convolution_case *shape, bool layouts, operands *memory,
                            random_state *r) {
    (void)layouts;
    const convolution_case c = pixels_of(shape);
    const int32_t kind = random_int(r, 0, ELEMENTWISE_KINDS - 1);
    check_q8_elementwises((elementwise_kind)kind, &c, memory, r);
}

static void layouts_of(const convolution_case *shape, bool layouts, operands *memory,
                       random_state *r) {
    const convolution_case c = pixels_of(shape);
    switch (random_int(r, 0, 2)) {
    case 0: check_image_layouts(&c, layouts, memory, r); break;
    case 1: check_layouts(&c, true, layouts, memory, r); break;
    default: check_layouts(&c, false, layouts, memory, r);
    }
}

static void q8_layouts(const convolution_case *shape, bool layouts, operands *memory,
                       random_state *r) {
    (void)layouts;
    const convolution_case c = pixels_of(shape);
    const int32_t depth = 1 << random_int(r, 0, 2);
    switch (random_int(r, 0, 2)) {
    case 0: check_q8_to_blocked(&c, mbn_block_count(c.channels, depth) * depth, memory, r); break;
    case 1: check_q8_to_blocked(&c, 0, memory, r); break;
    default: check_q8_from_blocked(&c, memory, r);
    }
}

static convolution_case pointwise_of(const convolution_case *shape) {
    convolution_case c = pixels_of(shape);
    c.outputs = shape->outputs;
    return c;
}

static void pointwises(const convolution_case *shape, bool layouts, operands *memory,
                       random_state *r) {
    const convolution_case c = pointwise_of(shape);
    check_pointwises(&c, layouts, memory, r);
}

static void q8_pointwises(const convolution_case *shape, bool layouts, operands *memory,
                          random_state *r) {
    const convolution_case c = pointwise_of(shape);
    if (random_int(r, 0, 1) == 1) {
        check_q8_fully_connecteds(&c, layouts, memory, r);
    } else {
        check_q8_pointwises(&c, layouts, memory, r);
    }
}

static void pools(const convolution_case *shape, bool layouts, operands *memory, random_state *r) {
    bool global;
    const convolution_case c = pool_of(shape, &global, r);
    check_pools(&c, global, layouts, memory, r);
}

static void q8_pools(const convolution_case *shape, bool layouts, operands *memory,
                     random_state *r) {
    (void)layouts;
    bool global;
    const convolution_case c = pool_of(shape, &global, r);
    check_q8_pools(&c, global, memory, r);
}

static void softmaxes(const convolution_case *shape, bool layouts, operands *memory,
                      random_state *r) {
    (void)layouts, (void)memory;
    static const float ranges[] = {1e-3f, 1.0f, 20.0f, 200.0f, 1e30f};
    const int32_t count = shape->channels * shape->width;
    const float range = ranges[random_int(r, 0, 4)];
    float *values = make_values((size_t)count, MBN_ELEMENT_F32, DATA_RANDOM, r);
    for (int32_t i = 0; i < count; i++) values[i] *= range;
    if (!data_is_finite(shape->data)) {
        values[random_int(r, 0, count - 1)] = shape->data == DATA_NAN ? NAN : INFINITY;
    }
    check_softmaxes(values, count, data_name(shape->data));
    free(values);
}

/* In the order in which the fuzz target's inputs count them. */
const kernel_family kernel_families[KERNEL_FAMILIES] = {
    {"convolution", MBN_ELEMENT_F32, check_convolutions},
    {"depthwise", MBN_ELEMENT_F32, check_depthwises},
    {"elementwise", MBN_ELEMENT_F32, elementwises},
    {"fully connected", MBN_ELEMENT_F32, check_fully_connecteds},
    {"layout", MBN_ELEMENT_F32, layouts_of},
    {"pointwise", MBN_ELEMENT_F32, pointwises},
    {"pool", MBN_ELEMENT_F32, pools},
    {"softmax", MBN_ELEMENT_F32, softmaxes},
    {"convolution", MBN_ELEMENT_Q8, check_q8_convolutions},
    {"depthwise", MBN_ELEMENT_Q8, check_q8_depthwises},
    {"elementwise", MBN_ELEMENT_Q8, q8_elementwises},
    {"layout", MBN_ELEMENT_Q8, q8_layouts},
    {"pointwise", MBN_ELEMENT_Q8, q8_pointwises},
    {"pool", MBN_ELEMENT_Q8, q8_pools},
};
