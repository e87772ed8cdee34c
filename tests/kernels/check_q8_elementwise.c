#include "checks.h"
#include "q8_problem.h"

#include <stdlib.h>

typedef struct elementwise_problem {
    elementwise_kind kind;
    convolution_case shape;
    float *input, *other; /* [channels][height][width] */
    float *gate;          /* [channels] */
    q8_finish finish;
} elementwise_problem;

static void run_batch_norm(const kernel_call *call, mbn_range range) {
    call->table->batch_norm(call->args, range);
}

static void run_channel_scale(const kernel_call *call, mbn_range range) {
    call->table->channel_scale(call->args, range);
}

static void run_add(const kernel_call *call, mbn_range range) {
    call->table->add(call->args, range);
}

static void check_elementwise(const mbn_kernels *table, elementwise_problem *p, bool in_place,
                              operands *memory, guard_side side, char **first, random_state *r) {
    static const char *const names[] = {"lookup", "channel scale", "add"};
    static void (*const runs[])(const kernel_call *, mbn_range) = {run_batch_norm,
                                                                   run_channel_scale, run_add};
    const convolution_case *s = &p->shape;
    const int32_t block = table->blocking.block;
    q8_describe(table, names[p->kind], s, &p->finish, side);
    plane output = plane_create(&memory->output, side, MBN_ELEMENT_Q8, s->channels, s->height,
                                s->width, block, random_gap(r));
    plane input = output;
    if (!in_place) {
        input = plane_create(&memory->input, side, MBN_ELEMENT_Q8, s->channels, s->height, s->width,
                             block, random_gap(r));
        plane_fill(&input, p->input, s->lanes, 1, r);
    }
    plane other = plane_create(&memory->residual, side, MBN_ELEMENT_Q8, s->channels, s->height,
                               s->width, block, 3);
    plane_fill(&other, p->other, LANES_ZERO, 1, r);
    const mbn_elementwise_args args = {
        .input = input.view,
        .other = p->kind == ADD ? other.view : (mbn_plane){0},
        .output = output.view,
        .scale = p->kind != CHANNEL_SCALE ? NULL
                                          : vector_create(&memory->weights, side, MBN_ELEMENT_Q8,
                                                          p->gate, s->channels, block),
        .finish = {.q8 = &p->finish.finish},
        .height = s->height,
        .width = s->width,
        .channels = s->channels,
        .blocking = table->blocking,
    };
    kernel_call call = {
        .table = table,
        .run = runs[p->kind],
        .args = &args,
        .output = output,
        .initial = in_place ? p->input : NULL,
        .first = first,
    };
    check_output(&call, r);
}

void check_q8_elementwises(elementwise_kind kind, const convolution_case *s, operands *memory,
                           random_state *r) {
    const size_t count = (size_t)s->channels * (size_t)(s->height * s->width);
    mbn_kernels tables[TABLES_MAX];
    const int32_t table_count = tables_under_test(tables, MBN_ELEMENT_Q8, false);
    elementwise_problem p = {
        .kind = kind,
        .shape = *s,
        .input = q8_bytes(count, r),
        .other = q8_bytes(count, r),
        .gate = q8_bytes((size_t)s->channels, r),
    };
    q8_finish_create(&p.finish, 5000.0, kind == ADD, r);
    if (kind == BATCH_NORM) p.finish.finish.lookup = p.finish.lookup;
    const guard_sides sides = sides_under_test();
    for (unsigned at = 2 * sides.begin; at < 2 * sides.end; at++) {
        char *first = NULL;
        const uint64_t seed = random_bits(r);
        for (int32_t t = 0; t < table_count; t++) {
            check_elementwise(tables + t, &p, at % 2 != 0, memory, (guard_side)(at / 2), &first,
                              &(random_state){seed});
        }
        free(first);
    }
    free(p.input);
    free(p.other);
    free(p.gate);
}

void check_q8_pairs(operands *memory, random_state *r) {
    enum { BYTES = 256 };
    mbn_kernels tables[TABLES_MAX];
    const int32_t table_count = tables_under_test(tables, MBN_ELEMENT_Q8, false);
    elementwise_problem p = {
        .kind = ADD,
        .shape = {.channels = 16, .height = 64, .width = 64, .outputs = 16},
        .input = malloc(BYTES * BYTES * sizeof *p.input),
        .other = malloc(BYTES * BYTES * sizeof *p.other),
    };
    CHECK(p.input != NULL && p.other != NULL, "out of memory");
    for (int32_t i = 0; i < BYTES * BYTES; i++) {
        p.input[i] = (float)(i / BYTES);
        p.other[i] = (float)(i % BYTES);
    }
    q8_finish_create(&p.finish, 5000.0, true, r);
    char *first = NULL;
    const uint64_t seed = random_bits(r);
    for (int32_t t = 0; t < table_count; t++) {
        check_elementwise(tables + t, &p, false, memory, GUARD_AFTER, &first,
                          &(random_state){seed});
    }
    free(first);
    free(p.input);
    free(p.other);
}
