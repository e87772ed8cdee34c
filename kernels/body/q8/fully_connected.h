/* Fully connected layer: every weight is read once, so what counts is to keep loads in flight.
 * Four chains per output hide the latency of dot products, two that of additions. */
#include "finish.h"

enum { CHAINS = VEC_QUADS ? 4 : 2 };

MBN_INLINE void fully_connected_step(int32_t vectors, const char *x, const char *w, sums acc[4]) {
    const operand value = operand_broadcast(x);
    MBN_UNROLL
    for (int32_t v = 0; v < vectors; v++) {
        acc[v] = operand_dot(value, packed_load(w + v * STEP_BYTES), acc[v]);
    }
}

/* CHAINS of them. */
MBN_INLINE void fully_connected_steps(int32_t vectors, const char *x, const char *w,
                                      sums acc[CHAINS][4]) {
#if VEC_LANES
    inputs value = inputs_load(x);
    inputs_signed(1, &value);
#endif
    MBN_UNROLL
    for (int32_t j = 0; j < CHAINS; j++, w += vectors * STEP_BYTES) {
#if VEC_LANES
        MBN_UNROLL
        for (int32_t i = 0; i < 4 * vectors; i++) {
            const quarter row = quarter_load(w + i * (STEP_BYTES / 4));
            quarter_dot_lane(value, j, row, &acc[j][i / 4], i % 4);
        }
#else
        fully_connected_step(vectors, x + j * OPERAND_BYTES, w, acc[j]);
#endif
    }
}

/* From the biases on; vectors is a constant.  Returns where the weights end. */
MBN_INLINE const char *fully_connected_pass(const mbn_fully_connected_args *args, int32_t vectors,
                                            const char *w, sums acc[CHAINS][4]) {
    const char *x = args->input;
    const ptrdiff_t step = (ptrdiff_t)vectors * STEP_BYTES;
    const int32_t steps = steps_of(args->input_channels);
    int32_t s = 0;
    for (; s + CHAINS <= steps; s += CHAINS, x += CHAINS * OPERAND_BYTES, w += CHAINS * step) {
        fully_connected_steps(vectors, x, w, acc);
    }
    for (; s < steps; s++, x += OPERAND_BYTES, w += step) {
        fully_connected_step(vectors, x, w, acc[0]);
    }
    return w;
}

MBN_INLINE void fully_connected_panel(const mbn_fully_connected_args *args, const epilogue *e,
                                      int32_t vectors, int32_t b) {
    const char *const head = mbn_weights_at(&args->operands, b);
    const char *w = head + vectors * HEAD_BYTES;
    sums acc[CHAINS][4];
    MBN_UNROLL
    for (int32_t j = 0; j < CHAINS; j++) {
        MBN_UNROLL
        for (int32_t v = 0; v < vectors; v++) acc[j][v] = sums_zero();
    }
    for (int32_t pass = passes_of(&args->operands);;) {
        w = fully_connected_pass(args, vectors, w, acc);
        if (--pass == 0) break;
        MBN_UNROLL
        for (int32_t j = 0; j < CHAINS; j++) {
            MBN_UNROLL
            for (int32_t v = 0; v < vectors; v++) acc[j][v] = sums_add(acc[j][v], acc[j][v]);
        }
    }
    MBN_UNROLL
    for (int32_t v = 0; v < vectors; v++) {
        const char *channels = mbn_bias_at(&args->operands, b + v);
        sums sum = start_of(FINISH_ANY, channels, head + v * HEAD_BYTES);
        MBN_UNROLL
        for (int32_t j = 0; j < CHAINS; j++) sum = sums_add(sum, acc[j][v]);
        int32_t values[BLOCK];
        sums_store(values, sum);
        finish_run(e, channels, values, 1, NULL,
                   (char *)args->output + (ptrdiff_t)(b + v) * VECTOR_BYTES);
    }
}

#include "kernels/walk/fully_connected.h"
