/* Fully connected layer, of vectors of floats: every weight is read once, so what counts is to keep loads in flight.
 * Where the hardware's prefetcher is not enough for that, weights are fetched FULLY_CONNECTED_AHEAD
 * bytes ahead.  Four chains per output, over steps of k modulo 4, hide the latency of the multiply-adds;
 * they are summed as (0 + 1) + (2 + 3), then the bias is added. */
#include "epilogue.h"

enum { CHAINS = 4 };

MBN_INLINE void fully_connected_panel(const mbn_fully_connected_args *args, const epilogue *e,
                                      int32_t vectors, int32_t b) {
    const char *w = mbn_weights_at(&args->operands, b);
    const float *input = args->input;
    const ptrdiff_t step = (ptrdiff_t)vectors * STEP_BYTES;
    vec acc[CHAINS][4];
    MBN_UNROLL
    for (int32_t j = 0; j < CHAINS; j++) {
        MBN_UNROLL
        for (int32_t v = 0; v < vectors; v++) acc[j][v] = vec_zero();
    }
    int32_t k = 0;
    for (; k + CHAINS * DEPTH <= args->input_channels; k += CHAINS * DEPTH) {
        MBN_UNROLL
        for (int32_t j = 0; j < CHAINS; j++) {
            if (FULLY_CONNECTED_AHEAD > 0) __builtin_prefetch(w + FULLY_CONNECTED_AHEAD);
            MBN_UNROLL
            for (int32_t v = 0; v < vectors; v++) {
                acc[j][v] =
                    operand_dot_floats(input + k + j * DEPTH, DEPTH, w + v * STEP_BYTES, acc[j][v]);
            }
            w += step;
        }
    }
    MBN_UNROLL
    for (int32_t j = 0; j < CHAINS; j++, k += DEPTH) {
        if (k >= args->input_channels) break;
        const int32_t left = args->input_channels - k, count = left < DEPTH ? left : DEPTH;
        MBN_UNROLL
        for (int32_t v = 0; v < vectors; v++) {
            acc[j][v] = operand_dot_floats(input + k, count, w + v * STEP_BYTES, acc[j][v]);
        }
        w += step;
    }
    const char *bias = mbn_bias_at(&args->operands, b);
    char *output = (char *)args->output + (ptrdiff_t)b * VECTOR_BYTES;
    MBN_UNROLL
    for (int32_t v = 0; v < vectors; v++) {
        const vec sum = vec_add(vec_add(acc[0][v], acc[1][v]), vec_add(acc[2][v], acc[3][v]));
        vec_store(output + v * VECTOR_BYTES,
                  epilogue_apply(e, vec_add(vec_load(bias + v * VECTOR_BYTES), sum)));
    }
}

#include "kernels/walk/fully_connected.h"
