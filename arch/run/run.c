/* Running a context. */
#include "arch/error.h"
#include "context.h"
#include "kernels/float_state.h"
#include "preprocess.h"
#include "probabilities.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

static void run_task(void *step, int32_t task, int32_t thread) {
    const uint64_t state = mbn_float_state_set();
    mbn_step_run(step, task, thread);
    mbn_float_state_restore(state);
}

void mbn_context_gather(const mbn_context *context, void (*body)(void *argument), void *argument) {
    if (context->threads == NULL) {
        body(argument);
    } else {
        mbn_threads_gather(context->threads, body, argument);
    }
}

void mbn_context_run_step(const mbn_context *context, int32_t index) {
    mbn_step *step = &context->steps[index];
    const int32_t tasks = mbn_step_tasks(step);
    if (tasks == 1) {
        mbn_step_run(step, 0, 0);
    } else {
        mbn_threads_run(context->threads, run_task, step, tasks);
    }
}

/* Where the image goes: into a conversion, or into the first layer as it is. */
void mbn_context_set_image(mbn_context *context, const float *image, mbn_tensor_layout layout) {
    mbn_step *first = &context->steps[0];
    const mbn_network *network = &context->network;
    const ptrdiff_t pixels = (ptrdiff_t)network->input_height * network->input_width;
    const bool interleaved = layout == MBN_NHWC;
    const int32_t side_by_side = interleaved ? network->input_channels : 1;
    const ptrdiff_t row = (ptrdiff_t)network->input_width * side_by_side;
    if (first->group.conversion >= 0) {
        mbn_layout_args *args = &first->convert.to;
        args->strided = (float *)image;
        args->channel_stride = interleaved ? 1 : pixels;
        args->strided_row_stride = row;
        args->pixel_stride = side_by_side;
        return;
    }
    mbn_call *stem = first->group.expand >= 0 ? &first->expand : &first->filter;
    mbn_convolution_args *args = &stem->args.convolution;
    const ptrdiff_t bytes = (ptrdiff_t)sizeof(float);
    args->input = (mbn_plane){(void *)image, row * bytes, interleaved ? 0 : pixels * bytes};
    args->input_block = side_by_side;
}

/* The floats of a step's output, a plane of the arena, as maps are laid out. */
mbn_layout_args mbn_context_export(const mbn_step *step, mbn_tensor_layout layout, float *output) {
    const mbn_call *last = mbn_step_last(step);
    const mbn_value *value = last->output;
    const bool interleaved = layout == MBN_NHWC;
    return (mbn_layout_args){
        .blocked = {last->memory + mbn_inside_halo(value), value->row_stride, value->block_stride},
        .strided = output,
        .channel_stride = interleaved ? 1 : (ptrdiff_t)value->height * value->width,
        .strided_row_stride = (ptrdiff_t)value->width * (interleaved ? value->channels : 1),
        .pixel_stride = interleaved ? value->channels : 1,
        .height = value->height,
        .width = value->width,
        .channels = value->channels,
        .blocking = value->form->blocking,
        .quantization = value->quantization,
    };
}

static void run_image(mbn_context *context, const float *image, mbn_tensor_layout layout,
                      mbn_output kind, float *output) {
    const mbn_step *last = &context->steps[context->step_count - 1];
    mbn_context_set_image(context, image, layout);
    for (int32_t i = 0; i < context->step_count; i++) mbn_context_run_step(context, i);
    const mbn_layout_args logits = mbn_context_export(last, MBN_NHWC, output);
    mbn_step_last(last)->output->form->from_blocked(
        &logits, (mbn_range){0, 1, 0, mbn_block_count(logits.channels, logits.blocking.block)});
    if (kind == MBN_PROBABILITIES) mbn_make_probabilities(context->model, output);
}

/* What mbn_run and mbn_run_images were asked for: one of input and images. */
typedef struct run_job {
    mbn_context *context;
    const float *input;
    mbn_tensor_layout layout;
    const mbn_image *images;
    mbn_output kind;
    float *output;
    int32_t count;   /* images */
    atomic_int next; /* of the images that run side by side */
    int32_t end;
} run_job;

/* `context` is the job's, or one of its singles. */
static void run_one(mbn_context *context, const run_job *job, int32_t index) {
    const mbn_network *network = &context->network;
    const float *image = context->image;
    if (job->images == NULL) {
        image = job->input + (size_t)index * mbn_input_floats(network);
    } else {
        const mbn_status status =
            mbn_preprocess(context, &job->images[index], context->image, NULL);
        assert(status == MBN_OK && "the image was checked");
        (void)status;
    }
    run_image(context, image, job->layout, job->kind,
              job->output + (ptrdiff_t)index * network->classes);
}

static void run_single(void *argument, int32_t single, int32_t thread) {
    run_job *job = argument;
    (void)thread;
    const uint64_t state = mbn_float_state_set();
    for (int32_t i; (i = atomic_fetch_add(&job->next, 1)) < job->end;) {
        run_one(job->context->singles[single], job, i);
    }
    mbn_float_state_restore(state);
}

/* As many images side by side as fill the singles; what is left on all threads together, unless it
 * is more than half of them. */
static void run_job_all(void *argument) {
    run_job *job = argument;
    const mbn_context *context = job->context;
    const int32_t count = job->count;
    const int32_t singles = context->single_count;
    const int32_t left = singles == 0 ? count : count % singles;
    job->end = singles == 0 ? 0 : 2 * left > singles ? count : count - left;
    if (job->end > 0) {
        mbn_threads_run(context->threads, run_single, job, singles);
    }
    const uint64_t state = mbn_float_state_set();
    for (int32_t i = job->end; i < count; i++) run_one(job->context, job, i);
    mbn_float_state_restore(state);
}

mbn_status mbn_check_run(const mbn_context *context, const void *input, int32_t batch,
                         const void *output, mbn_error *error) {
    const char *null = context == NULL  ? "context"
                       : input == NULL  ? "input"
                       : output == NULL ? "output"
                                        : NULL;
    if (null != NULL) return mbn_fail(error, MBN_INVALID_ARGUMENT, "%s: is NULL", null);
    if (batch < 1) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "batch: %d is not positive", (int)batch);
    }
    return MBN_OK;
}

static mbn_status check_classes(const mbn_context *context, mbn_output kind, mbn_error *error) {
    if (mbn_is_headless(context->model)) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT,
                        "context: its model was loaded headless, without the classifier; "
                        "mbn_features runs it");
    }
    if (context->network.classes == 0) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT,
                        "context: its model has no classifier; mbn_features runs it");
    }
    if (kind != MBN_LOGITS && kind != MBN_PROBABILITIES) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "kind: %d is no mbn_output", (int)kind);
    }
    if (kind == MBN_PROBABILITIES && context->model->probabilities == MBN_NO_PROBABILITIES) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT,
                        "kind: the model's outputs are no probabilities (its file says "
                        "`probabilities: none'); MBN_LOGITS writes them");
    }
    return MBN_OK;
}

mbn_status mbn_check_layout(mbn_tensor_layout layout, mbn_error *error) {
    if (layout == MBN_NHWC || layout == MBN_NCHW) return MBN_OK;
    return mbn_fail(error, MBN_INVALID_ARGUMENT, "layout: %d is no mbn_tensor_layout", (int)layout);
}

mbn_status mbn_check_threads(const mbn_context *context, mbn_error *error) {
    if (context->threads == NULL || mbn_threads_are_here(context->threads)) return MBN_OK;
    return mbn_fail(
        error, MBN_INVALID_ARGUMENT,
        "context: its caller's thread pool has no threads in this process, a fork of the "
        "one that made it; make a pool and a context here");
}

mbn_status mbn_run(mbn_context *context, const float *input, mbn_tensor_layout layout,
                   int32_t batch, mbn_output kind, float *output, mbn_error *error) {
    mbn_status status = mbn_check_run(context, input, batch, output, error);
    if (status == MBN_OK) status = check_classes(context, kind, error);
    if (status == MBN_OK) status = mbn_check_layout(layout, error);
    if (status == MBN_OK) status = mbn_check_threads(context, error);
    if (status != MBN_OK) return status;
    run_job job = {.context = context,
                   .input = input,
                   .layout = layout,
                   .kind = kind,
                   .output = output,
                   .count = batch};
    mbn_context_gather(context, run_job_all, &job);
    return MBN_OK;
}

mbn_status mbn_preprocess(mbn_context *context, const mbn_image *image, float *output,
                          mbn_error *error) {
    mbn_status status = mbn_check_run(context, image, 1, output, error);
    if (status != MBN_OK) return status;
    const uint64_t state = mbn_float_state_set();
    status = mbn_preprocess_image(&context->preprocessing, image, context->network.input_height,
                                  context->network.input_width, context->network.input_channels,
                                  context->scratch, output, error);
    mbn_float_state_restore(state);
    return status;
}

mbn_status mbn_run_images(mbn_context *context, const mbn_image *images, int32_t count,
                          mbn_output kind, float *output, mbn_error *error) {
    mbn_status status = mbn_check_run(context, images, count, output, error);
    if (status == MBN_OK) status = check_classes(context, kind, error);
    for (int32_t i = 0; status == MBN_OK && i < count; i++) {
        status = mbn_check_image(&images[i], error);
    }
    if (status == MBN_OK) status = mbn_check_threads(context, error);
    if (status != MBN_OK) return status;
    run_job job = {.context = context,
                   .images = images,
                   .layout = MBN_NHWC,
                   .kind = kind,
                   .output = output,
                   .count = count};
    mbn_context_gather(context, run_job_all, &job);
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
