#include "element.h"

#define TABLE mbn_scalar_f32
#define ELEMENT MBN_ELEMENT_F32
#define VECTORS NULL
#define PACK_CONVOLUTION mbn_pack_convolution
#define PACK_DEPTHWISE mbn_pack_depthwise
#define READS_FLOATS true

#include "kernels/scalar/float/table.h"
