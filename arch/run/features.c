/* Feature maps: running a context as far as its stages, and handing out their values. */
#include "arch/error.h"
#include "context.h"
#include "kernels/float_state.h"

/* Floats of a map from which it pays to wake other threads to write it. */
enum { FLOATS_PER_TASK = 1 << 16 };

/* The plane that a step computed, and where it goes. */
typedef struct export_task {
    mbn_layout_fn *from_blocked;
    mbn_layout_args args;
    int32_t rows_per_task;
} export_task;

static void export_rows(void *task, int32_t index, int32_t thread) {
    (void)thread;
    const export_task *e = task;
    const int32_t begin = index * e->rows_per_task;
    const int32_t end = begin + e->rows_per_task;
    e->from_blocked(&e->args, (mbn_range){
                                  begin,
                                  end < e->args.height ? end : e->args.height,
                                  0,
                                  mbn_block_count(e->args.channels, e->args.blocking.block),
                              });
}

/* Writes the output of a step's last layer. */
static void export_map(const mbn_context *context, const mbn_step *step, mbn_tensor_layout layout,
                       float *output) {
    const mbn_value *value = mbn_step_last(step)->output;
    export_task task = {
        .from_blocked = value->form->from_blocked,
        .args = mbn_context_export(step, layout, output),
        .rows_per_task = value->height,
    };
    const ptrdiff_t worthwhile =
        (ptrdiff_t)value->height * value->width * value->channels / FLOATS_PER_TASK;
    if (context->threads != NULL && worthwhile > 1) {
        const int32_t tasks = worthwhile < value->height ? (int32_t)worthwhile : value->height;
        task.rows_per_task = (value->height + tasks - 1) / tasks;
    }
    const int32_t tasks = (value->height + task.rows_per_task - 1) / task.rows_per_task;
    if (tasks == 1) {
        export_rows(&task, 0, 0);
    } else {
        mbn_threads_run(context->threads, export_rows, &task, tasks);
    }
}

static ptrdiff_t map_floats(const mbn_context *context, int32_t stage) {
    const mbn_layer *layer = &context->network.layers[context->stages[stage]];
    return (ptrdiff_t)layer->output_height * layer->output_width * layer->output_channels;
}

/* Runs what the stages need, and writes each as soon as it is there: later steps reuse its
 * place. */
static void run_image(mbn_context *context, const float *image, mbn_tensor_layout layout,
                      ptrdiff_t index, const mbn_feature_map *maps) {
    int32_t last = 0;
    for (int32_t s = 0; s < context->stage_count; s++) {
        if (context->stages[s] > last) last = context->stages[s];
    }
    mbn_context_set_image(context, image, layout);
    for (int32_t i = 0; i < context->step_count; i++) {
        const mbn_step *step = &context->steps[i];
        if (step->group.first_layer > last) break;
        mbn_context_run_step(context, i);
        for (int32_t s = 0; s < context->stage_count; s++) {
            if (context->stages[s] != step->group.last_layer || step->group.conversion >= 0)
                continue;
            export_map(context, step, maps[s].layout,
                       maps[s].values + index * map_floats(context, s));
        }
    }
}

static mbn_status check_maps(const mbn_context *context, const mbn_feature_map *maps,
                             mbn_error *error) {
    if (context->stage_count == 0) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT,
                        "context: it was created without stages (mbn_context_options.stages)");
    }
    for (int32_t s = 0; s < context->stage_count; s++) {
        if (maps[s].values == NULL) {
            return mbn_fail(error, MBN_INVALID_ARGUMENT, "maps[%d].values: is NULL", (int)s);
        }
        mbn_error reason = {MBN_OK, ""};
        if (mbn_check_layout(maps[s].layout, &reason) != MBN_OK) {
            return mbn_fail(error, MBN_INVALID_ARGUMENT, "maps[%d].%s", (int)s, reason.message);
        }
    }
    return MBN_OK;
}

/* What mbn_features was asked for. */
typedef struct features_job {
    mbn_context *context;
    const float *input;
    mbn_tensor_layout layout;
    int32_t batch;
    const mbn_feature_map *maps;
} features_job;

static void run_images(void *argument) {
    const features_job *job = argument;
    const size_t floats = mbn_input_floats(&job->context->network);
    const uint64_t state = mbn_float_state_set();
    for (int32_t i = 0; i < job->batch; i++) {
        run_image(job->context, job->input + (size_t)i * floats, job->layout, i, job->maps);
    }
    mbn_float_state_restore(state);
}

mbn_status mbn_features(mbn_context *context, const float *input, mbn_tensor_layout layout,
                        int32_t batch, const mbn_feature_map *maps, mbn_error *error) {
    if (maps == NULL) return mbn_fail(error, MBN_INVALID_ARGUMENT, "maps: is NULL");
    mbn_status status = mbn_check_run(context, input, batch, maps, error);
    if (status == MBN_OK) status = mbn_check_layout(layout, error);
    if (status == MBN_OK) status = check_maps(context, maps, error);
    if (status == MBN_OK) status = mbn_check_threads(context, error);
    if (status != MBN_OK) return status;
    features_job job = {context, input, layout, batch, maps};
    mbn_context_gather(context, run_images, &job);
    return MBN_OK;
}
