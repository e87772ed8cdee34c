/* Where every layer's output lives: one arena, in which values that are never alive together share
 * memory. */
#include "plan.h"

static void note_use(mbn_value *values, int32_t layer, int32_t step) {
    if (layer >= 0) values[values[layer].owner].last_use = step;
}

/* Zeros that a depthwise layer reads around its input. */
static void want_halo(const mbn_layer *depthwise, mbn_value *input) {
    const int32_t rows = (depthwise->output_height - 1) * depthwise->stride_vertical +
                         depthwise->kernel_height - depthwise->pad_top;
    const int32_t columns = (depthwise->output_width - 1) * depthwise->stride_horizontal +
                            depthwise->kernel_width - depthwise->pad_left;
    input->halo_top = mbn_larger(input->halo_top, depthwise->pad_top);
    input->halo_left = mbn_larger(input->halo_left, depthwise->pad_left);
    input->halo_bottom = mbn_larger(input->halo_bottom, rows - depthwise->input_height);
    input->halo_right = mbn_larger(input->halo_right, columns - depthwise->input_width);
}

static void find_uses(const mbn_network *network, const mbn_group *groups, int32_t group_count,
                      mbn_value *values) {
    for (int32_t g = 0; g < group_count; g++) {
        for (int32_t i = groups[g].first_layer; i <= groups[g].last_layer; i++) {
            const mbn_layer *layer = &network->layers[i];
            values[i] = (mbn_value){
                .owner = i,
                .born = g,
                .last_use = g,
                .height = layer->output_height,
                .width = layer->output_width,
                .channels = layer->output_channels,
            };
            note_use(values, layer->input, g);
            note_use(values, layer->gate, g);
            note_use(values, layer->residual, g);
            if (layer->kind == MBN_LAYER_DEPTHWISE && layer->input >= 0) {
                want_halo(layer, &values[layer->input]);
            }
            /* What squeeze-excite scales is read by nothing else afterwards. */
            if (layer->kind == MBN_LAYER_CHANNEL_SCALE && groups[g].scale < 0) {
                values[i].owner = values[layer->input].owner;
            }
        }
    }
    values[network->layer_count - 1].last_use = group_count;
}

/* Bytes between channel blocks that are a multiple of this map one pixel's blocks to the same few
 * sets of L1. */
enum { SET_CONFLICT_BYTES = 2048 };

enum { LINE_FLOATS = MBN_ALIGNMENT / sizeof(float) };

static size_t whole_lines(size_t floats) {
    return mbn_align(floats * sizeof(float)) / sizeof(float);
}

/* Sets strides for `rows` rows with the value's halo on both sides, and returns the floats of
 * `blocks` blocks. */
static size_t set_strides(const mbn_kernels *kernels, int32_t rows, int32_t blocks,
                          mbn_value *value) {
    value->row_stride =
        (ptrdiff_t)(value->width + value->halo_left + value->halo_right) * kernels->block;
    value->block_stride = rows * value->row_stride;
    if (value->height * value->width > 1) {
        value->block_stride = (ptrdiff_t)whole_lines((size_t)value->block_stride);
        if (value->block_stride * (ptrdiff_t)sizeof(float) % SET_CONFLICT_BYTES == 0) {
            value->block_stride += LINE_FLOATS;
        }
    }
    return whole_lines((size_t)value->block_stride * (size_t)blocks);
}

static void size_plane(const mbn_kernels *kernels, mbn_value *value) {
    const int32_t rows = value->height + value->halo_top + value->halo_bottom;
    value->floats =
        set_strides(kernels, rows, mbn_block_count(value->channels, kernels->block), value);
}

/* What a group hands from the depthwise or the scale to the projection, or NULL. */
static mbn_value *filtered_of(const mbn_group *group, mbn_value *values) {
    if (group->project < 0) return NULL;
    if (group->scale >= 0) return &values[group->scale];
    return group->depthwise >= 0 ? &values[group->depthwise] : NULL;
}

/* Scratch of one task for what stays inside a group. */
static void size_scratch(const mbn_network *network, const mbn_kernels *kernels,
                         const mbn_group *group, mbn_value *values) {
    if (group->expand >= 0) {
        const mbn_layer *depthwise = &network->layers[group->depthwise];
        mbn_value *expanded = &values[group->expand];
        const int32_t blocks = mbn_block_count(expanded->channels, kernels->block);
        expanded->floats = set_strides(kernels, mbn_band_inputs(depthwise, group->band),
                                       mbn_chunk_most(group), expanded) +
                           whole_lines((size_t)mbn_band_overlap(depthwise) *
                                       (size_t)expanded->row_stride * (size_t)blocks);
    }
    mbn_value *filtered = filtered_of(group, values);
    if (filtered != NULL) {
        filtered->floats = set_strides(
            kernels, group->band, mbn_block_count(filtered->channels, kernels->block), filtered);
    }
}

/* Gives a scratch its place in every task's part; returns the floats up to its end. */
static size_t place_in_part(mbn_value *value, size_t offset, size_t part) {
    if (value == NULL) return offset;
    value->placed = true;
    value->offset = offset;
    value->task_stride = part;
    return offset + value->floats;
}

/* Where steps have several tasks, each task has a part of the arena's start for its scratch, the same
 * one in all steps: memory that one core has written and another writes next has to move between
 * them, line by line.  (Two threads on cores where that takes 300 ns: v2 and v3-small 9 % faster.)
 * Returns the floats of all parts. */
static size_t place_scratch(const mbn_group *groups, int32_t group_count, mbn_value *values) {
    size_t part = 0;
    int32_t tasks = 1;
    for (int32_t g = 0; g < group_count; g++) {
        const mbn_value *expanded = groups[g].expand >= 0 ? &values[groups[g].expand] : NULL;
        const mbn_value *filtered = filtered_of(&groups[g], values);
        if (expanded == NULL && filtered == NULL) continue;
        const size_t floats =
            (expanded != NULL ? expanded->floats : 0) + (filtered != NULL ? filtered->floats : 0);
        if (floats > part) part = floats;
        tasks = mbn_larger(tasks, groups[g].row_tasks * groups[g].block_tasks);
    }
    if (tasks == 1) return 0; /* then it shares memory as all values do */
    for (int32_t g = 0; g < group_count; g++) {
        const size_t end =
            groups[g].expand < 0 ? 0 : place_in_part(&values[groups[g].expand], 0, part);
        place_in_part(filtered_of(&groups[g], values), end, part);
    }
    return part * (size_t)tasks;
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
            if (offset < other->offset + other->floats && other->offset < offset + value->floats) {
                offset = other->offset + other->floats;
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
        if (largest == NULL || values[i].floats > largest->floats) largest = &values[i];
    }
    return largest;
}

size_t mbn_plan_values(const mbn_network *network, const mbn_kernels *kernels,
                       const mbn_group *groups, int32_t group_count, mbn_value *values) {
    const int32_t count = network->layer_count;
    find_uses(network, groups, group_count, values);
    for (int32_t i = 0; i < count; i++) size_plane(kernels, &values[i]);
    for (int32_t g = 0; g < group_count; g++) {
        size_scratch(network, kernels, &groups[g], values);
    }
    const size_t reserved = place_scratch(groups, group_count, values);
    size_t total = reserved;
    for (mbn_value *value; (value = largest_unplaced(values, count)) != NULL;) {
        value->offset = find_place(values, count, reserved, value);
        value->placed = true;
        if (value->offset + value->floats > total) total = value->offset + value->floats;
    }
    for (int32_t i = 0; i < count; i++) values[i] = values[values[i].owner];
    return total;
}
