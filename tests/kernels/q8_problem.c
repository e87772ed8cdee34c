#include "q8_problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void *allocate(size_t bytes) {
    void *memory = malloc(bytes);
    CHECK(memory != NULL, "out of memory");
    return memory;
}

static double random_double(random_state *r, double low, double high) {
    return low + (high - low) * ((double)(random_bits(r) >> 11) * 0x1p-53);
}

static bool one_in(random_state *r, int32_t n) {
    return random_int(r, 1, n) == 1;
}

/* ---- Finish --------------------------------------------------------------------------------- */

/* A factor in all three forms, as TensorFlow Lite's converter writes the second. */
static mbn_multiplier multiplier_of(double factor) {
    mbn_multiplier m = {.real = (float)factor, .wide = factor};
    m.fixed = (int32_t)fmin(round(frexp(factor, &m.shift) * 0x1p31), INT32_MAX);
    if (m.shift < -31) m.fixed = m.shift = 0;
    if (m.shift > 30) m.shift = 30;
    return m;
}

/* Near `typical` and any, or a power of two, with which results lie in the middle between two
 * bytes; or far from it, 0 among them. */
static mbn_multiplier random_multiplier(double typical, random_state *r) {
    switch (random_int(r, 0, 7)) {
    case 0: return multiplier_of(ldexp(1.0, ilogb(typical) + random_int(r, -1, 2)));
    case 1: return multiplier_of(one_in(r, 4) ? 0.0 : exp2(random_double(r, -45.0, 35.0)));
    default: return multiplier_of(typical * exp2(random_double(r, -2.0, 2.0)));
    }
}

static int32_t random_byte(random_state *r) {
    static const int32_t common[] = {0, 128, 255, 127, 1};
    return one_in(r, 2) ? common[random_int(r, 0, 4)] : random_int(r, 0, 255);
}

/* All bytes, an activation's, or any. */
static mbn_byte_range random_range(random_state *r) {
    const uint8_t zero = (uint8_t)random_byte(r);
    switch (random_int(r, 0, 3)) {
    case 0: return (mbn_byte_range){zero, 0, 255};
    case 1: return (mbn_byte_range){zero, zero, 255};
    case 2: return (mbn_byte_range){zero, zero, (uint8_t)random_int(r, zero, 255)};
    default: break;
    }
    const uint8_t low = (uint8_t)random_byte(r);
    return (mbn_byte_range){zero, low, (uint8_t)random_int(r, low, 255)};
}

/* As XNNPACK makes them, now and then any numbers. */
static void create_add_shift(mbn_q8_add *add, random_state *r) {
    double ratios[2];
    for (int i = 0; i < 2; i++) {
        ratios[i] = one_in(r, 3) ? random_int(r, 1, 8) * 0.25 : exp2(random_double(r, -6.0, 4.0));
    }
    int exponent;
    frexp(fmax(ratios[0], ratios[1]), &exponent);
    add->output.shift = 21 - exponent;
    for (int i = 0; i < 2; i++) {
        add->multiplier[i].fixed = (int32_t)rint(ldexp(ratios[i], add->output.shift));
    }
    if (!one_in(r, 8)) return;
    add->output.shift = random_int(r, 1, 31);
    for (int i = 0; i < 2; i++) add->multiplier[i].fixed = random_int(r, INT32_MIN, INT32_MAX);
}

static void create_add_float(mbn_q8_add *add, random_state *r) {
    add->origin[0] = add->origin[1] = one_in(r, 2) ? 128 : 0;
    add->other_first = one_in(r, 2);
    for (int i = 0; i < 2; i++) {
        add->multiplier[i].real = one_in(r, 3)    ? (float)random_int(r, 1, 8) * 0.25f
                                  : one_in(r, 10) ? 1e10f
                                                  : exp2f(random_float(r, -6.0f, 3.0f));
    }
    add->offset =
        one_in(r, 2) ? (float)random_int(r, -255, 255) * 0.5f : random_float(r, -400.0f, 400.0f);
}

static void create_add_fixed(mbn_q8_add *add, random_state *r) {
    const double scales[2] = {exp2(random_double(r, -3.0, 3.0)),
                              one_in(r, 3) ? 1.0 : exp2(random_double(r, -3.0, 3.0))};
    const double twice = 2.0 * fmax(scales[0], scales[1]);
    for (int i = 0; i < 2; i++) add->multiplier[i] = multiplier_of(scales[i] / twice);
    add->output = multiplier_of(twice * 0x1p-20 * exp2(random_double(r, -2.0, 2.0)));
    if (!one_in(r, 8)) return;
    for (int i = 0; i < 2; i++) add->multiplier[i] = random_multiplier(0.5, r);
    add->output = random_multiplier(0x1p-20, r);
}

static void create_add(mbn_q8_add *add, random_state *r) {
    *add = (mbn_q8_add){
        .kind = (mbn_q8_add_kind)random_int(r, MBN_ADD_SHIFT, MBN_ADD_FIXED),
        .zero = {random_byte(r), random_byte(r)},
        .range = random_range(r),
    };
    switch (add->kind) {
    case MBN_ADD_SHIFT: create_add_shift(add, r); break;
    case MBN_ADD_FLOAT: create_add_float(add, r); break;
    case MBN_ADD_FIXED: create_add_fixed(add, r); break;
    }
}

void q8_finish_create(q8_finish *f, double spread, bool adds, random_state *r) {
    f->finish = (mbn_q8_finish){
        .rescaling = (mbn_rescaling)random_int(r, MBN_RESCALE_FLOAT, MBN_RESCALE_DOUBLE),
        .multiplier = random_multiplier(100.0 / spread, r),
        .input_zero = random_byte(r),
        .gate_zero = random_byte(r),
        .zero_inside = one_in(r, 3),
        .origin = one_in(r, 2) ? 128 : 0,
        .range = random_range(r),
        .lookup = one_in(r, 3) ? f->lookup : NULL,
        .add = adds ? &f->add : NULL,
        .mean = {.kind = (mbn_q8_mean_kind)random_int(r, MBN_MEAN_INTEGER, MBN_MEAN_VALUES),
                 .input_scale = exp2f(random_float(r, -8.0f, 0.0f)),
                 .origin = one_in(r, 2) ? 128 : 0,
                 .values = f->values},
    };
    mbn_q8_mean *mean = &f->finish.mean;
    mean->output_scale = mean->input_scale;
    if (one_in(r, 2)) mean->output_scale *= exp2f(random_float(r, -3.0f, 3.0f));
    if (one_in(r, 10)) mean->output_scale *= exp2f(random_float(r, -40.0f, 40.0f));
    for (int i = 0; i < 256; i++) {
        f->lookup[i] = (uint8_t)random_bits(r);
        f->values[i] = mean->input_scale * random_float(r, -100.0f, 156.0f);
    }
    /* As those of hard-swish begin, by which tables shorten them. */
    const uint64_t level = one_in(r, 2) ? 60 + random_bits(r) % 10 : 0;
    for (uint64_t i = 0; i < level; i++) f->lookup[i] = f->lookup[level];
    create_add(&f->add, r);
}

/* ---- Tensors -------------------------------------------------------------------------------- */

float *q8_bytes(size_t count, random_state *r) {
    float *values = allocate(count * sizeof *values);
    const int32_t kind = random_int(r, 0, 7), middle = random_int(r, 2, 253);
    for (size_t i = 0; i < count; i++) {
        switch (kind) {
        case 0: values[i] = 255.0f; break;
        case 1: values[i] = 0.0f; break;
        case 2: values[i] = one_in(r, 2) ? 255.0f : 0.0f; break;
        case 3: values[i] = (float)(middle + random_int(r, -2, 2)); break;
        default: values[i] = (float)random_int(r, 0, 255); break;
        }
    }
    return values;
}

/* Their size is returned: that of most. */
static double create_weights(q8_problem *p, size_t count, random_state *r) {
    const int32_t kind = random_int(r, 0, 8);
    p->weights = allocate(count * sizeof *p->weights);
    p->wide = kind >= 7;
    for (size_t i = 0; i < count; i++) {
        int32_t weight;
        switch (kind) {
        case 0: weight = 127; break;
        case 1: weight = -128; break;
        case 2: weight = one_in(r, 2) ? 127 : -128; break;
        case 3: weight = random_int(r, -1, 1); break;
        case 7: weight = one_in(r, 2) ? 255 : -255; break;
        case 8: weight = random_int(r, -255, 255); break;
        default: weight = random_int(r, -128, 127); break;
        }
        p->weights[i] = (int16_t)weight;
    }
    return kind == 3 ? 1.0 : 100.0;
}

/* So that sums lie around 0; or any at all, with which they wrap. */
static int32_t random_bias(const int16_t *weights, size_t products, int32_t zero, double spread,
                           random_state *r) {
    if (one_in(r, 16)) return random_int(r, INT32_MIN, INT32_MAX);
    if (one_in(r, 16)) return one_in(r, 2) ? INT32_MAX - random_int(r, 0, 9) : INT32_MIN;
    int32_t bias = (int32_t)random_double(r, -spread, spread);
    for (size_t k = 0; k < products; k++) bias -= zero * weights[k];
    return bias;
}

void q8_problem_create(q8_problem *p, const convolution_case *s, random_state *r) {
    const size_t outputs = (size_t)s->outputs;
    const size_t products =
        (size_t)(s->kernel_height * s->kernel_width) * (s->depthwise ? 1 : (size_t)s->channels);
    const size_t pixels = (size_t)(s->output_height * s->output_width);
    *p = (q8_problem){
        .tensors = {.shape = *s,
                    .element = MBN_ELEMENT_Q8,
                    .input = q8_bytes((size_t)s->channels * (size_t)(s->height * s->width), r),
                    .residual = s->residual ? q8_bytes(outputs * pixels, r) : NULL},
        .bias = allocate(outputs * sizeof *p->bias),
        .multipliers = allocate(outputs * sizeof *p->multipliers),
    };
    const double spread = 100.0 * create_weights(p, outputs * products, r) * sqrt((double)products);
    q8_finish_create(&p->finish, spread, s->residual, r);
    for (size_t n = 0; n < outputs; n++) {
        p->bias[n] = random_bias(p->weights + n * products, products, p->finish.finish.input_zero,
                                 spread, r);
        p->multipliers[n] = random_multiplier(100.0 / spread, r);
    }
}

void q8_problem_free(q8_problem *p) {
    convolution_problem_free(&p->tensors);
    free(p->weights);
    free(p->bias);
    free(p->multipliers);
}

/* ---- Calls ---------------------------------------------------------------------------------- */

void q8_describe(const mbn_kernels *table, const char *family, const convolution_case *s,
                 const q8_finish *f, guard_side side) {
    static const char *const rescalings[] = {"float", "fixed", "double"};
    static const char *const adds[] = {"shift", "float", "fixed"};
    describe_call(table,
                  "%s %dx%dx%d -> %dx%dx%d, kernel %dx%d, stride %dx%d, pad %d,%d, rescaling "
                  "%s, bytes %d-%d of zero %d, mean %d%s%s%s, guard %s",
                  family, s->height, s->width, s->channels, s->output_height, s->output_width,
                  s->outputs, s->kernel_height, s->kernel_width, s->stride_vertical,
                  s->stride_horizontal, s->pad_top, s->pad_left, rescalings[f->finish.rescaling],
                  f->finish.range.low, f->finish.range.high, f->finish.range.zero,
                  (int)f->finish.mean.kind, f->finish.lookup != NULL ? ", lookup" : "",
                  f->finish.add != NULL ? ", add by " : "",
                  f->finish.add != NULL ? adds[f->add.kind] : "", guard_name(side));
}

/* By the table's packers; `packed` NULL: only the size. */
static size_t pack_weights(const q8_problem *p, const mbn_kernels *table, void *packed) {
    const convolution_case *s = &p->tensors.shape;
    const ptrdiff_t kh = s->kernel_height, kw = s->kernel_width;
    if (s->depthwise) {
        return table->pack_depthwise(
            &(mbn_pack_depthwise_args){
                .weights = p->weights,
                .channel_stride = kh * kw,
                .row_stride = kw,
                .column_stride = 1,
                .channels = s->channels,
                .kernel_height = s->kernel_height,
                .kernel_width = s->kernel_width,
                .blocking = table->blocking,
                .wide = p->wide,
            },
            packed);
    }
    return table->pack_convolution(
        &(mbn_pack_convolution_args){
            .weights = p->weights,
            .output_stride = s->channels * kh * kw,
            .input_stride = kh * kw,
            .row_stride = kw,
            .column_stride = 1,
            .output_channels = s->outputs,
            .input_channels = s->channels,
            .kernel_height = s->kernel_height,
            .kernel_width = s->kernel_width,
            .blocking = table->blocking,
            .wide = p->wide,
            .input_block = p->input_block,
        },
        packed);
}

mbn_operands q8_operands(const q8_problem *p, operands *memory, guard_side side,
                         const mbn_kernels *table) {
    const mbn_pack_channels_args channels = {
        .bias = p->bias,
        .multipliers = p->multipliers,
        .rescaling = p->finish.finish.rescaling,
        .channels = p->tensors.shape.outputs,
        .blocking = table->blocking,
    };
    enum { UNIT = sizeof(int32_t) };
    const size_t blocks = (size_t)mbn_block_count(channels.channels, table->blocking.block);
    const size_t weights_bytes = pack_weights(p, table, NULL);
    const size_t channels_bytes = table->pack_channels(&channels, NULL);
    CHECK(weights_bytes % (blocks * UNIT) == 0 && channels_bytes % (blocks * UNIT) == 0,
          "%s: %zu and %zu bytes packed", described_case(), weights_bytes, channels_bytes);
    void *weights = guarded_elements(&memory->weights, weights_bytes / UNIT, UNIT, side);
    void *bias = guarded_elements(&memory->bias, channels_bytes / UNIT, UNIT, side);
    CHECK(pack_weights(p, table, weights) == weights_bytes, "%s", described_case());
    CHECK(table->pack_channels(&channels, bias) == channels_bytes, "%s", described_case());
    return (mbn_operands){
        .weights = weights,
        .bias = bias,
        .weights_stride = (ptrdiff_t)(weights_bytes / blocks),
        .bias_stride = (ptrdiff_t)(channels_bytes / blocks),
        .wide = p->wide,
    };
}

void q8_check_tables(q8_check *check, const convolution_case *shape, bool layouts, operands *memory,
                     random_state *r) {
    mbn_kernels tables[TABLES_MAX];
    const int32_t count = tables_under_test(tables, MBN_ELEMENT_Q8, layouts);
    CHECK(count >= 1 && tables[0].isa == MBN_ISA_SCALAR, "no scalar table is under test");
    const double multiply_adds = (double)shape->output_height * shape->output_width *
                                 shape->outputs * shape->kernel_height * shape->kernel_width *
                                 (shape->depthwise ? 1 : shape->channels);
    q8_problem problem;
    q8_problem_create(&problem, shape, r);
    const guard_sides sides = sides_under_test();
    for (guard_side side = sides.begin; side < sides.end; side++) {
        char *first = NULL;
        const uint64_t seed = random_bits(r);
        for (int32_t t = 0; t < count; t++) {
            if (!table_has_its_turn(tables + t, multiply_adds)) continue;
            check(tables + t, &problem, memory, side, &first, &(random_state){seed});
        }
        free(first);
    }
    q8_problem_free(&problem);
}
