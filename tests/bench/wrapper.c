/* A program of the C wrapper's functions, for check_wrapper.py to look at. */
#include "benchmark_c.h"

#include <string.h>
#include <time.h>

static void sleep_milliseconds(long milliseconds) {
    const struct timespec duration = {0, milliseconds * 1000000};
    nanosleep(&duration, NULL);
}

static void counts(bench_state *state, const void *context) {
    int64_t iterations = 0;
    while (bench_keep_running(state)) {
        iterations++;
        sleep_milliseconds(1);
    }
    bench_counter(state, "plain", *(const double *)context);
    bench_counter(state, "missed", (double)(bench_iterations(state) - iterations));
    bench_rate(state, "rate", 7);
    bench_label(state, "a label");
}

static void pauses(bench_state *state, const void *context) {
    (void)context;
    while (bench_keep_running(state)) {
        bench_pause(state);
        sleep_milliseconds(5);
        bench_resume(state);
        sleep_milliseconds(1); /* or it would take thousands of iterations to fill its time */
    }
}

static void fails(bench_state *state, const void *context) {
    bench_skip_with_error(state, context);
    while (bench_keep_running(state)) bench_counter(state, "never", 1);
}

static void before_run(void) {
    bench_context("key", "value");
}

int main(int argc, char **argv) {
    static const double answer = 42;
    char name[] = "counts";
    bench_entry *entry = bench_register(name, counts, &answer);
    bench_in_milliseconds(entry);
    bench_by_wall_clock(entry);
    memset(name, 'x', sizeof name - 1); /* the wrapper keeps its own copy */
    bench_by_wall_clock(bench_register("pauses", pauses, NULL));
    bench_register("fails", fails, "the reason");
    return bench_main(argc, argv, before_run);
}
