#include "dequantize.h"

#include "arch/error.h"
#include "arch/system/memory.h"

mbn_status mbn_dequantize(const mbn_layer_integers *integers, const mbn_layer *layer,
                          const mbn_allocator *allocator, mbn_layer_floats *floats,
                          mbn_error *error) {
    const int64_t per_channel = integers->layout.output_stride;
    const size_t count = (size_t)(layer->output_channels * (per_channel + 1));
    *floats =
        (mbn_layer_floats){.weight = integers->layout, .converted_bytes = count * sizeof(float)};
    floats->converted = mbn_allocate(allocator, floats->converted_bytes, MBN_ALIGNMENT);
    if (floats->converted == NULL) {
        return mbn_fail(error, MBN_OUT_OF_MEMORY, "%s: no memory to convert it", layer->name);
    }
    float *weights = floats->converted, *bias = weights + layer->output_channels * per_channel;
    floats->values[MBN_WEIGHT] = weights;
    floats->values[MBN_BIAS] = bias;
    for (int32_t c = 0; c < layer->output_channels; c++) {
        const int32_t zero = mbn_weight_zero(integers, c);
        const float scale = mbn_weight_scale(integers, c);
        for (int64_t i = c * per_channel; i < (c + 1) * per_channel; i++) {
            weights[i] = (float)(mbn_tensor_integer(integers->weight, i) - zero) * scale;
        }
        bias[c] = (float)mbn_tensor_integer(integers->bias, c) * (integers->input.scale * scale);
    }
    return MBN_OK;
}
