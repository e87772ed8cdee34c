/* Seeded random numbers for tests: splitmix64, the same on every machine. */
#ifndef MBN_TESTS_RANDOM_H
#define MBN_TESTS_RANDOM_H

#include <stdint.h>

typedef struct random_state {
    uint64_t state;
} random_state;

static inline uint64_t random_bits(random_state *r) {
    uint64_t z = (r->state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* Whole number in [low, high]. */
static inline int32_t random_int(random_state *r, int32_t low, int32_t high) {
    uint64_t count = (uint64_t)((int64_t)high - low + 1);
    return (int32_t)(low + (int64_t)((random_bits(r) >> 32) * count >> 32));
}

/* In [low, high). */
static inline float random_float(random_state *r, float low, float high) {
    return low + (high - low) * ((float)(random_bits(r) >> 40) * 0x1p-24f);
}

#endif
