/* An input read as a row of choices, so that what is mutated are arguments and not syntax.  Past
 * its end every choice is the lowest. */
#ifndef MBN_TESTS_FUZZ_CHOICES_H
#define MBN_TESTS_FUZZ_CHOICES_H

#include <stddef.h>
#include <stdint.h>

typedef struct choices {
    const uint8_t *data;
    size_t size;
} choices;

static inline uint64_t choose_bits(choices *c, int bytes) {
    uint64_t bits = 0;
    for (; bytes > 0 && c->size > 0; bytes--, c->data++, c->size--) bits = bits << 8 | *c->data;
    return bits;
}

/* In [low, high]; takes as many bytes as such a number needs. */
static inline int32_t choose(choices *c, int32_t low, int32_t high) {
    const uint64_t count = (uint64_t)((int64_t)high - low + 1);
    const uint64_t bits = choose_bits(c, count <= 1 << 8 ? 1 : count <= 1 << 16 ? 2 : 4);
    return (int32_t)(low + (int64_t)(bits % count));
}

/* The range of the first byte's pick is what most inputs have; one in 16 is from all of it. */
static inline int32_t choose_mostly(choices *c, int32_t low, int32_t usual, int32_t high) {
    return choose(c, 0, 15) == 15 ? choose(c, low, high) : choose(c, low, usual);
}

#endif
