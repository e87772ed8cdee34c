/* Where every layer's output lives: one arena, in which values that are never alive together share
 * memory. */
#include "plan.h"

static void note_use(mbn_value *values, int32_t value, int32_t step) {
    if (value >= 0) values[values[value].owner].last_use = step;
}

bool mbn_reads_halo(const mbn_plan *plan, int32_t layer) {
    const int32_t input = mbn_read_value(plan, layer, MBN_READS_INPUT);
    switch (plan->network->layers[layer].kind) {
    case MBN_LAYER_DEPTHWISE: return input >= 0;
    case MBN_LAYER_CONVOLUTION:
        return input >= plan->network->layer_count &&
               plan->values[input].form->element == MBN_ELEMENT_Q8;
    default: return false;
    }
}

/* What a layer reads around its input. */
static void want_halo(const mbn_layer *layer, mbn_value *input) {
    const int32_t rows =
        (layer->output_height - 1) * layer->stride_vertical + layer->kernel_height - layer->pad_top;
    const int32_t columns = (layer->output_width - 1) * layer->stride_horizontal +
                            layer->kernel_width - layer->pad_left;
    input->halo_top = mbn_larger(input->halo_top, layer->pad_top);
    input->halo_left = mbn_larger(input->halo_left, layer->pad_left);
    input->halo_bottom = mbn_larger(input->halo_bottom, rows - layer->input_height);
    input->halo_right = mbn_larger(input->halo_right, columns - layer->input_width);
}

static mbn_value value_of(const mbn_kernels *form, int32_t index, int32_t step, int32_t height,
                          int32_t width, int32_t channels) {
    return (mbn_value){
        .form = form,
        .block = form->blocking.block,
        .owner = index,
        .born = step,
        .last_use = step,
        .height = height,
        .width = width,
        .channels = channels,
    };
}

static void set_quantization(const mbn_quantization *quantization, mbn_value *value) {
    value->quantization = *quantization;
    value->halo = mbn_halo_byte(value->form, quantization);
}

/* What a conversion writes: a plane like its source's, but of an image all channels side by
 * side, in whole steps of the table that reads it. */
static void begin_conversion(const mbn_plan *plan, int32_t step, int32_t index) {
    const mbn_network *network = plan->network;
    const mbn_conversion *conversion = &plan->conversions[index];
    const int32_t at = network->layer_count + index, source = conversion->source;
    mbn_value *values = plan->values;
    if (source < 0) {
        const mbn_layer *reader = &network->layers[conversion->reader];
        const int32_t channels = reader->input_channels;
        values[at] = value_of(conversion->form, at, step, network->input_height,
                              network->input_width, channels);
        values[at].block = mbn_image_block(conversion->form, channels, reader->kernel_height,
                                           reader->kernel_width, reader->stride_horizontal);
        set_quantization(&plan->image, &values[at]);
    } else {
        const mbn_layer *layer = &network->layers[source];
        values[at] = value_of(conversion->form, at, step, layer->output_height, layer->output_width,
                              layer->output_channels);
        set_quantization(&plan->packed[source].quantization, &values[at]);
        note_use(values, source, step);
    }
}

static void begin_layer(const mbn_plan *plan, const mbn_group *group, int32_t step, int32_t i) {
    const mbn_layer *layer = &plan->network->layers[i];
    mbn_value *values = plan->values;
    values[i] = value_of(mbn_written_form(plan, i), i, step, layer->output_height,
                         layer->output_width, layer->output_channels);
    set_quantization(&plan->packed[i].quantization, &values[i]);
    for (unsigned which = 0; which < MBN_READINGS; which++) {
        note_use(values, mbn_read_value(plan, i, (mbn_reading)which), step);
    }
    const int32_t input = mbn_read_value(plan, i, MBN_READS_INPUT);
    if (mbn_reads_halo(plan, i)) want_halo(layer, &values[input]);
    /* What squeeze-excite scales is read by nothing else afterwards. */
    if (layer->kind == MBN_LAYER_CHANNEL_SCALE && group->scale < 0) {
        values[i].owner = values[input].owner;
    }
}

static void find_uses(const mbn_plan *plan) {
    for (int32_t g = 0; g < plan->group_count; g++) {
        const mbn_group *group = &plan->groups[g];
        if (group->conversion >= 0) begin_conversion(plan, g, group->conversion);
        for (int32_t i = group->first_layer; i <= group->last_layer; i++) {
            begin_layer(plan, group, g, i);
        }
    }
    plan->values[plan->network->layer_count - 1].last_use = plan->group_count;
}

/* Bytes between channel blocks that are a multiple of this map one pixel's blocks to the same few
 * sets of L1. */
enum { SET_CONFLICT_BYTES = 2048 };

/* Sets strides for `rows` rows with the value's halo on both sides, and returns the bytes of
 * `blocks` blocks. */
static size_t set_strides(int32_t rows, int32_t blocks, mbn_value *value) {
    value->pixel_bytes = (ptrdiff_t)value->block * value->form->element_bytes;
    value->row_stride = (value->width + value->halo_left + value->halo_right) * value->pixel_bytes;
    value->block_stride = rows * value->row_stride;
    if (value->height * value->width > 1) {
        value->block_stride = (ptrdiff_t)mbn_align((size_t)value->block_stride);
        if (value->block_stride % SET_CONFLICT_BYTES == 0) value->block_stride += MBN_ALIGNMENT;
    }
    return mbn_align((size_t)value->block_stride * (size_t)blocks);
}

static int32_t count_blocks(const mbn_value *value) {
    return mbn_block_count(value->channels, value->block);
}

static void size_plane(mbn_value *value) {
    const int32_t rows = value->height + value->halo_top + value->halo_bottom;
    value->bytes = set_strides(rows, count_blocks(value), value);
}

/* What a group hands from the depthwise or the scale to the projection, or NULL. */
static mbn_value *filtered_of(const mbn_group *group, mbn_value *values) {
    if (group->project < 0) return NULL;
    if (group->scale >= 0) return &values[group->scale];
    return group->depthwise >= 0 ? &values[group->depthwise] : NULL;
}

/* Scratch of one thread for what stays inside a group. */
static void size_scratch(const mbn_plan *plan, const mbn_group *group) {
    if (group->expand >= 0) {
        const mbn_layer *depthwise = &plan->network->layers[group->depthwise];
        mbn_value *expanded = &plan->values[group->expand];
        expanded->carried = (ptrdiff_t)set_strides(mbn_band_inputs(depthwise, group->band),
                                                   mbn_chunk_most(group), expanded);
        expanded->carried_stride = mbn_band_overlap(depthwise) * expanded->row_stride;
        expanded->bytes = (size_t)expanded->carried + mbn_align((size_t)expanded->carried_stride *
                                                                (size_t)count_blocks(expanded));
    }
    mbn_value *filtered = filtered_of(group, plan->values);
    if (filtered != NULL) {
        filtered->bytes = set_strides(group->band, count_blocks(filtered), filtered);
    }
}

/* Gives a scratch its place in every thread's part; returns the bytes up to its end. */
static size_t place_in_part(mbn_value *value, size_t offset, size_t part) {
    if (value == NULL) return offset;
    value->placed = true;
    value->offset = offset;
    value->thread_stride = (ptrdiff_t)part;
    return offset + value->bytes;
}

/* Where steps have several tasks, each thread has a part of the arena's start for its scratch, the
 * same one in all steps: memory that one core has written and another writes next has to move
 * between them, line by line.  (Two threads on cores where that takes 300 ns: v2 and v3-small 9 %
 * faster.)  Returns the bytes of all parts. */
static size_t place_scratch(const mbn_group *groups, int32_t group_count, int32_t threads,
                            mbn_value *values) {
    size_t part = 0;
    int32_t tasks = 1;
    for (int32_t g = 0; g < group_count; g++) {
        const mbn_value *expanded = groups[g].expand >= 0 ? &values[groups[g].expand] : NULL;
        const mbn_value *filtered = filtered_of(&groups[g], values);
        if (expanded == NULL && filtered == NULL) continue;
        const size_t bytes =
            (expanded != NULL ? expanded->bytes : 0) + (filtered != NULL ? filtered->bytes : 0);
        if (bytes > part) part = bytes;
        tasks = mbn_larger(tasks, groups[g].row_tasks * groups[g].block_tasks);
    }
    if (tasks == 1) return 0; /* then it shares memory as all values do */
    for (int32_t g = 0; g < group_count; g++) {
        const size_t end =
            groups[g].expand < 0 ? 0 : place_in_part(&values[groups[g].expand], 0, part);
        place_in_part(filtered_of(&groups[g], values), end, part);
    }
    return part * (size_t)threads;
}

static bool live_together(const mbn_value *a, const mbn_value *b) {
    return a->born <= b->last_use && b->born <= a->last_use;
}

/* The lowest place for a value that no placed value alive at the same time overlaps. */
static size_t find_place(const mbn_value *values, int32_t count, size_t reserved,
                         const mbn_value *value) {
    size_t offset = reserved;
    for (bool moved = true; moved;) {
        moved = false;
        for (const mbn_value *other = values; other < values + count; other++) {
            if (!other->placed || !live_together(value, other)) continue;
            if (offset < other->offset + other->bytes && other->offset < offset + value->bytes) {
                offset = other->offset + other->bytes;
                moved = true;
            }
        }
    }
    return offset;
}

/* Largest first: what is small fits into the gaps. */
static mbn_value *largest_unplaced(mbn_value *values, int32_t count) {
    mbn_value *largest = NULL;
    for (int32_t i = 0; i < count; i++) {
        if (values[i].owner != i || values[i].placed) continue;
        if (largest == NULL || values[i].bytes > largest->bytes) largest = &values[i];
    }
    return largest;
}

size_t mbn_plan_values(mbn_plan *plan, int32_t threads) {
    const int32_t count = plan->network->layer_count + plan->conversion_count;
    mbn_value *values = plan->values;
    find_uses(plan);
    for (int32_t i = 0; i < count; i++) size_plane(&values[i]);
    for (int32_t g = 0; g < plan->group_count; g++) size_scratch(plan, &plan->groups[g]);
    const size_t reserved = place_scratch(plan->groups, plan->group_count, threads, values);
    size_t total = reserved;
    for (mbn_value *value; (value = largest_unplaced(values, count)) != NULL;) {
        value->offset = find_place(values, count, reserved, value);
        value->placed = true;
        if (value->offset + value->bytes > total) total = value->offset + value->bytes;
    }
    for (int32_t i = 0; i < count; i++) {
        const mbn_quantization quantization = values[i].quantization; /* not its owner's */
        values[i] = values[values[i].owner];
        values[i].quantization = quantization;
    }
    return total;
}
