/* The kernels: one table of functions per element type and instruction set, and what goes with them
 * (packing, dispatch).  Nothing here knows of networks; mobilenet.h builds those from these.
 *
 * Layout.  An activation tensor of one image is channel-blocked: with B the table's block, channel
 * c of row y, column x of a mbn_plane is at
 *
 *     (char *)data + (c / B) * block_stride + y * row_stride + (x * B + c % B) * element_bytes
 *
 * Strides are in bytes.  Where C is not a multiple of B, the last block has all B lanes: a kernel
 * writes the lanes past C (with the activation of 0) and never lets them reach a channel below C,
 * except that a table of a depth above 1 multiplies those by zero that share a step with the last
 * channel: they have to be finite.
 * A plane with a halo is the same thing with a row_stride above width * B * element_bytes.
 *
 * Contract, for every kernel of every table:
 * - It reads and writes exactly the elements that its arguments describe, restricted to the rows
 *   and channel blocks of the range: no over-read, no slack.
 * - Pointers and strides need the alignment of one element only.  Input and output do not overlap,
 *   except where a kernel says "in place".
 * - It allocates nothing, keeps no state, and leaves the floating-point control register alone.
 * - An output accumulates from its bias in ascending k, in one chain: k runs over the taps row by
 *   row, and inside a tap over the input channels (fully_connected may use several chains).  So a
 *   result does not depend on how the work was cut into ranges.  It may differ between tables.
 * - Against exact arithmetic, |error| <= 2 n eps sum |x w| for n products.
 * - NaN in gives NaN out, through every activation.
 * - Arguments are not validated; debug builds assert them.
 *
 * bfloat16.  Planes and weights are bfloat16; biases, vectors, sums and activations are float32,
 * and a result is rounded once, when it is stored: to nearest, ties to even; NaN stays NaN,
 * infinity infinity.  (A fully connected layer rounds the vector that it reads.)  The chain runs
 * over k in pairs (channels of a tap; taps of a row, in depthwise convolution), of which the second
 * is added first.  A product of two bfloat16 is a float32, so tables give the same sums whether
 * they fuse multiply-adds or not, but among the last few numbers before denormals and in a zero's
 * sign; only MBN_ISA_NEON_BF16 rounds otherwise (the instruction rounds to odd).  Denormals count
 * as zero, among operands, products, sums and results, where the floating-point control register
 * says so, as it does while a network runs; where it does not, they may count as zero in any of
 * these.
 *
 * 8-bit integers.  Planes and vectors are bytes, sums int32, weights packed for the table; what is
 * computed is in mobilenet/q8.h, exactly: all tables give the same bytes.  Every q8 table's block
 * is 16.  Taps outside a plane count as its zero point (mbn_q8_finish.input_zero).  A vector that a
 * fully connected layer reads has whole blocks.  Lanes past C are what weights, biases and
 * multipliers of 0 give, or the lanes of a kernel's inputs without these.  Packed weights and
 * channels are aligned for an int32_t.
 */
#ifndef MOBILENET_KERNELS_H
#define MOBILENET_KERNELS_H

#include <mobilenet/q8.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && defined(MOBILENET_SHARED)
#ifdef MOBILENET_BUILDING
#define MBN_API __declspec(dllexport)
#else
#define MBN_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define MBN_API __attribute__((visibility("default")))
#else
#define MBN_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Instruction sets, worst to best within an architecture.  Bit `1u << isa` stands for one in a
 * mask. */
typedef enum mbn_isa {
    MBN_ISA_SCALAR = 0,
    MBN_ISA_SSE = 1,         /* x86-64 with SSE4.1 */
    MBN_ISA_AVX2 = 2,        /* with FMA3 */
    MBN_ISA_AVX512 = 3,      /* F, BW, DQ, VL */
    MBN_ISA_NEON = 4,        /* AArch64 */
    MBN_ISA_AVX512_BF16 = 5, /* AVX512 with BF16: only of bfloat16 */
    MBN_ISA_NEON_BF16 = 6,   /* NEON with BF16: only of bfloat16 */
    MBN_ISA_AVX_VNNI = 7,    /* AVX2 with AVX-VNNI: only of integers */
    MBN_ISA_AVX512_VNNI = 8, /* AVX512 with VNNI: only of integers */
    MBN_ISA_AVX512_VBMI = 9, /* that with VBMI: only of integers */
    MBN_ISA_NEON_DOT = 10,   /* NEON with its dot product: only of integers */
    MBN_ISA_COUNT = 11
} mbn_isa;

#define MBN_ISA_MASK_ALL ((1u << MBN_ISA_COUNT) - 1u)

/* What a plane's elements are.  A table is of one element type. */
typedef enum mbn_element {
    MBN_ELEMENT_F32 = 0,  /* IEEE 754 binary32 */
    MBN_ELEMENT_BF16 = 1, /* bfloat16, the upper half of one */
    MBN_ELEMENT_Q8 = 2,   /* an unsigned byte (mobilenet/q8.h) */
    MBN_ELEMENT_COUNT
} mbn_element;

/* y = activation(x).
 *   NONE          x
 *   RELU          max(x, 0)
 *   RELU6         min(max(x, 0), 6)
 *   HARD_SIGMOID  min(max(slope * x + offset, 0), 1)
 *   HARD_SWISH    x * min(max(slope * x + offset, 0), 1)
 * Howard et al. 2019 ("Searching for MobileNetV3") use slope 1/6 and offset 1/2 for both.  slope
 * and offset are not read for the other kinds. */
typedef enum mbn_activation_kind {
    MBN_ACTIVATION_NONE = 0,
    MBN_ACTIVATION_RELU,
    MBN_ACTIVATION_RELU6,
    MBN_ACTIVATION_HARD_SIGMOID,
    MBN_ACTIVATION_HARD_SWISH
} mbn_activation_kind;

typedef struct mbn_activation {
    mbn_activation_kind kind;
    float slope;
    float offset;
} mbn_activation;

/* A blocked tensor in memory; kernels do not write to those that are inputs. */
typedef struct mbn_plane {
    void *data;                         /* channel 0 of the first pixel; NULL: no plane */
    ptrdiff_t row_stride, block_stride; /* bytes */
} mbn_plane;

/* How a table keeps planes and packed weights. */
typedef struct mbn_blocking {
    int32_t block; /* B: channels side by side in a plane */
    int32_t
        panel; /* blocks of output channels that packed weights keep together (mbn_panel_width) */
    int32_t
        depth; /* inputs k that packed weights keep together, for instructions that sum products */
} mbn_blocking;

/* Number of channel blocks: channels / block, rounded up. */
static inline int32_t mbn_block_count(int32_t channels, int32_t block) {
    return channels / block + (channels % block != 0);
}

/* Packed weights keep the output channels of several blocks side by side, in panels.  The panel
 * that begins at a block where `remaining` blocks are left (itself included) is this many blocks
 * wide: min(panel, remaining), but 3 where panel + 1 blocks are left of panels of 2 or 4, so that
 * no panel of one block follows a wider one.  panel is 1, 2 or 4. */
static inline int32_t mbn_panel_width(int32_t remaining, int32_t panel) {
    if (panel > 1 && remaining == panel + 1) return 3;
    return remaining < panel ? remaining : panel;
}

/* Packed weights and bias of a layer.  Every channel block has the same number of bytes of each, so
 * the operands of the blocks from b on begin b strides further. */
typedef struct mbn_operands {
    const void *weights;
    const void *bias;                      /* floats; of q8 what pack_channels packs */
    ptrdiff_t weights_stride, bias_stride; /* bytes of one channel block */
    bool wide;                             /* q8: packed with `wide` */
} mbn_operands;

/* What becomes of an accumulator when its chain is complete. */
typedef struct mbn_finish {
    mbn_activation activation; /* of floats */
    const mbn_q8_finish *q8;   /* of q8, which has no activation beside it; outlives the call */
} mbn_finish;

/* The part of the output that one call computes: rows [row_begin, row_end) of the output plane and
 * channel blocks [block_begin, block_end) of B channels each. */
typedef struct mbn_range {
    int32_t row_begin, row_end;
    int32_t block_begin, block_end;
} mbn_range;

/* Pointwise (1x1) convolution: output = finish(bias + W input [+ residual]).
 * Packed by the table's pack_convolution with a 1x1 kernel.  The range's block_begin and block_end
 * lie on panel borders (mbn_panel_width).  Cheapest where the input has no halo (row_stride ==
 * width * block * element_bytes). */
typedef struct mbn_pointwise_args {
    mbn_plane input;    /* [input_channels / B][height][width][B] */
    mbn_plane residual; /* the output's shape, or none */
    mbn_plane output;   /* [output_channels / B][height][width][B] */
    mbn_operands operands;
    mbn_finish finish;
    int32_t height, width;
    int32_t input_channels, output_channels;
    mbn_blocking blocking; /* that of the table that the operands were packed for */
    const void *fetch;  /* memory that what runs next reads, to be brought into cache meanwhile: */
    size_t fetch_bytes; /* its size; as much of it as goes beside the multiply-adds.  Or NULL, 0 */
} mbn_pointwise_args;

/* Depthwise convolution: each channel is convolved with its own kernel_height x kernel_width taps.
 * Taps that fall outside the input plane count as zero: input row oy * stride_vertical + ky -
 * pad_top, and the like for columns.  A caller that keeps a halo of zeros around the plane passes
 * the halo as part of the plane and pads of 0, which spares the border code.
 * Packed by the table's pack_depthwise. */
typedef struct mbn_depthwise_args {
    mbn_plane input;  /* [channels / B][input_height][input_width][B] */
    mbn_plane output; /* [channels / B][output_height][output_width][B] */
    mbn_operands operands;
    mbn_finish finish;
    int32_t input_height, input_width;
    int32_t output_height, output_width;
    int32_t channels;
    int32_t kernel_height, kernel_width;
    int32_t stride_vertical, stride_horizontal;
    int32_t pad_top, pad_left;
    mbn_blocking blocking;
} mbn_depthwise_args;

/* Standard convolution.  Pads may be negative, which skips rows or columns of the input.  The input
 * may be blocked differently from the output: by input_block channels, so that interleaved pixels
 * (NHWC, input_block == input_channels, row_stride == width * input_channels elements) and planes
 * (NCHW, input_block == 1, block_stride == height * width elements) are read as they are; it is a
 * multiple of the table's depth, or what mbn_image_block gives.  Taps outside the input plane count
 * as zero.  Packed by the table's pack_convolution; the range's blocks lie on panel borders. */
typedef struct mbn_convolution_args {
    mbn_plane input;    /* [input_channels / input_block][input_height][input_width][input_block] */
    mbn_plane residual; /* the output's shape, or none */
    mbn_plane output;   /* [output_channels / B][output_height][output_width][B] */
    mbn_operands operands;
    mbn_finish finish;
    int32_t input_block;
    int32_t input_height, input_width;
    int32_t output_height, output_width;
    int32_t input_channels, output_channels;
    int32_t kernel_height, kernel_width;
    int32_t stride_vertical, stride_horizontal;
    int32_t pad_top, pad_left;
    mbn_blocking blocking;
} mbn_convolution_args;

/* Elementwise kernels over a plane; all may work in place (output == input, same strides).
 *   batch_norm     output = finish(input * scale[c] + shift[c])   (mbn_fold_batch_norm)
 *   channel_scale  output = input * scale[c]                      (shift, finish not read)
 *   add            output = finish(input + other)
 * scale and shift are vectors: channels rounded up to B; for `add` they are not read. */
typedef struct mbn_elementwise_args {
    mbn_plane input;  /* [channels / B][height][width][B] */
    mbn_plane other;  /* `add` only; the input's shape */
    mbn_plane output; /* the input's shape */
    const void *scale;
    const void *shift;
    mbn_finish finish;
    int32_t height, width, channels;
    mbn_blocking blocking;
} mbn_elementwise_args;

/* Pools.
 *   global_average_pool  output[c] = mean over the plane: each row is summed from left to right,
 *                        then the rows' sums from top to bottom, then divided by their number.
 *                        output is a vector: [channels / B][B]; its strides, window, strides and
 *                        pads are not read; the range's rows are not read (the whole plane is
 *                        pooled).
 *   max_pool             maximum over window_height x window_width; positions outside the plane do
 *                        not count; a window holds at least one position inside it. */
typedef struct mbn_pool_args {
    mbn_plane input;   /* [channels / B][input_height][input_width][B] */
    mbn_plane output;  /* max_pool: [channels / B][output_height][output_width][B] */
    mbn_finish finish; /* read by global_average_pool of q8 alone */
    int32_t input_height, input_width;
    int32_t output_height, output_width;
    int32_t channels;
    int32_t window_height, window_width;
    int32_t stride_vertical, stride_horizontal;
    int32_t pad_top, pad_left;
    mbn_blocking blocking;
} mbn_pool_args;

/* Fully connected layer on one vector: output = finish(bias + W input).  Packed as a 1x1
 * convolution.  output has output_channels rounded up to B, written in full.  Only the range's
 * blocks are read; they lie on panel borders. */
typedef struct mbn_fully_connected_args {
    const void *input; /* [input_channels] */
    void *output;
    mbn_operands operands;
    mbn_finish finish;
    int32_t input_channels, output_channels;
    mbn_blocking blocking;
} mbn_fully_connected_args;

/* Softmax over count floats, in place allowed: output = exp(input - max) / sum.  A NaN or a
 * positive infinity anywhere makes all outputs NaN. */
typedef struct mbn_softmax_args {
    const float *input;
    float *output;
    int32_t count;
} mbn_softmax_args;

/* Conversion between a plane of the table's elements and strided floats, which covers NHWC
 * (channel_stride 1, pixel_stride C) and NCHW (channel_stride height * width, pixel_stride 1).
 *   to_blocked    blocked = strided; lanes past `channels` become 0 (of q8 the zero point)
 *                 (of a table that does not read floats also with blocking.block at all channels,
 *                 rounded up to the table's depth or not: images)
 *   from_blocked  strided = blocked */
typedef struct mbn_layout_args {
    mbn_plane blocked; /* [channels / B][height][width][B] */
    float *strided;    /* read only by to_blocked */
    ptrdiff_t channel_stride, strided_row_stride, pixel_stride; /* floats */
    int32_t height, width, channels;
    mbn_blocking blocking;
    mbn_quantization quantization; /* of q8: what the plane's bytes stand for */
} mbn_layout_args;

typedef void mbn_pointwise_fn(const mbn_pointwise_args *args, mbn_range range);
typedef void mbn_depthwise_fn(const mbn_depthwise_args *args, mbn_range range);
typedef void mbn_convolution_fn(const mbn_convolution_args *args, mbn_range range);
typedef void mbn_elementwise_fn(const mbn_elementwise_args *args, mbn_range range);
typedef void mbn_pool_fn(const mbn_pool_args *args, mbn_range range);
typedef void mbn_fully_connected_fn(const mbn_fully_connected_args *args, mbn_range range);
typedef void mbn_softmax_fn(const mbn_softmax_args *args);
typedef void mbn_layout_fn(const mbn_layout_args *args, mbn_range range);

/* Weights of a convolution (1x1 and fully connected included) and their strides in numbers: element
 * (n, c, ky, kx) is at weights[n * output_stride + c * input_stride + ky * row_stride + kx *
 * column_stride].  PyTorch's OIHW: {C*KH*KW, KH*KW, KW, 1}; Keras's HWIO: {1, N, KW*C*N, C*N};
 * PyTorch's linear [N][C]: {C, 1, 0, 0}; Keras's dense [C][N]: {1, N, 0, 0}.
 * scale: NULL, or one factor per output channel that its weights are multiplied with. */
typedef struct mbn_pack_convolution_args {
    const void *weights; /* floats; of q8 int16_t: weight - its zero point, -255 to 255 */
    ptrdiff_t output_stride, input_stride, row_stride, column_stride;
    const float *scale; /* of q8 not read */
    int32_t output_channels, input_channels, kernel_height, kernel_width;
    mbn_blocking blocking;
    bool wide;           /* q8: there are weights outside -128 .. 127 */
    int32_t input_block; /* as the convolution's, where that is no multiple of the table's depth */
} mbn_pack_convolution_args;

/* Depthwise weights: element (c, ky, kx) is at weights[c * channel_stride + ky * row_stride + kx *
 * column_stride].  PyTorch's [C][1][KH][KW]: {KH*KW, KW, 1}; Keras's [KH][KW][C][1]: {1, KW*C, C}.
 * scale: as above, per channel. */
typedef struct mbn_pack_depthwise_args {
    const void *weights; /* as above */
    ptrdiff_t channel_stride, row_stride, column_stride;
    const float *scale;
    int32_t channels, kernel_height, kernel_width;
    mbn_blocking blocking;
    bool wide;
} mbn_pack_depthwise_args;

/* What a q8 layer has for each of its output channels. */
typedef struct mbn_pack_channels_args {
    const int32_t *bias; /* with -input_zero times the sum of the channel's weights (weight - its
                            zero point) in it, modulo 2^32 */
    const mbn_multiplier *multipliers; /* [channels] */
    mbn_rescaling rescaling;
    int32_t channels;
    mbn_blocking blocking;
} mbn_pack_channels_args;

/* They write packed weights, or a q8 layer's channels, and return their bytes, the same number for
 * every channel block; with packed NULL they only return it.  packed needs an element's alignment,
 * of q8 that of an int32_t. */
typedef size_t mbn_pack_convolution_fn(const mbn_pack_convolution_args *args, void *packed);
typedef size_t mbn_pack_depthwise_fn(const mbn_pack_depthwise_args *args, void *packed);
typedef size_t mbn_pack_channels_fn(const mbn_pack_channels_args *args, void *packed);

/* The kernels of one element type for one instruction set, complete: every slot has a function.
 * The scalar tables' read the blocking from their arguments and so serve every layout. */
typedef struct mbn_kernels {
    const char *name; /* the instruction set's (mbn_isa_name) */
    mbn_isa isa;
    mbn_element element;
    int32_t element_bytes; /* of planes */
    mbn_blocking blocking;
    /* [kernel 3x3, 5x5][stride_vertical - 1][stride_horizontal - 1] */
    mbn_depthwise_fn *depthwise[2][2][2];
    mbn_pointwise_fn *pointwise;
    mbn_convolution_fn *convolution;
    mbn_elementwise_fn *batch_norm;
    mbn_elementwise_fn *channel_scale;
    mbn_elementwise_fn *add;
    mbn_pool_fn *global_average_pool;
    mbn_pool_fn *max_pool;
    mbn_fully_connected_fn *fully_connected;
    mbn_softmax_fn *softmax;
    mbn_layout_fn *to_blocked;
    mbn_layout_fn *from_blocked;
    mbn_pack_convolution_fn *pack_convolution;
    mbn_pack_depthwise_fn *pack_depthwise;
    mbn_pack_channels_fn *pack_channels; /* of q8 tables; NULL in others */
    /* The table whose elements vectors have (pools' outputs, what fully connected layers read and
     * write, channel_scale's factors); NULL: this one.  Its block is the same. */
    const struct mbn_kernels *vectors;
    bool reads_floats;  /* `convolution` reads the image as it is: floats, whatever the element */
    bool reads_triples; /* mbn_image_block */
} mbn_kernels;

/* The input_block of a convolution of an image that is converted (to_blocked): a pixel's channels,
 * rounded up to the table's depth, but where it has reads_triples not the three of a 3x3 of a
 * horizontal stride of 2, whose packing has to know it. */
static inline int32_t mbn_image_block(const mbn_kernels *kernels, int32_t channels,
                                      int32_t kernel_height, int32_t kernel_width,
                                      int32_t stride_horizontal) {
    const bool triples = kernels->reads_triples && channels == 3 && kernel_height == 3 &&
                         kernel_width == 3 && stride_horizontal == 2;
    const int32_t depth = triples ? 1 : kernels->blocking.depth;
    return mbn_block_count(channels, depth) * depth;
}

/* The table of an element type for one instruction set, or NULL where there is none or it was not
 * built in.  That it was built in does not mean that this machine can run it. */
MBN_API const mbn_kernels *mbn_kernels_for(mbn_element element, mbn_isa isa);

/* Masks of the instruction sets that were built in, and of those among them that this machine and
 * its operating system can run.  The scalar bit is always set in both. */
MBN_API uint32_t mbn_isa_built(void);
MBN_API uint32_t mbn_isa_usable(void);

/* The best usable table of an element type under a mask, in which an instruction set allows those
 * that it builds on; NULL if none of the mask is usable, or the element type has no table. */
MBN_API const mbn_kernels *mbn_kernels_best(mbn_element element, uint32_t mask);

/* "scalar", "sse", "avx2", "avx512", "neon", "avx512bf16", "neonbf16", "avxvnni", "avx512vnni",
 * "avx512vbmi", "neondot"; NULL for anything else. */
MBN_API const char *mbn_isa_name(mbn_isa isa);

/* Reads a comma-separated list of names ("avx2" or "scalar,sse") into a mask.  Returns 0 if a name
 * is unknown or the list is empty (a valid list's mask is never 0). */
MBN_API uint32_t mbn_isa_parse(const char *names);

/* "f32", "bf16", "q8"; NULL for anything else. */
MBN_API const char *mbn_element_name(mbn_element element);

/* What the float32 and the bfloat16 tables have as pack_convolution.  Packed form: panel after
 * panel; a panel of v blocks that begins at block b starts b strides further (mbn_operands) and is
 * [K / depth][v * B][depth] elements, k ascending as (ky, kx, c) with every tap's channels rounded
 * up to depth; channels past input_channels and output_channels are 0. */
MBN_API size_t mbn_pack_convolution(const mbn_pack_convolution_args *args, void *packed);
MBN_API size_t mbn_pack_convolution_bf16(const mbn_pack_convolution_args *args, void *packed);

/* What they have as pack_depthwise.  Packed form: [channels / B][KH * KW][B] elements, channels
 * past `channels` are 0. */
MBN_API size_t mbn_pack_depthwise(const mbn_pack_depthwise_args *args, void *packed);
MBN_API size_t mbn_pack_depthwise_bf16(const mbn_pack_depthwise_args *args, void *packed);

/* What those have that take taps in pairs: [channels / B][KH][KW / 2, rounded up][B][2], with 0
 * beside a last tap that is alone. */
MBN_API size_t mbn_pack_depthwise_bf16_pairs(const mbn_pack_depthwise_args *args, void *packed);

/* What q8 tables have that need no other form: weights as int16_t in the forms above, and of each
 * channel block
 *     int32_t bias[B]
 *     float real[B]                      of MBN_RESCALE_FLOAT
 *     int32_t fixed[B], int32_t shift[B] of MBN_RESCALE_FIXED
 *     double wide[B]                     of MBN_RESCALE_DOUBLE
 * with 0 past `channels`. */
MBN_API size_t mbn_pack_convolution_q8(const mbn_pack_convolution_args *args, void *packed);
MBN_API size_t mbn_pack_depthwise_q8(const mbn_pack_depthwise_args *args, void *packed);
MBN_API size_t mbn_pack_channels_q8(const mbn_pack_channels_args *args, void *packed);

/* What q8 tables have whose instructions sum four products: bytes.  Of a convolution, panel after
 * panel as above, with depth 4; of a depthwise one, for each channel block, [KH][B][4] with the
 * first four columns, and if there is a fifth [4][2][B][4] with its rows behind 0 to 3 zeros.
 * Of `wide` weights every panel, every block of a depthwise convolution, is packed twice in a row:
 * their halves, rounded down, then what is left, 0 or 1. */
MBN_API size_t mbn_pack_convolution_q8_quads(const mbn_pack_convolution_args *args, void *packed);
MBN_API size_t mbn_pack_depthwise_q8_quads(const mbn_pack_depthwise_args *args, void *packed);

/* What they and those below have as pack_channels: of MBN_RESCALE_FIXED two more vectors, int32_t
 * start[B] and less[B], from which they rescale (kernels/pack/q8_quads.c). */
MBN_API size_t mbn_pack_channels_q8_quads(const mbn_pack_channels_args *args, void *packed);

/* What q8 tables have whose instructions multiply signed bytes alone, so that inputs x are taken as
 * x - 128.  Of a convolution, block after block (panels are of one): int32_t head[B], 128 times the
 * sum of a channel's weights, then [K / 4][B][4] as above.  Of a depthwise one, [channels / B][S]
 * with S shifts, 2 of a 3x3 kernel, else 3: the same head, then [(KH + S - 1) / 4, rounded up][KW]
 * [B][4] with four rows of the kernel, the first one that many rows behind the first, and 0 where
 * there is none.  What is `wide` is packed twice, as above, behind one head.
 * _pairs: with [2][2][B / 2][2] instead of [B][4]: of half a block first a channel's first two
 * weights; the second two's inputs are 127 - x, and 127 is in the head. */
MBN_API size_t mbn_pack_convolution_q8_signed_quads(const mbn_pack_convolution_args *args,
                                                    void *packed);
MBN_API size_t mbn_pack_convolution_q8_signed_pairs(const mbn_pack_convolution_args *args,
                                                    void *packed);
MBN_API size_t mbn_pack_depthwise_q8_signed_quads(const mbn_pack_depthwise_args *args,
                                                  void *packed);
MBN_API size_t mbn_pack_depthwise_q8_signed_pairs(const mbn_pack_depthwise_args *args,
                                                  void *packed);
/* What those have whose instructions sum two products of int16_t: these.  Of a convolution, panel
 * after panel as above with depth 4, but of each block the first two of every four inputs
 * before the second two: [K / 4][v][2][B][2].  Of a depthwise one, pairs of rows,
 * [channels / B][2][(KH + 1) / 2][KW][B][2], twice: from the first row on, and from the one before
 * it on; rows that there are not are 0. */
MBN_API size_t mbn_pack_convolution_q8_pairs(const mbn_pack_convolution_args *args, void *packed);
MBN_API size_t mbn_pack_depthwise_q8_pairs(const mbn_pack_depthwise_args *args, void *packed);

/* A vector of one float per channel (bias, scale, shift), zero-padded to whole blocks.  values may
 * be NULL, which packs zeros.  packed has mbn_block_count(channels, block) * block floats. */
MBN_API void mbn_pack_vector(const float *values, int32_t channels, int32_t block, float *packed);

/* Batch normalisation as a scale and a shift per channel, computed in double:
 *     scale = gamma / sqrt(variance + epsilon)
 *     shift = beta + (bias - mean) * scale
 * gamma, beta and bias may be NULL (1, 0, 0).  bias is the convolution's own.  epsilon is the
 * framework's: Keras 1e-3, torchvision 1e-5 for v2 and 1e-3 for v3. */
MBN_API void mbn_fold_batch_norm(int32_t channels, const float *gamma, const float *beta,
                                 const float *mean, const float *variance, const float *bias,
                                 double epsilon, float *scale, float *shift);

#ifdef __cplusplus
}
#endif

#endif
