/* The probes, once.  The including file defines
 *     VEC, LANES                     the vector type and the floats in it
 *     VEC_SPLAT(f), VEC_LOAD(p)
 *     VEC_ADD(x, y)
 *     VEC_MULTIPLY_ADD(x, a, b)      x * a + b, or x + a * b where that is the instruction
 *     FACTOR, FACTOR_SPLAT(f)        the type of a and b, where it is not VEC
 *     PER_LANE                       products that one instruction sums, where there are several
 *     VEC_SUM(x)                     the sum of the lanes
 *     VEC_REGISTER                   assembler constraint of a register that holds a VEC
 *     CHAINS                         CHAINS_14 or CHAINS_24: how many independent chains
 *     PROBE, ISA, ELEMENT            the peak_probe to define, and what it is of
 *
 * Chains: as many as registers allow, two of them left for a and b.  A core with two units of
 * latency four needs eight to be busy; one that multiplies and adds in turn, latency three and
 * three (two and three on Zen 5), twelve. */
#include "peak.h"

#ifndef FACTOR
#define FACTOR VEC
#define FACTOR_SPLAT(f) VEC_SPLAT(f)
#define PER_LANE 1
#endif

#define CHAINS_14(DO)                                                                              \
    DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13)
#define CHAINS_24(DO)                                                                              \
    CHAINS_14(DO)                                                                                  \
    DO(14) DO(15) DO(16) DO(17) DO(18) DO(19) DO(20) DO(21) DO(22) DO(23)

#define COUNT_ONE(i) +1
enum { CHAIN_COUNT = 0 CHAINS(COUNT_ONE), ROUNDS = 4 };

/* Costs no instruction, but hides from the compiler what is in the register.  Without it, the
 * scalar chains would be packed into vectors. */
#define HIDE(x) __asm__ volatile("" : "+" VEC_REGISTER(x))

#define START(i)                                                                                   \
    VEC x##i = VEC_SPLAT(1.0f + 0.01f * (float)(i));                                               \
    HIDE(x##i);
#define STEP(i)                                                                                    \
    x##i = VEC_MULTIPLY_ADD(x##i, a, b);                                                           \
    HIDE(x##i);
#define SUM(i) sum = VEC_ADD(sum, x##i);

static float multiply_add(long steps) {
    /* x goes to 1, or grows until it is too large to change: no infinity, no denormals. */
    FACTOR a = FACTOR_SPLAT(0.75f), b = FACTOR_SPLAT(0.25f);
    VEC sum = VEC_SPLAT(0.0f);
    HIDE(a);
    HIDE(b);
    CHAINS(START)
    for (long step = 0; step < steps; step++) {
        CHAINS(STEP)
        CHAINS(STEP)
        CHAINS(STEP)
        CHAINS(STEP)
    }
    CHAINS(SUM)
    return VEC_SUM(sum);
}

/* Eight sums, so that loads and not additions are what is waited for. */
#define READ(i) x##i = VEC_ADD(x##i, VEC_LOAD(data + k + (i)*LANES));
#define EIGHT(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)

static float read(const float *data, size_t count) {
    VEC sum = VEC_SPLAT(0.0f);
    EIGHT(START)
    for (size_t k = 0; k < count; k += (size_t)8 * LANES) {
        EIGHT(READ)
    }
    EIGHT(SUM)
    return VEC_SUM(sum);
}

const peak_probe PROBE = {ISA, ELEMENT, (double)(2 * LANES * PER_LANE * CHAIN_COUNT * ROUNDS),
                          multiply_add, read};
