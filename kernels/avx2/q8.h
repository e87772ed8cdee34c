/* The table of 8-bit integers of AVX2 with FMA. */
#ifndef MBN_KERNELS_AVX2_Q8_H
#define MBN_KERNELS_AVX2_Q8_H

#include "ints.h"

#include "kernels/body/q8/parts.h"

#define TILES_FEW 0
#define FIXED_INLINE 1
#define LOOKUP_INLINE 0
#define PACK_DEPTHWISE mbn_pack_depthwise_q8_pairs
#define PANEL 1
#define PANEL_MAX 1
#if !VEC_QUADS /* AVX-VNNI's header has these itself */
#define VEC_TABLE mbn_avx2_q8
#define VEC_ISA MBN_ISA_AVX2
#define VEC_ISA_NAME "avx2"
#define PACK_CONVOLUTION mbn_pack_convolution_q8_pairs

/* Tiles: four pixels of a block have eight vectors of sums; its weights are four more, the inputs
 * of a pixel two. */
#define POINTWISE_PIXELS_1 4
#endif

/* Pixels two by two. */
typedef struct bytes64 {
    __m256i two[2];
} bytes64;

static inline bytes64 bytes_of_pixels(const __m128i p[4]) {
    return (bytes64){{_mm256_set_m128i(p[1], p[0]), _mm256_set_m128i(p[3], p[2])}};
}
static inline __m128i bytes_pixel(bytes64 a, int32_t i) {
    return i % 2 == 0 ? _mm256_castsi256_si128(a.two[i / 2])
                      : _mm256_extracti128_si256(a.two[i / 2], 1);
}
static inline ints pairs_of(__m128i a, __m128i b, int32_t part) {
    return _mm256_cvtepu8_epi16(part == 0 ? _mm_unpacklo_epi8(a, b) : _mm_unpackhi_epi8(a, b));
}
static inline sums bytes_widen(bytes64 a, int32_t i) {
    const __m128i p = bytes_pixel(a, i);
    return (sums){{_mm256_cvtepu8_epi32(p), _mm256_cvtepu8_epi32(_mm_srli_si128(p, 8))}};
}

static inline void bytes_store(void *p, bytes64 a) {
    _mm256_storeu_si256((__m256i *)p, a.two[0]);
    _mm256_storeu_si256((__m256i *)p + 1, a.two[1]);
}
static inline bytes64 bytes_load(const void *p) {
    const __m256i *two = p;
    return (bytes64){{_mm256_loadu_si256(two), _mm256_loadu_si256(two + 1)}};
}

typedef struct byte_limits {
    __m256i zero, low, high; /* zero: int16 */
    bool plain;              /* what packing does: 0, and 0 to 255 */
} byte_limits;

static inline byte_limits byte_limits_of(mbn_byte_range range) {
    return (byte_limits){
        _mm256_set1_epi16(range.zero),
        _mm256_set1_epi8((char)range.low),
        _mm256_set1_epi8((char)range.high),
        range.zero == 0 && range.low == 0 && range.high == 255,
    };
}
static inline __m256i pixels_clamped(const byte_limits *limits, __m256i a) {
    return _mm256_min_epu8(_mm256_max_epu8(a, limits->low), limits->high);
}
static inline __m256i pixel_words(sums a) {
    return _mm256_packs_epi32(a.part[0], a.part[1]);
}
/* The channels of two pixels, of which every lane has four by turns, in their order. */
static inline __m256i channels_turned(__m256i a) {
    return _mm256_permutevar8x32_epi32(a, _mm256_set_epi32(7, 3, 6, 2, 5, 1, 4, 0));
}
static inline __m256i two_plain(sums a, sums b) {
    return channels_turned(_mm256_packus_epi16(pixel_words(a), pixel_words(b)));
}
static inline __m256i two_pixels(const byte_limits *limits, sums a, sums b) {
    if (limits->plain) return two_plain(a, b);
    const __m256i both = _mm256_packus_epi16(_mm256_adds_epi16(pixel_words(a), limits->zero),
                                             _mm256_adds_epi16(pixel_words(b), limits->zero));
    return channels_turned(pixels_clamped(limits, both));
}
static inline bytes64 bytes_of(const byte_limits *limits, sums a, sums b, sums c, sums d) {
    return (bytes64){{two_pixels(limits, a, b), two_pixels(limits, c, d)}};
}
static inline bytes64 bytes_clamped(const byte_limits *limits, bytes64 a) {
    return (bytes64){{pixels_clamped(limits, a.two[0]), pixels_clamped(limits, a.two[1])}};
}

/* Of each 16 bytes of the table the one by a byte's lower half; of these, bit by bit of the upper
 * one, the one.  bits: whose uppermost one chooses between 16 and the next 16, 32 and the next 32,
 * ... */
typedef struct lookup_index {
    __m256i at, bits[4];
} lookup_index;

static inline __m256i lookup_16(const uint8_t *table, const lookup_index *index) {
    const __m128i row = _mm_loadu_si128((const __m128i *)table);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(row), index->at);
}
#define LOOKUP_TWICE(both, half, bit)                                                              \
    static inline __m256i lookup_##both(const uint8_t *table, const lookup_index *index) {         \
        return _mm256_blendv_epi8(lookup_##half(table, index), lookup_##half(table + half, index), \
                                  index->bits[bit]);                                               \
    }
LOOKUP_TWICE(32, 16, 0)
LOOKUP_TWICE(64, 32, 1)
LOOKUP_TWICE(128, 64, 2)
LOOKUP_TWICE(256, 128, 3)
#undef LOOKUP_TWICE

static inline lookup_index lookup_index_of(__m256i a) {
    /* Shifted by additions: shifts, as shuffles, are for fewer of a CPU's pipes. */
    const __m256i two = _mm256_add_epi8(a, a), four = _mm256_add_epi8(two, two);
    return (lookup_index){
        _mm256_and_si256(a, _mm256_set1_epi8(15)),
        {_mm256_add_epi8(four, four), four, two, a},
    };
}
static inline __m256i lookup_pixels(const uint8_t *table, __m256i a) {
    __asm__ volatile("" : "+r"(table)); /* loaded again rather than kept on the stack */
    const lookup_index index = lookup_index_of(a);
    return lookup_256(table, &index);
}
static inline bytes64 bytes_lookup(const uint8_t *table, bytes64 a) {
    return (bytes64){{lookup_pixels(table, a.two[0]), lookup_pixels(table, a.two[1])}};
}

/* Of a table that begins level, as those of hard-swish do, the rest. */
#define LOOKUP_LEVEL 1
enum { LEVEL = 64 };

static inline bool lookup_is_level(const uint8_t *table) {
    const __m256i first = _mm256_set1_epi8((char)table[LEVEL]);
    const __m256i *row = (const __m256i *)table;
    const __m256i same = _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_loadu_si256(row), first),
                                          _mm256_cmpeq_epi8(_mm256_loadu_si256(row + 1), first));
    return _mm256_movemask_epi8(same) == -1;
}
static inline __m256i lookup_pixels_above(const uint8_t *table, __m256i a) {
    __asm__ volatile("" : "+r"(table));
    const lookup_index index = lookup_index_of(_mm256_subs_epu8(a, _mm256_set1_epi8(LEVEL)));
    return _mm256_blendv_epi8(lookup_128(table + LEVEL, &index),
                              lookup_64(table + LEVEL + 128, &index), index.bits[3]);
}
static inline bytes64 bytes_lookup_above(const uint8_t *table, bytes64 a) {
    return (bytes64){{lookup_pixels_above(table, a.two[0]), lookup_pixels_above(table, a.two[1])}};
}

MBN_INLINE bytes64 bytes_rescaled(const fixed_factors *f, const int32_t *p, int32_t n, bool signs) {
    const __m256i swap = _mm256_broadcastsi128_si256(
        _mm_set_epi8(15, 13, 14, 12, 11, 9, 10, 8, 7, 5, 6, 4, 3, 1, 2, 0));
    bytes64 y;
    MBN_UNROLL
    for (int32_t i = 0; i < 2; i++) {
        const sums a = fixed_rescale(f, p + (2 * i < n ? 2 * i * 16 : 0), signs);
        const sums b = fixed_rescale(f, p + (2 * i + 1 < n ? (2 * i + 1) * 16 : 0), signs);
        y.two[i] = _mm256_shuffle_epi8(two_plain(a, b), swap);
    }
    return y;
}

#include "kernels/sse/bytes.h"

#endif
