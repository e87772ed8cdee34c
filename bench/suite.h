/* From the network tables to registered benchmarks: a family runs one kernel over every layer of
 * the networks that it takes, once for each usable kernel table. */
#ifndef BENCH_SUITE_H
#define BENCH_SUITE_H

#include "benchmark_c.h"

#include <mobilenet.h>

/* What a family's function gets as its context. */
typedef struct bench_case {
    const mbn_kernels *kernels;
    const mbn_network *network; /* that the layer was first seen in */
    const mbn_layer *layer;
    int variant; /* the family's */
} bench_case;

/* Benchmarks are called `family/table/shape`, or `family/table/square/shape` (machine_name).
 * Layers whose shapes read the same are one benchmark: the name decides what is worth measuring
 * twice. */
typedef struct bench_family {
    const char *name;
    int variant; /* for a function that serves several families */
    /* Writes the shape; false if the family does not run such a layer. */
    bool (*shape)(const bench_case *c, char *text, size_t size);
    bench_function *run; /* its context is a bench_case */
} bench_family;

extern const bench_family bench_pointwise, bench_depthwise, bench_depthwise_border,
    bench_convolution, bench_batch_norm, bench_channel_scale, bench_add, bench_global_average_pool,
    bench_max_pool, bench_fully_connected, bench_softmax, bench_to_blocked_nhwc,
    bench_to_blocked_nchw, bench_from_blocked_nhwc, bench_from_blocked_nchw, bench_packing,
    bench_compare_separable;

/* The networks at 224x224 and width 1, as they are and built from standard convolutions, and the
 * squares (suite.c). */
typedef struct bench_suite bench_suite;

/* isa_mask: the tables to run.  NULL if a network cannot be laid out (stderr says why) or there is
 * no memory. */
bench_suite *bench_suite_create(uint32_t isa_mask);
void bench_suite_free(bench_suite *suite); /* after bench_main */
void bench_register_family(bench_suite *suite, const bench_family *family);

/* Whole networks, one by one (network.c). */
void bench_register_networks(bench_suite *suite);

/* Allocates a context that lives as long as the suite. */
void *bench_suite_allocate(bench_suite *suite, size_t size);
uint32_t bench_suite_isas(const bench_suite *suite);

/* snprintf that makes `shape` functions one line long: true if the text fits. */
__attribute__((format(printf, 3, 4))) bool bench_format(char *text, size_t size, const char *format,
                                                        ...);

/* Sets the counters of a case: GFLOP/s, peak_GFLOP/s (of the table's elements and instruction set,
 * one core, measured now) and %peak unless flops is 0, and GB/s.  Both are per iteration: useful
 * operations, a multiply-add being two, and the bytes that any implementation must move (each
 * operand once, without padding). */
void bench_report(bench_state *state, const bench_case *c, double flops, double bytes);

#endif
