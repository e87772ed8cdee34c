#include "convolution_problem.h"

#include <math.h>
#include <stdlib.h>

/* Pads of up to a whole kernel, so that some outputs see nothing of the plane. */
static void choose_axis(int32_t kernel, int32_t stride, int32_t size, int32_t *pad, int32_t *output,
                        random_state *r) {
    *pad = random_int(r, 0, kernel);
    int32_t after = random_int(r, 0, kernel);
    if (size + *pad + after < kernel) after = kernel - size - *pad;
    *output = (size + *pad + after - kernel) / stride + 1;
}

convolution_case awkward_case(int32_t index, int32_t kernel_height, int32_t kernel_width,
                              random_state *r) {
    convolution_case c = {
        .channels = 1 + index % 40,
        .height = random_int(r, 1, 17),
        .width = random_int(r, 1, 17),
        .kernel_height = kernel_height,
        .kernel_width = kernel_width,
        .stride_vertical = random_int(r, 1, 2),
        .stride_horizontal = random_int(r, 1, 2),
        .residual = random_int(r, 0, 1) == 1,
        .activation = (mbn_activation_kind)(index % 5),
        .data = (data_kind)(index / 5 % DATA_KINDS),
        .lanes = (lane_fill)random_int(r, 0, LANE_FILLS - 1),
    };
    choose_axis(kernel_height, c.stride_vertical, c.height, &c.pad_top, &c.output_height, r);
    choose_axis(kernel_width, c.stride_horizontal, c.width, &c.pad_left, &c.output_width, r);
    return c;
}

convolution_case vector_case(const convolution_case *shape) {
    convolution_case c = *shape;
    c.height = c.width = c.output_height = c.output_width = 1;
    c.kernel_height = c.kernel_width = 1;
    c.stride_vertical = c.stride_horizontal = 1;
    c.pad_top = c.pad_left = 0;
    c.residual = false;
    return c;
}

static void choose_window(int32_t size, int32_t window, int32_t stride, int32_t *pad,
                          int32_t *output, random_state *r) {
    *pad = random_int(r, 0, window - 1);
    const int32_t last = (size - 1 + *pad) / stride;
    *output = 1 + random_int(r, last > 1 ? last - 1 : 0, last);
}

void choose_windows(convolution_case *c, random_state *r) {
    choose_window(c->height, c->kernel_height, c->stride_vertical, &c->pad_top, &c->output_height,
                  r);
    choose_window(c->width, c->kernel_width, c->stride_horizontal, &c->pad_left, &c->output_width,
                  r);
}

/* Which of `count` summands comes as number i: in bfloat16 the second of a pair before the
 * first. */
static int32_t in_turn(const convolution_problem *p, int32_t i, int32_t count) {
    return p->element == MBN_ELEMENT_BF16 && (i ^ 1) < count ? i ^ 1 : i;
}

/* One output, from the tensors as they are in the framework. */
static expected expect_output(const convolution_problem *p, int32_t n, int32_t oy, int32_t ox,
                              size_t at) {
    const convolution_case *s = &p->shape;
    int32_t inputs = s->depthwise ? 1 : s->channels, terms = 1;
    double sum = (double)p->bias[n], magnitude = fabs(sum);
    float plain = p->bias[n], fused = p->bias[n];
    for (int32_t ky = 0; ky < s->kernel_height; ky++) {
        for (int32_t j = 0; j < s->kernel_width; j++) {
            int32_t kx = s->depthwise ? in_turn(p, j, s->kernel_width) : j;
            int32_t y = oy * s->stride_vertical + ky - s->pad_top;
            int32_t x = ox * s->stride_horizontal + kx - s->pad_left;
            if (y < 0 || y >= s->height || x < 0 || x >= s->width) continue;
            for (int32_t i = 0; i < inputs; i++) {
                int32_t c = in_turn(p, i, inputs);
                int32_t channel = s->depthwise ? n : c;
                float in =
                    p->input[((size_t)channel * (size_t)s->height + (size_t)y) * (size_t)s->width +
                             (size_t)x];
                float weight = p->weights[(((size_t)n * (size_t)inputs + (size_t)c) *
                                               (size_t)s->kernel_height +
                                           (size_t)ky) *
                                              (size_t)s->kernel_width +
                                          (size_t)kx];
                double product = (double)in * (double)weight;
                sum += product;
                magnitude += fabs(product);
                plain += in * weight;
                fused = fmaf(in, weight, fused);
                terms++;
            }
        }
    }
    if (p->residual != NULL) {
        sum += (double)p->residual[at];
        magnitude += fabs((double)p->residual[at]);
        plain += p->residual[at];
        fused += p->residual[at];
        terms++;
    }
    return expect_chain(sum, magnitude, terms, plain, fused, &p->activation);
}

convolution_problem convolution_problem_create(const convolution_case *s, mbn_element element,
                                               random_state *r) {
    size_t taps = (size_t)(s->kernel_height * s->kernel_width);
    size_t outputs = (size_t)s->outputs, inputs = s->depthwise ? 1 : (size_t)s->channels;
    size_t count = outputs * (size_t)(s->output_height * s->output_width);
    convolution_problem p = {
        .shape = *s,
        .element = element,
        .activation = make_activation(s->activation),
        .input =
            make_values((size_t)s->channels * (size_t)(s->height * s->width), element, s->data, r),
        .weights = make_weights(outputs * inputs * taps, element, s->data, r),
        .bias = make_values(outputs, element, s->data, r),
        .residual = s->residual ? make_values(count, element, s->data, r) : NULL,
        .expected = malloc(count * sizeof(expected)),
    };
    CHECK(p.expected != NULL, "out of memory");
    size_t at = 0;
    for (int32_t n = 0; n < s->outputs; n++) {
        for (int32_t y = 0; y < s->output_height; y++) {
            for (int32_t x = 0; x < s->output_width; x++, at++) {
                p.expected[at] = expect_output(&p, n, y, x, at);
            }
        }
    }
    return p;
}

void convolution_problem_free(convolution_problem *p) {
    free(p->input);
    free(p->weights);
    free(p->bias);
    free(p->residual);
    free(p->expected);
    alike_free(&p->alike);
}

void operands_free(operands *memory) {
    guarded_free(&memory->input);
    guarded_free(&memory->weights);
    guarded_free(&memory->bias);
    guarded_free(&memory->residual);
    guarded_free(&memory->output);
}

void describe_convolution(const mbn_kernels *table, const char *family, const convolution_case *s,
                          guard_side side) {
    describe_call(table,
                  "%s %dx%dx%d -> %dx%dx%d, kernel %dx%d, stride %dx%d, pad %d,%d, activation "
                  "%s%s, data %s, guard %s",
                  family, s->height, s->width, s->channels, s->output_height, s->output_width,
                  s->outputs, s->kernel_height, s->kernel_width, s->stride_vertical,
                  s->stride_horizontal, s->pad_top, s->pad_left, activation_name(s->activation),
                  s->residual ? ", residual" : "", data_name(s->data), guard_name(side));
}

plane lay_out_input(const convolution_problem *problem, operands *memory, guard_side side,
                    mbn_element element, int32_t block, int32_t depth, random_state *r) {
    const convolution_case *s = &problem->shape;
    plane p = plane_create(&memory->input, side, element, s->channels, s->height, s->width, block,
                           random_gap(r));
    plane_fill(&p, problem->input, s->lanes, depth, r);
    return p;
}

mbn_plane lay_out_residual(const convolution_problem *problem, operands *memory, guard_side side,
                           const mbn_kernels *table, random_state *r) {
    const convolution_case *s = &problem->shape;
    if (problem->residual == NULL) return (mbn_plane){0};
    plane p = plane_create(&memory->residual, side, table->element, s->outputs, s->output_height,
                           s->output_width, table->blocking.block, random_gap(r));
    plane_fill(&p, problem->residual, LANES_ZERO, 1, r);
    return p.view;
}

plane lay_out_output(const convolution_problem *problem, operands *memory, guard_side side,
                     const mbn_kernels *table, random_state *r) {
    const convolution_case *s = &problem->shape;
    return plane_create(&memory->output, side, table->element, s->outputs, s->output_height,
                        s->output_width, table->blocking.block, random_gap(r));
}

/* By the table's packers; `packed` NULL: only the size. */
static size_t pack(const convolution_problem *problem, const mbn_kernels *table, void *packed) {
    const convolution_case *s = &problem->shape;
    const ptrdiff_t kh = s->kernel_height, kw = s->kernel_width;
    if (s->depthwise) {
        return table->pack_depthwise(
            &(mbn_pack_depthwise_args){
                .weights = problem->weights,
                .channel_stride = kh * kw,
                .row_stride = kw,
                .column_stride = 1,
                .channels = s->channels,
                .kernel_height = s->kernel_height,
                .kernel_width = s->kernel_width,
                .blocking = table->blocking,
            },
            packed);
    }
    return table->pack_convolution(
        &(mbn_pack_convolution_args){
            .weights = problem->weights,
            .output_stride = s->channels * kh * kw,
            .input_stride = kh * kw,
            .row_stride = kw,
            .column_stride = 1,
            .output_channels = s->outputs,
            .input_channels = s->channels,
            .kernel_height = s->kernel_height,
            .kernel_width = s->kernel_width,
            .blocking = table->blocking,
        },
        packed);
}

mbn_operands pack_operands(const convolution_problem *problem, operands *memory, guard_side side,
                           const mbn_kernels *table) {
    const int32_t outputs = problem->shape.outputs, block = table->blocking.block;
    const size_t blocks = (size_t)mbn_block_count(outputs, block);
    const size_t unit = element_type_of(table->element)->bytes;
    const size_t bytes = pack(problem, table, NULL);
    CHECK(bytes % (blocks * unit) == 0, "%s: %zu bytes packed", described_case(), bytes);
    void *weights = guarded_elements(&memory->weights, bytes / unit, unit, side);
    CHECK(pack(problem, table, weights) == bytes, "%s", described_case());
    float *bias = guarded_floats(&memory->bias, blocks * (size_t)block, side);
    mbn_pack_vector(problem->bias, outputs, block, bias);
    return (mbn_operands){
        .weights = weights,
        .bias = bias,
        .weights_stride = (ptrdiff_t)(bytes / blocks),
        .bias_stride = block * (ptrdiff_t)sizeof *bias,
    };
}

kernel_call convolution_call(convolution_problem *problem, const mbn_kernels *table, plane output) {
    const convolution_case *s = &problem->shape;
    bool hard =
        s->activation == MBN_ACTIVATION_HARD_SIGMOID || s->activation == MBN_ACTIVATION_HARD_SWISH;
    /* A zero weight times a NaN or an infinity reaches the lanes past the last channel. */
    bool lanes_finite = data_is_finite(s->data) && !(s->depthwise && s->lanes == LANES_NAN);
    return (kernel_call){
        .table = table,
        .output = output,
        .expected = problem->expected,
        .panels = !s->depthwise,
        .alike = hard ? NULL : &problem->alike,
        .chain = !hard,
        .check_lanes = lanes_finite,
        .lanes = s->activation == MBN_ACTIVATION_HARD_SIGMOID ? 0.5f : 0.0f,
    };
}
