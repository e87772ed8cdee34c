/* The sum of two quantised numbers (mbn_q8_add), in four pixels of a block.  Included behind
 * rescale. */
#ifndef MBN_KERNELS_BODY_Q8_ADD_H
#define MBN_KERNELS_BODY_Q8_ADD_H

/* Of one pixel, without the zero point of the result. */
MBN_INLINE sums add_shift(const mbn_q8_add *add, sums a, sums b) {
    const uint32_t m[2] = {(uint32_t)add->multiplier[0].fixed, (uint32_t)add->multiplier[1].fixed};
    const uint32_t rest = (1u << (add->output.shift - 1)) - m[0] * (uint32_t)add->zero[0] -
                          m[1] * (uint32_t)add->zero[1];
    const sums x = sums_add(sums_mul(a, sums_splat((int32_t)m[0])), sums_splat((int32_t)rest));
    return sums_shift(sums_add(x, sums_mul(b, sums_splat((int32_t)m[1]))), add->output.shift);
}

MBN_INLINE sums add_float(const mbn_q8_add *add, sums a, sums b) {
    const sums x = sums_sub(a, sums_splat(add->origin[0]));
    const sums y = sums_sub(b, sums_splat(add->origin[1]));
    const float m[2] = {add->multiplier[0].real, add->multiplier[1].real};
    return add->other_first ? sums_of_products(y, m[1], x, m[0], add->offset)
                            : sums_of_products(x, m[0], y, m[1], add->offset);
}

MBN_INLINE sums scaled_by(sums x, const mbn_multiplier *m) {
    return rescale_fixed(x, sums_splat(m->fixed), sums_splat(m->shift));
}

/* Rare: most of these sums have an equal one of another kind (arch/model/quick_sum.c). */
MBN_INLINE sums add_fixed(const mbn_q8_add *add, sums a, sums b) {
    const sums unit = sums_splat(1 << 20);
    const sums x = sums_mul(sums_sub(a, sums_splat(add->zero[0])), unit);
    const sums y = sums_mul(sums_sub(b, sums_splat(add->zero[1])), unit);
    return scaled_by(sums_add(scaled_by(x, &add->multiplier[0]), scaled_by(y, &add->multiplier[1])),
                     &add->output);
}

MBN_INLINE sums add_sums(const mbn_q8_add *add, sums a, sums b) {
    switch (add->kind) {
    case MBN_ADD_SHIFT: return add_shift(add, a, b);
    case MBN_ADD_FLOAT: return add_float(add, a, b);
    case MBN_ADD_FIXED: break;
    }
    return add_fixed(add, a, b);
}

/* What all sums of a call share. */
typedef struct adding {
    const mbn_q8_add *add;
    byte_limits limits;
    bool quick; /* by `prepared` */
    prepared_add prepared;
} adding;

MBN_INLINE bool is_small(int32_t factor) {
    return factor > -(1 << 30) && factor < 1 << 30;
}

MBN_INLINE adding adding_of(const mbn_q8_add *add) {
    static const mbn_q8_add none = {.output = {.shift = 1}};
    const bool quick = add->kind == MBN_ADD_SHIFT && is_small(add->multiplier[0].fixed) &&
                       is_small(add->multiplier[1].fixed);
    mbn_byte_range range = add->range;
    if (add->kind == MBN_ADD_FLOAT) range.zero = (uint8_t)add->origin[0];
    return (adding){add, byte_limits_of(range), quick, prepared_add_of(quick ? add : &none)};
}

#if VEC_PARTS
/* What is not quick, a pixel at a time through memory. */
MBN_INLINE void add_slowly(const adding *s, const char *a, const char *b, int32_t pixels,
                           char *output) {
    int32_t values[QUAD * BLOCK];
    for (int32_t p = 0, count; p < pixels; p += count) {
        count = pixels - p < QUAD ? pixels - p : QUAD;
        for (int32_t i = 0; i < QUAD; i++) {
            const ptrdiff_t at = (ptrdiff_t)(p + (i < count ? i : 0)) * PIXEL_BYTES;
            sums_store(values + i * BLOCK, add_sums(s->add, pixel_sum(a + at, sums_zero()),
                                                    pixel_sum(b + at, sums_zero())));
        }
        bytes_store_some(output + (ptrdiff_t)p * PIXEL_BYTES, count,
                         bytes_of(&s->limits, sums_load(values), sums_load(values + BLOCK),
                                  sums_load(values + 2 * BLOCK), sums_load(values + 3 * BLOCK)));
    }
}
#endif

MBN_INLINE bytes64 add_bytes(const adding *s, bytes64 a, bytes64 b) {
    if (s->quick || VEC_PARTS) return bytes_add_prepared(&s->prepared, &s->limits, a, b);
    sums quad[QUAD];
    MBN_UNROLL
    for (int32_t i = 0; i < QUAD; i++) {
        quad[i] = add_sums(s->add, bytes_widen(a, i), bytes_widen(b, i));
    }
    return bytes_of(&s->limits, quad[0], quad[1], quad[2], quad[3]);
}

/* `pixels` pixels of a and b, side by side; output may be either. */
static __attribute__((noinline)) void add_run(const adding *s, const char *a, const char *b,
                                              int32_t pixels, char *output) {
#if VEC_PARTS
    if (!s->quick) {
        add_slowly(s, a, b, pixels, output);
        return;
    }
#endif
    for (int32_t p = 0; p < pixels; p += QUAD) {
        const int32_t count = pixels - p < QUAD ? pixels - p : QUAD;
        const ptrdiff_t at = (ptrdiff_t)p * PIXEL_BYTES;
        bytes_store_some(
            output + at, count,
            add_bytes(s, bytes_load_some(a + at, count), bytes_load_some(b + at, count)));
    }
}

#endif
