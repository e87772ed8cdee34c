/* The kernel of every layer, with its arguments; and conversions. */
#include "plan.h"

typedef struct planner {
    const mbn_plan *plan;
    char *arena;
} planner;

/* A value's plane, inside its halo; none for -1, nothing or the image. */
static mbn_plane plane_of(const planner *p, int32_t index) {
    if (index < 0) return (mbn_plane){NULL, 0, 0};
    const mbn_value *value = &p->plan->values[index];
    return (mbn_plane){
        p->arena + value->offset + mbn_inside_halo(value),
        value->row_stride,
        value->block_stride,
    };
}

/* A layer with what all kinds of calls take from it. */
typedef struct operands {
    const mbn_layer *layer;
    const mbn_packed_layer *packed;
    mbn_plane input, gate, residual, output;
    int32_t input_block; /* channels side by side in the input */
    /* Of the plane that the kernel sees; where that includes the halo that the layer needs, so that
     * none of its outputs is a border case, without pads. */
    int32_t input_height, input_width, pad_top, pad_left;
} operands;

static void include_halo(const mbn_value *value, operands *o) {
    const mbn_layer *layer = o->layer;
    o->input.data = (char *)o->input.data - layer->pad_top * value->row_stride -
                    layer->pad_left * value->pixel_bytes;
    o->input_height = (layer->output_height - 1) * layer->stride_vertical + layer->kernel_height;
    o->input_width = (layer->output_width - 1) * layer->stride_horizontal + layer->kernel_width;
    o->pad_top = o->pad_left = 0;
}

static operands operands_of(const planner *p, int32_t i) {
    const mbn_plan *plan = p->plan;
    const mbn_layer *layer = &plan->network->layers[i];
    const int32_t input = mbn_read_value(plan, i, MBN_READS_INPUT);
    operands o = {
        .layer = layer,
        .packed = &plan->packed[i],
        .input = plane_of(p, input),
        .gate = plane_of(p, mbn_read_value(plan, i, MBN_READS_GATE)),
        .residual = plane_of(p, mbn_read_value(plan, i, MBN_READS_RESIDUAL)),
        .output = plane_of(p, i),
        .input_block = input < 0 ? 0 : plan->values[input].block,
        .input_height = layer->input_height,
        .input_width = layer->input_width,
        .pad_top = layer->pad_top,
        .pad_left = layer->pad_left,
    };
    if (mbn_reads_halo(plan, i)) include_halo(&plan->values[input], &o);
    return o;
}

static void plan_pointwise(const operands *o, mbn_call *call) {
    call->run.pointwise = o->packed->kernels->pointwise;
    call->args.pointwise = (mbn_pointwise_args){
        .input = o->input,
        .residual = o->residual,
        .output = o->output,
        .operands = o->packed->operands,
        .finish = o->packed->finish,
        .height = o->layer->output_height,
        .width = o->layer->output_width,
        .input_channels = o->layer->input_channels,
        .output_channels = o->layer->output_channels,
        .blocking = o->packed->kernels->blocking,
    };
}

static void plan_depthwise(const operands *o, mbn_call *call) {
    const mbn_kernels *kernels = o->packed->kernels;
    const mbn_layer *layer = o->layer;
    call->run.depthwise = kernels->depthwise[layer->kernel_height == 5][layer->stride_vertical - 1]
                                            [layer->stride_horizontal - 1];
    call->args.depthwise = (mbn_depthwise_args){
        .input = o->input,
        .output = o->output,
        .operands = o->packed->operands,
        .finish = o->packed->finish,
        .input_height = o->input_height,
        .input_width = o->input_width,
        .output_height = layer->output_height,
        .output_width = layer->output_width,
        .channels = layer->output_channels,
        .kernel_height = layer->kernel_height,
        .kernel_width = layer->kernel_width,
        .stride_vertical = layer->stride_vertical,
        .stride_horizontal = layer->stride_horizontal,
        .blocking = kernels->blocking,
    };
}

static void plan_convolution(const operands *o, mbn_call *call) {
    const mbn_layer *layer = o->layer;
    call->run.convolution = o->packed->kernels->convolution;
    call->args.convolution = (mbn_convolution_args){
        .input = o->input,
        .residual = o->residual,
        .output = o->output,
        .operands = o->packed->operands,
        .finish = o->packed->finish,
        .input_block = o->input_block,
        .input_height = o->input_height,
        .input_width = o->input_width,
        .output_height = layer->output_height,
        .output_width = layer->output_width,
        .input_channels = layer->input_channels,
        .output_channels = layer->output_channels,
        .kernel_height = layer->kernel_height,
        .kernel_width = layer->kernel_width,
        .stride_vertical = layer->stride_vertical,
        .stride_horizontal = layer->stride_horizontal,
        .pad_top = o->pad_top,
        .pad_left = o->pad_left,
        .blocking = o->packed->kernels->blocking,
    };
}

static void plan_pool(const operands *o, mbn_call *call) {
    const mbn_kernels *kernels = o->packed->kernels;
    const mbn_layer *layer = o->layer;
    call->run.pool =
        layer->kind == MBN_LAYER_MAX_POOL ? kernels->max_pool : kernels->global_average_pool;
    call->args.pool = (mbn_pool_args){
        .input = o->input,
        .output = o->output,
        .finish = o->packed->finish,
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
        .blocking = kernels->blocking,
    };
}

static void plan_fully_connected(const operands *o, mbn_call *call) {
    call->run.fully_connected = o->packed->kernels->fully_connected;
    call->args.fully_connected = (mbn_fully_connected_args){
        .input = o->input.data,
        .output = o->output.data,
        .operands = o->packed->operands,
        .finish = o->packed->finish,
        .input_channels = o->layer->input_channels,
        .output_channels = o->layer->output_channels,
        .blocking = o->packed->kernels->blocking,
    };
}

static void plan_channel_scale(const operands *o, mbn_call *call) {
    call->run.elementwise = o->packed->kernels->channel_scale;
    call->args.elementwise = (mbn_elementwise_args){
        .input = o->input,
        .output = o->output,
        .scale = o->gate.data,
        .finish = o->packed->finish,
        .height = o->layer->output_height,
        .width = o->layer->output_width,
        .channels = o->layer->output_channels,
        .blocking = o->packed->kernels->blocking,
    };
}

static mbn_call plan_call(const planner *p, int32_t i) {
    const operands o = operands_of(p, i);
    mbn_call call = {
        .kind = o.layer->kind,
        .output = &p->plan->values[i],
        .memory = p->arena + p->plan->values[i].offset,
    };
    switch (o.layer->kind) {
    case MBN_LAYER_POINTWISE: plan_pointwise(&o, &call); break;
    case MBN_LAYER_DEPTHWISE: plan_depthwise(&o, &call); break;
    case MBN_LAYER_CONVOLUTION: plan_convolution(&o, &call); break;
    case MBN_LAYER_FULLY_CONNECTED: plan_fully_connected(&o, &call); break;
    case MBN_LAYER_GLOBAL_POOL:
    case MBN_LAYER_MAX_POOL: plan_pool(&o, &call); break;
    case MBN_LAYER_CHANNEL_SCALE: plan_channel_scale(&o, &call); break;
    }
    return call;
}

/* One end of a conversion, but for `strided`. */
static mbn_layout_args layout_of(const planner *p, int32_t index) {
    const mbn_value *value = &p->plan->values[index];
    return (mbn_layout_args){
        .blocked = plane_of(p, index),
        .height = value->height,
        .width = value->width,
        .channels = value->channels,
        .blocking = {value->block, value->form->blocking.panel, value->form->blocking.depth},
        .quantization = value->quantization,
    };
}

static mbn_convert_call plan_conversion(const planner *p, int32_t index) {
    const int32_t target = p->plan->network->layer_count + index;
    const int32_t source = p->plan->conversions[index].source;
    const mbn_value *values = p->plan->values;
    mbn_convert_call call = {
        .to = layout_of(p, target),
        .write = values[target].form->to_blocked,
        .output = &values[target],
        .memory = p->arena + values[target].offset,
    };
    if (source >= 0) {
        call.from = layout_of(p, source);
        call.from_pixel_bytes = values[source].pixel_bytes;
        call.read = values[source].form->from_blocked;
    } else {
        call.lookup = p->plan->image_lookup;
    }
    return call;
}

void mbn_plan_steps(const mbn_plan *plan, char *arena, mbn_step *steps) {
    const planner p = {plan, arena};
    for (int32_t g = 0; g < plan->group_count; g++) {
        const mbn_group *group = &plan->groups[g];
        steps[g] = (mbn_step){.group = *group};
        if (group->conversion >= 0) {
            steps[g].convert = plan_conversion(&p, group->conversion);
            continue;
        }
        if (group->expand >= 0) steps[g].expand = plan_call(&p, group->expand);
        steps[g].filter =
            plan_call(&p, group->depthwise >= 0 ? group->depthwise : group->first_layer);
        if (group->pool >= 0) steps[g].pool = plan_call(&p, group->pool);
        if (group->project >= 0) steps[g].project = plan_call(&p, group->project);
    }
    mbn_plan_fetches(steps, plan->group_count);
}
