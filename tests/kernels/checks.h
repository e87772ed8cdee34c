/* The checks of every family of kernels: any problem of that shape on all tables that are under
 * test, of floats against exact arithmetic, of bytes against the scalar table, between guard
 * pages. */
#ifndef MBN_TESTS_KERNELS_CHECKS_H
#define MBN_TESTS_KERNELS_CHECKS_H

#include "convolution_problem.h"

/* ---- Families ------------------------------------------------------------------------------- */

/* layouts: as tables_under_test's. */
typedef void check_family(const convolution_case *shape, bool layouts, operands *memory,
                          random_state *r);

/* For any shape: what a family does not have of it, it leaves out.  Pools' windows and depthwise
 * kernels are its kernel. */
typedef struct kernel_family {
    const char *name;
    mbn_element element; /* the only one, or the first of several */
    check_family *check;
} kernel_family;

enum { KERNEL_FAMILIES = 14 };
extern const kernel_family kernel_families[KERNEL_FAMILIES];

/* ---- Floats --------------------------------------------------------------------------------- */

check_family check_convolutions, check_pointwises;

/* The shape's outputs are its channels, and it has no residual. */
check_family check_depthwises;

/* One pixel, no residual. */
check_family check_fully_connecteds;

typedef enum elementwise_kind {
    BATCH_NORM,
    CHANNEL_SCALE,
    ADD,
    ELEMENTWISE_KINDS
} elementwise_kind;

/* In place, too. */
void check_elementwises(elementwise_kind kind, const convolution_case *shape, bool layouts,
                        operands *memory, random_state *r);

/* global: the average of the plane; else the maximum of windows, which choose_windows chose. */
void check_pools(const convolution_case *shape, bool global, bool layouts, operands *memory,
                 random_state *r);

/* A maximum that starts from 0 or from the lowest finite number would win against these. */
void check_lowest_pools(mbn_element element, float lowest, data_kind kind, operands *memory,
                        random_state *r);

/* The layouts of planes, and that of an image, all of whose channels are in one block. */
void check_layouts(const convolution_case *shape, bool to_blocked, bool layouts, operands *memory,
                   random_state *r);
void check_image_layouts(const convolution_case *shape, bool layouts, operands *memory,
                         random_state *r);

/* data: what messages call the values. */
void check_softmaxes(const float *values, int32_t count, const char *data);

/* ---- 8-bit integers ------------------------------------------------------------------------- */

check_family check_q8_convolutions, check_q8_pointwises;
check_family check_q8_depthwises, check_q8_fully_connecteds; /* as those of floats */

void check_q8_elementwises(elementwise_kind kind, const convolution_case *shape, operands *memory,
                           random_state *r);

/* A sum of all pairs of bytes, by which its path for ties is met whatever its scales. */
void check_q8_pairs(operands *memory, random_state *r);

void check_q8_pools(const convolution_case *shape, bool global, operands *memory, random_state *r);

/* block: 0: the tables'. */
void check_q8_to_blocked(const convolution_case *shape, int32_t block, operands *memory,
                         random_state *r);
void check_q8_from_blocked(const convolution_case *shape, operands *memory, random_state *r);

#endif
