/* Running a step: a task's part of one layer, or of a bottleneck. */
#include "plan.h"

#include <string.h>

int32_t mbn_chunk_end(int32_t blocks, int32_t block, int32_t chunk, int32_t panel) {
    const int32_t begin = block;
    while (block < blocks && block - begin < chunk) block += mbn_panel_width(blocks - block, panel);
    return block;
}

/* ---- Cutting ---------------------------------------------------------------------------------- */

/* Where piece `index` of `pieces` begins among `count`. */
static int32_t cut(int32_t count, int32_t index, int32_t pieces) {
    return (int32_t)((int64_t)count * index / pieces);
}

/* Rows are cut at even numbers, since kernels compute them in pairs, unless one more would be much. */
static int32_t cut_rows(const mbn_group *group, int32_t index) {
    if (group->rows < 8 * group->row_tasks) return cut(group->rows, index, group->row_tasks);
    return index == group->row_tasks ? group->rows
                                     : 2 * cut(group->rows / 2, index, group->row_tasks);
}

static int32_t cut_blocks(const mbn_group *group, int32_t index) {
    if (index == group->block_tasks) return group->blocks;
    return mbn_chunk_end(group->blocks, 0, cut(group->blocks, index, group->block_tasks),
                         group->panel);
}

static mbn_range task_range(const mbn_group *group, size_t task) {
    const int32_t row_task = (int32_t)task % group->row_tasks;
    const int32_t block_task = (int32_t)task / group->row_tasks;
    return (mbn_range){
        cut_rows(group, row_task),
        cut_rows(group, row_task + 1),
        cut_blocks(group, block_task),
        cut_blocks(group, block_task + 1),
    };
}

/* ---- Halos ------------------------------------------------------------------------------------ */

static void clear(float *p, ptrdiff_t count) {
    memset(p, 0, (size_t)count * sizeof *p);
}

/* Left and right of `rows` rows from `row` on (its halo's first float). */
static void clear_sides(const mbn_value *value, int32_t block, float *row, int32_t rows) {
    const ptrdiff_t left = (ptrdiff_t)value->halo_left * block;
    const ptrdiff_t right = (ptrdiff_t)value->halo_right * block;
    for (int32_t y = 0; y < rows; y++, row += value->row_stride) {
        clear(row, left);
        clear(row + value->row_stride - right, right);
    }
}

/* The halo around the part of a plane that a task computed.  The arena's memory has held other
 * values since the last run, so its halos are cleared along with every one. */
static void clear_halo(const mbn_call *call, int32_t block, mbn_range range) {
    const mbn_value *v = call->output;
    if (v->halo_top + v->halo_bottom + v->halo_left + v->halo_right == 0) return;
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        float *plane = call->memory + b * v->block_stride;
        float *row = plane + (v->halo_top + range.row_begin) * v->row_stride;
        if (range.row_begin == 0) clear(plane, v->halo_top * v->row_stride);
        clear_sides(v, block, row, range.row_end - range.row_begin);
        if (range.row_end == v->height) {
            clear(plane + (v->halo_top + v->height) * v->row_stride,
                  v->halo_bottom * v->row_stride);
        }
    }
}

/* ---- Fetching --------------------------------------------------------------------------------- */

/* What is fetched beside a part of a call's work: the like part.  begin, end, whole: counted in
 * rows of channel blocks. */
static void set_fetch(const mbn_call *call, int64_t begin, int64_t end, int64_t whole,
                      mbn_pointwise_args *args) {
    if (call->fetch.bytes == 0) return;
    const int64_t bytes = (int64_t)call->fetch.bytes;
    const int64_t first = bytes * begin / whole;
    args->fetch = call->fetch.data + first;
    args->fetch_bytes = (size_t)(bytes * end / whole - first);
}

/* Rows of blocks of a range, and of what comes before it where ranges share either rows or blocks. */
static int64_t count_rows(mbn_range range) {
    return (int64_t)(range.row_end - range.row_begin) * (range.block_end - range.block_begin);
}
static int64_t count_before(mbn_range range) {
    return (int64_t)range.row_begin * (range.block_end - range.block_begin) +
           (int64_t)range.block_begin * (range.row_end - range.row_begin);
}

/* ---- One layer -------------------------------------------------------------------------------- */

static void run_pointwise(const mbn_call *call, mbn_range range) {
    mbn_pointwise_args args = call->args.pointwise;
    const int64_t before = count_before(range);
    const int64_t whole = (int64_t)args.height * mbn_block_count(args.output_channels, args.block);
    set_fetch(call, before, before + count_rows(range), whole, &args);
    call->run.pointwise(&args, range);
    clear_halo(call, args.block, range);
}

static void run_call(const mbn_call *call, mbn_range range) {
    switch (call->kind) {
    case MBN_LAYER_POINTWISE: run_pointwise(call, range); break;
    case MBN_LAYER_CONVOLUTION:
        call->run.convolution(&call->args.convolution, range);
        clear_halo(call, call->args.convolution.block, range);
        break;
    case MBN_LAYER_DEPTHWISE: call->run.depthwise(&call->args.depthwise, range); break;
    case MBN_LAYER_FULLY_CONNECTED:
        call->run.fully_connected(&call->args.fully_connected, range);
        break;
    case MBN_LAYER_GLOBAL_POOL:
    case MBN_LAYER_MAX_POOL: call->run.pool(&call->args.pool, range); break;
    case MBN_LAYER_CHANNEL_SCALE: call->run.elementwise(&call->args.elementwise, range); break;
    }
}

/* ---- Fused layers ------------------------------------------------------------------------------ */

/* What a task works with. */
typedef struct band_scratch {
    float *expanded; /* [mbn_chunk_most][band's input rows], in the plane's row and block strides */
    float *carried;  /* [blocks][overlap rows]: read by this band and the next */
    float *filtered; /* [blocks][band rows] */
} band_scratch;

/* Rows of the depthwise input, counted with the halo, of one band. */
typedef struct band_inputs {
    int32_t begin, end;
    int32_t fresh; /* first one that the band before did not have */
} band_inputs;

/* The expansion of plane rows [y_begin, y_end), which go to scratch row `at` and on.  chunk: the
 * outputs for whose sake. */
static void expand_rows(const mbn_step *step, mbn_range chunk, int64_t done, int32_t y_begin,
                        int32_t y_end, float *at, int32_t block) {
    const mbn_value *value = step->expand.output;
    const ptrdiff_t channels = (ptrdiff_t)chunk.block_begin * block;
    const mbn_range range = {0, y_end - y_begin, 0, chunk.block_end - chunk.block_begin};
    at += (ptrdiff_t)value->halo_left * block;
    if (step->expand.kind == MBN_LAYER_POINTWISE) {
        mbn_pointwise_args args = step->expand.args.pointwise;
        args.input += y_begin * args.input_row_stride;
        args.weights += channels * args.input_channels;
        args.bias += channels;
        args.output_channels -= (int32_t)channels;
        args.output = at;
        set_fetch(&step->expand, done, done + count_rows(chunk),
                  (int64_t)step->group.rows * step->group.blocks, &args);
        step->expand.run.pointwise(&args, range);
    } else {
        mbn_convolution_args args = step->expand.args.convolution;
        args.weights += channels * args.input_channels * args.kernel_height * args.kernel_width;
        args.bias += channels;
        args.output_channels -= (int32_t)channels;
        /* The image is read in place, from the band's first row on: in the first band that is above
         * the image, in later ones inside it. */
        const int32_t top = y_begin * args.stride_vertical - args.pad_top;
        const int32_t skipped = top > 0 ? top : 0;
        args.input += skipped * args.input_row_stride;
        args.input_height -= skipped;
        args.pad_top = skipped - top;
        args.output = at;
        step->expand.run.convolution(&args, range);
    }
}

/* Zeros around what the chunks of a band put into the scratch, which leave them alone: above and below
 * the plane for each band, beside it once for all. */
static void clear_around(const mbn_step *step, const band_scratch *scratch, band_inputs inputs,
                         bool first, int32_t block) {
    const mbn_value *value = step->expand.output;
    const mbn_depthwise_args *depthwise = &step->filter.args.depthwise;
    const int32_t rows =
        (step->group.band - 1) * depthwise->stride_vertical + depthwise->kernel_height;
    const int32_t above = value->halo_top - inputs.begin;
    const int32_t below = value->halo_top + value->height - inputs.begin; /* first row that is */
    const int32_t end = inputs.end - inputs.begin;
    for (int32_t b = 0; b < mbn_chunk_most(&step->group); b++) {
        float *plane = scratch->expanded + b * value->block_stride;
        if (first) clear_sides(value, block, plane, rows);
        if (above > 0) clear(plane, above * value->row_stride);
        if (below < end) {
            clear(plane + below * value->row_stride, (end - below) * value->row_stride);
        }
    }
}

/* Fills the scratch with what the band's depthwise reads of a chunk. */
static void expand_band(const mbn_step *step, const band_scratch *scratch, mbn_range chunk,
                        int64_t done, band_inputs inputs, bool last, int32_t block) {
    const mbn_value *value = step->expand.output;
    const int32_t overlap =
        step->filter.args.depthwise.kernel_height - step->filter.args.depthwise.stride_vertical;
    const ptrdiff_t carried_floats = overlap * value->row_stride;
    const int32_t kept = inputs.fresh - inputs.begin;
    const int32_t y_begin = inputs.fresh - value->halo_top, y_end = inputs.end - value->halo_top;
    const int32_t inside_begin = y_begin < 0 ? 0 : y_begin;
    const int32_t inside_end = y_end > value->height ? value->height : y_end;
    const ptrdiff_t stride = value->row_stride;

    float *fresh = scratch->expanded + kept * stride;
    if (inside_begin < inside_end) {
        expand_rows(step, chunk, done, inside_begin, inside_end,
                    fresh + (inside_begin - y_begin) * stride, block);
    }
    for (int32_t b = chunk.block_begin; b < chunk.block_end; b++) {
        float *plane = scratch->expanded + (b - chunk.block_begin) * value->block_stride;
        float *carried = scratch->carried + b * carried_floats;
        memcpy(plane, carried, (size_t)(kept * stride) * sizeof(float));
        if (!last) {
            memcpy(carried, plane + (inputs.end - overlap - inputs.begin) * stride,
                   (size_t)carried_floats * sizeof(float));
        }
    }
}

/* The depthwise of output rows [y_begin, y_end), from the scratch where there is an expansion, and
 * to the scratch where there is a projection. */
static void filter_band(const mbn_step *step, const band_scratch *scratch, mbn_range chunk,
                        int32_t y_begin, int32_t y_end, int32_t block) {
    mbn_depthwise_args args = step->filter.args.depthwise;
    const ptrdiff_t channels = (ptrdiff_t)chunk.block_begin * block;
    if (step->group.expand >= 0) {
        args.input = scratch->expanded;
    } else {
        args.input += chunk.block_begin * args.input_block_stride +
                      y_begin * args.stride_vertical * args.input_row_stride;
    }
    args.weights += channels * args.kernel_height * args.kernel_width;
    args.bias += channels;
    args.channels -= (int32_t)channels;
    args.input_height = (y_end - y_begin - 1) * args.stride_vertical + args.kernel_height;
    args.output_height = y_end - y_begin;
    if (step->group.project >= 0) {
        args.output = scratch->filtered + chunk.block_begin * args.output_block_stride;
    } else {
        args.output +=
            chunk.block_begin * args.output_block_stride + y_begin * args.output_row_stride;
    }
    step->filter.run.depthwise(
        &args, (mbn_range){0, y_end - y_begin, 0, chunk.block_end - chunk.block_begin});
}

static void project_band(const mbn_step *step, const band_scratch *scratch, int32_t y_begin,
                         int32_t y_end, int32_t block) {
    mbn_pointwise_args args = step->project.args.pointwise;
    const mbn_range range = {0, y_end - y_begin, 0, mbn_block_count(args.output_channels, block)};
    args.input = scratch->filtered;
    args.output += y_begin * args.output_row_stride;
    if (step->group.inner_residual) {
        const mbn_value *value = step->expand.output;
        args.residual =
            scratch->expanded + value->halo_top * value->row_stride + value->halo_left * block;
    } else if (args.residual != NULL) {
        args.residual += y_begin * args.residual_row_stride;
    }
    set_fetch(&step->project, y_begin, y_end, step->group.rows, &args);
    step->project.run.pointwise(&args, range);
    clear_halo(&step->project, block, (mbn_range){y_begin, y_end, 0, range.block_end});
}

static void run_fused(const mbn_step *step, size_t task) {
    const mbn_group *group = &step->group;
    const mbn_depthwise_args *depthwise = &step->filter.args.depthwise;
    const mbn_range part = task_range(group, task);
    const int32_t block = depthwise->block;
    band_scratch scratch = {NULL, NULL, NULL};
    if (group->expand >= 0) {
        const mbn_value *value = step->expand.output;
        const int32_t overlap = depthwise->kernel_height - depthwise->stride_vertical;
        const ptrdiff_t carried = overlap * value->row_stride * group->blocks;
        scratch.expanded = step->expand.memory + task * value->task_stride;
        scratch.carried =
            scratch.expanded +
            (value->floats - mbn_align((size_t)carried * sizeof(float)) / sizeof(float));
    }
    if (group->project >= 0) {
        scratch.filtered = step->filter.memory + task * step->filter.output->task_stride;
    }
    int64_t done = count_before(part);
    for (int32_t y = part.row_begin; y < part.row_end; y += group->band) {
        const int32_t end = mbn_smaller(y + group->band, part.row_end);
        band_inputs inputs = {
            y * depthwise->stride_vertical,
            (end - 1) * depthwise->stride_vertical + depthwise->kernel_height,
            y * depthwise->stride_vertical,
        };
        if (y > part.row_begin) {
            inputs.fresh = (y - 1) * depthwise->stride_vertical + depthwise->kernel_height;
        }
        if (group->expand >= 0) {
            clear_around(step, &scratch, inputs, y == part.row_begin, block);
        }
        for (int32_t b = part.block_begin; b < part.block_end;) {
            const int32_t chunk_end = mbn_chunk_end(group->blocks, b, group->chunk, group->panel);
            const mbn_range chunk = {y, end, b, chunk_end};
            if (group->expand >= 0) {
                expand_band(step, &scratch, chunk, done, inputs, end == part.row_end, block);
            }
            done += count_rows(chunk);
            filter_band(step, &scratch, chunk, y, end, block);
            if (group->pool >= 0 && end == part.row_end) {
                step->pool.run.pool(&step->pool.args.pool, (mbn_range){0, 1, b, chunk_end});
            }
            b = chunk_end;
        }
        if (group->project >= 0) project_band(step, &scratch, y, end, block);
    }
}

/* A channel scale, into the scratch, and the projection of it. */
static void run_scaled(const mbn_step *step, size_t task) {
    const mbn_elementwise_args *scale = &step->filter.args.elementwise;
    const mbn_range part = task_range(&step->group, task);
    const band_scratch scratch = {
        .filtered = step->filter.memory + task * step->filter.output->task_stride,
    };
    for (int32_t y = part.row_begin; y < part.row_end; y += step->group.band) {
        const int32_t end = mbn_smaller(y + step->group.band, part.row_end);
        mbn_elementwise_args args = *scale;
        args.input += y * args.input_row_stride;
        args.output = scratch.filtered;
        const mbn_range band = {0, end - y, 0, mbn_block_count(args.channels, args.block)};
        step->filter.run.elementwise(&args, band);
        project_band(step, &scratch, y, end, args.block);
    }
}

void mbn_step_run(const mbn_step *step, size_t task) {
    if (step->group.depthwise >= 0) {
        run_fused(step, task);
    } else if (step->group.scale >= 0) {
        run_scaled(step, task);
    } else {
        run_call(&step->filter, task_range(&step->group, task));
    }
}
