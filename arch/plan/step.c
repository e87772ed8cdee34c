/* Running a step: a task's part of one layer, or of a bottleneck. */
#include "plan.h"

#include <string.h>

/* ---- Cutting --------------------------------------------------------------------------------- */

/* Where piece `index` of `pieces` begins among `count`. */
static int32_t cut(int32_t count, int32_t index, int32_t pieces) {
    return (int32_t)((int64_t)count * index / pieces);
}

/* Rows are cut at even numbers, since kernels compute them in pairs, unless one more would be
 * much. */
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

static mbn_range task_range(const mbn_group *group, int32_t task) {
    const int32_t row_task = task % group->row_tasks;
    const int32_t block_task = task / group->row_tasks;
    return (mbn_range){
        cut_rows(group, row_task),
        cut_rows(group, row_task + 1),
        cut_blocks(group, block_task),
        cut_blocks(group, block_task + 1),
    };
}

/* ---- Halos ----------------------------------------------------------------------------------- */

/* Left and right of `rows` rows from `row` on (its halo's first byte).  What is right of a row and
 * left of the next one lies together. */
static void fill_sides(const mbn_value *value, char *row, int32_t rows) {
    const size_t left = (size_t)(value->halo_left * value->pixel_bytes);
    const size_t right = (size_t)(value->halo_right * value->pixel_bytes);
    if (rows == 0 || left + right == 0) return;
    memset(row, value->halo, left);
    row += value->row_stride - (ptrdiff_t)right;
    for (int32_t y = 1; y < rows; y++, row += value->row_stride) {
        memset(row, value->halo, right + left);
    }
    memset(row, value->halo, right);
}

static void fill_rows(const mbn_value *value, char *row, int32_t rows) {
    memset(row, value->halo, (size_t)(rows * value->row_stride));
}

/* The halo around the part of a plane that a task computed.  The arena's memory has held other
 * values since the last run, so its halos are filled along with every one. */
static void fill_halo(const mbn_value *v, char *memory, mbn_range range) {
    if (v->halo_top + v->halo_bottom + v->halo_left + v->halo_right == 0) return;
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        char *plane = memory + b * v->block_stride;
        if (range.row_begin == 0) fill_rows(v, plane, v->halo_top);
        fill_sides(v, plane + (v->halo_top + range.row_begin) * v->row_stride,
                   range.row_end - range.row_begin);
        if (range.row_end == v->height) {
            fill_rows(v, plane + (v->halo_top + v->height) * v->row_stride, v->halo_bottom);
        }
    }
}

/* ---- Fetching -------------------------------------------------------------------------------- */

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

/* Rows of blocks of a range, and of what comes before it where ranges share either rows or
 * blocks. */
static int64_t count_rows(mbn_range range) {
    return (int64_t)(range.row_end - range.row_begin) * (range.block_end - range.block_begin);
}
static int64_t count_before(mbn_range range) {
    return (int64_t)range.row_begin * (range.block_end - range.block_begin) +
           (int64_t)range.block_begin * (range.row_end - range.row_begin);
}

/* ---- One layer ------------------------------------------------------------------------------- */

/* A plane from another row or channel block on. */
static mbn_plane from(mbn_plane plane, int32_t b, int32_t y) {
    plane.data = (char *)plane.data + b * plane.block_stride + y * plane.row_stride;
    return plane;
}

static mbn_operands operands_from(mbn_operands operands, int32_t b) {
    operands.weights = (const char *)operands.weights + b * operands.weights_stride;
    operands.bias = (const char *)operands.bias + b * operands.bias_stride;
    return operands;
}

static void run_pointwise(const mbn_call *call, mbn_range range) {
    mbn_pointwise_args args = call->args.pointwise;
    const int64_t before = count_before(range);
    const int64_t whole =
        (int64_t)args.height * mbn_block_count(args.output_channels, args.blocking.block);
    set_fetch(call, before, before + count_rows(range), whole, &args);
    call->run.pointwise(&args, range);
    fill_halo(call->output, call->memory, range);
}

static void run_call(const mbn_call *call, mbn_range range) {
    switch (call->kind) {
    case MBN_LAYER_POINTWISE: run_pointwise(call, range); break;
    case MBN_LAYER_CONVOLUTION:
        call->run.convolution(&call->args.convolution, range);
        fill_halo(call->output, call->memory, range);
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

/* ---- Fused layers ---------------------------------------------------------------------------- */

/* What a task works with. */
typedef struct band_scratch {
    char *expanded; /* [mbn_chunk_most][band's input rows], in the plane's row and block strides */
    char *carried;  /* [blocks][overlap rows]: read by this band and the next */
    char *filtered; /* [blocks][band rows] */
} band_scratch;

/* Rows of the depthwise input, counted with the halo, of one band. */
typedef struct band_inputs {
    int32_t begin, end;
    int32_t fresh; /* first one that the band before did not have */
} band_inputs;

/* The expansion of plane rows [y_begin, y_end), which go to scratch row `at` and on.  chunk: the
 * outputs for whose sake. */
static void expand_rows(const mbn_step *step, mbn_range chunk, int64_t done, int32_t y_begin,
                        int32_t y_end, char *at) {
    const mbn_value *value = step->expand.output;
    const int32_t channels = chunk.block_begin * value->block;
    const mbn_range range = {0, y_end - y_begin, 0, chunk.block_end - chunk.block_begin};
    at += value->halo_left * value->pixel_bytes;
    if (step->expand.kind == MBN_LAYER_POINTWISE) {
        mbn_pointwise_args args = step->expand.args.pointwise;
        args.input = from(args.input, 0, y_begin);
        if (args.residual.data != NULL) { /* the expansion is the projection of the block before */
            args.residual = from(args.residual, chunk.block_begin, y_begin);
        }
        args.operands = operands_from(args.operands, chunk.block_begin);
        args.output_channels -= channels;
        args.output.data = at;
        set_fetch(&step->expand, done, done + count_rows(chunk),
                  (int64_t)step->group.rows * step->group.blocks, &args);
        step->expand.run.pointwise(&args, range);
    } else {
        mbn_convolution_args args = step->expand.args.convolution;
        args.operands = operands_from(args.operands, chunk.block_begin);
        args.output_channels -= channels;
        /* The image is read in place, from the band's first row on: in the first band that is above
         * the image, in later ones inside it. */
        const int32_t top = y_begin * args.stride_vertical - args.pad_top;
        const int32_t skipped = top > 0 ? top : 0;
        args.input = from(args.input, 0, skipped);
        args.input_height -= skipped;
        args.pad_top = skipped - top;
        args.output.data = at;
        step->expand.run.convolution(&args, range);
    }
}

/* The halo around what the chunks of a band put into the scratch, which leave it alone: above and
 * below the plane for each band, beside it once for all. */
static void fill_around(const mbn_step *step, const band_scratch *scratch, band_inputs inputs,
                        bool first) {
    const mbn_value *value = step->expand.output;
    const mbn_depthwise_args *depthwise = &step->filter.args.depthwise;
    const int32_t rows =
        (step->group.band - 1) * depthwise->stride_vertical + depthwise->kernel_height;
    const int32_t above = value->halo_top - inputs.begin;
    const int32_t below = value->halo_top + value->height - inputs.begin; /* first row that is */
    const int32_t end = inputs.end - inputs.begin;
    for (int32_t b = 0; b < mbn_chunk_most(&step->group); b++) {
        char *plane = scratch->expanded + b * value->block_stride;
        if (first) fill_sides(value, plane, rows);
        if (above > 0) fill_rows(value, plane, above);
        if (below < end) fill_rows(value, plane + below * value->row_stride, end - below);
    }
}

/* Fills the scratch with what the band's depthwise reads of a chunk. */
static void expand_band(const mbn_step *step, const band_scratch *scratch, mbn_range chunk,
                        int64_t done, band_inputs inputs, bool last) {
    const mbn_value *value = step->expand.output;
    const int32_t kept = inputs.fresh - inputs.begin;
    const int32_t y_begin = inputs.fresh - value->halo_top, y_end = inputs.end - value->halo_top;
    const int32_t inside_begin = y_begin < 0 ? 0 : y_begin;
    const int32_t inside_end = y_end > value->height ? value->height : y_end;
    const ptrdiff_t stride = value->row_stride;

    char *fresh = scratch->expanded + kept * stride;
    if (inside_begin < inside_end) {
        expand_rows(step, chunk, done, inside_begin, inside_end,
                    fresh + (inside_begin - y_begin) * stride);
    }
    for (int32_t b = chunk.block_begin; b < chunk.block_end; b++) {
        char *plane = scratch->expanded + (b - chunk.block_begin) * value->block_stride;
        char *carried = scratch->carried + b * value->carried_stride;
        memcpy(plane, carried, (size_t)(kept * stride));
        if (!last) {
            memcpy(carried, plane + (inputs.end - inputs.begin) * stride - value->carried_stride,
                   (size_t)value->carried_stride);
        }
    }
}

/* The depthwise of output rows [y_begin, y_end), from the scratch where there is an expansion, and
 * to the scratch where there is a projection. */
static void filter_band(const mbn_step *step, const band_scratch *scratch, mbn_range chunk,
                        int32_t y_begin, int32_t y_end) {
    mbn_depthwise_args args = step->filter.args.depthwise;
    if (step->group.expand >= 0) {
        args.input.data = scratch->expanded;
    } else {
        args.input = from(args.input, chunk.block_begin, y_begin * args.stride_vertical);
    }
    args.operands = operands_from(args.operands, chunk.block_begin);
    args.channels -= chunk.block_begin * args.blocking.block;
    args.input_height = (y_end - y_begin - 1) * args.stride_vertical + args.kernel_height;
    args.output_height = y_end - y_begin;
    if (step->group.project >= 0) {
        args.output.data = scratch->filtered;
        args.output = from(args.output, chunk.block_begin, 0);
    } else {
        args.output = from(args.output, chunk.block_begin, y_begin);
    }
    step->filter.run.depthwise(
        &args, (mbn_range){0, y_end - y_begin, 0, chunk.block_end - chunk.block_begin});
}

static void project_band(const mbn_step *step, const band_scratch *scratch, int32_t y_begin,
                         int32_t y_end) {
    mbn_pointwise_args args = step->project.args.pointwise;
    const mbn_range range = {0, y_end - y_begin, 0,
                             mbn_block_count(args.output_channels, args.blocking.block)};
    args.input.data = scratch->filtered;
    args.output = from(args.output, 0, y_begin);
    if (step->group.inner_residual) {
        args.residual.data = scratch->expanded + mbn_inside_halo(step->expand.output);
    } else if (args.residual.data != NULL) {
        args.residual = from(args.residual, 0, y_begin);
    }
    set_fetch(&step->project, y_begin, y_end, step->group.rows, &args);
    step->project.run.pointwise(&args, range);
    fill_halo(step->project.output, step->project.memory,
              (mbn_range){y_begin, y_end, 0, range.block_end});
}

static char *scratch_of(const mbn_call *call, int32_t thread) {
    return call->memory + thread * call->output->thread_stride;
}

static void run_fused(const mbn_step *step, int32_t task, int32_t thread) {
    const mbn_group *group = &step->group;
    const mbn_depthwise_args *depthwise = &step->filter.args.depthwise;
    const mbn_range part = task_range(group, task);
    band_scratch scratch = {NULL, NULL, NULL};
    if (group->expand >= 0) {
        scratch.expanded = scratch_of(&step->expand, thread);
        scratch.carried = scratch.expanded + step->expand.output->carried;
    }
    if (group->project >= 0) scratch.filtered = scratch_of(&step->filter, thread);
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
        if (group->expand >= 0) fill_around(step, &scratch, inputs, y == part.row_begin);
        for (int32_t b = part.block_begin; b < part.block_end;) {
            const int32_t chunk_end = mbn_chunk_end(group->blocks, b, group->chunk, group->panel);
            const mbn_range chunk = {y, end, b, chunk_end};
            if (group->expand >= 0) {
                expand_band(step, &scratch, chunk, done, inputs, end == part.row_end);
            }
            done += count_rows(chunk);
            filter_band(step, &scratch, chunk, y, end);
            if (group->pool >= 0 && end == part.row_end) {
                step->pool.run.pool(&step->pool.args.pool, (mbn_range){0, 1, b, chunk_end});
            }
            b = chunk_end;
        }
        if (group->project >= 0) project_band(step, &scratch, y, end);
    }
}

/* A channel scale, into the scratch, and the projection of it. */
static void run_scaled(const mbn_step *step, int32_t task, int32_t thread) {
    const mbn_range part = task_range(&step->group, task);
    const band_scratch scratch = {.filtered = scratch_of(&step->filter, thread)};
    for (int32_t y = part.row_begin; y < part.row_end; y += step->group.band) {
        const int32_t end = mbn_smaller(y + step->group.band, part.row_end);
        mbn_elementwise_args args = step->filter.args.elementwise;
        args.input = from(args.input, 0, y);
        args.output.data = scratch.filtered;
        const mbn_range band = {0, end - y, 0, mbn_block_count(args.channels, args.blocking.block)};
        step->filter.run.elementwise(&args, band);
        project_band(step, &scratch, y, end);
    }
}

/* ---- Conversions ----------------------------------------------------------------------------- */

/* Through floats on the stack, some pixels of some channels at a time. */
static void convert_row(const mbn_convert_call *call, int32_t y) {
    enum { PIXELS = 32, CHANNELS = 16 }; /* a multiple of every block */
    float floats[PIXELS * CHANNELS];
    mbn_layout_args read = call->from, write = call->to;
    read.strided = write.strided = floats;
    read.channel_stride = write.channel_stride = 1;
    read.pixel_stride = write.pixel_stride = CHANNELS;
    read.height = write.height = 1;
    const mbn_plane from_row = from(read.blocked, 0, y), to_row = from(write.blocked, 0, y);
    for (int32_t c = 0; c < call->to.channels; c += CHANNELS) {
        const int32_t channels = mbn_smaller(call->to.channels - c, CHANNELS);
        const mbn_plane a = from(from_row, c / read.blocking.block, 0);
        const mbn_plane b = from(to_row, c / write.blocking.block, 0);
        read.channels = write.channels = channels;
        for (int32_t x = 0; x < call->to.width; x += PIXELS) {
            read.width = write.width = mbn_smaller(call->to.width - x, PIXELS);
            read.blocked.data = (char *)a.data + x * call->from_pixel_bytes;
            write.blocked.data = (char *)b.data + x * call->output->pixel_bytes;
            call->read(&read, (mbn_range){0, 1, 0, mbn_block_count(channels, read.blocking.block)});
            call->write(&write,
                        (mbn_range){0, 1, 0, mbn_block_count(channels, write.blocking.block)});
        }
    }
}

static void run_conversion(const mbn_step *step, int32_t task) {
    const mbn_convert_call *call = &step->convert;
    const mbn_range range = task_range(&step->group, task);
    if (call->lookup != NULL) {
        mbn_look_up_image(call->lookup, &call->to, range);
    } else if (call->read == NULL) {
        call->write(&call->to, range);
    } else {
        for (int32_t y = range.row_begin; y < range.row_end; y++) convert_row(call, y);
    }
    fill_halo(call->output, call->memory, range);
}

void mbn_step_run(const mbn_step *step, int32_t task, int32_t thread) {
    if (step->group.conversion >= 0) {
        run_conversion(step, task);
    } else if (step->group.depthwise >= 0) {
        run_fused(step, task, thread);
    } else if (step->group.scale >= 0) {
        run_scaled(step, task, thread);
    } else {
        run_call(&step->filter, task_range(&step->group, task));
    }
}
