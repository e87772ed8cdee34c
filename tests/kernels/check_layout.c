#include "checks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef enum tensor_order { NHWC, NCHW, ROWS_OF_CHANNELS, ORDERS } tensor_order;

static const char *const order_names[] = {"NHWC", "NCHW", "HCW"};

/* A strided tensor: a plane of blocks is not enough to describe it. */
typedef struct strided {
    float *data;
    ptrdiff_t channel, row, pixel; /* strides */
    size_t count;
} strided;

/* gap: floats between pixels (NHWC) or rows */
static strided strided_create(guarded *memory, guard_side side, tensor_order order,
                              const convolution_case *s, int32_t gap) {
    strided t = {.pixel = 1};
    switch (order) {
    case NHWC:
        t.channel = 1;
        t.pixel = s->channels + gap;
        t.row = t.pixel * s->width;
        break;
    case NCHW:
        t.row = s->width + gap;
        t.channel = t.row * s->height;
        break;
    default:
        t.channel = s->width + gap;
        t.row = t.channel * s->channels;
        break;
    }
    t.count = (size_t)((s->channels - 1) * t.channel + (s->height - 1) * t.row +
                       (s->width - 1) * t.pixel + 1);
    t.data = guarded_floats(memory, t.count, side);
    return t;
}

/* The float at (c, y, x); values are [channels][height][width]. */
static ptrdiff_t offset(const strided *t, int32_t c, int32_t y, int32_t x) {
    return c * t->channel + y * t->row + x * t->pixel;
}

static const float *value_at(const convolution_case *s, const float *values, int32_t c, int32_t y,
                             int32_t x) {
    return values + ((ptrdiff_t)c * s->height + y) * s->width + x;
}

static void describe(const mbn_kernels *table, const char *family, tensor_order order,
                     const convolution_case *s, guard_side side) {
    describe_call(table, "%s %s %dx%dx%d, data %s, guard %s", family, order_names[order], s->height,
                  s->width, s->channels, data_name(s->data), guard_name(side));
}

static mbn_layout_args make_args(const mbn_kernels *table, const convolution_case *s,
                                 const plane *blocked, const strided *t) {
    return (mbn_layout_args){
        .blocked = blocked->view,
        .strided = t->data,
        .channel_stride = t->channel,
        .strided_row_stride = t->row,
        .pixel_stride = t->pixel,
        .height = s->height,
        .width = s->width,
        .channels = s->channels,
        .blocking = table->blocking,
    };
}

static void run_to_blocked(const kernel_call *call, mbn_range range) {
    call->table->to_blocked(call->args, range);
}

/* block: the table's, or an image's. */
static void check_to_blocked(const mbn_kernels *table, int32_t block, const convolution_case *s,
                             const float *values, const expected *e, tensor_order order,
                             operands *memory, guard_side side, random_state *r) {
    describe(table, "to_blocked", order, s, side);
    strided in = strided_create(&memory->input, side, order, s, random_int(r, 0, 3));
    for (size_t i = 0; i < in.count; i++) in.data[i] = NAN;
    for (int32_t c = 0; c < s->channels; c++) {
        for (int32_t y = 0; y < s->height; y++) {
            for (int32_t x = 0; x < s->width; x++) {
                in.data[offset(&in, c, y, x)] = *value_at(s, values, c, y, x);
            }
        }
    }
    plane output = plane_create(&memory->output, side, table->element, s->channels, s->height,
                                s->width, block, random_gap(r));
    mbn_layout_args args = make_args(table, s, &output, &in);
    args.blocking.block = block;
    kernel_call call = {
        .table = table,
        .run = run_to_blocked,
        .args = &args,
        .output = output,
        .expected = e,
        .chain = true,
        .check_lanes = true,
    };
    check_output(&call, r);
}

/* After a call with that range: its elements are the values, all others what they were. */
static void check_strided(const convolution_case *s, const float *values, const strided *out,
                          int32_t block, mbn_range range, float *scratch) {
    static const float untouched = 12345.0f;
    for (size_t i = 0; i < out->count; i++) scratch[i] = untouched;
    for (int32_t c = 0; c < s->channels; c++) {
        if (c / block < range.block_begin || c / block >= range.block_end) continue;
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            for (int32_t x = 0; x < s->width; x++) {
                scratch[offset(out, c, y, x)] = *value_at(s, values, c, y, x);
            }
        }
    }
    for (size_t i = 0; i < out->count; i++) {
        bool same = out->data[i] == scratch[i] || (isnan(out->data[i]) && isnan(scratch[i]));
        CHECK(same, "%s: rows %d-%d, blocks %d-%d: float %zu is %.9g, not %.9g", described_case(),
              range.row_begin, range.row_end, range.block_begin, range.block_end, i,
              (double)out->data[i], (double)scratch[i]);
        out->data[i] = untouched;
    }
}

static void check_from_blocked(const mbn_kernels *table, const convolution_case *s,
                               const float *values, tensor_order order, operands *memory,
                               guard_side side, random_state *r) {
    describe(table, "from_blocked", order, s, side);
    const int32_t block = table->blocking.block;
    plane input = plane_create(&memory->input, side, table->element, s->channels, s->height,
                               s->width, block, random_gap(r));
    plane_fill(&input, values, s->lanes, 1, r);
    strided out = strided_create(&memory->output, side, order, s, random_int(r, 0, 3));
    const mbn_layout_args args = make_args(table, s, &input, &out);
    float *scratch = malloc(out.count * sizeof *scratch);
    CHECK(scratch != NULL, "out of memory");
    /* An empty range writes nothing, and leaves `untouched` everywhere. */
    memset(out.data, 0, out.count * sizeof *out.data);
    for (size_t i = 0; i < out.count; i++) out.data[i] = 12345.0f;

    int32_t blocks = mbn_block_count(s->channels, block);
    int32_t y = random_int(r, 0, s->height), b = random_int(r, 0, blocks);
    const mbn_range ranges[] = {{0, s->height, 0, blocks},
                                {0, y, 0, b},
                                {y, s->height, 0, b},
                                {0, y, b, blocks},
                                {y, s->height, b, blocks}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        uint32_t control = control_register();
        table->from_blocked(&args, ranges[i]);
        CHECK(control_register() == control, "%s: control register changed", described_case());
        check_strided(s, values, &out, block, ranges[i], scratch);
    }
    free(scratch);
}

void check_layouts(const convolution_case *s, bool to_blocked, bool layouts, operands *memory,
                   random_state *r) {
    size_t count = (size_t)s->channels * (size_t)(s->height * s->width);
    expected *e = malloc(count * sizeof *e);
    CHECK(e != NULL, "out of memory");
    for (mbn_element element = 0; element < FLOAT_ELEMENTS; element++) {
        mbn_kernels tables[TABLES_MAX];
        int32_t table_count = tables_under_test(tables, element, layouts);
        float *values = make_values(count, element, s->data, r);
        for (size_t i = 0; i < count; i++) e[i] = expect_exactly(values[i]);
        for (int32_t t = 0; t < table_count; t++) {
            const guard_sides sides = sides_under_test();
            for (guard_side side = sides.begin; side < sides.end; side++) {
                for (tensor_order order = 0; order < ORDERS; order++) {
                    if (to_blocked) {
                        check_to_blocked(tables + t, tables[t].blocking.block, s, values, e, order,
                                         memory, side, r);
                    } else {
                        check_from_blocked(tables + t, s, values, order, memory, side, r);
                    }
                }
            }
        }
        free(values);
    }
    free(e);
}

void check_image_layouts(const convolution_case *s, bool layouts, operands *memory,
                         random_state *r) {
    const size_t count = (size_t)s->channels * (size_t)(s->height * s->width);
    expected *e = malloc(count * sizeof *e);
    CHECK(e != NULL, "out of memory");
    for (mbn_element element = 0; element < FLOAT_ELEMENTS; element++) {
        mbn_kernels tables[TABLES_MAX];
        const int32_t table_count = tables_under_test(tables, element, layouts);
        /* Floats that the elements may not have. */
        float *values = make_values(count, MBN_ELEMENT_F32, s->data, r);
        for (size_t i = 0; i < count; i++) {
            e[i] = expect_exactly(element_round(element_type_of(element), values[i]));
        }
        for (int32_t t = 0; t < table_count; t++) {
            const int32_t depth = tables[t].blocking.depth;
            if (tables[t].reads_floats) continue;
            const guard_sides sides = sides_under_test();
            for (guard_side side = sides.begin; side < sides.end; side++) {
                for (tensor_order order = 0; order < ORDERS; order++) {
                    check_to_blocked(tables + t, mbn_block_count(s->channels, depth) * depth, s,
                                     values, e, order, memory, side, r);
                }
            }
        }
        free(values);
    }
    free(e);
}
