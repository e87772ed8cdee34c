/* Weights as pairs of bytes, and channels, of the q8 tables that have no other form of their own.
 */
#include <mobilenet/kernels.h>

typedef int16_t source, element;

static inline element from_float(float x) {
    return (element)x;
}

#include "convolution.h"
#include "depthwise.h"

#include <string.h>

size_t mbn_pack_convolution_q8(const mbn_pack_convolution_args *args, void *packed) {
    mbn_pack_convolution_args plain = *args;
    plain.scale = NULL;
    return pack_convolution(&plain, packed);
}

size_t mbn_pack_depthwise_q8(const mbn_pack_depthwise_args *args, void *packed) {
    mbn_pack_depthwise_args plain = *args;
    plain.scale = NULL;
    return pack_depthwise(&plain, 1, packed);
}

/* One of a block's vectors: `bytes` of each channel, found in a multiplier at `offset`. */
static char *pack_field(const mbn_multiplier *multipliers, size_t offset, size_t bytes,
                        int32_t existing, int32_t block, char *out) {
    for (int32_t lane = 0; lane < existing; lane++) {
        memcpy(out + (size_t)lane * bytes, (const char *)(multipliers + lane) + offset, bytes);
    }
    memset(out + (size_t)existing * bytes, 0, (size_t)(block - existing) * bytes);
    return out + (size_t)block * bytes;
}

size_t mbn_pack_channels_q8(const mbn_pack_channels_args *args, void *packed) {
    const int32_t block = args->blocking.block, blocks = mbn_block_count(args->channels, block);
    const size_t multiplier = args->rescaling == MBN_RESCALE_FLOAT ? sizeof(float) : sizeof(double);
    char *out = packed;
    for (int32_t c = 0; packed != NULL && c < args->channels; c += block) {
        const int32_t left = args->channels - c, existing = left < block ? left : block;
        const mbn_multiplier *m = args->multipliers + c;
        memcpy(out, args->bias + c, (size_t)existing * sizeof(int32_t));
        memset(out + (size_t)existing * sizeof(int32_t), 0,
               (size_t)(block - existing) * sizeof(int32_t));
        out += (size_t)block * sizeof(int32_t);
        switch (args->rescaling) {
        case MBN_RESCALE_FLOAT:
            out =
                pack_field(m, offsetof(mbn_multiplier, real), sizeof m->real, existing, block, out);
            break;
        case MBN_RESCALE_FIXED:
            out = pack_field(m, offsetof(mbn_multiplier, fixed), sizeof m->fixed, existing, block,
                             out);
            out = pack_field(m, offsetof(mbn_multiplier, shift), sizeof m->shift, existing, block,
                             out);
            break;
        case MBN_RESCALE_DOUBLE:
            out =
                pack_field(m, offsetof(mbn_multiplier, wide), sizeof m->wide, existing, block, out);
            break;
        }
    }
    return (size_t)blocks * (size_t)block * (sizeof(int32_t) + multiplier);
}
