/* Running a context. */
#include "context.h"
#include "error.h"
#include "kernels/float_state.h"
#include "preprocess.h"

#include <string.h>

static void run_task(void *step, size_t task) {
    const uint64_t state = mbn_float_state_set();
    mbn_step_run(step, task);
    mbn_float_state_restore(state);
}

void mbn_context_run_step(const mbn_context *context, int32_t index) {
    mbn_step *step = &context->steps[index];
    const size_t tasks = mbn_step_tasks(step);
    if (tasks == 1) {
        mbn_step_run(step, 0);
    } else {
        pthreadpool_parallelize_1d(context->pool, run_task, step, tasks, context->pool_flags);
    }
}

void mbn_context_set_image(mbn_context *context, const float *image, mbn_tensor_layout layout) {
    mbn_step *first = &context->steps[0];
    mbn_stage *stem = first->group.expand >= 0 ? &first->expand : &first->filter;
    mbn_convolution_args *args = &stem->args.convolution;
    const ptrdiff_t height = context->network.input_height, width = context->network.input_width;
    const bool interleaved = layout == MBN_NHWC;
    args->input = image;
    args->input_block = interleaved ? 3 : 1;
    args->input_row_stride = interleaved ? width * 3 : width;
    args->input_block_stride = interleaved ? 0 : height * width;
}

static void run_image(mbn_context *context, const float *image, mbn_tensor_layout layout,
                      mbn_output kind, float *output) {
    const mbn_stage *last = mbn_step_last(&context->steps[context->step_count - 1]);
    const int32_t classes = context->network.classes;
    mbn_context_set_image(context, image, layout);
    for (int32_t i = 0; i < context->step_count; i++) mbn_context_run_step(context, i);
    const float *logits = last->args.fully_connected.output;
    if (kind == MBN_PROBABILITIES) {
        const mbn_softmax_args args = {logits, output, classes};
        context->model->kernels->softmax(&args);
    } else {
        memcpy(output, logits, (size_t)classes * sizeof *output);
    }
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
    if (kind != MBN_LOGITS && kind != MBN_PROBABILITIES) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "kind: %d is no mbn_output", (int)kind);
    }
    return MBN_OK;
}

mbn_status mbn_check_layout(mbn_tensor_layout layout, mbn_error *error) {
    if (layout == MBN_NHWC || layout == MBN_NCHW) return MBN_OK;
    return mbn_fail(error, MBN_INVALID_ARGUMENT, "layout: %d is no mbn_tensor_layout", (int)layout);
}

mbn_status mbn_run(mbn_context *context, const float *input, mbn_tensor_layout layout,
                   int32_t batch, mbn_output kind, float *output, mbn_error *error) {
    mbn_status status = mbn_check_run(context, input, batch, output, error);
    if (status == MBN_OK) status = check_classes(context, kind, error);
    if (status == MBN_OK) status = mbn_check_layout(layout, error);
    if (status != MBN_OK) return status;
    const ptrdiff_t floats =
        (ptrdiff_t)context->network.input_height * context->network.input_width * 3;
    const uint64_t state = mbn_float_state_set();
    for (int32_t i = 0; i < batch; i++) {
        run_image(context, input + i * floats, layout, kind,
                  output + (ptrdiff_t)i * context->network.classes);
    }
    mbn_float_state_restore(state);
    return MBN_OK;
}

mbn_status mbn_preprocess(mbn_context *context, const mbn_image *image, float *output,
                          mbn_error *error) {
    const mbn_status status = mbn_check_run(context, image, 1, output, error);
    if (status != MBN_OK) return status;
    return mbn_preprocess_image(&context->preprocessing, image, context->network.input_height,
                                context->network.input_width, context->scratch, output, error);
}

mbn_status mbn_run_images(mbn_context *context, const mbn_image *images, int32_t count,
                          mbn_output kind, float *output, mbn_error *error) {
    mbn_status status = mbn_check_run(context, images, count, output, error);
    if (status == MBN_OK) status = check_classes(context, kind, error);
    for (int32_t i = 0; status == MBN_OK && i < count; i++) {
        status = mbn_check_image(&images[i], error);
    }
    for (int32_t i = 0; status == MBN_OK && i < count; i++) {
        status = mbn_preprocess(context, &images[i], context->image, error);
        if (status == MBN_OK) {
            status = mbn_run(context, context->image, MBN_NHWC, 1, kind,
                             output + (ptrdiff_t)i * context->network.classes, error);
        }
    }
    return status;
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
