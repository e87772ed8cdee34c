#include "measure.h"

#include "peak.h"
#include "report.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The peak is measured this often, spread over the rounds, for a machine's clock moves. */
enum { PEAK_PROBES = 5 };

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values. */
static double median(double *values, int32_t count) {
    qsort(values, (size_t)count, sizeof *values, ascending);
    return 0.5 * (values[(count - 1) / 2] + values[count / 2]);
}

/* ---- Rounds ---------------------------------------------------------------------------------- */

struct samples {
    float *input, *output;
    double *round, *round_again; /* [steps], of one round */
    double *steps, *steps_again; /* [steps][rounds] */
    double *runs, *clocked_runs; /* [rounds] */
    double peaks[PEAK_PROBES];
    int32_t peak_count;
};

static void free_samples(struct samples *samples) {
    free(samples->input);
    free(samples->output);
    free(samples->round);
    free(samples->round_again);
    free(samples->steps);
    free(samples->steps_again);
    free(samples->runs);
    free(samples->clocked_runs);
}

static bool allocate_samples(const mbn_network *network, size_t step_count, size_t rounds,
                             struct samples *samples) {
    const size_t values = (size_t)network->input_height * (size_t)network->input_width *
                          (size_t)network->input_channels;
    samples->input = malloc(values * sizeof *samples->input);
    /* One more than needed, since there may be no classes, and malloc(0) may give NULL. */
    samples->output = malloc(((size_t)network->classes + 1) * sizeof *samples->output);
    samples->round = malloc(step_count * sizeof *samples->round);
    samples->round_again = malloc(step_count * sizeof *samples->round_again);
    samples->steps = malloc(step_count * rounds * sizeof *samples->steps);
    samples->steps_again = malloc(step_count * rounds * sizeof *samples->steps_again);
    samples->runs = malloc(rounds * sizeof *samples->runs);
    samples->clocked_runs = malloc(rounds * sizeof *samples->clocked_runs);
    if (samples->input == NULL || samples->output == NULL || samples->round == NULL ||
        samples->round_again == NULL || samples->steps == NULL || samples->steps_again == NULL ||
        samples->runs == NULL || samples->clocked_runs == NULL) {
        return false;
    }
    for (size_t i = 0; i < values; i++) samples->input[i] = (float)(i * 37 % 255) / 127.5f - 1.0f;
    return true;
}

static mbn_status time_run(mbn_context *context, struct samples *samples, double *seconds,
                           mbn_error *error) {
    const double begin = now();
    /* Without a classifier there is no mbn_run; mbn_profile runs the same steps. */
    const mbn_status status =
        mbn_context_network(context)->classes == 0
            ? mbn_profile(context, samples->input, MBN_NHWC, samples->round, NULL, error)
            : mbn_run(context, samples->input, MBN_NHWC, 1, MBN_LOGITS, samples->output, error);
    *seconds = now() - begin;
    return status;
}

static mbn_status time_rounds(const mbn_inspection *inspection, int32_t rounds,
                              struct samples *samples, mbn_error *error) {
    mbn_context *context = inspection->context;
    const int32_t step_count = mbn_context_step_count(context);
    const int32_t rounds_per_probe = (rounds + PEAK_PROBES - 1) / PEAK_PROBES;
    double warm_up;
    mbn_status status = time_run(context, samples, &warm_up, error);
    for (int32_t round = 0; status == MBN_OK && round < rounds; round++) {
        if (round % rounds_per_probe == 0) {
            samples->peaks[samples->peak_count++] = peak_flops(inspection->kernels);
        }
        status = time_run(context, samples, &samples->runs[round], error);
        if (status != MBN_OK) break;
        status = mbn_profile(context, samples->input, MBN_NHWC, samples->round,
                             samples->round_again, error);
        samples->clocked_runs[round] = 0;
        for (int32_t i = 0; status == MBN_OK && i < step_count; i++) {
            samples->steps[(ptrdiff_t)i * rounds + round] = samples->round[i];
            samples->steps_again[(ptrdiff_t)i * rounds + round] = samples->round_again[i];
            samples->clocked_runs[round] += samples->round[i];
        }
    }
    return status;
}

/* ---- Sums ------------------------------------------------------------------------------------ */

static void add(mbn_cost *sum, const mbn_cost *cost) {
    sum->seconds += cost->seconds;
    sum->again += cost->again;
    sum->multiply_adds += cost->multiply_adds;
    sum->bytes += cost->bytes;
}

static int longest_first(const void *a, const void *b) {
    const mbn_kind_cost *x = a, *y = b;
    return ascending(&y->cost.seconds, &x->cost.seconds);
}

static int32_t find_kind(const mbn_measurement *measurement, const char *name) {
    int32_t kind = 0;
    while (kind < measurement->kind_count && strcmp(measurement->kinds[kind].name.text, name) != 0)
        kind++;
    return kind;
}

static void sum_up(const mbn_network *network, mbn_measurement *measurement) {
    for (int32_t i = 0; i < measurement->step_count; i++) {
        const mbn_step_cost *step = &measurement->steps[i];
        const mbn_step_kind name = mbn_inspect_kind(network, &step->info);
        const int32_t k = find_kind(measurement, name.text);
        mbn_kind_cost *kind = &measurement->kinds[k];
        if (k == measurement->kind_count) {
            *kind = (mbn_kind_cost){.name = name};
            measurement->kind_count++;
        }
        kind->steps++;
        add(&kind->cost, &step->cost);
        add(&measurement->total, &step->cost);
    }
    qsort(measurement->kinds, (size_t)measurement->kind_count, sizeof *measurement->kinds,
          longest_first);
    for (int32_t i = 0; i < measurement->step_count; i++) {
        mbn_step_cost *step = &measurement->steps[i];
        step->kind = find_kind(measurement, mbn_inspect_kind(network, &step->info).text);
    }
}

static void evaluate(const mbn_inspection *inspection, struct samples *samples,
                     mbn_measurement *measurement) {
    const int32_t rounds = measurement->rounds;
    for (int32_t i = 0; i < measurement->step_count; i++) {
        const mbn_step_info info = mbn_inspect_step(inspection, i);
        const ptrdiff_t first = (ptrdiff_t)i * rounds;
        measurement->steps[i] = (mbn_step_cost){
            .info = info,
            .cost = {median(samples->steps + first, rounds),
                     median(samples->steps_again + first, rounds), info.multiply_adds, info.bytes},
        };
    }
    measurement->run_seconds = median(samples->runs, rounds);
    measurement->clocked_seconds = median(samples->clocked_runs, rounds);
    measurement->core_peak = median(samples->peaks, samples->peak_count);
    measurement->peak = measurement->core_peak * mbn_context_threads(inspection->context);
    sum_up(inspection->network, measurement);
}

mbn_status mbn_measure(const mbn_inspection *inspection, int32_t rounds,
                       mbn_measurement *measurement, mbn_error *error) {
    const int32_t step_count = mbn_context_step_count(inspection->context);
    *measurement = (mbn_measurement){
        .rounds = rounds,
        .step_count = step_count,
        .steps = malloc((size_t)step_count * sizeof *measurement->steps),
        .kinds = malloc((size_t)step_count * sizeof *measurement->kinds),
    };
    struct samples samples = {0};
    mbn_status status = MBN_OK;
    if (measurement->steps == NULL || measurement->kinds == NULL ||
        !allocate_samples(inspection->network, (size_t)step_count, (size_t)rounds, &samples)) {
        status = mbn_explain(error, MBN_OUT_OF_MEMORY, "no memory for the times of %d rounds",
                             (int)rounds);
    }
    if (status == MBN_OK) status = time_rounds(inspection, rounds, &samples, error);
    if (status == MBN_OK) evaluate(inspection, &samples, measurement);
    free_samples(&samples);
    if (status != MBN_OK) mbn_measurement_free(measurement);
    return status;
}

void mbn_measurement_free(mbn_measurement *measurement) {
    free(measurement->steps);
    free(measurement->kinds);
    *measurement = (mbn_measurement){0};
}

double mbn_cost_flops(const mbn_cost *cost) {
    return 2 * (double)cost->multiply_adds / cost->seconds;
}

double mbn_cost_floor(const mbn_cost *cost, const mbn_measurement *measurement) {
    return 2 * (double)cost->multiply_adds / measurement->peak;
}
