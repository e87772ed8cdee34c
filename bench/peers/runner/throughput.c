/* Images per second of several contexts over one model, a thread each.  Command:
 *     run SECONDS   {"images": ..., "seconds": ...} */
#include "runner.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct stream {
    runner_context context;
    pthread_t thread;
    double seconds; /* to run for */
    long images;
    bool ok;
};

static void *run_stream(void *argument) {
    struct stream *stream = argument;
    const double end = runner_seconds() + stream->seconds;
    stream->images = 0;
    do {
        stream->ok = runner_run(&stream->context);
        stream->images++;
    } while (stream->ok && runner_seconds() < end);
    return NULL;
}

static bool run_streams(struct stream *streams, int count, double seconds, long *images) {
    int started = 0;
    bool ok = true;
    while (started < count && ok) {
        streams[started].seconds = seconds;
        ok = pthread_create(&streams[started].thread, NULL, run_stream, &streams[started]) == 0;
        started += ok;
    }
    *images = 0;
    for (int i = 0; i < started; i++) {
        pthread_join(streams[i].thread, NULL);
        ok = ok && streams[i].ok;
        *images += streams[i].images;
    }
    return ok;
}

static bool serve(struct stream *streams, int count) {
    runner_ready(streams[0].context.session);
    char command[16];
    double seconds;
    while (runner_read_command(command, &seconds)) {
        long images;
        const double start = runner_seconds();
        if (!run_streams(streams, count, seconds, &images)) return false;
        printf("{\"images\": %ld, \"seconds\": %.6f}\n", images, runner_seconds() - start);
        fflush(stdout);
    }
    return true;
}

bool runner_throughput(const char *dtype, const char *model, const char *input, const char *output,
                       int threads) {
    runner_session session = {0};
    struct stream *streams = calloc((size_t)threads, sizeof *streams);
    bool ok = streams != NULL && runner_load(&session, dtype, model, input);
    for (int i = 0; ok && i < threads; i++)
        ok = runner_context_create(&streams[i].context, &session, 1) &&
             runner_run(&streams[i].context);
    ok = ok && runner_write_output(&streams[0].context, output) && serve(streams, threads);
    for (int i = 0; streams != NULL && i < threads; i++) runner_context_free(&streams[i].context);
    runner_unload(&session);
    free(streams);
    return ok;
}
