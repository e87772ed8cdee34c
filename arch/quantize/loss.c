/* How far a network of integers is from its floats. */
#include "arch/error.h"
#include "quantizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct power {
    double signal, noise;
} power;

static double decibels(power p) {
    if (p.noise == 0.0) return INFINITY;
    return p.signal > 0.0 ? 10.0 * log10(p.signal / p.noise) : -INFINITY;
}

/* Of one image; behind it `count` of each model or layer. */
static mbn_status run(mbn_reader *reader, mbn_pass *pass, size_t result_bytes, mbn_error *error) {
    const int32_t threads = mbn_reader_threads(reader);
    char *memory = calloc((size_t)threads, result_bytes);
    pass->results = calloc((size_t)threads, sizeof *pass->results);
    pass->held_out = true;
    mbn_status status;
    if (memory == NULL || pass->results == NULL) {
        status = mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory to compare with");
    } else {
        for (int32_t i = 0; i < threads; i++) {
            pass->results[i] = memory + (size_t)i * result_bytes;
        }
        status = mbn_pass_run(reader, pass, error);
    }
    free(pass->results);
    free(memory);
    return status;
}

/* ---- Outputs --------------------------------------------------------------------------------- */

/* Two vectors, of floats and of integers; or sums over images. */
typedef struct nearness {
    power power;
    double cosine;
} nearness;

typedef struct outcome {
    nearness outputs, pool;
    int32_t same, sure, sure_same;
} outcome;

typedef struct outputs_job {
    int32_t count; /* models of integers, behind that of floats */
    int32_t pool, last;
    int64_t pooled, outputs; /* numbers */
    mbn_probability_kind kind;
    bool classes;
    int32_t images;
    outcome *sums; /* [count] */
} outputs_job;

/* Whether the largest of these has a probability of 0.5 or more. */
static bool is_sure(mbn_probability_kind kind, const float *logits, int64_t count, int64_t best) {
    if (kind == MBN_NO_PROBABILITIES) return false;
    if (kind == MBN_SIGMOID) return logits[best] >= 0.0F;
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) sum += exp((double)logits[i] - (double)logits[best]);
    return sum <= 2.0;
}

static nearness measure(const float *floats, const float *integers, int64_t count) {
    nearness n = {{0.0, 0.0}, 0.0};
    double product = 0.0, square = 0.0;
    for (int64_t i = 0; i < count; i++) {
        const double x = (double)floats[i], y = (double)integers[i];
        n.power.signal += x * x;
        n.power.noise += (x - y) * (x - y);
        product += x * y;
        square += y * y;
    }
    const double lengths = sqrt(n.power.signal) * sqrt(square);
    n.cosine = lengths > 0.0 ? product / lengths : n.power.noise == 0.0;
    return n;
}

static outcome compare(const outputs_job *job, const float *const *floats,
                       const float *const *integers) {
    const float *x = floats[job->last], *y = integers[job->last];
    outcome o = {.outputs = measure(x, y, job->outputs),
                 .pool = measure(floats[job->pool], integers[job->pool], job->pooled)};
    int64_t best = 0, other = 0;
    for (int64_t i = 0; i < job->outputs; i++) {
        if (x[i] > x[best]) best = i;
        if (y[i] > y[other]) other = i;
    }
    /* One output alone says yes or no. */
    o.same = job->outputs == 1 ? (x[0] >= 0.0F) == (y[0] >= 0.0F) : best == other;
    if (job->classes && is_sure(job->kind, x, job->outputs, best)) {
        o.sure = 1;
        o.sure_same = o.same;
    }
    return o;
}

static void look_at_outputs(const mbn_pass *pass, const mbn_view *view, void *result) {
    const outputs_job *job = pass->user;
    outcome *outcomes = result;
    for (int32_t m = 0; m < job->count; m++) {
        outcomes[m] = compare(job, view->maps[0], view->maps[1 + m]);
    }
}

static void add(nearness *sum, const nearness *one) {
    sum->power.signal += one->power.signal;
    sum->power.noise += one->power.noise;
    sum->cosine += one->cosine;
}

static void merge_outputs(const mbn_pass *pass, const void *result) {
    outputs_job *job = pass->user;
    const outcome *outcomes = result;
    job->images++;
    for (int32_t m = 0; m < job->count; m++) {
        outcome *sum = &job->sums[m];
        add(&sum->outputs, &outcomes[m].outputs);
        add(&sum->pool, &outcomes[m].pool);
        sum->same += outcomes[m].same;
        sum->sure += outcomes[m].sure;
        sum->sure_same += outcomes[m].sure_same;
    }
}

static int64_t count_values(const mbn_layer *layer) {
    return (int64_t)layer->output_height * layer->output_width * layer->output_channels;
}

mbn_status mbn_compare_outputs(mbn_reader *reader, mbn_model *floats, mbn_model *const *integers,
                               int32_t count, mbn_output_loss *losses, mbn_error *error) {
    enum { MOST = MBN_QUANTIZE_TRIALS };
    const mbn_network *network = mbn_model_network(floats);
    const int32_t pool = mbn_head_pool(network), last = network->layer_count - 1;
    mbn_model *models[1 + MOST] = {floats};
    const bool whole[1 + MOST] = {false};
    outcome sums[MOST];
    memset(sums, 0, sizeof sums);
    for (int32_t m = 0; m < count; m++) models[1 + m] = integers[m];
    outputs_job job = {
        .count = count,
        .pool = pool,
        .last = last,
        .pooled = count_values(&network->layers[pool]),
        .outputs = count_values(&network->layers[last]),
        .kind = mbn_model_probabilities(floats),
        .classes = network->classes > 0,
        .sums = sums,
    };
    mbn_pass pass = {.models = models,
                     .whole = whole,
                     .model_count = 1 + count,
                     .user = &job,
                     .look = look_at_outputs,
                     .merge = merge_outputs};
    const mbn_status status = run(reader, &pass, (size_t)count * sizeof(outcome), error);
    for (int32_t m = 0; status == MBN_OK && m < count; m++) {
        losses[m] = (mbn_output_loss){
            .decibels = decibels(sums[m].outputs.power),
            .cosine = sums[m].outputs.cosine / job.images,
            .agreement = (double)sums[m].same / job.images,
            .sure = sums[m].sure,
            .sure_same = sums[m].sure_same,
            .pool_decibels = decibels(sums[m].pool.power),
            .pool_cosine = sums[m].pool.cosine / job.images,
        };
    }
    return status;
}

/* ---- Layers ---------------------------------------------------------------------------------- */

typedef struct layers_job {
    const mbn_folded *folded;
    power *sums; /* [layers] */
} layers_job;

static power compare_layer(const mbn_layer *layer, const float *factors, const float *floats,
                           const float *integers) {
    power p = {0.0, 0.0};
    const int64_t pixels = (int64_t)layer->output_height * layer->output_width;
    for (int64_t i = 0; i < pixels; i++) {
        for (int32_t c = 0; c < layer->output_channels; c++) {
            const double x = (double)*floats++;
            double y = (double)*integers++;
            if (factors != NULL) y /= (double)factors[c];
            p.signal += x * x;
            p.noise += (x - y) * (x - y);
        }
    }
    return p;
}

static void look_at_layers(const mbn_pass *pass, const mbn_view *view, void *result) {
    const layers_job *job = pass->user;
    const mbn_network *network = job->folded->network;
    power *powers = result;
    for (int32_t i = 0; i < network->layer_count; i++) {
        powers[i] = compare_layer(&network->layers[i], job->folded->layers[i].factors,
                                  view->maps[0][i], view->maps[1][i]);
    }
}

static void merge_layers(const mbn_pass *pass, const void *result) {
    const layers_job *job = pass->user;
    const power *powers = result;
    for (int32_t i = 0; i < job->folded->network->layer_count; i++) {
        job->sums[i].signal += powers[i].signal;
        job->sums[i].noise += powers[i].noise;
    }
}

mbn_status mbn_compare_layers(mbn_reader *reader, mbn_model *floats, mbn_model *integers,
                              const mbn_folded *folded, double *values, mbn_error *error) {
    mbn_model *models[] = {floats, integers};
    const bool whole[] = {true, true};
    const size_t layers = (size_t)folded->network->layer_count;
    layers_job job = {folded, calloc(layers, sizeof(power))};
    if (job.sums == NULL) return mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory to compare with");
    mbn_pass pass = {.models = models,
                     .whole = whole,
                     .model_count = 2,
                     .user = &job,
                     .look = look_at_layers,
                     .merge = merge_layers};
    const mbn_status status = run(reader, &pass, layers * sizeof(power), error);
    for (size_t i = 0; status == MBN_OK && i < layers; i++) values[i] = decibels(job.sums[i]);
    free(job.sums);
    return status;
}
