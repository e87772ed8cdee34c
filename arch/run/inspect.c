/* Looking inside a context: its steps, and how long each takes. */
#include "arch/error.h"
#include "arch/system/clock.h"
#include "context.h"
#include "kernels/float_state.h"

const mbn_network *mbn_context_network(const mbn_context *context) {
    return &context->network;
}

int32_t mbn_context_threads(const mbn_context *context) {
    return context->threads == NULL ? 1 : mbn_threads_count(context->threads);
}

size_t mbn_context_arena_bytes(const mbn_context *context) {
    return context->arena_bytes;
}

int32_t mbn_context_step_count(const mbn_context *context) {
    return context->step_count;
}

/* Of a value without its halo. */
static int64_t value_bytes(const mbn_value *value) {
    return (int64_t)value->height * value->width * value->channels * value->form->element_bytes;
}

static int64_t weights_bytes(const mbn_context *context, int32_t layer) {
    const mbn_layer *l = &context->network.layers[layer];
    if (l->weights == 0) return 0;
    return l->weights * context->model->packed[layer].kernels->element_bytes +
           l->output_channels * (int64_t)sizeof(float);
}

/* What a step that runs layers has to move at least. */
static int64_t group_bytes(const mbn_context *context, const mbn_group *group) {
    const mbn_layer *first = &context->network.layers[group->first_layer];
    const mbn_layer *last = &context->network.layers[group->last_layer];
    const int64_t input = (int64_t)first->input_height * first->input_width * first->input_channels;
    const int32_t element = first->input < 0 ? (int32_t)sizeof(float)
                                             : context->values[first->input].form->element_bytes;
    const int64_t output = value_bytes(&context->values[group->last_layer]);
    int64_t bytes = input * element + output;
    if (last->residual >= 0 && !group->inner_residual) bytes += output;
    if (group->pool >= 0) bytes += value_bytes(&context->values[group->depthwise]);
    for (int32_t i = group->first_layer; i <= group->last_layer; i++) {
        bytes += weights_bytes(context, i);
    }
    return bytes;
}

mbn_status mbn_context_step(const mbn_context *context, int32_t index, mbn_step_info *info,
                            mbn_error *error) {
    if (context == NULL || info == NULL) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "%s: is NULL",
                        context == NULL ? "context" : "info");
    }
    if (index < 0 || index >= context->step_count) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "index: %d is not in 0..%d", (int)index,
                        (int)context->step_count - 1);
    }
    const mbn_group *group = &context->steps[index].group;
    *info = (mbn_step_info){
        .first_layer = group->first_layer,
        .last_layer = group->last_layer,
        .tasks = group->row_tasks * group->block_tasks,
        .band_rows = group->band > 0 ? group->band : group->rows,
    };
    if (group->conversion >= 0) {
        info->bytes = 2 * value_bytes(context->steps[index].convert.output);
        return MBN_OK;
    }
    for (int32_t i = group->first_layer; i <= group->last_layer; i++) {
        info->multiply_adds += context->network.layers[i].multiply_adds;
    }
    info->bytes = group_bytes(context, group);
    return MBN_OK;
}

/* What mbn_profile was asked for. */
typedef struct profile_job {
    const mbn_context *context;
    double *seconds, *again;
} profile_job;

static void profile_steps(void *argument) {
    const profile_job *job = argument;
    const uint64_t state = mbn_float_state_set();
    double before = mbn_seconds();
    for (int32_t i = 0; i < job->context->step_count; i++) {
        mbn_context_run_step(job->context, i);
        const double after = mbn_seconds();
        job->seconds[i] = after - before;
        before = after;
        if (job->again == NULL) continue;
        mbn_context_run_step(job->context, i);
        before = mbn_seconds();
        job->again[i] = before - after;
    }
    mbn_float_state_restore(state);
}

mbn_status mbn_profile(mbn_context *context, const float *input, mbn_tensor_layout layout,
                       double *seconds, double *again, mbn_error *error) {
    const char *null = context == NULL   ? "context"
                       : input == NULL   ? "input"
                       : seconds == NULL ? "seconds"
                                         : NULL;
    if (null != NULL) return mbn_fail(error, MBN_INVALID_ARGUMENT, "%s: is NULL", null);
    mbn_status status = mbn_check_layout(layout, error);
    if (status == MBN_OK) status = mbn_check_threads(context, error);
    if (status != MBN_OK) return status;
    profile_job job = {context, seconds, again};
    mbn_context_set_image(context, input, layout);
    mbn_context_gather(context, profile_steps, &job);
    return MBN_OK;
}
