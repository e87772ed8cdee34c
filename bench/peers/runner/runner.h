/* This library's side of a comparison with other runtimes.  The other runtimes' side is worker.py:
 * both take the same commands on standard input, a line each, and answer with a line of JSON. */
#ifndef PEERS_RUNNER_H
#define PEERS_RUNNER_H

#include <mobilenet.h>

/* Seconds, of the clock that Python calls time.monotonic: comparable between processes. */
double runner_seconds(void);

/* Seconds that a cache line takes from the first of this process's CPUs to the second; 0 where
 * there is but one. */
double runner_handover(void);

/* A model with an input for it. */
typedef struct runner_session {
    mbn_model *model;
    const mbn_network *network;
    const float *input; /* [height][width][3] */
} runner_session;

/* dtype: what to run in, "f32" or "bf16"; "int8": what the file holds.  What goes wrong is printed
 * on standard error, and NULL or false returned: the runner ends then. */
mbn_model *runner_load_model(const char *dtype, const char *path);
bool runner_load(runner_session *session, const char *dtype, const char *model, const char *input);
void runner_unload(runner_session *session);

typedef struct runner_context {
    const runner_session *session;
    mbn_context *context;
    float *output;
} runner_context;

bool runner_context_create(runner_context *context, const runner_session *session, int threads);
bool runner_run(runner_context *context);
void runner_context_free(runner_context *context);

/* Writes the output's floats as they are in memory. */
bool runner_write_output(const runner_context *context, const char *path);

/* The first answer: the library's version, and what the model runs in. */
void runner_ready(const runner_session *session);

/* A command: its name and, if it has one, its number.  False at the end of standard input. */
bool runner_read_command(char name[16], double *number);

/* The runner's modes. */
bool runner_describe(const char *dtype, const char *model);
bool runner_latency(const char *dtype, const char *model, const char *input, const char *output,
                    int threads);
bool runner_throughput(const char *dtype, const char *model, const char *input, const char *output,
                       int threads);
bool runner_cold(const char *dtype, const char *model, const char *input, bool pause);

#endif
