/* Contexts: planning a network at a size, and the memory that it takes. */
#include "context.h"
#include "arch/error.h"
#include "arch/model/preprocessing.h"
#include "arch/network/architecture.h"
#include "arch/system/cpus.h"
#include "arch/system/memory.h"
#include "kernels/cpu.h"
#include "preprocess.h"

#include <string.h>

/* Where the parts of a context begin, in bytes. */
typedef struct parts {
    size_t layers, values, steps, stages, singles, arena, image, total;
    size_t arena_bytes; /* of activations */
} parts;

static mbn_status check_options(const mbn_context_options *options, mbn_error *error) {
    if (options->pool == NULL && (options->threads < 0 || options->threads > 1024)) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "threads: %d is not in 1..1024",
                        (int)options->threads);
    }
    if (options->batch < 0) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "batch: %d is negative", (int)options->batch);
    }
    if (options->stage_count < 0) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "stage_count: %d is negative",
                        (int)options->stage_count);
    }
    for (int32_t i = 0; i < options->stage_count; i++) {
        if (options->stages == NULL || options->stages[i] == NULL) {
            return mbn_fail(error, MBN_INVALID_ARGUMENT, "stages[%d]: is NULL", (int)i);
        }
    }
    return MBN_OK;
}

/* The model's network at the context's size. */
static mbn_status create_network(const mbn_model *model, const mbn_context_options *options,
                                 mbn_network **network, mbn_error *error) {
    return mbn_network_resize(&model->network, options->input_height, options->input_width, network,
                              error);
}

/* A network cut into groups and laid out: what both mbn_context_bytes and mbn_context_create begin
 * with. */
typedef struct draft {
    mbn_network *network;
    mbn_network loaded; /* of it, what the model can run */
    mbn_plan plan;
    int32_t *stages; /* [stage_count]: layers */
    bool *wanted;    /* [layer_count]: is a stage */
    int32_t stage_count, threads, singles;
    mbn_preprocessing preprocessing; /* at the network's size */
    parts parts;
} draft;

static size_t value_count(const draft *d) {
    return (size_t)d->loaded.layer_count + (size_t)d->plan.conversion_count;
}

static size_t take(size_t *total, size_t bytes) {
    const size_t at = *total;
    *total += mbn_align(bytes);
    return at;
}

static parts measure(const draft *d, size_t arena) {
    const mbn_network *network = d->network;
    const size_t layers = (size_t)network->layer_count;
    parts p = {.total = mbn_align(sizeof(mbn_context))};
    p.layers = take(&p.total, layers * sizeof(mbn_layer));
    p.values = take(&p.total, value_count(d) * sizeof(mbn_value));
    p.steps = take(&p.total, (size_t)d->plan.group_count * sizeof(mbn_step));
    p.stages = take(&p.total, (size_t)d->stage_count * sizeof(int32_t));
    p.singles = take(&p.total, (size_t)d->singles * sizeof(mbn_context *));
    /* An image is preprocessed before its activations are: they share their memory. */
    const size_t scratch = mbn_preprocess_scratch_bytes(&d->preprocessing, network->input_width,
                                                        network->input_channels);
    p.arena_bytes = mbn_align(arena);
    p.arena = take(&p.total, arena > scratch ? arena : scratch);
    p.image = take(&p.total, mbn_input_floats(network) * sizeof(float));
    return p;
}

static size_t draft_bytes(const draft *d) {
    const size_t conversions = (size_t)d->plan.conversion_count * sizeof(mbn_conversion);
    return value_count(d) * (sizeof(mbn_value) + sizeof(mbn_group)) + conversions +
           (size_t)d->stage_count * sizeof(int32_t) +
           (size_t)d->network->layer_count * sizeof(bool);
}

static void discard(const mbn_allocator *allocator, draft *d) {
    mbn_release(allocator, d->plan.values, draft_bytes(d));
    mbn_network_free(d->network);
}

/* Threads that a context will have: of the caller's pool, or as many as it asked for and may
 * use. */
static int32_t count_threads(const mbn_context_options *options) {
    if (options->pool != NULL) return (int32_t)pthreadpool_get_threads_count(options->pool);
    if (options->threads <= 1) return 1;
    mbn_cpus cpus;
    mbn_usable_cpus(&cpus);
    return mbn_smaller(options->threads, cpus.usable);
}

/* Images that it will run side by side; 0: one after the other. */
static int32_t count_singles(const mbn_context_options *options, int32_t threads) {
    const int32_t singles = mbn_smaller(options->batch, threads);
    return singles < 2 ? 0 : singles;
}

/* A context for one of these images. */
static mbn_context_options single_options(const mbn_context_options *options) {
    mbn_context_options single = *options;
    single.threads = 1;
    single.pool = NULL;
    single.batch = 1;
    single.stages = NULL;
    single.stage_count = 0;
    return single;
}

/* Fills in stages and wanted. */
static mbn_status find_stages(const mbn_model *model, const mbn_context_options *options, draft *d,
                              mbn_error *error) {
    memset(d->wanted, 0, (size_t)d->network->layer_count * sizeof *d->wanted);
    for (int32_t i = 0; i < d->stage_count; i++) {
        mbn_stage_info stage;
        mbn_error reason = {MBN_OK, ""};
        const mbn_status status =
            mbn_network_stage(d->network, options->stages[i], &stage, &reason);
        if (status != MBN_OK) {
            return mbn_fail(error, status, "stages[%d]: %s", (int)i, reason.message);
        }
        if (stage.layer >= model->loaded_layers) {
            return mbn_fail(error, MBN_INVALID_ARGUMENT,
                            "stages[%d]: %s is behind the pool, and the model was loaded headless",
                            (int)i, stage.name);
        }
        d->stages[i] = stage.layer;
        d->wanted[stage.layer] = true;
    }
    return MBN_OK;
}

/* `resize` belongs to the model's input size; another size sees the same part of the image. */
static int32_t scale_resize(int32_t resize, const mbn_network *own, const mbn_network *here) {
    const int64_t from =
        own->input_height < own->input_width ? own->input_height : own->input_width;
    const int64_t to =
        here->input_height < here->input_width ? here->input_height : here->input_width;
    return (int32_t)((resize * to + from / 2) / from);
}

static mbn_preprocessing preprocessing_of(const mbn_model *model,
                                          const mbn_context_options *options,
                                          const mbn_network *network) {
    if (options->preprocessing != NULL) return *options->preprocessing;
    mbn_preprocessing preprocessing = model->preprocessing;
    preprocessing.resize = scale_resize(preprocessing.resize, &model->network, network);
    return preprocessing;
}

static mbn_status prepare(const mbn_model *model, const mbn_context_options *options,
                          const mbn_allocator *allocator, draft *d, mbn_error *error) {
    mbn_status status = check_options(options, error);
    if (status == MBN_OK) status = create_network(model, options, &d->network, error);
    if (status != MBN_OK) return status;
    d->preprocessing = preprocessing_of(model, options, d->network);
    status = mbn_preprocessing_check(&d->preprocessing, d->network->input_height,
                                     d->network->input_width, d->network->input_channels, error);
    if (status != MBN_OK) {
        mbn_network_free(d->network);
        return status;
    }
    d->stage_count = options->stage_count;
    d->loaded = *d->network;
    d->loaded.layer_count = model->loaded_layers;
    d->plan = (mbn_plan){
        .network = &d->loaded,
        .packed = model->packed,
        .image = model->image,
        .image_lookup = model->image_lookup,
        .conversion_count = mbn_plan_conversions(&d->loaded, model->packed, NULL),
    };
    d->plan.values = mbn_allocate(allocator, draft_bytes(d), MBN_ALIGNMENT);
    if (d->plan.values == NULL) {
        mbn_network_free(d->network);
        return mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory to plan a context");
    }
    d->plan.conversions = (mbn_conversion *)(void *)(d->plan.values + value_count(d));
    d->plan.groups = (mbn_group *)(void *)(d->plan.conversions + d->plan.conversion_count);
    d->stages = (int32_t *)(void *)(d->plan.groups + value_count(d));
    d->wanted = (bool *)(void *)(d->stages + d->stage_count);
    d->threads = count_threads(options);
    d->singles = count_singles(options, d->threads);
    status = find_stages(model, options, d, error);
    if (status != MBN_OK) {
        discard(allocator, d);
        return status;
    }
    const mbn_plan_options how = {mbn_cpu_l2_bytes(), d->threads, options->band_rows, d->wanted};
    mbn_plan_conversions(&d->loaded, model->packed, d->plan.conversions);
    mbn_plan_groups(&d->plan, &how);
    d->parts = measure(d, mbn_plan_values(&d->plan, d->threads));
    return MBN_OK;
}

static const mbn_context_options no_options;

static mbn_allocator allocator_of(const mbn_model *model, const mbn_context_options *options) {
    return options->allocator != NULL ? *options->allocator : model->allocator;
}

mbn_status mbn_context_bytes(const mbn_model *model, const mbn_context_options *options,
                             size_t *bytes, mbn_error *error) {
    if (model == NULL || bytes == NULL) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "%s: is NULL",
                        model == NULL ? "model" : "bytes");
    }
    if (options == NULL) options = &no_options;
    const mbn_allocator allocator = allocator_of(model, options);
    draft d = {0};
    const mbn_status status = prepare(model, options, &allocator, &d, error);
    if (status != MBN_OK) return status;
    discard(&allocator, &d);
    size_t single_bytes = 0;
    if (d.singles > 0) {
        const mbn_context_options single = single_options(options);
        const mbn_status of_single = mbn_context_bytes(model, &single, &single_bytes, error);
        if (of_single != MBN_OK) return of_single;
    }
    *bytes = d.parts.total + (size_t)d.singles * single_bytes;
    return MBN_OK;
}

/* Fills `memory` (draft.parts.total bytes) with the context. */
static mbn_context *assemble(const mbn_model *model, const mbn_allocator *allocator, const draft *d,
                             char *memory) {
    mbn_context *context = (mbn_context *)(void *)memory;
    mbn_layer *layers = (mbn_layer *)(void *)(memory + d->parts.layers);
    const size_t layer_count = (size_t)d->network->layer_count;
    *context = (mbn_context){
        .model = model,
        .allocator = *allocator,
        .bytes = d->parts.total,
        .arena_bytes = d->parts.arena_bytes,
        .network = *d->network,
        .preprocessing = d->preprocessing,
        .values = (mbn_value *)(void *)(memory + d->parts.values),
        .steps = (mbn_step *)(void *)(memory + d->parts.steps),
        .step_count = d->plan.group_count,
        .stages = (int32_t *)(void *)(memory + d->parts.stages),
        .stage_count = d->stage_count,
        .singles = (mbn_context **)(void *)(memory + d->parts.singles),
        .image = (float *)(void *)(memory + d->parts.image),
        .scratch = memory + d->parts.arena,
    };
    memcpy(layers, d->network->layers, layer_count * sizeof *layers);
    context->network.layers = layers;
    memcpy(context->values, d->plan.values, value_count(d) * sizeof *context->values);
    for (int32_t i = 0; i < d->stage_count; i++) context->stages[i] = d->stages[i];
    mbn_plan plan = d->plan;
    plan.values = context->values; /* steps point to them */
    mbn_plan_steps(&plan, memory + d->parts.arena, context->steps);
    return context;
}

/* On failure the singles that there are stay: mbn_context_free frees them. */
static mbn_status create_singles(const mbn_context_options *options, int32_t count,
                                 mbn_context *context, mbn_error *error) {
    const mbn_context_options single = single_options(options);
    mbn_status status = MBN_OK;
    while (status == MBN_OK && context->single_count < count) {
        status = mbn_context_create(context->model, &single,
                                    &context->singles[context->single_count], error);
        if (status == MBN_OK) context->single_count++;
    }
    return status;
}

mbn_status mbn_context_create(const mbn_model *model, const mbn_context_options *options,
                              mbn_context **result, mbn_error *error) {
    if (result == NULL) return mbn_fail(error, MBN_INVALID_ARGUMENT, "context: is NULL");
    *result = NULL;
    if (model == NULL) return mbn_fail(error, MBN_INVALID_ARGUMENT, "model: is NULL");
    if (options == NULL) options = &no_options;
    const mbn_allocator allocator = allocator_of(model, options);
    draft d = {0};
    const mbn_status status = prepare(model, options, &allocator, &d, error);
    if (status != MBN_OK) return status;
    char *memory = mbn_allocate(&allocator, d.parts.total, MBN_ALIGNMENT);
    mbn_context *context = NULL;
    if (memory != NULL) context = assemble(model, &allocator, &d, memory);
    discard(&allocator, &d);
    if (context == NULL) {
        return mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory for a context of %zu bytes",
                        d.parts.total);
    }
    if (d.threads > 1) {
        context->threads = mbn_threads_create(d.threads, options->pool);
        if (context->threads == NULL) {
            mbn_release(&allocator, context, context->bytes);
            return mbn_fail(error, MBN_OUT_OF_MEMORY, "threads: cannot start %d", (int)d.threads);
        }
    }
    const mbn_status singles = create_singles(options, d.singles, context, error);
    if (singles != MBN_OK) {
        mbn_context_free(context);
        return singles;
    }
    *result = context;
    return MBN_OK;
}

void mbn_context_free(mbn_context *context) {
    if (context == NULL) return;
    for (int32_t i = 0; i < context->single_count; i++) mbn_context_free(context->singles[i]);
    mbn_threads_free(context->threads);
    const mbn_allocator allocator = context->allocator;
    mbn_release(&allocator, context, context->bytes);
}
