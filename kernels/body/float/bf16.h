/* What the tables of bfloat16 have in common.  Include it behind the instruction set's bf16.h,
 * whose element_store it takes. */
#ifndef MBN_KERNELS_BODY_FLOAT_BF16_H
#define MBN_KERNELS_BODY_FLOAT_BF16_H

#include "kernels/bf16.h"
#include "kernels/inline.h"

#define ELEMENT MBN_ELEMENT_BF16
#define ELEMENT_BYTES 2
#define READS_FLOATS false
#define PACK_CONVOLUTION mbn_pack_convolution_bf16

MBN_INLINE void element_convert(const float *values, int32_t count, void *elements) {
    mbn_bf16 *out = elements;
    int32_t i = 0;
    for (; i + VEC_WIDTH <= count; i += VEC_WIDTH) element_store(out + i, vec_load(values + i));
    for (; i < count; i++) out[i] = mbn_bf16_of_float(values[i]);
}

#endif
