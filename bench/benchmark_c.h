/* Google Benchmark for C.
 *
 *     static void copy(bench_state *state, const void *context) {
 *         const struct sizes *sizes = context;
 *         ... allocate and fill, which is not timed ...
 *         while (bench_keep_running(state)) memcpy(to, from, sizes->bytes);
 *         bench_rate(state, "GB/s", 1e-9 * (double)sizes->bytes);
 *     }
 *
 *     bench_register("copy/4096", copy, &four_kilobytes);
 *     return bench_main(argc, argv, NULL);
 *
 * The --benchmark_* flags are Google Benchmark's.  A function is called several times: with few
 * iterations to find out how many are needed, then once per repetition. */
#ifndef BENCH_BENCHMARK_C_H
#define BENCH_BENCHMARK_C_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bench_state bench_state; /* one call of a benchmark */
typedef struct bench_entry bench_entry; /* one registered benchmark */
typedef void bench_function(bench_state *state, const void *context);

/* The name is copied; the context must live until bench_main returns.  Times are shown in
 * microseconds and rates are per second of this thread's CPU time, unless changed below. */
bench_entry *bench_register(const char *name, bench_function *function, const void *context);
void bench_in_milliseconds(bench_entry *entry);
void bench_by_wall_clock(bench_entry *entry); /* for work that other threads do */

/* True for each iteration to run.  The clock runs from the first call to the one that returns
 * false, except between pause and resume (some 100 ns each: for long iterations only). */
bool bench_keep_running(bench_state *state);
void bench_pause(bench_state *state);
void bench_resume(bench_state *state);
int64_t bench_iterations(const bench_state *state);

/* Counters, set before or after the loop.  The name says the unit ("GB/s", "%peak").
 *   bench_counter  shown as it is
 *   bench_rate     value per iteration, shown per second */
void bench_counter(bench_state *state, const char *name, double value);
void bench_rate(bench_state *state, const char *name, double value);

/* Text behind the counters. */
void bench_label(bench_state *state, const char *text);

/* Marks this benchmark as failed, and bench_keep_running returns false from now on. */
void bench_skip_with_error(bench_state *state, const char *message);

/* A line of the report's head, "context" in JSON. */
void bench_context(const char *key, const char *value);

/* Runs the benchmarks that --benchmark_filter selects.  before_run (may be NULL) is called once
 * before the first, and not if nothing is run (--benchmark_list_tests).  Returns main's exit
 * status: 1 for an unknown argument, if nothing matches the filter or if a benchmark failed. */
int bench_main(int argc, char **argv, void (*before_run)(void));

#ifdef __cplusplus
}
#endif

#endif
