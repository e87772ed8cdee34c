/* Fully connected layer over a vec.h: every weight is read once, so what counts is to keep loads in
 * flight.  Where the hardware's prefetcher is not enough for that, a vec.h says how far ahead weights
 * are fetched (FULLY_CONNECTED_AHEAD, floats).  Four chains per output, over k modulo 4, hide the
 * latency of the multiply-adds; they are summed as (0 + 1) + (2 + 3), then the bias is added. */
#include "epilogue.h"

enum { CHAINS = 4 };

MBN_INLINE void fully_connected_panel(const mbn_fully_connected_args *args, const epilogue *e,
                                      int32_t vectors, int32_t block) {
    const float *w = args->weights + (ptrdiff_t)block * VEC_WIDTH * args->input_channels;
    const ptrdiff_t step = (ptrdiff_t)vectors * VEC_WIDTH;
    vec acc[CHAINS][4];
    MBN_UNROLL
    for (int32_t j = 0; j < CHAINS; j++) {
        MBN_UNROLL
        for (int32_t v = 0; v < vectors; v++) acc[j][v] = vec_zero();
    }
    int32_t k = 0;
    for (; k + CHAINS <= args->input_channels; k += CHAINS) {
        MBN_UNROLL
        for (int32_t j = 0; j < CHAINS; j++) {
            const vec x = vec_broadcast(args->input + k + j);
#if defined(FULLY_CONNECTED_AHEAD)
            __builtin_prefetch(w + FULLY_CONNECTED_AHEAD);
#endif
            MBN_UNROLL
            for (int32_t v = 0; v < vectors; v++) {
                acc[j][v] = vec_fma(x, vec_load(w + v * VEC_WIDTH), acc[j][v]);
            }
            w += step;
        }
    }
    MBN_UNROLL
    for (int32_t j = 0; j < CHAINS; j++) {
        if (k + j >= args->input_channels) break;
        const vec x = vec_broadcast(args->input + k + j);
        MBN_UNROLL
        for (int32_t v = 0; v < vectors; v++) {
            acc[j][v] = vec_fma(x, vec_load(w + v * VEC_WIDTH), acc[j][v]);
        }
        w += step;
    }
    MBN_UNROLL
    for (int32_t v = 0; v < vectors; v++) {
        const ptrdiff_t at = (ptrdiff_t)(block + v) * VEC_WIDTH;
        const vec sum = vec_add(vec_add(acc[0][v], acc[1][v]), vec_add(acc[2][v], acc[3][v]));
        vec_store(args->output + at, epilogue_apply(e, vec_add(vec_load(args->bias + at), sum)));
    }
}

void MBN_ISA_NAME(fully_connected)(const mbn_fully_connected_args *args, mbn_range range) {
    assert(args->block == VEC_WIDTH && args->panel == PANEL);
    const epilogue e = epilogue_of(&args->activation);
    const int32_t blocks = mbn_block_count(args->output_channels, VEC_WIDTH);
    for (int32_t block = range.block_begin; block < range.block_end;) {
        const int32_t vectors = mbn_panel_width(blocks - block, PANEL);
        switch (vectors) {
        case 1: fully_connected_panel(args, &e, 1, block); break;
        case 2: fully_connected_panel(args, &e, 2, block); break;
        case 3: fully_connected_panel(args, &e, 3, block); break;
#if PANEL_MAX >= 4
        case 4: fully_connected_panel(args, &e, 4, block); break;
#endif
        }
        block += vectors;
    }
}
