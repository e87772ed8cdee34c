/* Four pixels' bytes (kernels/body/q8/vocabulary.h), one by one: what AVX2 does no better than
 * SSE4.1.  Included behind bytes64 and bytes_of, with
 *
 *     bytes_pixel(a, i)          pixel i
 *     bytes_of_pixels(p)         of four
 *     pairs_of(a, b, part)       pairs of int16 of the part's channels of two pixels
 */
#ifndef MBN_KERNELS_SSE_BYTES_H
#define MBN_KERNELS_SSE_BYTES_H

#include "kernels/inline.h"

MBN_INLINE bytes64 bytes_load_some(const void *p, int32_t n) {
    if (n == 4) return bytes_load(p);
    __m128i pixels[4];
    MBN_UNROLL
    for (int32_t i = 0; i < 4; i++) {
        pixels[i] = i < n ? _mm_loadu_si128((const __m128i *)p + i) : _mm_setzero_si128();
    }
    return bytes_of_pixels(pixels);
}
MBN_INLINE void bytes_store_some(void *p, int32_t n, bytes64 a) {
    if (n == 4) {
        bytes_store(p, a);
        return;
    }
    MBN_UNROLL
    for (int32_t i = 0; i < 3; i++) {
        if (i < n) _mm_storeu_si128((__m128i *)p + i, bytes_pixel(a, i));
    }
}

static inline bytes64 bytes_interleave(bytes64 a) {
    const __m128i p[4] = {bytes_pixel(a, 0), bytes_pixel(a, 1), bytes_pixel(a, 2),
                          bytes_pixel(a, 3)};
    const __m128i low[2] = {_mm_unpacklo_epi8(p[0], p[1]), _mm_unpacklo_epi8(p[2], p[3])};
    const __m128i high[2] = {_mm_unpackhi_epi8(p[0], p[1]), _mm_unpackhi_epi8(p[2], p[3])};
    return bytes_of_pixels((const __m128i[4]){
        _mm_unpacklo_epi16(low[0], low[1]),
        _mm_unpackhi_epi16(low[0], low[1]),
        _mm_unpacklo_epi16(high[0], high[1]),
        _mm_unpackhi_epi16(high[0], high[1]),
    });
}

static inline bytes64 bytes_spread(bytes64 a) {
    const __m128i turn = _mm_set_epi8(-1, 11, 10, 9, -1, 8, 7, 6, -1, 5, 4, 3, -1, 2, 1, 0);
    const __m128i fourth = _mm_and_si128(bytes_pixel(a, 3), _mm_set1_epi32(-0x1000000));
    __m128i p[4] = {
        bytes_pixel(a, 0),
        _mm_alignr_epi8(bytes_pixel(a, 1), bytes_pixel(a, 0), 12),
        _mm_alignr_epi8(bytes_pixel(a, 2), bytes_pixel(a, 1), 8),
        _mm_srli_si128(bytes_pixel(a, 2), 4),
    };
    MBN_UNROLL
    for (int32_t i = 0; i < 4; i++) p[i] = _mm_or_si128(_mm_shuffle_epi8(p[i], turn), fourth);
    return bytes_of_pixels(p);
}

/* Of pairs of a and b with the lower 15 bits of the factors, and with what is above. */
static inline bytes64 bytes_add_shift(const mbn_q8_add *add, const byte_limits *limits, bytes64 a,
                                      bytes64 b) {
    const int32_t m = add->multiplier[0].fixed, n = add->multiplier[1].fixed;
    const ints lower = ints_splat((n & 0x7FFF) << 16 | (m & 0x7FFF));
    const ints upper =
        ints_splat((int32_t)((uint32_t)(n >> 15) << 16 | ((uint32_t)(m >> 15) & 0xFFFF)));
    const ints rest = ints_splat((int32_t)((1u << (add->output.shift - 1)) -
                                           (uint32_t)m * (uint32_t)add->zero[0] -
                                           (uint32_t)n * (uint32_t)add->zero[1]));
    sums quad[4];
    MBN_UNROLL
    for (int32_t i = 0; i < 4; i++) {
        MBN_UNROLL
        for (int32_t part = 0; part < PARTS; part++) {
            const ints pairs = pairs_of(bytes_pixel(a, i), bytes_pixel(b, i), part);
            const ints high = ints_shift_left(ints_dot(pairs, upper, ints_zero()), 15);
            quad[i].part[part] =
                ints_shift(ints_add(high, ints_dot(pairs, lower, rest)), add->output.shift);
        }
    }
    return bytes_of(limits, quad[0], quad[1], quad[2], quad[3]);
}

#endif
