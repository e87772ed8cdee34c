/* Kernels: any family with any legal sizes, kernel, strides, pads and data, on every table that
 * this machine can run. */
#include "choices.h"
#include "input.h"

#include <checks.h>

enum { MOST_PRODUCTS = 1 << 15, MOST_VALUES = 1 << 12 };

/* Pads of up to a whole kernel. */
static void choose_axis(choices *c, int32_t kernel, int32_t stride, int32_t size, int32_t *pad,
                        int32_t *output) {
    *pad = choose(c, 0, kernel);
    int32_t after = choose(c, 0, kernel);
    if (size + *pad + after < kernel) after = kernel - size - *pad;
    *output = (size + *pad + after - kernel) / stride + 1;
}

static convolution_case choose_case(choices *c) {
    convolution_case s = {
        .channels = choose_mostly(c, 1, 40, 200),
        .outputs = choose_mostly(c, 1, 40, 200),
        .height = choose_mostly(c, 1, 17, 40),
        .width = choose_mostly(c, 1, 17, 150),
        .kernel_height = choose(c, 0, 1) == 0 ? 3 : choose(c, 1, 7),
        .stride_vertical = choose(c, 1, 2),
        .stride_horizontal = choose(c, 1, 2),
        .residual = choose(c, 0, 1) == 1,
        .activation = (mbn_activation_kind)choose(c, 0, MBN_ACTIVATION_HARD_SWISH),
        .data = (data_kind)choose(c, 0, DATA_KINDS - 1),
        .lanes = (lane_fill)choose(c, 0, LANE_FILLS - 1),
    };
    s.kernel_width = choose(c, 0, 1) == 0 ? s.kernel_height : choose(c, 1, 7);
    choose_axis(c, s.kernel_height, s.stride_vertical, s.height, &s.pad_top, &s.output_height);
    choose_axis(c, s.kernel_width, s.stride_horizontal, s.width, &s.pad_left, &s.output_width);
    return s;
}

int fuzz_input(const uint8_t *data, size_t size) {
    static operands memory;
    choices c = {data, size};
    check_family *check = kernel_families[choose(&c, 0, KERNEL_FAMILIES - 1)].check;
    const convolution_case s = choose_case(&c);
    random_state r = {choose_bits(&c, 4)};
    const int64_t pixels = (int64_t)s.output_height * s.output_width;
    const int64_t taps = (int64_t)s.kernel_height * s.kernel_width;
    if (pixels * s.outputs * s.channels * taps > MOST_PRODUCTS) return 0;
    if ((int64_t)s.height * s.width * s.channels > MOST_VALUES) return 0;
    check(&s, true, &memory, &r);
    return 0;
}
