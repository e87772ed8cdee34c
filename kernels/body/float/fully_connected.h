/* Fully connected layer, of vectors of floats: every weight is read once, so what counts is to keep
 * loads in flight.  Where the hardware's prefetcher is not enough for that, weights are fetched
 * FULLY_CONNECTED_AHEAD bytes ahead.  Four chains per output, over steps of k modulo 4, hide the
 * latency of the multiply-adds; they are summed as (0 + 1) + (2 + 3), then the bias is added. */
#include "epilogue.h"

#include <string.h>

/* FLOATS_AT_ONCE: of the vector, which become elements; whole rounds of chains. */
enum { CHAINS = 4, FLOATS_AT_ONCE = 128 };

/* A part of the vector as elements, with zeros to a whole step; floats stay where they are. */
MBN_INLINE const char *elements_of(const float *values, int32_t count, char *buffer) {
#if READS_FLOATS
    (void)count, (void)buffer;
    return (const char *)values;
#else
    element_convert(values, count, buffer);
    memset(buffer + count * ELEMENT_BYTES, 0,
           (size_t)(steps_of(count) * OPERAND_BYTES - count * ELEMENT_BYTES));
    return buffer;
#endif
}

MBN_INLINE void fully_connected_step(int32_t vectors, const char *x, const char *w, vec sums[4]) {
    const operand value = operand_broadcast(x);
    if (FULLY_CONNECTED_AHEAD > 0) __builtin_prefetch(w + FULLY_CONNECTED_AHEAD);
    MBN_UNROLL
    for (int32_t v = 0; v < vectors; v++) {
        sums[v] = operand_dot(value, operand_load(w + v * STEP_BYTES), sums[v]);
    }
}

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
    for (int32_t k = 0, count; k < args->input_channels; k += count) {
        char buffer[FLOATS_AT_ONCE * ELEMENT_BYTES];
        const int32_t left = args->input_channels - k;
        count = left < FLOATS_AT_ONCE ? left : FLOATS_AT_ONCE;
        const int32_t steps = steps_of(count);
        const char *x = elements_of(input + k, count, buffer);
        int32_t s = 0;
        for (; s + CHAINS <= steps; s += CHAINS, x += CHAINS * OPERAND_BYTES) {
            MBN_UNROLL
            for (int32_t j = 0; j < CHAINS; j++, w += step) {
                fully_connected_step(vectors, x + j * OPERAND_BYTES, w, acc[j]);
            }
        }
        MBN_UNROLL
        for (int32_t j = 0; j < CHAINS; j++, w += step) {
            if (s + j >= steps) break;
            fully_connected_step(vectors, x + j * OPERAND_BYTES, w, acc[j]);
        }
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
