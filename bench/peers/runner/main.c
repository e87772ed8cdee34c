#include "runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "usage: mobilenet-runner describe MODEL\n"
                            "       mobilenet-runner latency MODEL INPUT OUTPUT THREADS\n"
                            "       mobilenet-runner throughput MODEL INPUT OUTPUT CONTEXTS\n"
                            "       mobilenet-runner cold MODEL INPUT [pause]\n"
                            "INPUT and OUTPUT are raw float32.  See bench/peers/README.md.\n";

/* The modes print what went wrong themselves. */
static int result(bool ok) {
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    if (strcmp(mode, "describe") == 0 && argc == 3) return result(runner_describe(argv[2]));
    if (strcmp(mode, "cold") == 0 && (argc == 4 || argc == 5))
        return result(runner_cold(argv[2], argv[3], argc == 5));
    const int threads = argc == 6 ? atoi(argv[5]) : 0;
    if (strcmp(mode, "latency") == 0 && threads > 0)
        return result(runner_latency(argv[2], argv[3], argv[4], threads));
    if (strcmp(mode, "throughput") == 0 && threads > 0)
        return result(runner_throughput(argv[2], argv[3], argv[4], threads));
    fputs(usage, stderr);
    return 2;
}
