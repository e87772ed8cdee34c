/* The table of 8-bit integers of SSE4.1. */
#ifndef MBN_KERNELS_SSE_Q8_H
#define MBN_KERNELS_SSE_Q8_H

#include "ints.h"

#include "kernels/body/q8/parts.h"

#define VEC_TABLE mbn_sse_q8
#define VEC_ISA MBN_ISA_SSE
#define VEC_ISA_NAME "sse"
#define TILES_FEW 0
#define FIXED_INLINE 1
#define LOOKUP_INLINE 0
#define PACK_CONVOLUTION mbn_pack_convolution_q8_pairs
#define PACK_DEPTHWISE mbn_pack_depthwise_q8_pairs

/* Tiles: two pixels of a block have eight vectors of sums. */
#define PANEL 1
#define PANEL_MAX 1
#define POINTWISE_PIXELS_1 2

typedef struct bytes64 {
    __m128i pixels[4];
} bytes64;

static inline bytes64 bytes_of_pixels(const __m128i p[4]) {
    return (bytes64){{p[0], p[1], p[2], p[3]}};
}
static inline __m128i bytes_pixel(bytes64 a, int32_t i) {
    return a.pixels[i];
}
static inline ints pairs_of(__m128i a, __m128i b, int32_t part) {
    const __m128i both = part < 2 ? _mm_unpacklo_epi8(a, b) : _mm_unpackhi_epi8(a, b);
    return _mm_cvtepu8_epi16(part % 2 == 0 ? both : _mm_srli_si128(both, 8));
}
static inline sums bytes_widen(bytes64 a, int32_t i) {
    const __m128i p = bytes_pixel(a, i);
    return (sums){{_mm_cvtepu8_epi32(p), _mm_cvtepu8_epi32(_mm_srli_si128(p, 4)),
                   _mm_cvtepu8_epi32(_mm_srli_si128(p, 8)),
                   _mm_cvtepu8_epi32(_mm_srli_si128(p, 12))}};
}

static inline void bytes_store(void *p, bytes64 a) {
    MBN_UNROLL
    for (int32_t i = 0; i < 4; i++) _mm_storeu_si128((__m128i *)p + i, a.pixels[i]);
}
static inline bytes64 bytes_load(const void *p) {
    bytes64 a;
    MBN_UNROLL
    for (int32_t i = 0; i < 4; i++) a.pixels[i] = _mm_loadu_si128((const __m128i *)p + i);
    return a;
}

typedef struct byte_limits {
    __m128i zero, low, high; /* zero: int16 */
} byte_limits;

static inline byte_limits byte_limits_of(mbn_byte_range range) {
    return (byte_limits){
        _mm_set1_epi16(range.zero),
        _mm_set1_epi8((char)range.low),
        _mm_set1_epi8((char)range.high),
    };
}
static inline __m128i pixel_clamped(const byte_limits *limits, __m128i a) {
    return _mm_min_epu8(_mm_max_epu8(a, limits->low), limits->high);
}
static inline __m128i pixel_of(const byte_limits *limits, sums a) {
    const __m128i low = _mm_packs_epi32(a.part[0], a.part[1]);
    const __m128i high = _mm_packs_epi32(a.part[2], a.part[3]);
    return pixel_clamped(limits, _mm_packus_epi16(_mm_adds_epi16(low, limits->zero),
                                                  _mm_adds_epi16(high, limits->zero)));
}
static inline bytes64 bytes_of(const byte_limits *limits, sums a, sums b, sums c, sums d) {
    return (bytes64){
        {pixel_of(limits, a), pixel_of(limits, b), pixel_of(limits, c), pixel_of(limits, d)}};
}
static inline bytes64 bytes_clamped(const byte_limits *limits, bytes64 a) {
    MBN_UNROLL
    for (int32_t i = 0; i < 4; i++) a.pixels[i] = pixel_clamped(limits, a.pixels[i]);
    return a;
}

MBN_INLINE bytes64 bytes_rescaled(const fixed_factors *f, const int32_t *p, int32_t n, bool signs) {
    bytes64 y;
    MBN_UNROLL
    for (int32_t i = 0; i < 4; i++) {
        const sums a = fixed_rescale(f, p + (i < n ? i * 16 : 0), signs);
        y.pixels[i] = _mm_packus_epi16(_mm_packs_epi32(a.part[0], a.part[1]),
                                       _mm_packs_epi32(a.part[2], a.part[3]));
    }
    return y;
}

static inline bytes64 bytes_lookup(const uint8_t *table, bytes64 a) {
    uint8_t bytes[64];
    bytes_store(bytes, a);
    for (int i = 0; i < 64; i++) bytes[i] = table[bytes[i]];
    return bytes_load(bytes);
}

#include "bytes.h"

#endif
