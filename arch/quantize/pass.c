/* All images through models, on all threads.  What is found of each image is merged in the order of
 * the images, so that the result is the same for every number of threads. */
#include "arch/error.h"
#include "quantizer.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Every fourth image is held out, where there are this many. */
enum { HELD_OUT_OF = 4, LEAST_TO_HOLD_OUT = 8 };

enum { MOST_THREADS = 1024 };

struct mbn_reader {
    const mbn_calibration *calibration;
    mbn_progress_fn *progress;
    void *user;
    int32_t threads;
    int64_t done, expected; /* readings */
    int32_t passes;         /* in which each image is read */
    bool left_out[];        /* [calibration->count] */
};

/* A run of a pass. */
typedef struct run {
    mbn_reader *reader;
    const mbn_pass *pass;
    pthread_mutex_t lock; /* of what follows, and of the reader */
    pthread_cond_t merged;
    int32_t next, turn; /* images: that is to be read, that is to be merged */
    int32_t used;       /* images that could be read */
    mbn_status status;
    mbn_error error; /* of the first image that could not be read, then of what ended the run */
} run;

typedef struct worker {
    run *run;
    void *result;
    pthread_t thread;
    mbn_context **contexts;   /* [models] */
    mbn_feature_map **places; /* [models][stages] */
    const float ***maps;      /* [models][layers] */
    float *floats;            /* the image, then all maps */
} worker;

/* ---- The reader ------------------------------------------------------------------------------ */

mbn_status mbn_reader_create(const mbn_calibration *calibration,
                             const mbn_quantize_options *options, mbn_reader **result,
                             mbn_error *error) {
    if (options->threads < 0 || options->threads > MOST_THREADS) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "threads: %d is not in 0..%d",
                        (int)options->threads, MOST_THREADS);
    }
    mbn_reader *reader = calloc(1, sizeof *reader + (size_t)calibration->count * sizeof(bool));
    if (reader == NULL) return mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory for a list of images");
    reader->calibration = calibration;
    reader->progress = options->progress;
    reader->user = options->user;
    reader->threads = options->threads;
    if (reader->threads == 0) {
        mbn_cpus cpus;
        mbn_usable_cpus(&cpus);
        reader->threads = cpus.usable < MOST_THREADS ? cpus.usable : MOST_THREADS;
    }
    if (reader->threads > calibration->count) reader->threads = calibration->count;
    *result = reader;
    return MBN_OK;
}

void mbn_reader_free(mbn_reader *reader) {
    free(reader);
}

int32_t mbn_reader_threads(const mbn_reader *reader) {
    return reader->threads;
}

static bool is_held_out(const mbn_reader *reader, int32_t index) {
    return reader->calibration->count >= LEAST_TO_HOLD_OUT &&
           index % HELD_OUT_OF == HELD_OUT_OF - 1;
}

/* Whether a pass looks at an image; without any that are held out, all are. */
static bool takes(const mbn_reader *reader, const mbn_pass *pass, int32_t index) {
    if (reader->left_out[index]) return false;
    return reader->calibration->count < LEAST_TO_HOLD_OUT ||
           is_held_out(reader, index) == pass->held_out;
}

void mbn_reader_counts(const mbn_reader *reader, int32_t *calibrated, int32_t *held_out,
                       int32_t *left_out) {
    *calibrated = *held_out = *left_out = 0;
    for (int32_t i = 0; i < reader->calibration->count; i++) {
        ++*(reader->left_out[i] ? left_out : is_held_out(reader, i) ? held_out : calibrated);
    }
}

void mbn_reader_expect(mbn_reader *reader, int32_t passes) {
    reader->passes = passes;
    reader->expected = (int64_t)passes * reader->calibration->count;
    /* Where none is held out, all are read in every one's place. */
    if (reader->calibration->count < LEAST_TO_HOLD_OUT) reader->expected *= 2;
}

/* ---- A thread -------------------------------------------------------------------------------- */

static size_t map_floats(const mbn_layer *layer) {
    return (size_t)layer->output_height * (size_t)layer->output_width *
           (size_t)layer->output_channels;
}

static int32_t first_layer(const mbn_pass *pass, int32_t model) {
    return pass->whole[model] ? 0 : mbn_head_pool(mbn_model_network(pass->models[model]));
}

static size_t image_floats(const mbn_network *network) {
    return (size_t)network->input_height * (size_t)network->input_width *
           (size_t)network->input_channels;
}

static void close_worker(worker *w, int32_t models) {
    for (int32_t m = 0; m < models; m++) {
        if (w->contexts != NULL) mbn_context_free(w->contexts[m]);
        if (w->places != NULL) free(w->places[m]);
        if (w->maps != NULL) free(w->maps[m]);
    }
    free(w->contexts);
    free(w->places);
    free(w->maps);
    free(w->floats);
}

/* A context that writes the layers that the pass asks for to `at`. */
static mbn_status open_model(const mbn_pass *pass, int32_t m, worker *w, float *at,
                             mbn_error *error) {
    const mbn_network *network = mbn_model_network(pass->models[m]);
    const int32_t first = first_layer(pass, m), stages = network->layer_count - first;
    const char **names = calloc((size_t)stages, sizeof *names);
    w->places[m] = calloc((size_t)stages, sizeof *w->places[m]);
    w->maps[m] = calloc((size_t)network->layer_count, sizeof *w->maps[m]);
    mbn_status status = MBN_OK;
    if (names == NULL || w->places[m] == NULL || w->maps[m] == NULL) {
        status = mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory to calibrate with");
    }
    for (int32_t s = 0; status == MBN_OK && s < stages; s++) {
        const mbn_layer *layer = &network->layers[first + s];
        names[s] = layer->name;
        w->places[m][s] = (mbn_feature_map){at, MBN_NHWC};
        w->maps[m][first + s] = at;
        at += map_floats(layer);
    }
    if (status == MBN_OK) {
        const mbn_context_options options = {.threads = 1, .stages = names, .stage_count = stages};
        status = mbn_context_create(pass->models[m], &options, &w->contexts[m], error);
    }
    free(names);
    return status;
}

static size_t model_floats(const mbn_pass *pass, int32_t m) {
    const mbn_network *network = mbn_model_network(pass->models[m]);
    size_t count = 0;
    for (int32_t i = first_layer(pass, m); i < network->layer_count; i++) {
        count += map_floats(&network->layers[i]);
    }
    return count;
}

static mbn_status open_worker(run *r, int32_t number, worker *w, mbn_error *error) {
    const mbn_pass *pass = r->pass;
    const size_t models = (size_t)pass->model_count;
    const size_t image = image_floats(mbn_model_network(pass->models[0]));
    size_t count = image;
    for (int32_t m = 0; m < pass->model_count; m++) count += model_floats(pass, m);
    *w = (worker){.run = r,
                  .result = pass->results[number],
                  .contexts = calloc(models, sizeof *w->contexts),
                  .places = calloc(models, sizeof *w->places),
                  .maps = calloc(models, sizeof *w->maps),
                  .floats = malloc(count * sizeof(float))};
    if (w->contexts == NULL || w->places == NULL || w->maps == NULL || w->floats == NULL) {
        return mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory to calibrate with");
    }
    mbn_status status = MBN_OK;
    float *at = w->floats + image;
    for (int32_t m = 0; status == MBN_OK && m < pass->model_count; m++) {
        status = open_model(pass, m, w, at, error);
        at += model_floats(pass, m);
    }
    return status;
}

/* *readable: false where the image itself is what failed. */
static mbn_status look_at(const worker *w, int32_t index, bool *readable, mbn_error *error) {
    const mbn_pass *pass = w->run->pass;
    const mbn_calibration *calibration = w->run->reader->calibration;
    mbn_status status =
        calibration->read(calibration->user, index, w->contexts[0], w->floats, error);
    *readable = status == MBN_OK;
    for (int32_t m = 0; status == MBN_OK && m < pass->model_count; m++) {
        status = mbn_features(w->contexts[m], w->floats, MBN_NHWC, 1, w->places[m], error);
    }
    if (status != MBN_OK) return status;
    const mbn_view view = {w->floats, (const float *const *const *)w->maps};
    pass->look(pass, &view, w->result);
    return MBN_OK;
}

/* Called with the lock, when it is the image's turn. */
static void merge(worker *w, int32_t index, mbn_status status, bool readable,
                  const mbn_error *error) {
    run *r = w->run;
    mbn_reader *reader = r->reader;
    if (status == MBN_OK) {
        if (r->pass->merge != NULL) r->pass->merge(r->pass, w->result);
        r->used++;
    } else {
        if (r->error.status == MBN_OK || !readable) r->error = *error;
        if (!readable) {
            reader->left_out[index] = true;
            const int32_t places = reader->calibration->count < LEAST_TO_HOLD_OUT ? 2 : 1;
            reader->expected -= places * reader->passes - 1; /* it is not asked for again */
        }
        if (readable && r->status == MBN_OK) r->status = status;
    }
    reader->done++;
    if (reader->progress != NULL) reader->progress(reader->user, reader->done, reader->expected);
    r->turn = index + 1;
    while (r->turn < reader->calibration->count && !takes(reader, r->pass, r->turn)) r->turn++;
    pthread_cond_broadcast(&r->merged);
}

static void *work(void *argument) {
    worker *w = argument;
    run *r = w->run;
    const int32_t count = r->reader->calibration->count;
    pthread_mutex_lock(&r->lock);
    for (;;) {
        while (r->next < count && !takes(r->reader, r->pass, r->next)) r->next++;
        if (r->next >= count || r->status != MBN_OK) break;
        const int32_t index = r->next++;
        pthread_mutex_unlock(&r->lock);
        bool readable;
        mbn_error error = {MBN_OK, ""};
        const mbn_status status = look_at(w, index, &readable, &error);
        error.status = status;
        pthread_mutex_lock(&r->lock);
        while (r->turn != index) pthread_cond_wait(&r->merged, &r->lock);
        merge(w, index, status, readable, &error);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* ---- All threads ----------------------------------------------------------------------------- */

/* Where a thread cannot be started, those that could do its work. */
static void run_workers(worker *workers, int32_t count) {
    int32_t started = 1;
    while (started < count &&
           pthread_create(&workers[started].thread, NULL, work, &workers[started]) == 0) {
        started++;
    }
    work(&workers[0]);
    for (int32_t i = 1; i < started; i++) pthread_join(workers[i].thread, NULL);
}

static mbn_status run_all(run *r, mbn_error *error) {
    mbn_reader *reader = r->reader;
    assert(reader->threads > 0);
    worker *workers = calloc((size_t)reader->threads, sizeof *workers);
    if (workers == NULL) return mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory to calibrate with");
    mbn_status status = MBN_OK;
    int32_t opened = 0;
    while (status == MBN_OK && opened < reader->threads) {
        status = open_worker(r, opened, &workers[opened], error);
        opened++;
    }
    if (status == MBN_OK) run_workers(workers, reader->threads);
    for (int32_t i = 0; i < opened; i++) close_worker(&workers[i], r->pass->model_count);
    free(workers);
    if (status != MBN_OK) return status;
    if (r->status != MBN_OK) return mbn_fail(error, r->status, "%s", r->error.message);
    if (r->used == 0) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "no image can be read%s%s",
                        r->error.status == MBN_OK ? "" : ": ", r->error.message);
    }
    return MBN_OK;
}

mbn_status mbn_pass_run(mbn_reader *reader, const mbn_pass *pass, mbn_error *error) {
    run r = {.reader = reader, .pass = pass};
    while (r.turn < reader->calibration->count && !takes(reader, pass, r.turn)) r.turn++;
    if (pthread_mutex_init(&r.lock, NULL) != 0) {
        return mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory for a lock");
    }
    mbn_status status = MBN_OUT_OF_MEMORY;
    if (pthread_cond_init(&r.merged, NULL) == 0) {
        status = run_all(&r, error);
        pthread_cond_destroy(&r.merged);
    } else {
        mbn_fail(error, status, "no memory for a lock");
    }
    pthread_mutex_destroy(&r.lock);
    return status;
}
