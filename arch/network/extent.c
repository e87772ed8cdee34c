/* Sizes of a network's planes: what changes with the size of its input. */
#include "architecture.h"

struct extent {
    int32_t output, before, after; /* output 0: the window does not fit */
};

/* Output size and padding in one direction; DEFAULT here means none. */
static struct extent pad(int32_t input, int32_t kernel, int32_t stride, mbn_padding padding) {
    int32_t total = 0;
    switch (padding) {
    case MBN_PADDING_DEFAULT: break;
    case MBN_PADDING_SAME: total = (input - 1) / stride * stride + kernel - input; break;
    case MBN_PADDING_SYMMETRIC: total = (kernel - 1) / 2 * 2; break;
    case MBN_PADDING_TRAILING: total = kernel - stride; break; /* SAME at any even size */
    }
    if (total < 0) total = 0;
    struct extent e = {.before = total / 2, .after = total - total / 2};
    const int32_t slack = input + total - kernel;
    if (slack >= 0) e.output = slack / stride + 1;
    return e;
}

/* The padding of a layer in one direction: TRAILING is for depthwise convolutions (and what stands
 * for them) that stride. */
static mbn_padding padding_of(mbn_padding padding, const mbn_layer *layer, int32_t stride) {
    if (layer->kind == MBN_LAYER_MAX_POOL || layer->kind == MBN_LAYER_GLOBAL_POOL)
        return MBN_PADDING_DEFAULT;
    if (padding == MBN_PADDING_TRAILING && (layer->role == MBN_ROLE_STEM || stride == 1))
        return MBN_PADDING_SAME;
    return padding;
}

bool mbn_size_layers(mbn_padding padding, int32_t input_height, int32_t input_width,
                     mbn_layer *layers, int32_t count) {
    for (mbn_layer *layer = layers; layer < layers + count; layer++) {
        const mbn_layer *input = layer->input < 0 ? NULL : &layers[layer->input];
        layer->input_height = input == NULL ? input_height : input->output_height;
        layer->input_width = input == NULL ? input_width : input->output_width;
        if (layer->kind == MBN_LAYER_GLOBAL_POOL || layer->role == MBN_ROLE_HEAD_GLOBAL_MAX_POOL) {
            layer->kernel_height = layer->input_height;
            layer->kernel_width = layer->input_width;
        }
        const int32_t down = layer->stride_vertical, across = layer->stride_horizontal;
        const struct extent vertical =
            pad(layer->input_height, layer->kernel_height, down, padding_of(padding, layer, down));
        const struct extent horizontal = pad(layer->input_width, layer->kernel_width, across,
                                             padding_of(padding, layer, across));
        if (vertical.output == 0 || horizontal.output == 0) return false;
        layer->output_height = vertical.output;
        layer->output_width = horizontal.output;
        layer->pad_top = vertical.before;
        layer->pad_left = horizontal.before;
        layer->pad_bottom = vertical.after;
        layer->pad_right = horizontal.after;
        layer->multiply_adds = layer->weights * vertical.output * horizontal.output;
    }
    return true;
}
