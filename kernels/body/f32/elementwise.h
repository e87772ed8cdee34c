/* Standalone batch norm, channel scale and addition over a vec.h: bound by memory, one vector at a
 * time. */
#include "epilogue.h"

enum elementwise_kind { BATCH_NORM, CHANNEL_SCALE, ADD };

MBN_INLINE void elementwise(const mbn_elementwise_args *args, mbn_range range,
                            enum elementwise_kind kind) {
    assert(args->block == VEC_WIDTH);
    const epilogue e =
        kind == CHANNEL_SCALE ? epilogue_of(&(mbn_activation){0}) : epilogue_of(&args->activation);
    for (int32_t block = range.block_begin; block < range.block_end; block++) {
        const ptrdiff_t channel = (ptrdiff_t)block * VEC_WIDTH;
        const vec scale = kind == ADD ? vec_zero() : vec_load(args->scale + channel);
        const vec shift = kind == BATCH_NORM ? vec_load(args->shift + channel) : vec_zero();
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            const float *input =
                args->input + block * args->input_block_stride + y * args->input_row_stride;
            const float *other = kind == ADD ? args->other + block * args->other_block_stride +
                                                   y * args->other_row_stride
                                             : NULL;
            float *output =
                args->output + block * args->output_block_stride + y * args->output_row_stride;
            for (ptrdiff_t x = 0; x < (ptrdiff_t)args->width * VEC_WIDTH; x += VEC_WIDTH) {
                const vec a = vec_load(input + x);
                switch (kind) {
                case BATCH_NORM:
                    vec_store(output + x, epilogue_apply(&e, vec_fma(a, scale, shift)));
                    break;
                case CHANNEL_SCALE: vec_store(output + x, vec_mul(a, scale)); break;
                case ADD:
                    vec_store(output + x, epilogue_apply(&e, vec_add(a, vec_load(other + x))));
                    break;
                }
            }
        }
    }
}

void MBN_ISA_NAME(batch_norm)(const mbn_elementwise_args *args, mbn_range range) {
    elementwise(args, range, BATCH_NORM);
}

void MBN_ISA_NAME(channel_scale)(const mbn_elementwise_args *args, mbn_range range) {
    elementwise(args, range, CHANNEL_SCALE);
}

void MBN_ISA_NAME(add)(const mbn_elementwise_args *args, mbn_range range) {
    elementwise(args, range, ADD);
}
