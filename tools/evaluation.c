#include "evaluation.h"

#include "input.h"
#include "progress.h"
#include "report.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* What the threads share. */
struct shared {
    mbn_evaluation *evaluation;
    pthread_mutex_t lock; /* of next, done and running */
    pthread_cond_t changed;
    size_t next, done;
    int32_t running; /* threads */
};

struct worker {
    struct shared *shared;
    pthread_t thread;
    mbn_context *context;
    float *scores;    /* [classes] */
    int32_t *indices; /* [top] */
};

static mbn_status classify(struct worker *worker, const mbn_labelled *labelled,
                           mbn_outcome *outcome, mbn_error *error) {
    const mbn_evaluation *evaluation = worker->shared->evaluation;
    mbn_rgb pixels;
    mbn_image image;
    const int32_t channels = mbn_model_network(evaluation->model)->input_channels;
    mbn_status status = mbn_read_image(labelled->path, channels, &pixels, &image, error);
    if (status != MBN_OK) return status;
    float *scores = worker->scores;
    if (evaluation->keeps_scores) {
        const ptrdiff_t index = labelled - evaluation->dataset->images;
        scores = evaluation->scores + index * evaluation->scoring.classes;
    }
    status = mbn_score_image(&evaluation->scoring, worker->context, &image, scores, error);
    free(pixels.pixels);
    if (status != MBN_OK) return status;
    const int32_t found =
        mbn_top(scores, evaluation->scoring.classes, evaluation->top, worker->indices);
    outcome->best = worker->indices[0];
    outcome->probability = scores[outcome->best];
    for (int32_t i = 0; i < found; i++) {
        if (worker->indices[i] == labelled->class_index) outcome->rank = i;
    }
    return MBN_OK;
}

static void *work(void *argument) {
    struct worker *worker = argument;
    struct shared *shared = worker->shared;
    const mbn_dataset *dataset = shared->evaluation->dataset;
    pthread_mutex_lock(&shared->lock);
    while (shared->next < dataset->count) {
        const size_t i = shared->next++;
        pthread_mutex_unlock(&shared->lock);
        mbn_outcome outcome = {.best = -1, .rank = -1};
        mbn_error error;
        if (classify(worker, &dataset->images[i], &outcome, &error) != MBN_OK) {
            outcome.failure = strdup(error.message); /* NULL is without a reason */
        }
        shared->evaluation->outcomes[i] = outcome;
        pthread_mutex_lock(&shared->lock);
        shared->done++;
        pthread_cond_signal(&shared->changed);
    }
    shared->running--;
    pthread_cond_signal(&shared->changed);
    pthread_mutex_unlock(&shared->lock);
    return NULL;
}

/* ---- Threads --------------------------------------------------------------------------------- */

static void watch(struct shared *shared) {
    mbn_progress progress = mbn_progress_begin();
    const size_t count = shared->evaluation->dataset->count;
    size_t done = 0;
    for (bool running = true; running;) {
        pthread_mutex_lock(&shared->lock);
        while (shared->done == done && shared->running > 0) {
            pthread_cond_wait(&shared->changed, &shared->lock);
        }
        done = shared->done;
        running = shared->running > 0;
        pthread_mutex_unlock(&shared->lock); /* stderr may block */
        mbn_progress_show(&progress, (int64_t)done, (int64_t)count);
    }
}

static void close_worker(struct worker *worker) {
    free(worker->indices);
    free(worker->scores);
    mbn_context_free(worker->context);
}

static mbn_status open_worker(struct shared *shared, struct worker *worker, mbn_error *error) {
    const mbn_evaluation *evaluation = shared->evaluation;
    const size_t classes = (size_t)evaluation->scoring.classes;
    worker->shared = shared;
    const mbn_status status =
        mbn_create_image_context(evaluation->model, &(mbn_context_options){0},
                                 evaluation->preprocessing, &worker->context, error);
    if (status != MBN_OK) return status;
    worker->scores = malloc(classes * sizeof *worker->scores);
    worker->indices = malloc((size_t)evaluation->top * sizeof *worker->indices);
    if (worker->scores == NULL || worker->indices == NULL) {
        return mbn_explain(error, MBN_OUT_OF_MEMORY, "scores: out of memory");
    }
    return MBN_OK;
}

/* Some threads may fail to start; one is enough. */
static mbn_status run_workers(struct shared *shared, struct worker *workers, mbn_error *error) {
    const int32_t wanted = shared->evaluation->threads;
    int32_t started = 0;
    shared->running = wanted;
    while (started < wanted &&
           pthread_create(&workers[started].thread, NULL, work, &workers[started]) == 0) {
        started++;
    }
    pthread_mutex_lock(&shared->lock);
    shared->running -= wanted - started;
    pthread_mutex_unlock(&shared->lock);
    if (started == 0) return mbn_explain(error, MBN_OUT_OF_MEMORY, "threads: cannot start one");
    watch(shared);
    for (int32_t i = 0; i < started; i++) pthread_join(workers[i].thread, NULL);
    return MBN_OK;
}

mbn_status mbn_evaluate(mbn_evaluation *evaluation, mbn_error *error) {
    struct shared shared = {.evaluation = evaluation};
    if ((size_t)evaluation->threads > evaluation->dataset->count) {
        evaluation->threads = (int32_t)evaluation->dataset->count;
    }
    evaluation->outcomes = calloc(evaluation->dataset->count, sizeof *evaluation->outcomes);
    struct worker *workers = calloc((size_t)evaluation->threads, sizeof *workers);
    if (evaluation->keeps_scores) {
        evaluation->scores =
            calloc(evaluation->dataset->count,
                   (size_t)evaluation->scoring.classes * sizeof *evaluation->scores);
    }
    const bool has_scores = evaluation->scores != NULL || !evaluation->keeps_scores;
    if (evaluation->outcomes == NULL || workers == NULL || !has_scores ||
        pthread_mutex_init(&shared.lock, NULL) != 0) {
        free(workers);
        return mbn_explain(error, MBN_OUT_OF_MEMORY, "scores: out of memory");
    }
    mbn_status status = MBN_OK;
    if (pthread_cond_init(&shared.changed, NULL) != 0) {
        status = mbn_explain(error, MBN_OUT_OF_MEMORY, "scores: out of memory");
    } else {
        for (int32_t i = 0; status == MBN_OK && i < evaluation->threads; i++) {
            status = open_worker(&shared, &workers[i], error);
        }
        const double start = mbn_now();
        if (status == MBN_OK) status = run_workers(&shared, workers, error);
        evaluation->seconds = mbn_now() - start;
        pthread_cond_destroy(&shared.changed);
    }
    pthread_mutex_destroy(&shared.lock);
    for (int32_t i = 0; i < evaluation->threads; i++) close_worker(&workers[i]);
    free(workers);
    return status;
}

void mbn_evaluation_free(mbn_evaluation *evaluation) {
    free(evaluation->scores);
    evaluation->scores = NULL;
    if (evaluation->outcomes == NULL) return;
    for (size_t i = 0; i < evaluation->dataset->count; i++) free(evaluation->outcomes[i].failure);
    free(evaluation->outcomes);
    evaluation->outcomes = NULL;
}
