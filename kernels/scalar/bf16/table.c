#include "element.h"

#define TABLE mbn_scalar_bf16
#define ELEMENT MBN_ELEMENT_BF16
#define VECTORS (&mbn_scalar_f32)
#define PACK_CONVOLUTION mbn_pack_convolution_bf16
#define PACK_DEPTHWISE mbn_pack_depthwise_bf16
#define READS_FLOATS false

#include "kernels/scalar/float/table.h"
