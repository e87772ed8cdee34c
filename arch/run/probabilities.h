/* From the last layer's values to probabilities. */
#ifndef MBN_ARCH_PROBABILITIES_H
#define MBN_ARCH_PROBABILITIES_H

#include "arch/model/model.h"

/* As the model says, which must not be MBN_NO_PROBABILITIES: values[classes], in place. */
void mbn_make_probabilities(const mbn_model *model, float *values);

#endif
