/* A layer's tensors in the model file: the source's names, shapes and layout. */
#ifndef MBN_ARCH_NAMES_H
#define MBN_ARCH_NAMES_H

#include <mobilenet.h>

typedef enum mbn_parameter {
    MBN_WEIGHT,
    MBN_BIAS,
    MBN_GAMMA,
    MBN_BETA,
    MBN_MEAN,
    MBN_VARIANCE,
    MBN_PARAMETER_COUNT
} mbn_parameter;

typedef struct mbn_parameter_info {
    char name[96];
    int32_t rank;
    int64_t shape[4];
    /* Strides in elements, of MBN_WEIGHT only: of output channels (depthwise: of channels), input
     * channels (depthwise: 0), kernel rows and columns; see mbn_pack_convolution_args. */
    ptrdiff_t output_stride, input_stride, row_stride, column_stride;
} mbn_parameter_info;

/* False if the layer has no such parameter. */
bool mbn_layer_parameter(const mbn_network *network, const mbn_layer *layer,
                         mbn_parameter parameter, mbn_parameter_info *info);

#endif
