/* Integer weights: less their zero points they are packed by the table, and so is what follows for
 * each output channel. */
#include "arch/error.h"
#include "arch/system/memory.h"
#include "packer.h"
#include "quick_sum.h"

/* Packs them, or with packed NULL only counts the bytes. */
static size_t pack_weights(const mbn_layer *layer, const mbn_layer_integers *from,
                           const mbn_kernels *kernels, const int16_t *weights, void *packed) {
    const mbn_weights all = {.values = weights, .layout = &from->layout, .wide = from->wide};
    return mbn_pack_weights(layer, kernels, &all, packed);
}

static mbn_pack_channels_args channels_args(const mbn_layer *layer, const mbn_layer_integers *from,
                                            const mbn_kernels *kernels) {
    return (mbn_pack_channels_args){
        .rescaling = from->finish.rescaling,
        .channels = layer->output_channels,
        .blocking = kernels->blocking,
    };
}

/* Where the parts of a layer begin, in bytes. */
typedef struct parts {
    size_t channels, finish, add, lookup, values, total; /* weights are at 0 */
    size_t weight_bytes, channel_bytes;
} parts;

static parts measure(const mbn_layer *layer, const mbn_layer_integers *from,
                     const mbn_kernels *kernels) {
    parts p = {0};
    if (layer->weights > 0) {
        const mbn_pack_channels_args args = channels_args(layer, from, kernels);
        p.weight_bytes = pack_weights(layer, from, kernels, NULL, NULL);
        p.channel_bytes = kernels->pack_channels(&args, NULL);
    }
    p.channels = mbn_align(p.weight_bytes);
    p.finish = p.channels + mbn_align(p.channel_bytes);
    p.add = p.finish + mbn_align(sizeof(mbn_q8_finish));
    p.lookup = p.add + (from->adds ? mbn_align(sizeof(mbn_q8_add)) : 0);
    p.values = p.lookup + (from->lookup != NULL ? 256 : 0);
    p.total = p.values + (from->values != NULL ? 256 * sizeof(float) : 0);
    return p;
}

static size_t bytes(const mbn_packing *packing, int32_t index, const mbn_kernels *kernels) {
    return measure(&packing->network->layers[index], &packing->integers->layers[index], kernels)
        .total;
}

/* A layer's tensors as the table takes them. */
typedef struct unpacked {
    int16_t *weights;            /* less their zero points, in the file's order */
    int32_t *bias;               /* of every channel, as mbn_pack_channels_args has it */
    mbn_multiplier *multipliers; /* of every channel */
    void *memory;
    size_t bytes;
} unpacked;

static mbn_status allocate(const mbn_layer *layer, const mbn_allocator *allocator, unpacked *u,
                           mbn_error *error) {
    const size_t channels = (size_t)layer->output_channels;
    const size_t bias_at = mbn_align(channels * sizeof *u->multipliers);
    const size_t weights_at = bias_at + mbn_align(channels * sizeof *u->bias);
    u->bytes = weights_at + (size_t)layer->weights * sizeof *u->weights;
    u->memory = mbn_allocate(allocator, u->bytes, MBN_ALIGNMENT);
    if (u->memory == NULL) {
        return mbn_fail(error, MBN_OUT_OF_MEMORY, "%s: no memory to convert it", layer->name);
    }
    u->multipliers = u->memory;
    u->bias = (int32_t *)(void *)((char *)u->memory + bias_at);
    u->weights = (int16_t *)(void *)((char *)u->memory + weights_at);
    return MBN_OK;
}

/* One channel's `count` weights, less their zero point; returns their sum. */
static int32_t widen(const mbn_tensor *tensor, int64_t first, int64_t count, int32_t zero,
                     int16_t *weights) {
    int32_t sum = 0;
    if (tensor->dtype == MBN_DTYPE_I8) {
        const int8_t *from = (const int8_t *)tensor->data + first;
        for (int64_t i = 0; i < count; i++) sum += weights[i] = (int16_t)(from[i] - zero);
    } else {
        const uint8_t *from = (const uint8_t *)tensor->data + first;
        for (int64_t i = 0; i < count; i++) sum += weights[i] = (int16_t)(from[i] - zero);
    }
    return sum;
}

static void unpack(const mbn_layer *layer, const mbn_layer_integers *from, unpacked *u) {
    const int64_t count = from->layout.output_stride;
    for (int32_t c = 0; c < layer->output_channels; c++) {
        const int32_t sum =
            widen(from->weight, c * count, count, mbn_weight_zero(from, c), u->weights + c * count);
        u->bias[c] = (int32_t)((uint32_t)mbn_tensor_integer(from->bias, c) -
                               (uint32_t)from->input.zero * (uint32_t)sum);
        u->multipliers[c] = mbn_channel_multiplier(from, c);
    }
}

static mbn_status pack_operands(const mbn_layer *layer, const mbn_layer_integers *from,
                                const mbn_allocator *allocator, const parts *p, char *memory,
                                mbn_packed_layer *packed, mbn_error *error) {
    const mbn_kernels *kernels = packed->kernels;
    unpacked u = {0};
    const mbn_status status = allocate(layer, allocator, &u, error);
    if (status != MBN_OK) return status;
    unpack(layer, from, &u);
    mbn_pack_channels_args channels = channels_args(layer, from, kernels);
    channels.bias = u.bias;
    channels.multipliers = u.multipliers;
    pack_weights(layer, from, kernels, u.weights, memory);
    kernels->pack_channels(&channels, memory + p->channels);
    mbn_release(allocator, u.memory, u.bytes);
    const int32_t blocks = mbn_block_count(layer->output_channels, kernels->blocking.block);
    packed->operands = (mbn_operands){
        .weights = memory,
        .bias = memory + p->channels,
        .weights_stride = (ptrdiff_t)p->weight_bytes / blocks,
        .bias_stride = (ptrdiff_t)p->channel_bytes / blocks,
        .wide = from->wide,
    };
    return MBN_OK;
}

static mbn_status pack(const mbn_packing *packing, int32_t index, float *scratch, char *memory,
                       mbn_packed_layer *packed, mbn_error *error) {
    (void)scratch; /* there is no batch norm to fold */
    const mbn_layer *layer = &packing->network->layers[index];
    const mbn_layer_integers *from = &packing->integers->layers[index];
    const parts p = measure(layer, from, packed->kernels);
    mbn_q8_finish *finish = (mbn_q8_finish *)(void *)(memory + p.finish);
    *finish = from->finish;
    if (from->adds) {
        mbn_q8_add *add = (mbn_q8_add *)(void *)(memory + p.add);
        *add = mbn_quick_sum(&from->add);
        finish->add = add;
    }
    if (from->lookup != NULL) {
        uint8_t *lookup = (uint8_t *)memory + p.lookup;
        for (int i = 0; i < 256; i++) lookup[i] = mbn_byte_at(from->lookup, i);
        finish->lookup = lookup;
    }
    if (from->values != NULL) {
        float *values = (float *)(void *)(memory + p.values);
        for (int i = 0; i < 256; i++) values[i] = (float)mbn_tensor_real(from->values, i);
        finish->mean.values = values;
    }
    packed->finish = (mbn_finish){.q8 = finish};
    if (layer->weights == 0) return MBN_OK;
    return pack_operands(layer, from, packing->allocator, &p, memory, packed, error);
}

const mbn_packer mbn_q8_packer = {.bytes = bytes, .pack = pack, .zero_is_a_byte = true};
