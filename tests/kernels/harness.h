/* What every kernel test needs: the tables to test, planes with canaries, expected values with
 * their tolerances, and check_output, which runs a kernel on the whole output and on parts of
 * it. */
#ifndef MBN_TESTS_KERNELS_HARNESS_H
#define MBN_TESTS_KERNELS_HARNESS_H

#include "../check.h"
#include "../guarded.h"
#include "../random.h"
#include "element.h"

#include <mobilenet/kernels.h>

#include <stdbool.h>

/* ---- Tables --------------------------------------------------------------------------------- */

enum { TABLES_MAX = 16 };

/* An element type's tables of this machine's instruction sets, and of those that are emulated
 * (avx_vnni.h); with `layouts`, also the scalar
 * functions under every layout that a table may have (block and panel changed): so they fill
 * another table's slots.  In brief tests under one of these layouts, another one in each call.
 * Returns their number, which is 0 for an element type without tables. */
int32_t tables_under_test(mbn_kernels tables[TABLES_MAX], mbn_element element, bool layouts);

/* Tables of what is emulated, says the function, are under test, too. */
void checks_emulate(bool (*is_emulated)(mbn_isa isa));

/* Whether a table is to run a case that has so many: emulated ones, which take hundreds of times as
 * long, run those with many rarely. */
bool table_has_its_turn(const mbn_kernels *table, double multiply_adds);

/* The sides of guard pages that a case runs with: all, in brief tests one. */
typedef struct guard_sides {
    guard_side begin, end;
} guard_sides;

guard_sides sides_under_test(void);

/* How many of `all` awkward cases are run: in brief tests a third. */
int32_t cases_under_test(int32_t all);

/* Says what runs next, for messages, and counts it. */
__attribute__((format(printf, 2, 3))) void describe_call(const mbn_kernels *table,
                                                         const char *format, ...);

/* What has been checked of a table since checks_begin. */
typedef struct check_tally {
    int64_t calls; /* of describe_call */
    double worst;  /* the largest difference from exact arithmetic, as a part of the tolerance */
} check_tally;

/* Of all tables, all under test. */
void checks_begin(void);

/* From now on without a table. */
void checks_leave_out(mbn_element element, mbn_isa isa);

check_tally checks_tally(mbn_element element, mbn_isa isa);

/* The table of the last call; NULL: there was none. */
const mbn_kernels *checks_current(void);

/* "avx2 f32 (block 8, panel 2, depth 1)", as messages have it; valid until the next call. */
const char *table_text(const mbn_kernels *table);

/* The element type of the table's vectors, and of what its convolution reads. */
mbn_element vector_element(const mbn_kernels *table);
mbn_element image_element(const mbn_kernels *table);

/* ---- Data ----------------------------------------------------------------------------------- */

typedef enum data_kind {
    DATA_RANDOM,
    DATA_MAXIMUM, /* every value 1e15: as large as products and sums allow */
    DATA_MINIMUM, /* every value -1e15 */
    DATA_DENORMAL,
    DATA_NAN,      /* random with a few NaN */
    DATA_INFINITY, /* random with a few infinities */
    DATA_KINDS
} data_kind;

const char *data_name(data_kind kind);
bool data_is_finite(data_kind kind);

/* `count` floats from malloc, each one a value that the element type has. */
float *make_values(size_t count, mbn_element element, data_kind kind, random_state *r);

/* Weights and scales to go with inputs of that kind: as large for the extremes, else random, with
 * some exact zeros (which infinity times weight must turn into NaN). */
float *make_weights(size_t count, mbn_element element, data_kind kind, random_state *r);

/* The slope and offset of MobileNetV3; NaN where the kind must not read them. */
mbn_activation make_activation(mbn_activation_kind kind);
const char *activation_name(mbn_activation_kind kind);

/* ---- Planes --------------------------------------------------------------------------------- */

/* A blocked tensor in guarded memory, with gaps between its rows and blocks. */
typedef struct plane {
    mbn_plane view; /* as kernels get it */
    const element_type *type;
    int32_t channels, height, width, block;
    size_t bytes; /* from the first element to the last */
} plane;

/* Lanes past the last channel. */
typedef enum lane_fill { LANES_ZERO, LANES_RANDOM, LANES_NAN, LANE_FILLS } lane_fill;

/* gap: elements between the end of a row and the next. */
plane plane_create(guarded *memory, guard_side side, mbn_element element, int32_t channels,
                   int32_t height, int32_t width, int32_t block, int32_t gap);

/* 0 half of the time. */
int32_t random_gap(random_state *r);

/* A vector in guarded memory: channels rounded up to blocks, with zeros there. */
const void *vector_create(guarded *memory, guard_side side, mbn_element element,
                          const float *values, int32_t channels, int32_t block);

/* Canaries everywhere; they are NaN, so that one that is read is seen in the result. */
void plane_clear(plane *p);

/* From [channels][height][width]; the gaps get canaries.  depth: of the table that reads it: lanes
 * that share a step with the last channel are finite. */
void plane_fill(plane *p, const float *values, lane_fill lanes, int32_t depth, random_state *r);

/* ---- Expectations --------------------------------------------------------------------------- */

typedef struct expected {
    double value, tolerance;
    float plain,
        fused; /* the chain of the contract in float, with multiply-adds rounded twice, once */
} expected;

/* The result of a chain with its activation, from the exact sum, the sum of its terms' magnitudes,
 * and their number. */
expected expect_chain(double sum, double magnitude, int32_t terms, float plain, float fused,
                      const mbn_activation *activation);

/* A result that has one value and no other, in every instruction set. */
expected expect_exactly(float value);

/* The same, stored as an element. */
expected expect_stored(const expected *e, const element_type *type);

/* NULL, or what is wrong with `actual`. */
const char *mismatch(double actual, const expected *e);

/* For check_tally.worst, of a value that is no mismatch. */
void note_difference(double actual, const expected *e);

/* What every table of an element type whose sums are exact products gives, to the bit, where the
 * floating-point control register flushes denormals: the first one's results, [channels][height]
 * [width].  Zeros at first; alike_free at the end. */
typedef struct alike {
    float *values;
    char of[64]; /* table_text */
} alike;

void alike_free(alike *a);

/* ---- Calls ---------------------------------------------------------------------------------- */

typedef struct kernel_call {
    const mbn_kernels *table;
    void (*run)(const struct kernel_call *call, mbn_range range);
    const void *args;
    plane output;
    const float *initial;     /* output's contents before, [c][h][w]: in place.  NULL: canaries. */
    const expected *expected; /* [channels][height][width] */
    alike *alike;             /* NULL: tables may differ */
    /* Of q8: what the first table's call left in the output's memory, from malloc; NULL: this is
     * the first one.  All else that is expected is not read then. */
    char **first;
    bool panels;      /* the range's blocks lie on panel borders */
    bool chain;       /* results equal `plain` throughout or `fused` throughout */
    bool check_lanes; /* lanes past the last channel become `lanes` */
    float lanes;
} kernel_call;

/* Runs the kernel over the whole output, then over each of four parts, cut at random, and asserts:
 * - values as expected, lanes past the last channel too; of q8 those of the first table;
 * - nothing written outside of the range, gaps included;
 * - parts bit-identical to the whole;
 * - tables of bfloat16 that round alike bit-identical to each other;
 * - the floating-point control register as before.
 * Failures name the case of describe_call. */
void check_output(kernel_call *call, random_state *r);

/* For kernels without a plane for output. */
uint32_t control_register(void);

#endif
