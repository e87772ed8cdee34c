/* The kernel of every layer, with its arguments. */
#include "plan.h"

typedef struct planner {
    const mbn_network *network;
    const mbn_kernels *kernels;
    const mbn_layer_weights *weights;
    const mbn_value *values;
    float *arena;
} planner;

/* A plane in the arena as a kernel's arguments name it; all zero for "none" and for the image. */
typedef struct operand {
    float *data; /* element (0, 0) of channel block 0 */
    ptrdiff_t row_stride, block_stride;
} operand;

static operand operand_of(const planner *p, int32_t layer) {
    if (layer < 0) return (operand){NULL, 0, 0};
    const mbn_value *value = &p->values[layer];
    return (operand){
        p->arena + (ptrdiff_t)value->offset + value->halo_top * value->row_stride +
            (ptrdiff_t)value->halo_left * p->kernels->block,
        value->row_stride,
        value->block_stride,
    };
}

static void plan_pointwise(const planner *p, const mbn_layer *layer, operand input, operand output,
                           const mbn_layer_weights *weights, mbn_call *call) {
    const operand residual = operand_of(p, layer->residual);
    call->run.pointwise = p->kernels->pointwise;
    call->args.pointwise = (mbn_pointwise_args){
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
                           const mbn_layer_weights *weights, mbn_call *call) {
    const mbn_kernels *kernels = p->kernels;
    call->run.depthwise = kernels->depthwise[layer->kernel_height == 5][layer->stride_vertical - 1]
                                            [layer->stride_horizontal - 1];
    call->args.depthwise = (mbn_depthwise_args){
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
                             operand output, const mbn_layer_weights *weights, mbn_call *call) {
    call->run.convolution = p->kernels->convolution;
    call->args.convolution = (mbn_convolution_args){
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
                      mbn_call *call) {
    call->run.pool =
        layer->kind == MBN_LAYER_MAX_POOL ? p->kernels->max_pool : p->kernels->global_average_pool;
    call->args.pool = (mbn_pool_args){
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
                                 operand output, const mbn_layer_weights *weights, mbn_call *call) {
    call->run.fully_connected = p->kernels->fully_connected;
    call->args.fully_connected = (mbn_fully_connected_args){
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
                               operand output, mbn_call *call) {
    call->run.elementwise = p->kernels->channel_scale;
    call->args.elementwise = (mbn_elementwise_args){
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

static mbn_call plan_call(const planner *p, int32_t i) {
    const mbn_layer *layer = &p->network->layers[i];
    const mbn_layer_weights *weights = &p->weights[i];
    const operand input = operand_of(p, layer->input), output = operand_of(p, i);
    mbn_call call = {
        .kind = layer->kind,
        .output = &p->values[i],
        .memory = p->arena + p->values[i].offset,
    };
    switch (layer->kind) {
    case MBN_LAYER_POINTWISE: plan_pointwise(p, layer, input, output, weights, &call); break;
    case MBN_LAYER_DEPTHWISE: plan_depthwise(p, layer, input, output, weights, &call); break;
    case MBN_LAYER_CONVOLUTION: plan_convolution(p, layer, input, output, weights, &call); break;
    case MBN_LAYER_FULLY_CONNECTED:
        plan_fully_connected(p, layer, input, output, weights, &call);
        break;
    case MBN_LAYER_GLOBAL_POOL:
    case MBN_LAYER_MAX_POOL: plan_pool(p, layer, input, output, &call); break;
    case MBN_LAYER_CHANNEL_SCALE: plan_channel_scale(p, layer, input, output, &call); break;
    }
    return call;
}

void mbn_plan_steps(const mbn_network *network, const mbn_kernels *kernels,
                    const mbn_layer_weights *weights, const mbn_group *groups, int32_t group_count,
                    const mbn_value *values, float *arena, mbn_step *steps) {
    const planner p = {network, kernels, weights, values, arena};
    for (int32_t g = 0; g < group_count; g++) {
        const mbn_group *group = &groups[g];
        steps[g] = (mbn_step){.group = *group};
        if (group->expand >= 0) steps[g].expand = plan_call(&p, group->expand);
        steps[g].filter =
            plan_call(&p, group->depthwise >= 0 ? group->depthwise : group->first_layer);
        if (group->pool >= 0) steps[g].pool = plan_call(&p, group->pool);
        if (group->project >= 0) steps[g].project = plan_call(&p, group->project);
    }
    mbn_plan_fetches(steps, group_count);
}
