/* From layers to steps: which layers run together, where every output lives, which kernels compute
 * it with which arguments.
 *
 * A step is one layer, or several that are fused:
 *
 *   a bottleneck   an expansion (pointwise, or the stem), the depthwise convolution that reads it,
 *                  and the projection that reads that, if any; the residual may be the expansion
 *                  itself;
 *   its beginning  where squeeze-excite comes between: the depthwise, with the mean of its planes;
 *   its end        then: the channel scale, and the projection.
 *
 * They run band by band: `band` rows of the depthwise's or the scale's output at a time, and inside
 * a band the expansion and the depthwise chunk by chunk of channel blocks, so that what they hand
 * to each other is in cache when it is read.  Every kernel computes the same numbers in the same
 * order however its work is cut, so bands, chunks and threads do not show in the results. */
#ifndef MBN_ARCH_PLAN_H
#define MBN_ARCH_PLAN_H

#include "arch/model/model.h"

static inline int32_t mbn_smaller(int32_t a, int32_t b) {
    return a < b ? a : b;
}

static inline int32_t mbn_larger(int32_t a, int32_t b) {
    return a > b ? a : b;
}

/* What a step covers, and how it is cut. */
typedef struct mbn_group {
    int32_t first_layer, last_layer; /* none where it converts: last_layer is before first_layer */
    int32_t conversion;              /* index of the plan's conversions, or -1 */
    int32_t expand, depthwise, pool, scale, project; /* fused layers, -1 where missing */
    bool inner_residual;            /* what the projection adds is the expansion's output */
    int32_t rows, blocks;           /* of the outputs that tasks share: the last layer's */
    int32_t panel;                  /* block ranges are cut at borders of panels of this width */
    int32_t row_tasks, block_tasks; /* bands of rows times groups of blocks; never both above 1 */
    int32_t band;                   /* fused: rows of the depthwise's or scale's output */
    int32_t chunk;                  /* fused: blocks of the expansion */
} mbn_group;

/* A value that layers read in another form than the one in which it was written. */
typedef struct mbn_conversion {
    int32_t source;          /* the layer whose output it is; -1: the image */
    int32_t reader;          /* the first layer that reads it so */
    const mbn_kernels *form; /* the table whose planes the result is of */
} mbn_conversion;

/* A layer's output in the arena, or a conversion's: a blocked plane with the halo that its readers
 * want.  Of an expansion inside a bottleneck it is scratch, one part per thread: `band` rows' worth
 * of one chunk, then the rows that the next band wants again, of all blocks. */
typedef struct mbn_value {
    const mbn_kernels *form;       /* the table whose planes these are */
    int32_t block;                 /* channels side by side: the table's, or all of an image's */
    uint8_t halo;                  /* every byte around the plane */
    mbn_quantization quantization; /* where it is in bytes */
    int32_t owner;          /* the layer whose memory it is: itself, or the one it overwrites */
    int32_t born, last_use; /* steps; the network's output is used for ever */
    int32_t height, width, channels;
    int32_t halo_top, halo_left, halo_bottom, halo_right;
    ptrdiff_t pixel_bytes, row_stride, block_stride; /* bytes */
    /* Of an expansion's scratch: from its start to the rows that are kept for the next band, and
     * from one block's to the next one's. */
    ptrdiff_t carried, carried_stride;
    size_t bytes;            /* of scratch, one thread's */
    ptrdiff_t thread_stride; /* of scratch, bytes from one thread's to the next one's */
    size_t offset;           /* in bytes from the arena's start */
    bool placed;             /* offset is set */
} mbn_value;

/* Bytes from a value's memory to its first pixel, inside its halo. */
static inline ptrdiff_t mbn_inside_halo(const mbn_value *value) {
    return value->halo_top * value->row_stride + value->halo_left * value->pixel_bytes;
}

/* Memory that a pointwise call brings into cache beside its multiply-adds. */
typedef struct mbn_fetch {
    const char *data;
    size_t bytes;
} mbn_fetch;

/* A kernel with its arguments, and the value that it writes. */
typedef struct mbn_call {
    mbn_layer_kind kind;
    union {
        mbn_pointwise_fn *pointwise;
        mbn_depthwise_fn *depthwise;
        mbn_convolution_fn *convolution;
        mbn_elementwise_fn *elementwise;
        mbn_pool_fn *pool;
        mbn_fully_connected_fn *fully_connected;
    } run;
    union {
        mbn_pointwise_args pointwise;
        mbn_depthwise_args depthwise;
        mbn_convolution_args convolution;
        mbn_elementwise_args elementwise;
        mbn_pool_args pool;
        mbn_fully_connected_args fully_connected;
    } args;
    const mbn_value *output;
    char *memory; /* of the output: its halo's first byte */
    mbn_fetch fetch;
} mbn_call;

/* Rows of a value, or of the image, in another form. */
typedef struct mbn_convert_call {
    mbn_layout_args from; /* the source */
    ptrdiff_t from_pixel_bytes;
    mbn_layout_fn *read; /* from it to floats; NULL: the image, which `to` has as `strided` */
    mbn_layout_args to;
    mbn_layout_fn *write;           /* from floats */
    const mbn_image_lookup *lookup; /* instead of it; or NULL */
    const mbn_value *output;        /* as in a mbn_call */
    char *memory;
} mbn_convert_call;

typedef struct mbn_step {
    mbn_group group;
    mbn_convert_call convert; /* alone in its step */
    mbn_call expand;
    mbn_call filter; /* the depthwise, the scale, or the one layer of a step */
    mbn_call pool, project;
} mbn_step;

/* The call whose output is the step's. */
static inline const mbn_call *mbn_step_last(const mbn_step *step) {
    const mbn_group *group = &step->group;
    return group->project >= 0 ? &step->project : group->pool >= 0 ? &step->pool : &step->filter;
}

/* How the caller wants the network run. */
typedef struct mbn_plan_options {
    size_t l2_bytes;
    int32_t threads;
    int32_t band_rows;  /* mbn_context_options */
    const bool *wanted; /* [layer_count]: layers whose output is for the caller, too */
} mbn_plan_options;

/* A network on its way to steps.  The arrays are the caller's, of the lengths that are given. */
typedef struct mbn_plan {
    const mbn_network *network;
    const mbn_packed_layer *packed;
    mbn_quantization image;               /* of bytes that the first layer reads */
    const mbn_image_lookup *image_lookup; /* or NULL */
    mbn_conversion *conversions;          /* [conversion_count] */
    int32_t conversion_count;
    mbn_group *groups; /* [layer_count + conversion_count at most] */
    int32_t group_count;
    mbn_value
        *values; /* [layer_count + conversion_count]: outputs of layers, then of conversions */
} mbn_plan;

/* Counts the conversions that a network needs, and writes them unless `conversions` is NULL. */
int32_t mbn_plan_conversions(const mbn_network *network, const mbn_packed_layer *packed,
                             mbn_conversion *conversions);

/* The table whose planes a layer writes. */
const mbn_kernels *mbn_written_form(const mbn_plan *plan, int32_t layer);

/* What a layer reads. */
typedef enum mbn_reading { MBN_READS_INPUT, MBN_READS_GATE, MBN_READS_RESIDUAL } mbn_reading;

enum { MBN_READINGS = MBN_READS_RESIDUAL + 1 };

/* Index of the value that a layer reads: another layer's, or a conversion's; -1: none, or the image
 * as it is. */
int32_t mbn_read_value(const mbn_plan *plan, int32_t layer, mbn_reading reading);

/* Whether a layer's padding is in the plane that it reads: a depthwise layer's, and a convolution's
 * of bytes that a conversion writes for it, as the image's. */
bool mbn_reads_halo(const mbn_plan *plan, int32_t layer);

/* Cuts the network into groups.  A wanted layer is the last of its group, so that its whole output
 * is in the arena when the step is done. */
void mbn_plan_groups(mbn_plan *plan, const mbn_plan_options *options);

/* Lays out the values, with a scratch for each thread, and returns the arena's size in bytes. */
size_t mbn_plan_values(mbn_plan *plan, int32_t threads);

/* As to_blocked of bytes. */
void mbn_look_up_image(const mbn_image_lookup *lookup, const mbn_layout_args *args,
                       mbn_range range);

/* Fills steps[group_count].  The arguments of the first layer, or of the conversion of the image,
 * lack the image's address and strides, which change from run to run. */
void mbn_plan_steps(const mbn_plan *plan, char *arena, mbn_step *steps);

/* Has pointwise calls fetch the weights of the fully connected layers that come behind them. */
void mbn_plan_fetches(mbn_step *steps, int32_t count);

/* ---- Running a step (step.c) ----------------------------------------------------------------- */

static inline int32_t mbn_step_tasks(const mbn_step *step) {
    return step->group.row_tasks * step->group.block_tasks;
}

/* Runs one of mbn_step_tasks(step) tasks, in any order, on any thread: number `thread` of the
 * plan's, which has a scratch of its own. */
void mbn_step_run(const mbn_step *step, int32_t task, int32_t thread);

/* End of the chunk of whole panels that begins at `block` and has at least `chunk` blocks, if there
 * are so many. */
static inline int32_t mbn_chunk_end(int32_t blocks, int32_t block, int32_t chunk, int32_t panel) {
    const int32_t begin = block;
    while (block < blocks && block - begin < chunk) block += mbn_panel_width(blocks - block, panel);
    return block;
}

/* Blocks that the longest chunk of a bottleneck has: a last panel may be one wider. */
static inline int32_t mbn_chunk_most(const mbn_group *group) {
    return mbn_smaller(mbn_chunk_end(group->blocks, 0, group->chunk, group->panel) + 1,
                       group->blocks);
}

/* Rows that one band of a bottleneck's depthwise reads. */
static inline int32_t mbn_band_inputs(const mbn_layer *depthwise, int32_t band) {
    return (band - 1) * depthwise->stride_vertical + depthwise->kernel_height;
}

/* Of these, the rows that the next band reads again. */
static inline int32_t mbn_band_overlap(const mbn_layer *depthwise) {
    return depthwise->kernel_height - depthwise->stride_vertical;
}

#endif
