#include "harness.h"

#include "../brief.h"
#include "kernels/float_state.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Tables --------------------------------------------------------------------------------- */

/* What brief tests take, which are so few that any order has gaps: numbers go round in none. */
static int32_t draw(int32_t count) {
    static random_state r = {1};
    return random_int(&r, 0, count - 1);
}

guard_sides sides_under_test(void) {
    if (!tests_are_brief()) return (guard_sides){0, GUARD_SIDES};
    const guard_side side = (guard_side)draw(GUARD_SIDES);
    return (guard_sides){side, side + 1};
}

int32_t cases_under_test(int32_t all) {
    return tests_are_brief() ? (all + 2) / 3 : all;
}

/* What the checks have come to; not for several threads. */
static uint32_t left_out[MBN_ELEMENT_COUNT];
static check_tally tallies[MBN_ELEMENT_COUNT][MBN_ISA_COUNT];
static const mbn_kernels *current;

void checks_begin(void) {
    memset(tallies, 0, sizeof tallies);
    memset(left_out, 0, sizeof left_out);
    current = NULL;
}

void checks_leave_out(mbn_element element, mbn_isa isa) {
    left_out[element] |= 1u << isa;
}

check_tally checks_tally(mbn_element element, mbn_isa isa) {
    return tallies[element][isa];
}

const mbn_kernels *checks_current(void) {
    return current;
}

static bool (*is_emulated_by)(mbn_isa isa);

void checks_emulate(bool (*is_emulated)(mbn_isa isa)) {
    is_emulated_by = is_emulated;
}

static bool is_emulated(mbn_isa isa) {
    return is_emulated_by != NULL && is_emulated_by(isa);
}

bool table_has_its_turn(const mbn_kernels *table, double multiply_adds) {
    const double usual = tests_are_long() ? 1e5 : 3e3;
    return !is_emulated(table->isa) || draw(1 + (int32_t)(multiply_adds / usual)) == 0;
}

int32_t tables_under_test(mbn_kernels tables[TABLES_MAX], mbn_element element, bool layouts) {
    static const mbn_blocking scalar[] = {{1, 4, 1}, {4, 1, 2}, {4, 4, 4},
                                          {8, 2, 2}, {8, 4, 2}, {16, 2, 2}};
    const uint32_t usable = mbn_isa_usable() & ~left_out[element];
    int32_t count = 0;
    for (int isa = 0; isa < MBN_ISA_COUNT; isa++) {
        const mbn_kernels *table = mbn_kernels_for(element, (mbn_isa)isa);
        if (table == NULL) continue;
        if ((usable >> isa & 1u) == 0 && !is_emulated((mbn_isa)isa)) continue;
        CHECK(count < TABLES_MAX, "more than %d tables", TABLES_MAX);
        tables[count++] = *table;
    }
#if defined(TESTS_ARE_EMULATED)
    layouts = false; /* portable code, tested where it is fast */
#endif
    const mbn_kernels *plain = mbn_kernels_for(element, MBN_ISA_SCALAR);
    const int32_t native = count;
    for (size_t i = 0; layouts && plain != NULL && i < sizeof scalar / sizeof *scalar; i++) {
        CHECK(count < TABLES_MAX, "more than %d tables", TABLES_MAX);
        if (element == MBN_ELEMENT_Q8 && scalar[i].block != plain->blocking.block) continue;
        tables[count] = *plain;
        tables[count].blocking = scalar[i];
        if (element == MBN_ELEMENT_F32) tables[count].blocking.depth = 1;
        count++;
    }
    if (count > native && tests_are_brief()) {
        tables[native] = tables[native + draw(count - native)];
        count = native + 1;
    }
    return count;
}

const char *table_text(const mbn_kernels *table) {
    static char text[64];
    snprintf(text, sizeof text, "%s %s (block %d, panel %d, depth %d)", table->name,
             mbn_element_name(table->element), table->blocking.block, table->blocking.panel,
             table->blocking.depth);
    return text;
}

void describe_call(const mbn_kernels *table, const char *format, ...) {
    char text[384];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    describe_case("%s %s", table_text(table), text);
    current = mbn_kernels_for(table->element, table->isa);
    tallies[table->element][table->isa].calls++;
}

mbn_element vector_element(const mbn_kernels *table) {
    return table->vectors != NULL ? table->vectors->element : table->element;
}

mbn_element image_element(const mbn_kernels *table) {
    return table->reads_floats ? MBN_ELEMENT_F32 : table->element;
}

/* ---- Data ----------------------------------------------------------------------------------- */

static const float extreme = 1e15f;

const char *data_name(data_kind kind) {
    static const char *const names[DATA_KINDS] = {"random",   "maximum", "minimum",
                                                  "denormal", "NaN",     "infinity"};
    return names[kind];
}

bool data_is_finite(data_kind kind) {
    return kind != DATA_NAN && kind != DATA_INFINITY;
}

static float make_value(data_kind kind, random_state *r) {
    switch (kind) {
    case DATA_MAXIMUM: return extreme;
    case DATA_MINIMUM: return -extreme;
    case DATA_DENORMAL: return random_float(r, -0x1p-127f, 0x1p-127f);
    default: return random_float(r, -2.0f, 2.0f);
    }
}

float *make_values(size_t count, mbn_element element, data_kind kind, random_state *r) {
    const element_type *type = element_type_of(element);
    float *values = malloc(count * sizeof *values);
    CHECK(values != NULL, "out of memory");
    for (size_t i = 0; i < count; i++) values[i] = element_round(type, make_value(kind, r));
    if (!data_is_finite(kind)) {
        for (size_t i = 0; i < 1 + count / 500; i++) {
            size_t at = random_bits(r) % count;
            values[at] = kind == DATA_NAN              ? NAN
                         : (random_bits(r) >> 63) != 0 ? INFINITY
                                                       : -INFINITY;
        }
    }
    return values;
}

float *make_weights(size_t count, mbn_element element, data_kind kind, random_state *r) {
    bool extremes = kind == DATA_MAXIMUM || kind == DATA_MINIMUM;
    float *values = make_values(count, element, extremes ? kind : DATA_RANDOM, r);
    for (size_t i = 0; !extremes && i < count; i += 7) values[i] = 0.0f;
    return values;
}

mbn_activation make_activation(mbn_activation_kind kind) {
    bool hard = kind == MBN_ACTIVATION_HARD_SIGMOID || kind == MBN_ACTIVATION_HARD_SWISH;
    return (mbn_activation){kind, hard ? 1.0f / 6.0f : NAN, hard ? 0.5f : NAN};
}

const char *activation_name(mbn_activation_kind kind) {
    static const char *const names[] = {"none", "relu", "relu6", "hard-sigmoid", "hard-swish"};
    return names[kind];
}

/* ---- Planes --------------------------------------------------------------------------------- */

int32_t random_gap(random_state *r) {
    return random_int(r, 0, 1) == 0 ? 0 : random_int(r, 1, 33);
}

plane plane_create(guarded *memory, guard_side side, mbn_element element, int32_t channels,
                   int32_t height, int32_t width, int32_t block, int32_t gap) {
    const element_type *type = element_type_of(element);
    const ptrdiff_t row = (ptrdiff_t)width * block + gap, blocks = mbn_block_count(channels, block);
    const size_t count = (size_t)(blocks * height * row - gap);
    plane p = {
        .view = {.data = guarded_elements(memory, count, type->bytes, side),
                 .row_stride = row * (ptrdiff_t)type->bytes,
                 .block_stride = height * row * (ptrdiff_t)type->bytes},
        .type = type,
        .channels = channels,
        .height = height,
        .width = width,
        .block = block,
        .bytes = count * type->bytes,
    };
    plane_clear(&p);
    return p;
}

void plane_clear(plane *p) {
    char *data = p->view.data;
    memcpy(data, p->type->canary, p->type->bytes);
    for (size_t done = p->type->bytes, more; done < p->bytes; done += more) {
        more = done < p->bytes - done ? done : p->bytes - done;
        memcpy(data + done, data, more);
    }
}

static void *element_at(const plane *p, int32_t c, int32_t y, int32_t x) {
    return (char *)p->view.data + c / p->block * p->view.block_stride + y * p->view.row_stride +
           ((ptrdiff_t)x * p->block + c % p->block) * (ptrdiff_t)p->type->bytes;
}

static float value_at(const plane *p, int32_t c, int32_t y, int32_t x) {
    return p->type->load(element_at(p, c, y, x));
}

void plane_fill(plane *p, const float *values, lane_fill lanes, int32_t depth, random_state *r) {
    plane_clear(p);
    int32_t padded = mbn_block_count(p->channels, p->block) * p->block;
    const int32_t finite = mbn_block_count(p->channels, depth) * depth;
    for (int32_t c = 0; c < padded; c++) {
        for (int32_t y = 0; y < p->height; y++) {
            for (int32_t x = 0; x < p->width; x++) {
                float value = lanes == LANES_NAN && c >= finite ? NAN
                              : lanes != LANES_ZERO             ? random_float(r, -9.0f, 9.0f)
                                                                : 0.0f;
                p->type->store(element_at(p, c, y, x), c < p->channels ? *values++ : value);
            }
        }
    }
}

const void *vector_create(guarded *memory, guard_side side, mbn_element element,
                          const float *values, int32_t channels, int32_t block) {
    plane p = plane_create(memory, side, element, channels, 1, 1, block, 0);
    plane_fill(&p, values, LANES_ZERO, 1, NULL);
    return p.view.data;
}

/* Asserts that the range is as in `inside`, and everything else, gaps included, as in `outside`,
 * bit for bit. */
static void check_range(const plane *p, const char *inside, const char *outside, mbn_range range) {
    const ptrdiff_t row_stride = p->view.row_stride, block_stride = p->view.block_stride;
    const ptrdiff_t row_bytes = (ptrdiff_t)p->width * p->block * (ptrdiff_t)p->type->bytes;
    const char *data = p->view.data;
    for (ptrdiff_t i = 0; i < (ptrdiff_t)p->bytes;) {
        ptrdiff_t b = i / block_stride, y = i % block_stride / row_stride;
        bool in_row = i % block_stride % row_stride < row_bytes;
        bool in_range = in_row && b >= range.block_begin && b < range.block_end &&
                        y >= range.row_begin && y < range.row_end;
        const char *expect = in_range ? inside : outside;
        size_t bytes = (size_t)(in_row ? row_bytes : row_stride - row_bytes);
        if (memcmp(data + i, expect + i, bytes) != 0) {
            CHECK(in_range, "%s: called for rows %d-%d of blocks %d-%d, wrote block %td row %td%s",
                  described_case(), range.row_begin, range.row_end, range.block_begin,
                  range.block_end, b, y, in_row ? "" : ", behind its last column");
            check_failed("%s: called for rows %d-%d of blocks %d-%d, block %td row %td differs "
                         "from what a call for the whole gave",
                         described_case(), range.row_begin, range.row_end, range.block_begin,
                         range.block_end, b, y);
        }
        i += (ptrdiff_t)bytes;
    }
}

/* ---- Expectations --------------------------------------------------------------------------- */

static double activate_exactly(double x, const mbn_activation *a) {
    if (isnan(x)) return x;
    double gate = fmin(fmax((double)a->slope * x + (double)a->offset, 0.0), 1.0);
    switch (a->kind) {
    case MBN_ACTIVATION_NONE: return x;
    case MBN_ACTIVATION_RELU: return fmax(x, 0.0);
    case MBN_ACTIVATION_RELU6: return fmin(fmax(x, 0.0), 6.0);
    case MBN_ACTIVATION_HARD_SIGMOID: return gate;
    case MBN_ACTIVATION_HARD_SWISH: return x * gate;
    }
    return NAN;
}

/* Those activations that round nothing. */
static float activate_float(float x, const mbn_activation *a) {
    return (float)activate_exactly((double)x, a);
}

expected expect_chain(double sum, double magnitude, int32_t terms, float plain, float fused,
                      const mbn_activation *a) {
    expected e = {.value = activate_exactly(sum, a),
                  .plain = activate_float(plain, a),
                  .fused = activate_float(fused, a)};
    /* 2 n eps sum |x w|, and half a denormal per rounding that underflows. */
    double slack = 2.0 * terms * (double)FLT_EPSILON * magnitude + terms * 0x1p-149;
    /* What the activation makes of it, and its own rounding. */
    double below = activate_exactly(sum - slack, a), above = activate_exactly(sum + slack, a);
    e.tolerance = fmax(fabs(below - e.value), fabs(above - e.value));
    if (a->kind == MBN_ACTIVATION_HARD_SIGMOID || a->kind == MBN_ACTIVATION_HARD_SWISH) {
        double line = (double)a->slope * sum;
        double rounding = 4.0 * (double)FLT_EPSILON * (fabs(line) + (double)fabsf(a->offset));
        bool sloping =
            line + (double)a->offset + rounding > 0.0 && line + (double)a->offset - rounding < 1.0;
        if (sloping) {
            e.tolerance += rounding * (a->kind == MBN_ACTIVATION_HARD_SWISH ? fabs(sum) : 1.0);
        }
        e.tolerance += (double)FLT_EPSILON * fabs(e.value) + 0x1p-149;
    }
    return e;
}

expected expect_exactly(float value) {
    return (expected){(double)value, 0.0, value, value};
}

expected expect_stored(const expected *e, const element_type *type) {
    if (type->rounding == 0.0) return *e;
    return (expected){
        .value = e->value,
        .tolerance =
            e->tolerance + type->rounding * (fabs(e->value) + e->tolerance) + type->smallest,
        .plain = element_round(type, e->plain),
        .fused = element_round(type, e->fused),
    };
}

const char *mismatch(double actual, const expected *e) {
    if (isnan(e->value)) return isnan(actual) ? NULL : "which is not NaN";
    if (isnan(actual)) return "which is NaN";
    if (isinf(e->value)) return actual == e->value ? NULL : "which is not infinite";
    return fabs(actual - e->value) <= e->tolerance ? NULL : "beyond the tolerance";
}

void note_difference(double actual, const expected *e) {
    if (e->tolerance == 0.0 || !isfinite(e->value)) return;
    double *worst = &tallies[current->element][current->isa].worst;
    *worst = fmax(*worst, fabs(actual - e->value) / e->tolerance);
}

/* ---- Calls ---------------------------------------------------------------------------------- */

uint32_t control_register(void) {
#if defined(__x86_64__)
    return __builtin_ia32_stmxcsr() & 0xFFC0u; /* without the sticky exception flags */
#elif defined(__aarch64__)
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return (uint32_t)fpcr;
#else
#error "how is the floating-point control register read here?"
#endif
}

static void run(const kernel_call *call, mbn_range range) {
    uint32_t control = control_register();
    call->run(call, range);
    CHECK(control_register() == control, "%s: control register changed from %x to %x",
          described_case(), control, control_register());
}

static void check_value(const kernel_call *call, const expected *e, int32_t c, int32_t y,
                        int32_t x) {
    double actual = (double)value_at(&call->output, c, y, x);
    const char *wrong = mismatch(actual, e);
    CHECK(wrong == NULL,
          "%s: channel %d row %d column %d is %.9g, %s; expected %.9g, tolerance %.3g",
          described_case(), c, y, x, actual, wrong, e->value, e->tolerance);
}

/* Bytes of the whole output, and of its gaps. */
static void check_first(const kernel_call *call) {
    const plane *p = &call->output;
    const uint8_t *data = p->view.data;
    if (*call->first == NULL) {
        *call->first = malloc(p->bytes);
        CHECK(*call->first != NULL, "out of memory");
        memcpy(*call->first, data, p->bytes);
        return;
    }
    const uint8_t *first = (const uint8_t *)*call->first;
    for (ptrdiff_t i = 0; i < (ptrdiff_t)p->bytes; i++) {
        if (data[i] == first[i]) continue;
        const ptrdiff_t in_block = i % p->view.block_stride, in_row = in_block % p->view.row_stride;
        check_failed("%s: block %td row %td column %td lane %td is %d, by scalar code %d",
                     described_case(), i / p->view.block_stride, in_block / p->view.row_stride,
                     in_row / p->block, in_row % p->block, data[i], first[i]);
    }
}

/* Its instruction rounds sums to odd. */
static bool rounds_otherwise(const mbn_kernels *table) {
    return table->isa == MBN_ISA_NEON_BF16;
}

static void check_values(const kernel_call *call) {
    const plane *p = &call->output;
    const expected *exact = call->expected;
    const bool chain = call->chain && !rounds_otherwise(call->table);
    bool plain = true, fused = true;
    for (int32_t c = 0; c < p->channels; c++) {
        for (int32_t y = 0; y < p->height; y++) {
            for (int32_t x = 0; x < p->width; x++, exact++) {
                const expected e = expect_stored(exact, p->type);
                float actual = value_at(p, c, y, x);
                if (mismatch((double)actual, &e) != NULL) check_value(call, &e, c, y, x);
                if (isnan(actual)) continue;
                note_difference((double)actual, &e);
                plain = plain && actual == e.plain;
                fused = fused && actual == e.fused;
                if (!chain || plain || fused) continue;
                check_failed(
                    "%s: channel %d row %d column %d is %.9g: neither this nor, for the outputs "
                    "so far, the other of the chains in ascending k (%.9g, fused %.9g)",
                    described_case(), c, y, x, (double)actual, (double)e.plain, (double)e.fused);
            }
        }
    }
}

static void check_lanes(const kernel_call *call) {
    const plane *p = &call->output;
    int32_t padded = mbn_block_count(p->channels, p->block) * p->block;
    for (int32_t c = p->channels; call->check_lanes && c < padded; c++) {
        for (int32_t y = 0; y < p->height; y++) {
            for (int32_t x = 0; x < p->width; x++) {
                float actual = value_at(p, c, y, x);
                if (actual == call->lanes) continue;
                check_failed("%s: lane %d past the channels, row %d column %d, is %.9g, not %.9g",
                             described_case(), c, y, x, (double)actual, (double)call->lanes);
            }
        }
    }
}

void alike_free(alike *a) {
    free(a->values);
    a->values = NULL;
}

/* Runs once more as networks do, with denormals flushed. */
static void check_alike(const kernel_call *call, mbn_range all) {
    const plane *p = &call->output;
    if (call->alike == NULL || call->table->element != MBN_ELEMENT_BF16) return;
    if (rounds_otherwise(call->table)) return;
    const uint64_t state = mbn_float_state_set();
    run(call, all);
    mbn_float_state_restore(state);
    alike *first = call->alike;
    const bool is_first = first->values == NULL;
    const size_t count = (size_t)(p->channels * p->height * p->width);
    if (is_first) {
        first->values = malloc(count * sizeof *first->values);
        CHECK(first->values != NULL, "out of memory");
        snprintf(first->of, sizeof first->of, "%s", table_text(call->table));
    }
    float *value = first->values;
    for (int32_t c = 0; c < p->channels; c++) {
        for (int32_t y = 0; y < p->height; y++) {
            for (int32_t x = 0; x < p->width; x++, value++) {
                const float actual = value_at(p, c, y, x);
                if (is_first) *value = actual;
                /* Zeros of either sign are alike: one that pads a pair can turn it. */
                if (actual == *value || (isnan(actual) && isnan(*value))) continue;
                check_failed("%s: channel %d row %d column %d is %.9g, that of %s is %.9g",
                             described_case(), c, y, x, (double)actual, first->of, (double)*value);
            }
        }
    }
}

/* A random panel border in [0, blocks]. */
static int32_t random_border(const kernel_call *call, int32_t blocks, random_state *r) {
    int32_t aim = random_int(r, 0, blocks), b = 0;
    if (!call->panels) return aim;
    while (b < aim) b += mbn_panel_width(blocks - b, call->table->blocking.panel);
    return b;
}

void check_output(kernel_call *call, random_state *r) {
    plane *p = &call->output;
    int32_t blocks = mbn_block_count(p->channels, p->block);
    char *before = malloc(p->bytes), *whole = malloc(p->bytes);
    CHECK(before != NULL && whole != NULL, "out of memory");

    if (call->initial != NULL) {
        plane_fill(p, call->initial, LANES_ZERO, 1, r);
    } else {
        plane_clear(p);
    }
    memcpy(before, p->view.data, p->bytes);
    const mbn_range all = {0, p->height, 0, blocks};
    run(call, all);
    if (call->first != NULL) {
        check_first(call);
    } else {
        check_values(call);
        check_lanes(call);
    }
    memcpy(whole, p->view.data, p->bytes);
    check_range(p, whole, before, all);

    int32_t y = random_int(r, 0, p->height), b = random_border(call, blocks, r);
    const mbn_range parts[] = {
        {0, y, 0, b}, {y, p->height, 0, b}, {0, y, b, blocks}, {y, p->height, b, blocks}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        memcpy(p->view.data, before, p->bytes);
        run(call, parts[i]);
        check_range(p, whole, before, parts[i]);
    }
    memcpy(p->view.data, before, p->bytes);
    check_alike(call, all);
    free(before);
    free(whole);
}
