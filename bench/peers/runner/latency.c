/* Times single images.  Commands:
 *     run SECONDS   warms up, then runs for that long     {"ms": [...]}
 *     runs COUNT    warms up, then runs so often          {"ms": [...]}
 *     peak          multiply-adds of one core             {"flops": ...}
 *     handover      a cache line from CPU to CPU          {"seconds": ...} */
#include "peak.h"
#include "runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WARM_RUNS = 5, RUNS_MIN = 20, RUNS_MAX = 100000 };
static const double warm_seconds = 0.15;

static bool warm_up(runner_context *context) {
    const double start = runner_seconds();
    for (int runs = 0; runs < WARM_RUNS || runner_seconds() - start < warm_seconds; runs++)
        if (!runner_run(context)) return false;
    return true;
}

/* For so long, but at least so often. */
static bool time_runs(runner_context *context, double seconds, int least, double *milliseconds,
                      int *count) {
    const double start = runner_seconds();
    double now = start;
    for (*count = 0; *count < RUNS_MAX && (*count < least || now - start < seconds); (*count)++) {
        const double begin = now;
        if (!runner_run(context)) return false;
        now = runner_seconds();
        milliseconds[*count] = 1e3 * (now - begin);
    }
    return true;
}

static bool answer_run(runner_context *context, double seconds, int least, double *milliseconds) {
    int count;
    if (!warm_up(context) || !time_runs(context, seconds, least, milliseconds, &count))
        return false;
    printf("{\"ms\": [");
    for (int i = 0; i < count; i++) printf(i == 0 ? "%.5f" : ", %.5f", milliseconds[i]);
    printf("]}\n");
    return true;
}

static bool serve(runner_context *context, double *milliseconds) {
    const mbn_kernels *kernels = mbn_model_kernels(context->session->model);
    runner_ready(context->session);
    char command[16];
    double number;
    while (runner_read_command(command, &number)) {
        if (strcmp(command, "peak") == 0)
            printf("{\"flops\": %.0f}\n", peak_flops(kernels));
        else if (strcmp(command, "handover") == 0)
            printf("{\"seconds\": %.3g}\n", runner_handover());
        else if (strcmp(command, "runs") == 0
                     ? !answer_run(context, 0, (int)number, milliseconds)
                     : !answer_run(context, number, RUNS_MIN, milliseconds))
            return false;
        fflush(stdout);
    }
    return true;
}

bool runner_latency(const char *dtype, const char *model, const char *input, const char *output,
                    int threads) {
    runner_session session = {0};
    runner_context context = {0};
    double *milliseconds = malloc(RUNS_MAX * sizeof *milliseconds);
    const bool served = milliseconds != NULL && runner_load(&session, dtype, model, input) &&
                        runner_context_create(&context, &session, threads) &&
                        runner_run(&context) && runner_write_output(&context, output) &&
                        serve(&context, milliseconds);
    runner_context_free(&context);
    runner_unload(&session);
    free(milliseconds);
    return served;
}
