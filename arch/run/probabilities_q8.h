/* Probabilities of a quantised softmax or sigmoid: bytes made of the logits' bytes, by the source's
 * own arithmetic. */
#ifndef MBN_ARCH_PROBABILITIES_Q8_H
#define MBN_ARCH_PROBABILITIES_Q8_H

#include "arch/model/model.h"

/* values: `count` logits as floats; they become the probabilities that the bytes stand for. */
void mbn_make_probabilities_q8(const mbn_q8_probabilities *probabilities, float *values,
                               int32_t count);

#endif
