/* What q8 kernels are tested with: everything in the arguments' domain, and much of it at its ends.
 * The expected bytes are the scalar table's, which test_q8_golden holds against other
 * implementations: tables_under_test has it first, and kernel_call.first carries its bytes on. */
#ifndef MBN_TESTS_KERNELS_Q8_PROBLEM_H
#define MBN_TESTS_KERNELS_Q8_PROBLEM_H

#include "convolution_problem.h"

/* A finish of its own memory: finish.lookup and finish.add lie in here, so it stays where it is. */
typedef struct q8_finish {
    mbn_q8_finish finish;
    mbn_q8_add add;
    uint8_t lookup[256];
    float values[256];
} q8_finish;

/* spread: the size of the sums (or products) that mostly come. */
void q8_finish_create(q8_finish *f, double spread, bool adds, random_state *r);

/* `count` bytes as floats from malloc: any, or one kind of extremes. */
float *q8_bytes(size_t count, random_state *r);

/* A convolution of any kind, with what is packed for it. */
typedef struct q8_problem {
    convolution_problem tensors; /* its shape, input, residual; the other tensors are NULL */
    int16_t *weights; /* [outputs][channels, depthwise: 1][kernel_height][kernel_width] */
    bool wide;
    int32_t input_block; /* as a standard convolution is called; 0 before */
    int32_t *bias;
    mbn_multiplier *multipliers;
    q8_finish finish;
} q8_problem;

void q8_problem_create(q8_problem *p, const convolution_case *shape, random_state *r);
void q8_problem_free(q8_problem *p);

/* describe_call for a shape on a table. */
void q8_describe(const mbn_kernels *table, const char *family, const convolution_case *shape,
                 const q8_finish *finish, guard_side side);

/* The problem's operands as the table packs them. */
mbn_operands q8_operands(const q8_problem *p, operands *memory, guard_side side,
                         const mbn_kernels *table);

/* check_output's call for a table and its arguments, of type `args`; with what is behind them. */
typedef void q8_check(const mbn_kernels *table, q8_problem *p, operands *memory, guard_side side,
                      char **first, random_state *r);

/* `check` on every table, with guards on all sides, for a problem of that shape.  Every table has
 * the same gaps and lanes. */
void q8_check_tables(q8_check *check, const convolution_case *shape, bool layouts, operands *memory,
                     random_state *r);

#endif
