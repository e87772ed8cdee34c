/* Convolutions of all kinds as plain tensors, with the outputs that loops written here expect.
 * Pointwise, depthwise, standard convolution and fully connected are tested with the same problems;
 * each test packs and lays out the operands for the table under test. */
#ifndef MBN_TESTS_KERNELS_CONVOLUTION_PROBLEM_H
#define MBN_TESTS_KERNELS_CONVOLUTION_PROBLEM_H

#include "harness.h"

typedef struct convolution_case {
    int32_t channels, height, width;
    int32_t outputs, output_height, output_width;
    bool depthwise; /* outputs == channels */
    int32_t kernel_height, kernel_width;
    int32_t stride_vertical, stride_horizontal;
    int32_t pad_top, pad_left;
    bool residual;
    mbn_activation_kind activation;
    data_kind data;
    lane_fill lanes; /* of the input, past its channels */
} convolution_case;

/* Number `index` of an endless row of awkward cases: few channels, small planes, kernels larger
 * than the plane, asymmetric padding, all activations and kinds of data.  Sets everything but
 * depthwise and outputs for the given kernel; strides are 1 or 2. */
convolution_case awkward_case(int32_t index, int32_t kernel_height, int32_t kernel_width,
                              random_state *r);

/* The shape's channels and outputs as vectors', without a residual. */
convolution_case vector_case(const convolution_case *shape);

/* Pads and outputs so that every window of a pool holds a position inside the plane. */
void choose_windows(convolution_case *c, random_state *r);

typedef struct convolution_problem {
    convolution_case shape;
    mbn_element element;
    mbn_activation activation;
    float *input;    /* [channels][height][width] */
    float *weights;  /* [outputs][channels, depthwise: 1][kernel_height][kernel_width] */
    float *bias;     /* [outputs] */
    float *residual; /* [outputs][output_height][output_width] or NULL */
    expected *expected;
    alike alike;
} convolution_problem;

/* Values that the element type has. */
convolution_problem convolution_problem_create(const convolution_case *shape, mbn_element element,
                                               random_state *r);
void convolution_problem_free(convolution_problem *problem);

/* Guarded memory for the operands of one call. */
typedef struct operands {
    guarded input, weights, bias, residual, output;
} operands;

void operands_free(operands *memory);

/* describe_call for a problem on a table. */
void describe_convolution(const mbn_kernels *table, const char *family,
                          const convolution_case *shape, guard_side side);

/* The problem's tensors for a table.  Rows of planes are a random_gap apart. */
plane lay_out_input(const convolution_problem *problem, operands *memory, guard_side side,
                    mbn_element element, int32_t block, int32_t depth, random_state *r);
mbn_plane lay_out_residual(const convolution_problem *problem, operands *memory, guard_side side,
                           const mbn_kernels *table, random_state *r);
plane lay_out_output(const convolution_problem *problem, operands *memory, guard_side side,
                     const mbn_kernels *table, random_state *r);
mbn_operands pack_operands(const convolution_problem *problem, operands *memory, guard_side side,
                           const mbn_kernels *table);

/* The call's fields that follow from the problem; the test fills in run and args. */
kernel_call convolution_call(convolution_problem *problem, const mbn_kernels *table, plane output);

#endif
