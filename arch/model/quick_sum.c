/* A fixed-point sum rounds five times, and differs from one that rounds once only where that comes
 * within some 2^-20 of a tie.  There are few enough pairs of bytes to try them all. */
#include "quick_sum.h"

#include "kernels/q8.h"

enum { BYTES = 256, TRIES = 6 };

typedef struct terms {
    int32_t of[2][BYTES];
} terms;

static bool is_same(const mbn_q8_add *add, const terms *t, const mbn_q8_add *quick) {
    for (int a = 0; a < BYTES; a++) {
        for (int b = 0; b < BYTES; b++) {
            if (mbn_add_terms(add, t->of[0][a], t->of[1][b]) !=
                mbn_add_shift(quick, (uint8_t)a, (uint8_t)b)) {
                return false;
            }
        }
    }
    return true;
}

mbn_q8_add mbn_quick_sum(const mbn_q8_add *add) {
    if (add->kind != MBN_ADD_FIXED) return *add;
    terms t;
    for (int i = 0; i < 2 * BYTES; i++) {
        t.of[i / BYTES][i % BYTES] = mbn_add_term(add, i / BYTES, (uint8_t)(i % BYTES));
    }
    /* The finest units that no sum is too large for, and some coarser ones. */
    int tries = TRIES;
    for (int32_t shift = 31; shift > 0 && tries > 0; shift--) {
        mbn_q8_add quick = *add;
        quick.kind = MBN_ADD_SHIFT;
        quick.output.shift = shift;
        double most = ldexp(0.5, shift);
        for (int i = 0; i < 2; i++) {
            const mbn_multiplier *m = &add->multiplier[i];
            const int exponent = m->shift + add->output.shift + 20 - 62 + shift;
            const double factor = ldexp((double)m->fixed * add->output.fixed, exponent);
            const int32_t zero = add->zero[i], far = zero > 127 ? zero : 255 - zero;
            most += (factor + 1) * far;
            if (most < 0x1p31) quick.multiplier[i].fixed = (int32_t)round(factor);
        }
        if (most >= 0x1p31) continue;
        if (is_same(add, &t, &quick)) return quick;
        tries--;
    }
    return *add;
}
