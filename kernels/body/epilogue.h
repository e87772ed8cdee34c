/* activation(x), the end of every kernel.  Include after a vec.h. */
#ifndef MBN_KERNELS_BODY_EPILOGUE_H
#define MBN_KERNELS_BODY_EPILOGUE_H

#include "inline.h"

#include <math.h>
#include <stdbool.h>

/* Every activation is a clamp of x, a clamp of a line of x, or x times that: three operands and two
 * flags that are loop constants, so a tile pays one well-predicted branch. */
typedef struct epilogue {
    vec low, high;
    vec slope, offset;
    bool is_line;  /* hard-sigmoid and hard-swish */
    bool is_swish; /* hard-swish */
} epilogue;

MBN_INLINE epilogue epilogue_of(const mbn_activation *activation) {
    float low = -INFINITY, high = INFINITY;
    switch (activation->kind) {
    case MBN_ACTIVATION_NONE: break;
    case MBN_ACTIVATION_RELU: low = 0.0F; break;
    case MBN_ACTIVATION_RELU6: low = 0.0F, high = 6.0F; break;
    case MBN_ACTIVATION_HARD_SIGMOID:
    case MBN_ACTIVATION_HARD_SWISH: low = 0.0F, high = 1.0F; break;
    }
    return (epilogue){
        vec_splat(low),
        vec_splat(high),
        vec_splat(activation->slope),
        vec_splat(activation->offset),
        activation->kind == MBN_ACTIVATION_HARD_SIGMOID ||
            activation->kind == MBN_ACTIVATION_HARD_SWISH,
        activation->kind == MBN_ACTIVATION_HARD_SWISH,
    };
}

MBN_INLINE vec epilogue_clamp(const epilogue *e, vec x) {
    return vec_min(e->high, vec_max(e->low, x));
}

MBN_INLINE vec epilogue_line(const epilogue *e, vec x) {
    const vec gate = epilogue_clamp(e, vec_fma(x, e->slope, e->offset));
    return e->is_swish ? vec_mul(x, gate) : gate;
}

MBN_INLINE vec epilogue_apply(const epilogue *e, vec x) {
    return e->is_line ? epilogue_line(e, x) : epilogue_clamp(e, x);
}

#endif
