/* Which layers run together, and in what pieces. */
#include "plan.h"

static bool is_kind(const mbn_network *network, int32_t i, mbn_layer_kind kind) {
    return i < network->layer_count && network->layers[i].kind == kind;
}

/* Whether layer `reader` is of that kind and reads layer i as its input, and nothing else reads i:
 * no other layer, but for `adder` as its residual (-1: none may), nor the caller.  Both run with
 * the same table. */
static bool reads(const mbn_plan *plan, const mbn_plan_options *options, int32_t reader,
                  mbn_layer_kind kind, int32_t i, int32_t adder) {
    const mbn_network *network = plan->network;
    if (!is_kind(network, reader, kind) || options->wanted[i]) return false;
    if (plan->packed[reader].kernels != plan->packed[i].kernels) return false;
    for (int32_t j = i + 1; j < network->layer_count; j++) {
        const mbn_layer *layer = &network->layers[j];
        if (layer->gate == i || (layer->residual == i && j != adder)) return false;
        if ((layer->input == i) != (j == reader)) return false;
    }
    return true;
}

static int32_t count_panels(int32_t blocks, int32_t panel) {
    int32_t count = 0;
    for (int32_t b = 0; b < blocks; b = mbn_chunk_end(blocks, b, 1, panel)) count++;
    return count;
}

/* Multiply-adds, or for layers without any the floats that they read, from which it pays to wake
 * another thread: some microseconds' worth.  Fully connected and depthwise layers wait for what
 * they read. */
enum { WORK_PER_TASK = 1 << 18, WAITING_WORK = 4 };

static int32_t tasks_for(int64_t work, int32_t threads, int32_t tasks) {
    const int64_t most = work / WORK_PER_TASK;
    return threads == 1 || most < 2 ? 1 : most < tasks ? (int32_t)most : tasks;
}

static int32_t worthwhile_tasks(const mbn_layer *layer, int32_t threads, int32_t tasks) {
    int64_t work = layer->multiply_adds;
    if (work == 0) work = (int64_t)layer->input_height * layer->input_width * layer->input_channels;
    if (layer->kind == MBN_LAYER_FULLY_CONNECTED || layer->kind == MBN_LAYER_DEPTHWISE) {
        work *= WAITING_WORK;
    }
    return tasks_for(work, threads, tasks);
}

/* Tasks per thread: enough that a thread that falls behind is helped out. */
enum { TASKS_PER_THREAD = 4 };

/* Rows that a thread must have of a layer for it to be cut into as many bands as there are threads,
 * and of a bottleneck, of which every task computes the kernel - stride rows of the expansion anew
 * that its neighbour computes too.  On the other hand rows stay with their thread, where channels
 * travel: to the projection, and from it to the next one.  With two threads v2 is 9 % faster with 7
 * than with 14 where a line takes 300 ns from one core to the other, and 3 % slower where it takes
 * 100 (docs/performance.md). */
enum { ROWS_PER_THREAD = 7, ROWS_PER_THREAD_WITHOUT_PROJECTION = 14 };

/* Bands of rows where there are rows enough for all (the bands share the weights), else groups of
 * channel blocks (they share the input). */
static void cut_layer(const mbn_layer *layer, int32_t threads, mbn_group *group) {
    const int32_t tasks = worthwhile_tasks(layer, threads, threads * TASKS_PER_THREAD);
    const int32_t pairs = group->rows / 2; /* kernels compute rows in pairs */
    const int32_t panels = count_panels(group->blocks, group->panel);
    const bool whole_plane =
        layer->kind == MBN_LAYER_GLOBAL_POOL || layer->kind == MBN_LAYER_FULLY_CONNECTED;
    group->row_tasks = group->block_tasks = 1;
    if (!whole_plane && group->rows / threads >= ROWS_PER_THREAD) {
        group->row_tasks = mbn_smaller(tasks, threads);
    } else if (!whole_plane && pairs >= panels) {
        group->row_tasks = mbn_larger(mbn_smaller(tasks, pairs), 1);
    } else {
        group->block_tasks = mbn_smaller(tasks, panels);
    }
}

static int32_t panel_of(const mbn_layer *layer, const mbn_kernels *kernels) {
    const bool has_panels = layer->kind == MBN_LAYER_POINTWISE ||
                            layer->kind == MBN_LAYER_CONVOLUTION ||
                            layer->kind == MBN_LAYER_FULLY_CONNECTED;
    return has_panels ? kernels->blocking.panel : 1;
}

static mbn_group single_layer(const mbn_plan *plan, const mbn_plan_options *options, int32_t i) {
    const mbn_layer *layer = &plan->network->layers[i];
    const mbn_kernels *kernels = plan->packed[i].kernels;
    mbn_group group = {
        .first_layer = i,
        .last_layer = i,
        .conversion = -1,
        .expand = -1,
        .depthwise = -1,
        .pool = -1,
        .scale = -1,
        .project = -1,
        .rows = layer->output_height,
        .blocks = mbn_block_count(layer->output_channels, kernels->blocking.block),
        .panel = panel_of(layer, kernels),
    };
    cut_layer(layer, options->threads, &group);
    return group;
}

/* Bytes of one row of one panel of what the depthwise reads. */
static size_t expanded_row_bytes(const mbn_layer *depthwise, const mbn_kernels *kernels) {
    const int32_t width = depthwise->input_width + depthwise->pad_left + depthwise->pad_right;
    return (size_t)width * (size_t)kernels->blocking.panel * (size_t)kernels->blocking.block *
           (size_t)kernels->element_bytes;
}

/* Rows of a plane that a quarter of L2 holds, which leaves room for the weights and what goes in
 * and out.  Fewer rows, down to what L1 holds, cost more in calls than they save in loads: v1 takes
 * 1 % longer with 4 rows throughout, 4 % with whole planes, 7 % without any fusion
 * (docs/performance.md). */
static int32_t cached_rows(const mbn_plan_options *options, size_t row_bytes) {
    return (int32_t)(options->l2_bytes / 4 / row_bytes);
}

/* `band` rows of `rows`, or what the caller wants; an even number, since kernels compute pairs. */
static int32_t choose_band(const mbn_plan_options *options, int32_t band, int32_t rows) {
    if (options->band_rows > 0) return mbn_smaller(options->band_rows, rows);
    return mbn_smaller(mbn_larger(band & ~1, 2), rows);
}

/* Large planes are cut into rows.  Of small ones the expansion and the depthwise are cut into
 * chunks of channels, and the projection, which needs all of them, becomes a step of its own. */
static void cut_bottleneck(const mbn_plan *plan, const mbn_plan_options *options,
                           mbn_group *group) {
    const int32_t threads = options->threads;
    const int32_t panels = count_panels(group->blocks, group->panel);
    if (worthwhile_tasks(&plan->network->layers[group->expand], threads, threads) == 1) return;
    const int32_t least =
        group->project >= 0 ? ROWS_PER_THREAD : ROWS_PER_THREAD_WITHOUT_PROJECTION;
    if (group->rows / threads >= least) {
        group->row_tasks = threads;
    } else {
        group->block_tasks = mbn_smaller(panels, threads);
        group->last_layer = group->depthwise;
        group->project = -1;
    }
}

/* Whether a bottleneck that is cut by channels is better not fused: if its layers can be cut by
 * rows each for itself, of which none is computed twice, and only those at the cut travel.  But a
 * mean behind the depthwise wants whole planes.  (v1, whose bottlenecks have no projection, is 8 %
 * faster with two threads where a line takes 200 ns from one Zen 5 core to the other, and as fast
 * where it takes 40.) */
static bool better_apart(const mbn_plan *plan, const mbn_plan_options *options,
                         const mbn_group *group) {
    return group->block_tasks > 1 && group->rows / options->threads >= ROWS_PER_THREAD &&
           !is_kind(plan->network, group->depthwise + 1, MBN_LAYER_GLOBAL_POOL);
}

/* The mean of squeeze-excite, where every task has whole planes; the scale reads the planes
 * again. */
static void add_pool(const mbn_plan *plan, const mbn_plan_options *options, mbn_group *group) {
    const mbn_network *network = plan->network;
    const int32_t pool = group->depthwise + 1;
    if (group->project >= 0 || group->row_tasks > 1 || options->wanted[group->depthwise] ||
        !is_kind(network, pool, MBN_LAYER_GLOBAL_POOL) ||
        network->layers[pool].input != group->depthwise ||
        plan->packed[pool].kernels != plan->packed[group->depthwise].kernels) {
        return;
    }
    group->pool = group->last_layer = pool;
}

/* A bottleneck from layer i on; false if none begins there. */
static bool find_bottleneck(const mbn_plan *plan, const mbn_plan_options *options, int32_t i,
                            mbn_group *group) {
    const mbn_layer *layers = plan->network->layers;
    const mbn_kernels *kernels = plan->packed[i].kernels;
    const int32_t d = i + 1;
    /* In v1 the projection is the next one's expansion, and does more there. */
    const bool projects = reads(plan, options, d + 1, MBN_LAYER_POINTWISE, d, -1) &&
                          !reads(plan, options, d + 2, MBN_LAYER_DEPTHWISE, d + 1, -1);
    const bool inner_residual = projects && layers[d + 1].residual == i;
    const bool expands =
        (layers[i].kind == MBN_LAYER_POINTWISE || layers[i].kind == MBN_LAYER_CONVOLUTION) &&
        reads(plan, options, d, MBN_LAYER_DEPTHWISE, i, inner_residual ? d + 1 : -1);
    if (!expands) return false;
    *group = (mbn_group){
        .first_layer = i,
        .last_layer = projects ? d + 1 : d,
        .conversion = -1,
        .expand = i,
        .depthwise = d,
        .pool = -1,
        .scale = -1,
        .project = projects ? d + 1 : -1,
        .inner_residual = inner_residual,
        .rows = layers[d].output_height,
        .blocks = mbn_block_count(layers[d].output_channels, kernels->blocking.block),
        .panel = kernels->blocking.panel,
        .row_tasks = 1,
        .block_tasks = 1,
        .chunk = kernels->blocking.panel,
    };
    cut_bottleneck(plan, options, group);
    /* The projection finds what it adds in the last chunk's scratch: that must be the only one. */
    if (inner_residual && (group->project < 0 || count_panels(group->blocks, group->panel) > 1)) {
        return false;
    }
    if (better_apart(plan, options, group)) return false;
    add_pool(plan, options, group);
    const int32_t inputs = cached_rows(options, expanded_row_bytes(&layers[d], kernels));
    const int32_t band = (inputs - layers[d].kernel_height) / layers[d].stride_vertical + 1;
    group->band = choose_band(options, band, group->rows);
    return true;
}

/* A channel scale from layer i on, and the projection that reads it; false if there are none, or if
 * tasks would have to scale the same values. */
static bool scaled_projection(const mbn_plan *plan, const mbn_plan_options *options, int32_t i,
                              mbn_group *group) {
    if (!is_kind(plan->network, i, MBN_LAYER_CHANNEL_SCALE) ||
        !reads(plan, options, i + 1, MBN_LAYER_POINTWISE, i, -1)) {
        return false;
    }
    *group = single_layer(plan, options, i + 1);
    if (group->block_tasks > 1) return false;
    group->row_tasks = mbn_smaller(group->row_tasks, options->threads); /* each has a scratch */
    const mbn_layer *scale = &plan->network->layers[i];
    const size_t row_bytes = (size_t)scale->output_width * (size_t)scale->output_channels *
                             (size_t)plan->packed[i].kernels->element_bytes;
    group->first_layer = group->scale = i;
    group->project = i + 1;
    group->band = choose_band(options, cached_rows(options, row_bytes), group->rows);
    return true;
}

/* Rows of the source, which tasks share. */
static mbn_group conversion_group(const mbn_plan *plan, const mbn_plan_options *options,
                                  int32_t index) {
    const mbn_conversion *conversion = &plan->conversions[index];
    const mbn_network *network = plan->network;
    const mbn_layer *reader = &network->layers[conversion->reader];
    const int32_t source = conversion->source;
    const int32_t channels =
        source < 0 ? reader->input_channels : network->layers[source].output_channels;
    mbn_group group = {
        .first_layer = conversion->reader,
        .last_layer = conversion->reader - 1,
        .conversion = index,
        .expand = -1,
        .depthwise = -1,
        .pool = -1,
        .scale = -1,
        .project = -1,
        .rows = source < 0 ? network->input_height : network->layers[source].output_height,
        .blocks = source < 0 ? 1 : mbn_block_count(channels, conversion->form->blocking.block),
        .panel = 1,
        .block_tasks = 1,
    };
    const int32_t width = source < 0 ? network->input_width : network->layers[source].output_width;
    const int64_t floats = (int64_t)group.rows * width * channels;
    const int32_t tasks = tasks_for(floats, options->threads, options->threads);
    group.row_tasks = mbn_smaller(tasks, group.rows);
    return group;
}

void mbn_plan_groups(mbn_plan *plan, const mbn_plan_options *options) {
    plan->group_count = 0;
    int32_t converted = 0; /* conversions are in the order of their readers */
    for (int32_t i = 0; i < plan->network->layer_count;) {
        mbn_group group;
        if (options->band_rows < 0 || (!find_bottleneck(plan, options, i, &group) &&
                                       !scaled_projection(plan, options, i, &group))) {
            group = single_layer(plan, options, i);
        }
        i = group.last_layer + 1;
        while (converted < plan->conversion_count && plan->conversions[converted].reader < i) {
            plan->groups[plan->group_count++] = conversion_group(plan, options, converted++);
        }
        plan->groups[plan->group_count++] = group;
    }
}
