#include "runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: mobilenet-runner describe DTYPE MODEL\n"
    "       mobilenet-runner latency DTYPE MODEL INPUT OUTPUT THREADS\n"
    "       mobilenet-runner throughput DTYPE MODEL INPUT OUTPUT CONTEXTS\n"
    "       mobilenet-runner cold DTYPE MODEL INPUT [pause]\n"
    "DTYPE is f32, bf16 or int8.  INPUT and OUTPUT are raw float32.  See bench/peers/README.md.\n";

/* The modes print what went wrong themselves. */
static int result(bool ok) {
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    if (strcmp(mode, "describe") == 0 && argc == 4)
        return result(runner_describe(argv[2], argv[3]));
    if (strcmp(mode, "cold") == 0 && (argc == 5 || argc == 6))
        return result(runner_cold(argv[2], argv[3], argv[4], argc == 6));
    const int threads = argc == 7 ? atoi(argv[6]) : 0;
    if (strcmp(mode, "latency") == 0 && threads > 0)
        return result(runner_latency(argv[2], argv[3], argv[4], argv[5], threads));
    if (strcmp(mode, "throughput") == 0 && threads > 0)
        return result(runner_throughput(argv[2], argv[3], argv[4], argv[5], threads));
    fputs(usage, stderr);
    return 2;
}
