#define VEC float
#define LANES 1
#define VEC_SPLAT(f) (f)
#define VEC_LOAD(p) (*(p))
#define VEC_ADD(x, y) ((x) + (y))
#define VEC_MULTIPLY_ADD(x, a, b) ((x) * (a) + (b))
#define VEC_SUM(x) (x)
#if defined(__aarch64__)
#define VEC_REGISTER "w"
#elif defined(__x86_64__)
#define VEC_REGISTER "x"
#else
#error "which register class holds a float here?"
#endif
#define CHAINS CHAINS_14
#define PROBE peak_scalar_f32
#define ISA MBN_ISA_SCALAR
#define ELEMENT MBN_ELEMENT_F32
#include "peak_body.h"
