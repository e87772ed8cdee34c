#include "checks.h"
#include "q8_problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef enum tensor_order { NHWC, NCHW, ORDERS } tensor_order;

/* Its strides in floats, rows or pixels `gap` apart; returns the number of floats. */
static size_t set_strides(mbn_layout_args *args, tensor_order order, int32_t gap) {
    if (order == NHWC) {
        args->channel_stride = 1;
        args->pixel_stride = args->channels + gap;
        args->strided_row_stride = args->pixel_stride * args->width;
    } else {
        args->pixel_stride = 1;
        args->strided_row_stride = args->width + gap;
        args->channel_stride = args->strided_row_stride * args->height;
    }
    return (size_t)((args->channels - 1) * args->channel_stride +
                    (args->height - 1) * args->strided_row_stride +
                    (args->width - 1) * args->pixel_stride + 1);
}

static mbn_quantization random_quantization(random_state *r) {
    const int32_t kind = random_int(r, 0, 9);
    return (mbn_quantization){
        .scale = kind == 0   ? 0.0f
                 : kind < 5  ? ldexpf(1.0f, random_int(r, -8, 3))
                 : kind == 5 ? exp2f(random_float(r, -100.0f, 100.0f))
                             : exp2f(random_float(r, -8.0f, 1.0f)),
        .zero = random_int(r, 0, 255),
        .origin = random_int(r, 0, 1) * 128,
        .quantizing = (mbn_quantizing)random_int(r, MBN_QUANTIZE_INVERSE, MBN_QUANTIZE_AWAY),
    };
}

/* What lies among the bytes, in the middle between two, at their ends, far outside, or is no
 * number. */
static float random_value(const mbn_quantization *q, random_state *r) {
    static const float special[] = {NAN,  INFINITY, -INFINITY, 3e38f,         -3e38f,
                                    0.0f, -0.0f,    1e-42f,    0.49999997f,   -0.49999997f,
                                    1e9f, -3e9f,    2.5f,      2147483647.0f, -2147483648.0f};
    enum { SPECIALS = sizeof special / sizeof *special };
    switch (random_int(r, 0, 5)) {
    case 0: return special[random_int(r, 0, SPECIALS - 1)];
    case 1: return q->scale * special[random_int(r, 0, SPECIALS - 1)];
    case 2: return q->scale * ((float)random_int(r, -300, 300) + 0.5f);
    case 3: return q->scale * (float)random_int(r, -300, 300);
    default: return q->scale * random_float(r, -300.0f, 300.0f);
    }
}

static void describe(const mbn_kernels *table, const char *family, const mbn_layout_args *args,
                     guard_side side) {
    describe_call(table, "%s %dx%dx%d, block %d, scale %.9g, zero %d, quantizing %d, guard %s",
                  family, args->height, args->width, args->channels, args->blocking.block,
                  (double)args->quantization.scale, args->quantization.zero,
                  (int)args->quantization.quantizing, guard_name(side));
}

static void run_to_blocked(const kernel_call *call, mbn_range range) {
    call->table->to_blocked(call->args, range);
}

/* block: 0: the table's. */
void check_q8_to_blocked(const convolution_case *s, int32_t block, operands *memory,
                         random_state *r) {
    mbn_kernels tables[TABLES_MAX];
    const int32_t count = tables_under_test(tables, MBN_ELEMENT_Q8, false);
    mbn_layout_args args = {.height = s->height,
                            .width = s->width,
                            .channels = s->channels,
                            .quantization = random_quantization(r)};
    const guard_sides sides = sides_under_test();
    for (unsigned at = sides.begin * (unsigned)ORDERS; at < sides.end * (unsigned)ORDERS; at++) {
        const guard_side side = (guard_side)(at / ORDERS);
        const size_t floats = set_strides(&args, (tensor_order)(at % ORDERS), random_int(r, 0, 3));
        const int32_t gap = random_gap(r);
        args.strided = guarded_floats(&memory->input, floats, side);
        for (size_t i = 0; i < floats; i++) args.strided[i] = random_value(&args.quantization, r);
        char *first = NULL;
        for (int32_t t = 0; t < count; t++) {
            args.blocking = tables[t].blocking;
            if (block != 0) args.blocking.block = block;
            describe(tables + t, "to_blocked", &args, side);
            plane output = plane_create(&memory->output, side, MBN_ELEMENT_Q8, s->channels,
                                        s->height, s->width, args.blocking.block, gap);
            args.blocked = output.view;
            kernel_call call = {
                .table = tables + t,
                .run = run_to_blocked,
                .args = &args,
                .output = output,
                .first = &first,
            };
            check_output(&call, r);
        }
        free(first);
    }
}

/* Of the scalar table and another: the same floats, where the range is, and nothing else written.
 */
void check_q8_from_blocked(const convolution_case *s, operands *memory, random_state *r) {
    static const float untouched = 12345.0f;
    mbn_kernels tables[TABLES_MAX];
    const int32_t count = tables_under_test(tables, MBN_ELEMENT_Q8, false);
    mbn_layout_args args = {.height = s->height,
                            .width = s->width,
                            .channels = s->channels,
                            .quantization = random_quantization(r)};
    float *values = q8_bytes((size_t)s->channels * (size_t)(s->height * s->width), r);
    const int32_t blocks = mbn_block_count(s->channels, 16);
    const int32_t y = random_int(r, 0, s->height), b = random_int(r, 0, blocks);
    const mbn_range ranges[] = {{0, s->height, 0, blocks},
                                {0, y, 0, b},
                                {y, s->height, 0, b},
                                {0, y, b, blocks},
                                {y, s->height, b, blocks}};
    enum { RANGES = sizeof ranges / sizeof *ranges };
    const guard_sides sides = sides_under_test();
    for (unsigned at = sides.begin * (unsigned)ORDERS; at < sides.end * (unsigned)ORDERS; at++) {
        const guard_side side = (guard_side)(at / ORDERS);
        plane input = plane_create(&memory->input, side, MBN_ELEMENT_Q8, s->channels, s->height,
                                   s->width, 16, random_gap(r));
        plane_fill(&input, values, s->lanes, 1, r);
        args.blocked = input.view;
        const size_t floats = set_strides(&args, (tensor_order)(at % ORDERS), random_int(r, 0, 3));
        args.strided = guarded_floats(&memory->output, floats, side);
        float *first = malloc(floats * sizeof *first);
        CHECK(first != NULL, "out of memory");
        for (int32_t i = 0; i < RANGES * count; i++) {
            const mbn_kernels *table = tables + i % count;
            args.blocking = table->blocking;
            describe(table, "from_blocked", &args, side);
            for (size_t k = 0; k < floats; k++) args.strided[k] = untouched;
            table->from_blocked(&args, ranges[i / count]);
            if (i % count == 0) memcpy(first, args.strided, floats * sizeof *first);
            CHECK(memcmp(first, args.strided, floats * sizeof *first) == 0, "%s", described_case());
        }
        free(first);
    }
    free(values);
}
