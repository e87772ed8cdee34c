#include "plan.h"

#include <stdbool.h>

static int32_t at_least(int32_t a, int32_t b) {
    return a > b ? a : b;
}

/* Zeros that a depthwise layer reads beyond one end of `size` inputs. */
static int32_t beyond_end(int32_t outputs, int32_t stride, int32_t kernel, int32_t pad_before,
                          int32_t size) {
    return at_least((outputs - 1) * stride + kernel - pad_before - size, 0);
}

static void note_use(mbn_value *values, int32_t layer, int32_t reader) {
    if (layer >= 0) values[values[layer].owner].last_use = reader;
}

static void find_uses(const mbn_network *network, mbn_value *values) {
    for (int32_t i = 0; i < network->layer_count; i++) {
        const mbn_layer *layer = &network->layers[i];
        mbn_value *value = &values[i];
        *value = (mbn_value){
            .owner = i,
            .last_use = i,
            .height = layer->output_height,
            .width = layer->output_width,
            .channels = layer->output_channels,
        };
        note_use(values, layer->input, i);
        note_use(values, layer->gate, i);
        note_use(values, layer->residual, i);
        if (layer->kind == MBN_LAYER_DEPTHWISE && layer->input >= 0) {
            mbn_value *input = &values[layer->input];
            input->halo_top = at_least(input->halo_top, layer->pad_top);
            input->halo_left = at_least(input->halo_left, layer->pad_left);
            input->halo_bottom =
                at_least(input->halo_bottom,
                         beyond_end(layer->output_height, layer->stride_vertical,
                                    layer->kernel_height, layer->pad_top, layer->input_height));
            input->halo_right =
                at_least(input->halo_right,
                         beyond_end(layer->output_width, layer->stride_horizontal,
                                    layer->kernel_width, layer->pad_left, layer->input_width));
        }
        /* Squeeze-excite has one reader after it, and nothing else reads what it scales. */
        if (layer->kind == MBN_LAYER_CHANNEL_SCALE) value->owner = values[layer->input].owner;
    }
    values[network->layer_count - 1].last_use = network->layer_count;
}

/* Bytes between channel blocks that are a multiple of this map one pixel's blocks to the same few
 * sets of L1. */
enum { SET_CONFLICT_BYTES = 2048 };

static void find_strides(const mbn_kernels *kernels, mbn_value *value) {
    const ptrdiff_t block = kernels->block;
    const ptrdiff_t rows = value->height + value->halo_top + value->halo_bottom;
    value->row_stride = (value->width + value->halo_left + value->halo_right) * block;
    value->block_stride = rows * value->row_stride;
    if (value->height * value->width > 1) {
        /* Whole cache lines, and an odd number of them. */
        const ptrdiff_t line = MBN_ALIGNMENT / (ptrdiff_t)sizeof(float);
        value->block_stride = (value->block_stride + line - 1) / line * line;
        if (value->block_stride * (ptrdiff_t)sizeof(float) % SET_CONFLICT_BYTES == 0) {
            value->block_stride += line;
        }
    }
    const size_t floats =
        (size_t)value->block_stride * (size_t)mbn_block_count(value->channels, kernels->block);
    value->floats = mbn_align(floats * sizeof(float)) / sizeof(float);
}

static bool live_together(const mbn_value *values, int32_t a, int32_t b) {
    return a <= values[b].last_use && b <= values[a].last_use;
}

/* The lowest place for value i that no placed value alive at the same time overlaps. */
static size_t find_place(const mbn_value *values, int32_t count, int32_t i) {
    size_t offset = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int32_t j = 0; j < count; j++) {
            if (!values[j].placed || !live_together(values, i, j)) continue;
            if (offset < values[j].offset + values[j].floats &&
                values[j].offset < offset + values[i].floats) {
                offset = values[j].offset + values[j].floats;
                moved = true;
            }
        }
    }
    return offset;
}

size_t mbn_plan_values(const mbn_network *network, const mbn_kernels *kernels, mbn_value *values) {
    const int32_t count = network->layer_count;
    size_t total = 0;
    find_uses(network, values);
    for (int32_t i = 0; i < count; i++) find_strides(kernels, &values[i]);
    /* Largest first: what is small fits into the gaps. */
    for (;;) {
        int32_t largest = -1;
        for (int32_t i = 0; i < count; i++) {
            if (values[i].owner != i || values[i].placed) continue;
            if (largest < 0 || values[i].floats > values[largest].floats) largest = i;
        }
        if (largest < 0) break;
        mbn_value *value = &values[largest];
        value->offset = find_place(values, count, largest);
        value->placed = true;
        if (value->offset + value->floats > total) total = value->offset + value->floats;
    }
    for (int32_t i = 0; i < count; i++) {
        if (values[i].owner == i) continue;
        const int32_t owner = values[i].owner;
        values[i] = values[owner];
        values[i].owner = owner;
    }
    return total;
}

/* ---- Steps ------------------------------------------------------------------------------------ */

/* Element (0, 0, 0) of a layer's output. */
static float *origin(const mbn_value *value, int32_t block, float *arena) {
    return arena + (ptrdiff_t)value->offset + value->halo_top * value->row_stride +
           (ptrdiff_t)value->halo_left * block;
}

typedef struct planner {
    const mbn_network *network;
    const mbn_kernels *kernels;
    const mbn_layer_weights *weights;
    const mbn_value *values;
    float *arena;
} planner;

/* A plane in the arena as a kernel's arguments name it; all zero for "none" and for the image. */
typedef struct operand {
    float *data;
    ptrdiff_t row_stride, block_stride;
} operand;

static operand operand_of(const planner *p, int32_t layer) {
    if (layer < 0) return (operand){NULL, 0, 0};
    const mbn_value *value = &p->values[layer];
    return (operand){origin(value, p->kernels->block, p->arena), value->row_stride,
                     value->block_stride};
}

static void plan_pointwise(const planner *p, const mbn_layer *layer, operand input, operand output,
                           const mbn_layer_weights *weights, mbn_step *step) {
    const operand residual = operand_of(p, layer->residual);
    step->run.pointwise = p->kernels->pointwise;
    step->args.pointwise = (mbn_pointwise_args){
        .input = input.data,
        .input_row_stride = input.row_stride,
        .input_block_stride = input.block_stride,
        .weights = weights->weights,
        .bias = weights->bias,
        .residual = residual.data,
        .residual_row_stride = residual.row_stride,
        .residual_block_stride = residual.block_stride,
        .output = output.data,
        .output_row_stride = output.row_stride,
        .output_block_stride = output.block_stride,
        .height = layer->output_height,
        .width = layer->output_width,
        .input_channels = layer->input_channels,
        .output_channels = layer->output_channels,
        .block = p->kernels->block,
        .panel = p->kernels->panel,
        .activation = layer->activation,
    };
}

/* The plane that the kernel sees includes the halo that this layer needs, so none of its outputs is
 * a border case. */
static void plan_depthwise(const planner *p, const mbn_layer *layer, operand input, operand output,
                           const mbn_layer_weights *weights, mbn_step *step) {
    const mbn_kernels *kernels = p->kernels;
    step->run.depthwise = kernels->depthwise[layer->kernel_height == 5][layer->stride_vertical - 1]
                                            [layer->stride_horizontal - 1];
    step->args.depthwise = (mbn_depthwise_args){
        .input = input.data - layer->pad_top * input.row_stride -
                 (ptrdiff_t)layer->pad_left * kernels->block,
        .input_row_stride = input.row_stride,
        .input_block_stride = input.block_stride,
        .weights = weights->weights,
        .bias = weights->bias,
        .output = output.data,
        .output_row_stride = output.row_stride,
        .output_block_stride = output.block_stride,
        .input_height = (layer->output_height - 1) * layer->stride_vertical + layer->kernel_height,
        .input_width = (layer->output_width - 1) * layer->stride_horizontal + layer->kernel_width,
        .output_height = layer->output_height,
        .output_width = layer->output_width,
        .channels = layer->output_channels,
        .kernel_height = layer->kernel_height,
        .kernel_width = layer->kernel_width,
        .stride_vertical = layer->stride_vertical,
        .stride_horizontal = layer->stride_horizontal,
        .block = kernels->block,
        .activation = layer->activation,
    };
}

static void plan_convolution(const planner *p, const mbn_layer *layer, operand input,
                             operand output, const mbn_layer_weights *weights, mbn_step *step) {
    step->run.convolution = p->kernels->convolution;
    step->args.convolution = (mbn_convolution_args){
        .input = input.data,
        .input_row_stride = input.row_stride,
        .input_block_stride = input.block_stride,
        .input_block = p->kernels->block,
        .weights = weights->weights,
        .bias = weights->bias,
        .output = output.data,
        .output_row_stride = output.row_stride,
        .output_block_stride = output.block_stride,
        .input_height = layer->input_height,
        .input_width = layer->input_width,
        .output_height = layer->output_height,
        .output_width = layer->output_width,
        .input_channels = layer->input_channels,
        .output_channels = layer->output_channels,
        .kernel_height = layer->kernel_height,
        .kernel_width = layer->kernel_width,
        .stride_vertical = layer->stride_vertical,
        .stride_horizontal = layer->stride_horizontal,
        .pad_top = layer->pad_top,
        .pad_left = layer->pad_left,
        .block = p->kernels->block,
        .panel = p->kernels->panel,
        .activation = layer->activation,
    };
}

static void plan_pool(const planner *p, const mbn_layer *layer, operand input, operand output,
                      mbn_step *step) {
    step->run.pool =
        layer->kind == MBN_LAYER_MAX_POOL ? p->kernels->max_pool : p->kernels->global_average_pool;
    step->args.pool = (mbn_pool_args){
        .input = input.data,
        .input_row_stride = input.row_stride,
        .input_block_stride = input.block_stride,
        .output = output.data,
        .output_row_stride = output.row_stride,
        .output_block_stride = output.block_stride,
        .input_height = layer->input_height,
        .input_width = layer->input_width,
        .output_height = layer->output_height,
        .output_width = layer->output_width,
        .channels = layer->output_channels,
        .window_height = layer->kernel_height,
        .window_width = layer->kernel_width,
        .stride_vertical = layer->stride_vertical,
        .stride_horizontal = layer->stride_horizontal,
        .pad_top = layer->pad_top,
        .pad_left = layer->pad_left,
        .block = p->kernels->block,
    };
}

static void plan_fully_connected(const planner *p, const mbn_layer *layer, operand input,
                                 operand output, const mbn_layer_weights *weights, mbn_step *step) {
    step->run.fully_connected = p->kernels->fully_connected;
    step->args.fully_connected = (mbn_fully_connected_args){
        .input = input.data,
        .weights = weights->weights,
        .bias = weights->bias,
        .output = output.data,
        .input_channels = layer->input_channels,
        .output_channels = layer->output_channels,
        .block = p->kernels->block,
        .panel = p->kernels->panel,
        .activation = layer->activation,
    };
}

static void plan_channel_scale(const planner *p, const mbn_layer *layer, operand input,
                               operand output, mbn_step *step) {
    step->run.elementwise = p->kernels->channel_scale;
    step->args.elementwise = (mbn_elementwise_args){
        .input = input.data,
        .input_row_stride = input.row_stride,
        .input_block_stride = input.block_stride,
        .scale = operand_of(p, layer->gate).data,
        .output = output.data,
        .output_row_stride = output.row_stride,
        .output_block_stride = output.block_stride,
        .height = layer->output_height,
        .width = layer->output_width,
        .channels = layer->output_channels,
        .block = p->kernels->block,
    };
}

/* Multiply-adds, or for layers without any the floats that they touch, from which it pays to wake
 * another thread: some ten microseconds' worth. */
enum { WORK_PER_TASK = 1 << 18 };

/* Tasks per thread: enough that a thread that falls behind can be helped out. */
enum { TASKS_PER_THREAD = 4 };

/* Bands of rows where there are rows enough for all (the bands share the weights), else groups of
 * channel blocks (they share the input). */
static void cut_step(const mbn_layer *layer, int32_t threads, int32_t panels, mbn_step *step) {
    step->row_tasks = step->block_tasks = 1;
    int64_t work = layer->multiply_adds;
    if (work == 0) work = (int64_t)layer->input_height * layer->input_width * layer->input_channels;
    const int64_t most = work / WORK_PER_TASK;
    int64_t tasks = (int64_t)threads * TASKS_PER_THREAD;
    if (tasks > most) tasks = most;
    if (threads == 1 || tasks <= 1) return;
    const int32_t pairs = step->rows / 2;
    const bool whole_plane =
        layer->kind == MBN_LAYER_GLOBAL_POOL || layer->kind == MBN_LAYER_FULLY_CONNECTED;
    const bool by_rows = !whole_plane && pairs >= panels;
    const int32_t pieces = by_rows ? pairs : panels;
    if (tasks > pieces) tasks = pieces;
    if (by_rows) {
        step->row_tasks = (int32_t)at_least((int32_t)tasks, 1);
    } else {
        step->block_tasks = (int32_t)at_least((int32_t)tasks, 1);
    }
}

static int32_t count_panels(int32_t blocks, int32_t panel) {
    int32_t count = 0;
    for (int32_t b = 0; b < blocks; b += mbn_panel_width(blocks - b, panel)) count++;
    return count;
}

void mbn_plan_steps(const mbn_network *network, const mbn_kernels *kernels,
                    const mbn_layer_weights *weights, const mbn_value *values, float *arena,
                    int32_t threads, mbn_step *steps) {
    const planner p = {network, kernels, weights, values, arena};
    for (int32_t i = 0; i < network->layer_count; i++) {
        const mbn_layer *layer = &network->layers[i];
        mbn_step *step = &steps[i];
        const operand input = operand_of(&p, layer->input), output = operand_of(&p, i);
        *step = (mbn_step){
            .layer = i,
            .kind = layer->kind,
            .rows = layer->output_height,
            .blocks = mbn_block_count(layer->output_channels, kernels->block),
            .panel = 1,
            .output = &values[i],
            .output_base = arena + values[i].offset,
        };
        switch (layer->kind) {
        case MBN_LAYER_POINTWISE:
            plan_pointwise(&p, layer, input, output, &weights[i], step);
            step->panel = kernels->panel;
            break;
        case MBN_LAYER_DEPTHWISE:
            plan_depthwise(&p, layer, input, output, &weights[i], step);
            break;
        case MBN_LAYER_CONVOLUTION:
            plan_convolution(&p, layer, input, output, &weights[i], step);
            step->panel = kernels->panel;
            break;
        case MBN_LAYER_FULLY_CONNECTED:
            plan_fully_connected(&p, layer, input, output, &weights[i], step);
            step->panel = kernels->panel;
            break;
        case MBN_LAYER_GLOBAL_POOL:
        case MBN_LAYER_MAX_POOL: plan_pool(&p, layer, input, output, step); break;
        case MBN_LAYER_CHANNEL_SCALE: plan_channel_scale(&p, layer, input, output, step); break;
        }
        cut_step(layer, threads, count_panels(step->blocks, step->panel), step);
    }
}

/* Where piece `index` of `pieces` begins among `count`. */
static int32_t cut(int32_t count, int32_t index, int32_t pieces) {
    return (int32_t)((int64_t)count * index / pieces);
}

/* Rows are cut at even numbers, since kernels compute them in pairs. */
static int32_t cut_rows(const mbn_step *step, int32_t index) {
    return index == step->row_tasks ? step->rows : 2 * cut(step->rows / 2, index, step->row_tasks);
}

static int32_t cut_blocks(const mbn_step *step, int32_t index) {
    const int32_t panels = count_panels(step->blocks, step->panel);
    int32_t block = 0;
    for (int32_t i = cut(panels, index, step->block_tasks); i > 0; i--) {
        block += mbn_panel_width(step->blocks - block, step->panel);
    }
    return block;
}

mbn_range mbn_step_range(const mbn_step *step, size_t task) {
    const int32_t row_task = (int32_t)task % step->row_tasks;
    const int32_t block_task = (int32_t)task / step->row_tasks;
    return (mbn_range){
        cut_rows(step, row_task),
        cut_rows(step, row_task + 1),
        cut_blocks(step, block_task),
        cut_blocks(step, block_task + 1),
    };
}
