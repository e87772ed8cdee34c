/* Contexts: the memory of a run, and the run. */
#include "affinity.h"
#include "error.h"
#include "kernels/denormals.h"
#include "memory.h"
#include "model.h"
#include "plan.h"
#include "preprocess.h"

#include <pthreadpool.h>
#include <string.h>
#include <time.h>

/* One allocation: this structure, the network at the context's size, the plan, the arena, the
 * preprocessed image and its scratch. */
struct mbn_context {
    const mbn_model *model;
    mbn_allocator allocator;
    size_t bytes, arena_bytes;
    mbn_network network;
    mbn_preprocessing preprocessing; /* for this size */
    mbn_value *values;
    mbn_step *steps;
    float *image; /* [input_height][input_width][3] */
    void *scratch;
    pthreadpool_t pool; /* NULL: the caller's thread alone */
    bool owns_pool;
};

/* Where the parts of a context begin, in bytes. */
typedef struct parts {
    size_t layers, values, steps, arena, image, scratch, total;
} parts;

static mbn_status check_threads(const mbn_context_options *options, mbn_error *error) {
    if (options->pool == NULL && (options->threads < 0 || options->threads > 1024)) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "threads: %d is not in 1..1024",
                        (int)options->threads);
    }
    return MBN_OK;
}

/* The model's network at the context's size. */
static mbn_status create_network(const mbn_model *model, const mbn_context_options *options,
                                 mbn_network **network, mbn_error *error) {
    const mbn_network *own = &model->network;
    const mbn_network_options resized = {
        .network = own->name,
        .width = own->width,
        .input_height = options->input_height != 0 ? options->input_height : own->input_height,
        .input_width = options->input_width != 0 ? options->input_width : own->input_width,
        .classes = own->classes,
        .padding = own->padding,
        .source = own->source,
        .batch_norm_epsilon = own->batch_norm_epsilon,
    };
    return mbn_network_create(&resized, network, error);
}

static size_t take(size_t *total, size_t bytes) {
    const size_t at = *total;
    *total += mbn_align(bytes);
    return at;
}

static parts measure(const mbn_network *network, size_t arena_floats) {
    const size_t layers = (size_t)network->layer_count;
    const size_t pixels = (size_t)network->input_height * (size_t)network->input_width;
    parts p = {.total = mbn_align(sizeof(mbn_context))};
    p.layers = take(&p.total, layers * sizeof(mbn_layer));
    p.values = take(&p.total, layers * sizeof(mbn_value));
    p.steps = take(&p.total, layers * sizeof(mbn_step));
    p.arena = take(&p.total, arena_floats * sizeof(float));
    p.image = take(&p.total, pixels * 3 * sizeof(float));
    p.scratch =
        take(&p.total, mbn_preprocess_scratch_bytes(network->input_height, network->input_width));
    return p;
}

/* What both mbn_context_bytes and mbn_context_create begin with.  On success, *network and *values
 * (of values_bytes) are the caller's to release. */
static mbn_status prepare(const mbn_model *model, const mbn_context_options *options,
                          const mbn_allocator *allocator, mbn_network **network, mbn_value **values,
                          parts *layout, mbn_error *error) {
    mbn_status status = check_threads(options, error);
    if (status == MBN_OK) status = create_network(model, options, network, error);
    if (status != MBN_OK) return status;
    const size_t values_bytes = (size_t)(*network)->layer_count * sizeof(mbn_value);
    *values = mbn_allocate(allocator, values_bytes, MBN_ALIGNMENT);
    if (*values == NULL) {
        mbn_network_free(*network);
        return mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory to plan a context");
    }
    *layout = measure(*network, mbn_plan_values(*network, model->kernels, *values));
    return MBN_OK;
}

static void discard(const mbn_allocator *allocator, mbn_network *network, mbn_value *values) {
    mbn_release(allocator, values, (size_t)network->layer_count * sizeof *values);
    mbn_network_free(network);
}

static const mbn_context_options no_options;

mbn_status mbn_context_bytes(const mbn_model *model, const mbn_context_options *options,
                             size_t *bytes, mbn_error *error) {
    if (model == NULL || bytes == NULL) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "%s: is NULL",
                        model == NULL ? "model" : "bytes");
    }
    if (options == NULL) options = &no_options;
    const mbn_allocator allocator =
        options->allocator != NULL ? *options->allocator : model->allocator;
    mbn_network *network;
    mbn_value *values;
    parts layout = {0};
    const mbn_status status =
        prepare(model, options, &allocator, &network, &values, &layout, error);
    if (status != MBN_OK) return status;
    discard(&allocator, network, values);
    *bytes = layout.total;
    return MBN_OK;
}

/* The caller's pool, or one of the context's own where it asked for threads and has CPUs for them. */
static mbn_status set_up_pool(const mbn_context_options *options, mbn_context *context,
                              mbn_error *error) {
    if (options->pool != NULL) {
        context->pool = options->pool;
        return MBN_OK;
    }
    const int32_t cpus = mbn_affinity_count();
    const int32_t threads = options->threads < cpus ? options->threads : cpus;
    if (threads <= 1) return MBN_OK;
    context->pool = pthreadpool_create((size_t)threads);
    context->owns_pool = true;
    if (context->pool == NULL) {
        return mbn_fail(error, MBN_OUT_OF_MEMORY, "threads: cannot start %d", (int)threads);
    }
    return MBN_OK;
}

mbn_status mbn_context_create(const mbn_model *model, const mbn_context_options *options,
                              mbn_context **result, mbn_error *error) {
    if (result == NULL) return mbn_fail(error, MBN_INVALID_ARGUMENT, "context: is NULL");
    *result = NULL;
    if (model == NULL) return mbn_fail(error, MBN_INVALID_ARGUMENT, "model: is NULL");
    if (options == NULL) options = &no_options;
    const mbn_allocator allocator =
        options->allocator != NULL ? *options->allocator : model->allocator;
    mbn_network *network;
    mbn_value *values;
    parts layout = {0};
    mbn_status status = prepare(model, options, &allocator, &network, &values, &layout, error);
    if (status != MBN_OK) return status;
    char *memory = mbn_allocate(&allocator, layout.total, MBN_ALIGNMENT);
    if (memory == NULL) {
        discard(&allocator, network, values);
        return mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory for a context of %zu bytes",
                        layout.total);
    }

    mbn_context *context = (mbn_context *)(void *)memory;
    *context = (mbn_context){
        .model = model,
        .allocator = allocator,
        .bytes = layout.total,
        .arena_bytes = layout.image - layout.arena,
        .network = *network,
        .preprocessing = model->preprocessing,
        .values = (mbn_value *)(void *)(memory + layout.values),
        .steps = (mbn_step *)(void *)(memory + layout.steps),
        .image = (float *)(void *)(memory + layout.image),
        .scratch = memory + layout.scratch,
    };
    const size_t layer_count = (size_t)network->layer_count;
    mbn_layer *layers = (mbn_layer *)(void *)(memory + layout.layers);
    memcpy(layers, network->layers, layer_count * sizeof *layers);
    context->network.layers = layers;
    memcpy(context->values, values, layer_count * sizeof *values);
    discard(&allocator, network, values);

    const int64_t own = model->network.input_height < model->network.input_width
                            ? model->network.input_height
                            : model->network.input_width;
    const int64_t here = context->network.input_height < context->network.input_width
                             ? context->network.input_height
                             : context->network.input_width;
    context->preprocessing.resize = (int32_t)((model->preprocessing.resize * here + own / 2) / own);

    status = set_up_pool(options, context, error);
    if (status != MBN_OK) {
        mbn_release(&allocator, context, layout.total);
        return status;
    }
    const int32_t threads =
        context->pool == NULL ? 1 : (int32_t)pthreadpool_get_threads_count(context->pool);
    mbn_plan_steps(&context->network, model->kernels, model->weights, context->values,
                   (float *)(void *)(memory + layout.arena), threads, context->steps);
    *result = context;
    return MBN_OK;
}

void mbn_context_free(mbn_context *context) {
    if (context == NULL) return;
    if (context->owns_pool) pthreadpool_destroy(context->pool);
    const mbn_allocator allocator = context->allocator;
    mbn_release(&allocator, context, context->bytes);
}

/* ---- Running ---------------------------------------------------------------------------------- */

static void clear(float *p, ptrdiff_t count) {
    memset(p, 0, (size_t)count * sizeof *p);
}

/* The halo around the part of a value that a task computed.  The arena's memory has held other
 * values since the last run, so its halos are cleared along with every one. */
static void clear_halo(const mbn_step *step, int32_t block, mbn_range range) {
    const mbn_value *v = step->output;
    if (v->halo_top + v->halo_bottom + v->halo_left + v->halo_right == 0) return;
    const ptrdiff_t left = (ptrdiff_t)v->halo_left * block,
                    right = (ptrdiff_t)v->halo_right * block;
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        float *plane = step->output_base + b * v->block_stride;
        float *row = plane + (v->halo_top + range.row_begin) * v->row_stride;
        if (range.row_begin == 0) clear(plane, v->halo_top * v->row_stride);
        for (int32_t y = range.row_begin; y < range.row_end; y++, row += v->row_stride) {
            clear(row, left);
            clear(row + v->row_stride - right, right);
        }
        if (range.row_end == v->height) clear(row, v->halo_bottom * v->row_stride);
    }
}

static void run_task(void *context, size_t task) {
    const mbn_step *step = context;
    const mbn_range range = mbn_step_range(step, task);
    switch (step->kind) {
    case MBN_LAYER_POINTWISE:
        step->run.pointwise(&step->args.pointwise, range);
        clear_halo(step, step->args.pointwise.block, range);
        break;
    case MBN_LAYER_CONVOLUTION:
        step->run.convolution(&step->args.convolution, range);
        clear_halo(step, step->args.convolution.block, range);
        break;
    case MBN_LAYER_DEPTHWISE: step->run.depthwise(&step->args.depthwise, range); break;
    case MBN_LAYER_FULLY_CONNECTED:
        step->run.fully_connected(&step->args.fully_connected, range);
        break;
    case MBN_LAYER_GLOBAL_POOL:
    case MBN_LAYER_MAX_POOL: step->run.pool(&step->args.pool, range); break;
    case MBN_LAYER_CHANNEL_SCALE: step->run.elementwise(&step->args.elementwise, range); break;
    }
}

static size_t task_count(const mbn_step *step) {
    return (size_t)step->row_tasks * (size_t)step->block_tasks;
}

static void run_step(const mbn_context *context, int32_t index) {
    mbn_step *step = &context->steps[index];
    if (task_count(step) == 1) {
        run_task(step, 0);
    } else {
        pthreadpool_parallelize_1d(context->pool, run_task, step, task_count(step),
                                   PTHREADPOOL_FLAG_DISABLE_DENORMALS);
    }
}

static void set_image(mbn_context *context, const float *image, mbn_tensor_layout layout) {
    mbn_convolution_args *args = &context->steps[0].args.convolution;
    const ptrdiff_t height = context->network.input_height, width = context->network.input_width;
    const bool interleaved = layout == MBN_NHWC;
    args->input = image;
    args->input_block = interleaved ? 3 : 1;
    args->input_row_stride = interleaved ? width * 3 : width;
    args->input_block_stride = interleaved ? 0 : height * width;
}

static void run_image(mbn_context *context, const float *image, mbn_tensor_layout layout,
                      mbn_output kind, float *output) {
    const mbn_step *last = &context->steps[context->network.layer_count - 1];
    const int32_t classes = context->network.classes;
    set_image(context, image, layout);
    for (int32_t i = 0; i < context->network.layer_count; i++) run_step(context, i);
    const float *logits = last->args.fully_connected.output;
    if (kind == MBN_PROBABILITIES) {
        const mbn_softmax_args args = {logits, output, classes};
        context->model->kernels->softmax(&args);
    } else {
        memcpy(output, logits, (size_t)classes * sizeof *output);
    }
}

static mbn_status check_run(const mbn_context *context, const void *input, int32_t count,
                            mbn_output kind, const float *output, mbn_error *error) {
    const char *null = context == NULL  ? "context"
                       : input == NULL  ? "input"
                       : output == NULL ? "output"
                                        : NULL;
    if (null != NULL) return mbn_fail(error, MBN_INVALID_ARGUMENT, "%s: is NULL", null);
    if (count < 1) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "batch: %d is not positive", (int)count);
    }
    if (kind != MBN_LOGITS && kind != MBN_PROBABILITIES) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "kind: %d is no mbn_output", (int)kind);
    }
    return MBN_OK;
}

static mbn_status check_layout(mbn_tensor_layout layout, mbn_error *error) {
    if (layout == MBN_NHWC || layout == MBN_NCHW) return MBN_OK;
    return mbn_fail(error, MBN_INVALID_ARGUMENT, "layout: %d is no mbn_tensor_layout", (int)layout);
}

mbn_status mbn_run(mbn_context *context, const float *input, mbn_tensor_layout layout,
                   int32_t batch, mbn_output kind, float *output, mbn_error *error) {
    mbn_status status = check_run(context, input, batch, kind, output, error);
    if (status == MBN_OK) status = check_layout(layout, error);
    if (status != MBN_OK) return status;
    const ptrdiff_t floats =
        (ptrdiff_t)context->network.input_height * context->network.input_width * 3;
    const uint64_t state = mbn_denormals_flush();
    for (int32_t i = 0; i < batch; i++) {
        run_image(context, input + i * floats, layout, kind,
                  output + (ptrdiff_t)i * context->network.classes);
    }
    mbn_denormals_restore(state);
    return MBN_OK;
}

mbn_status mbn_preprocess(mbn_context *context, const mbn_image *image, float *output,
                          mbn_error *error) {
    const mbn_status status = check_run(context, image, 1, MBN_LOGITS, output, error);
    if (status != MBN_OK) return status;
    return mbn_preprocess_image(&context->preprocessing, image, context->network.input_height,
                                context->network.input_width, context->scratch, output, error);
}

mbn_status mbn_run_images(mbn_context *context, const mbn_image *images, int32_t count,
                          mbn_output kind, float *output, mbn_error *error) {
    mbn_status status = check_run(context, images, count, kind, output, error);
    for (int32_t i = 0; status == MBN_OK && i < count; i++) {
        status = mbn_preprocess(context, &images[i], context->image, error);
        if (status == MBN_OK) {
            status = mbn_run(context, context->image, MBN_NHWC, 1, kind,
                             output + (ptrdiff_t)i * context->network.classes, error);
        }
    }
    return status;
}

/* ---- Looking inside --------------------------------------------------------------------------- */

const mbn_network *mbn_context_network(const mbn_context *context) {
    return &context->network;
}

size_t mbn_context_arena_bytes(const mbn_context *context) {
    return context->arena_bytes;
}

int32_t mbn_context_step_count(const mbn_context *context) {
    return context->network.layer_count;
}

mbn_status mbn_context_step(const mbn_context *context, int32_t index, mbn_step_info *info,
                            mbn_error *error) {
    if (context == NULL || info == NULL) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "%s: is NULL",
                        context == NULL ? "context" : "info");
    }
    if (index < 0 || index >= context->network.layer_count) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "index: %d is not in 0..%d", (int)index,
                        (int)context->network.layer_count - 1);
    }
    const mbn_layer *layer = &context->network.layers[index];
    const int64_t inputs =
        (int64_t)layer->input_height * layer->input_width * layer->input_channels;
    const int64_t outputs =
        (int64_t)layer->output_height * layer->output_width * layer->output_channels;
    const int64_t bias = layer->weights > 0 ? layer->output_channels : 0;
    *info = (mbn_step_info){
        .first_layer = index,
        .last_layer = index,
        .tasks = (int32_t)task_count(&context->steps[index]),
        .multiply_adds = layer->multiply_adds,
        .bytes = (int64_t)sizeof(float) *
                 (inputs + layer->weights + bias + (layer->residual >= 0 ? 2 : 1) * outputs),
    };
    return MBN_OK;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

mbn_status mbn_profile(mbn_context *context, const float *input, mbn_tensor_layout layout,
                       double *seconds, mbn_error *error) {
    const char *null = context == NULL   ? "context"
                       : input == NULL   ? "input"
                       : seconds == NULL ? "seconds"
                                         : NULL;
    if (null != NULL) return mbn_fail(error, MBN_INVALID_ARGUMENT, "%s: is NULL", null);
    mbn_status status = check_layout(layout, error);
    if (status != MBN_OK) return status;
    const uint64_t state = mbn_denormals_flush();
    set_image(context, input, layout);
    double before = now();
    for (int32_t i = 0; i < context->network.layer_count; i++) {
        run_step(context, i);
        const double after = now();
        seconds[i] = after - before;
        before = after;
    }
    mbn_denormals_restore(state);
    return MBN_OK;
}

int32_t mbn_top(const float *values, int32_t count, int32_t k, int32_t *indices) {
    int32_t found = 0;
    for (int32_t i = 0; i < count; i++) {
        /* Insertion from the back: a value moves ahead of those that it beats; NaN beats none. */
        int32_t at = found;
        while (at > 0 &&
               (values[i] > values[indices[at - 1]] ||
                (values[indices[at - 1]] != values[indices[at - 1]] && values[i] == values[i]))) {
            at--;
        }
        if (at >= k) continue;
        if (found < k) found++;
        memmove(indices + at + 1, indices + at, (size_t)(found - 1 - at) * sizeof *indices);
        indices[at] = i;
    }
    return found;
}
