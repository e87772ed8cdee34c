/* Running models of integers: what is computed does not depend on how it is run, and is near what
 * the same numbers give in floats.  That it is what TensorFlow Lite computes, golden networks and
 * kernels' tests say. */
#include "arch/model/integers.h"
#include "arch/run/context.h"
#include "integer_file.h"

#include <criterion/criterion.h>
#include <math.h>
#include <pthreadpool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tests/random.h>

/* Every combination of arithmetic and types. */
enum { CASES = 4 * ARITHMETICS };

static integer_file *make_case(int c) {
    return integer_file_make((integer_arithmetic)(c / 4), (c & 1) != 0, (c & 2) != 0);
}

static mbn_model *load_case(int c, uint32_t isa_mask, mbn_precision precision) {
    integer_file *file = make_case(c);
    mbn_model *model =
        integer_file_load(file, &(mbn_model_options){.isa_mask = isa_mask, .precision = precision});
    integer_file_free(file);
    return model;
}

static const mbn_kernels *best_table(void) {
    return mbn_kernels_best(MBN_ELEMENT_Q8, isas_to_test(MBN_PRECISION_INT8));
}

/* ---- Choice ---------------------------------------------------------------------------------- */

Test(integers, precisions_choose_their_tables) {
    integer_file *file = make_case(0);
    static const struct {
        mbn_precision asked, got;
        mbn_element element;
    } choices[] = {
        {MBN_PRECISION_DEFAULT, MBN_PRECISION_INT8, MBN_ELEMENT_Q8},
        {MBN_PRECISION_INT8, MBN_PRECISION_INT8, MBN_ELEMENT_Q8},
        {MBN_PRECISION_FASTEST, MBN_PRECISION_INT8, MBN_ELEMENT_Q8},
        {MBN_PRECISION_FLOAT32, MBN_PRECISION_FLOAT32, MBN_ELEMENT_F32},
        {MBN_PRECISION_BFLOAT16, MBN_PRECISION_BFLOAT16, MBN_ELEMENT_BF16},
    };
    unsetenv("MOBILENET_ISA");
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        mbn_model *model =
            integer_file_load(file, &(mbn_model_options){.precision = choices[i].asked});
        cr_expect_eq(mbn_model_precision(model), choices[i].got, "%zu", i);
        cr_expect_eq(mbn_model_kernels(model),
                     mbn_kernels_best(choices[i].element, MBN_ISA_MASK_ALL), "%zu", i);
        mbn_rescaling rescaling = MBN_RESCALE_DOUBLE;
        cr_expect(mbn_model_rescaling(model, &rescaling));
        cr_expect_eq(rescaling, MBN_RESCALE_FLOAT);
        mbn_model_free(model);
    }
    integer_file_free(file);
}

Test(integers, files_of_floats_have_none) {
    const mbn_network_options options = {.network = "mobilenet_v1", .width = 0.25};
    size_t size;
    void *file = make_file(&options, &size);
    mbn_model *model = NULL;
    mbn_error error = {MBN_OK, ""};
    cr_expect_eq(mbn_model_load_memory(file, size,
                                       &(mbn_model_options){.precision = MBN_PRECISION_INT8},
                                       &model, &error),
                 MBN_INVALID_ARGUMENT);
    cr_expect_null(model);
    cr_expect_str_eq(error.message,
                     "precision: int8 is of files of integers, and this one has floats");
    cr_assert_eq(mbn_model_load_memory(file, size, NULL, &model, &error), MBN_OK);
    mbn_rescaling rescaling;
    mbn_quantization q;
    cr_expect_not(mbn_model_rescaling(model, &rescaling));
    cr_expect_not(mbn_model_layer_quantization(model, 0, &q));
    cr_expect_not(mbn_model_layer_quantization(model, -1, &q));
    cr_expect_not(mbn_model_output_quantization(model, MBN_LOGITS, &q));
    cr_expect_not(mbn_model_output_quantization(model, MBN_PROBABILITIES, &q));
    mbn_model_free(model);
    free(file);
}

/* ---- Cuts ------------------------------------------------------------------------------------ */

/* What every layer writes, as floats, layer by layer; then the logits. */
typedef struct outputs {
    float *values;
    size_t count;
    int32_t begins[256]; /* where each layer's are */
} outputs;

static outputs run_all(const mbn_model *model, mbn_context_options options,
                       mbn_tensor_layout layout) {
    const mbn_network *network = mbn_model_network(model);
    const char *names[256];
    mbn_feature_map maps[256];
    outputs o = {0};
    for (int32_t i = 0; i < network->layer_count; i++) {
        const mbn_layer *layer = &network->layers[i];
        names[i] = layer->name;
        o.begins[i] = (int32_t)o.count;
        o.count += (size_t)(layer->output_height * layer->output_width * layer->output_channels);
    }
    o.values = malloc((o.count + CLASSES) * sizeof *o.values);
    cr_assert_not_null(o.values);
    for (int32_t i = 0; i < network->layer_count; i++) {
        maps[i] = (mbn_feature_map){o.values + o.begins[i], MBN_NHWC};
    }
    float *image = make_images(1, 3), *given = image;
    if (layout == MBN_NCHW) {
        given = malloc(PIXELS * sizeof *given);
        cr_assert_not_null(given);
        for (int32_t i = 0; i < PIXELS; i++) given[i % 3 * (PIXELS / 3) + i / 3] = image[i];
    }
    options.stages = names;
    options.stage_count = network->layer_count;
    mbn_context *context = make_context(model, &options);
    mbn_error error = {MBN_OK, ""};
    cr_assert_eq(mbn_features(context, given, layout, 1, maps, &error), MBN_OK, "%s",
                 error.message);
    cr_assert_eq(mbn_run(context, given, layout, 1, MBN_LOGITS, o.values + o.count, &error), MBN_OK,
                 "%s", error.message);
    o.count += CLASSES;
    mbn_context_free(context);
    if (given != image) free(given);
    free(image);
    return o;
}

static void expect_same(const float *a, const float *b, size_t count, const char *what, int c) {
    for (size_t i = 0; i < count; i++) {
        cr_assert(memcmp(&a[i], &b[i], sizeof *a) == 0, "case %d, %s: %zu is %.9g, not %.9g", c,
                  what, i, (double)a[i], (double)b[i]);
    }
}

/* A layer by itself, in scalar code, is what everything is held against. */
static outputs run_plainly(int c) {
    mbn_model *model = load_case(c, 1U << MBN_ISA_SCALAR, MBN_PRECISION_DEFAULT);
    const outputs o = run_all(model, (mbn_context_options){.band_rows = -1}, MBN_NHWC);
    mbn_model_free(model);
    return o;
}

/* A constant is the same however it is computed. */
Test(integers, outputs_are_no_constants) {
    for (int c = 0; c < CASES; c++) {
        const outputs o = run_plainly(c);
        mbn_model *model = load_case(c, 0, MBN_PRECISION_DEFAULT);
        const mbn_network *network = mbn_model_network(model);
        for (int32_t i = 0; i < network->layer_count; i++) {
            bool seen[256] = {false};
            int distinct = 0;
            mbn_quantization q;
            cr_assert(mbn_model_layer_quantization(model, i, &q));
            const int32_t end =
                i + 1 < network->layer_count ? o.begins[i + 1] : (int32_t)o.count - CLASSES;
            for (int32_t v = o.begins[i]; v < end; v++) {
                const int byte = (int)rintf(o.values[v] / q.scale) + q.zero;
                cr_assert(byte >= 0 && byte <= 255);
                cr_assert_eq(o.values[v], q.scale * (float)(byte - q.zero));
                distinct += !seen[byte];
                seen[byte] = true;
            }
            cr_expect_gt(distinct, 5, "case %d, %s: %d bytes", c, network->layers[i].name,
                         distinct);
            cr_expect_eq(q.origin, (c & 1) != 0 ? 128 : 0);
        }
        mbn_model_free(model);
        free(o.values);
    }
}

Test(integers, tables_bands_and_stages_do_not_show) {
    const uint32_t isas = isas_to_test(MBN_PRECISION_INT8);
    for (int c = 0; c < CASES; c++) {
        const outputs plain = run_plainly(c);
        float *image = make_images(1, 3), logits[CLASSES];
        const uint32_t turn = isas_in_turn(isas, c);
        for (unsigned isa = 0; isa < MBN_ISA_COUNT; isa++) {
            if ((turn >> isa & 1U) == 0) continue;
            mbn_model *model = load_case(c, 1U << isa, MBN_PRECISION_DEFAULT);
            const char *name = mbn_model_kernels(model)->name;
            for (int32_t band = -1; band <= 4; band++) {
                const mbn_context_options options = {.band_rows = band};
                outputs all = run_all(model, options, band == 2 ? MBN_NCHW : MBN_NHWC);
                expect_same(all.values, plain.values, plain.count, name, c);
                free(all.values);
                mbn_context *fused = make_context(model, &options);
                for (int i = 0; i < 2; i++) { /* then over what the first run left */
                    run_logits(fused, image, logits);
                    expect_same(logits, plain.values + plain.count - CLASSES, CLASSES, name, c);
                }
                mbn_context_free(fused);
            }
            mbn_model_free(model);
        }
        free(image);
        free(plain.values);
    }
}

Test(integers, threads_and_batches_do_not_show) {
    enum { BATCH = 3 };
    for (int c = 0; c < CASES; c += 5) {
        mbn_model *model = load_case(c, 1U << best_table()->isa, MBN_PRECISION_DEFAULT);
        mbn_context *plain = make_context(model, &(mbn_context_options){.band_rows = -1});
        float *images = make_images(BATCH, 3), one[BATCH * CLASSES], logits[BATCH * CLASSES];
        for (int32_t i = 0; i < BATCH * PIXELS; i++) { /* dark, grey and bright: noise is alike */
            images[i] = 0.5F * images[i] + 0.5F * (float)(i / PIXELS - 1);
        }
        for (int i = 0; i < BATCH; i++) run_logits(plain, images + i * PIXELS, one + i * CLASSES);
        mbn_context_free(plain);
        cr_expect_arr_neq(one, one + 2 * CLASSES, CLASSES * sizeof *one);
        for (size_t threads = 1; threads <= 4; threads++) {
            pthreadpool_t pool = pthreadpool_create(threads);
            for (int32_t batch = 1; batch <= BATCH; batch += 2) {
                for (int32_t band = -1; band <= 2; band++) {
                    const mbn_context_options options = {
                        .pool = pool, .batch = batch, .band_rows = band};
                    mbn_context *context = make_context(model, &options);
                    cr_assert_eq(
                        mbn_run(context, images, MBN_NHWC, BATCH, MBN_LOGITS, logits, NULL),
                        MBN_OK);
                    expect_same(logits, one, BATCH * CLASSES, "threads", c);
                    mbn_context_free(context);
                }
            }
            pthreadpool_destroy(pool);
        }
        free(images);
        mbn_model_free(model);
    }
}

/* ---- Floats ---------------------------------------------------------------------------------- */

/* Layer by layer from the same input, floats and integers differ by what is rounded on the way, of
 * which there is little: a few steps of the last layer's. */
static double largest_difference(const float *a, const float *b, int32_t count) {
    double largest = 0;
    for (int32_t i = 0; i < count; i++) largest = fmax(largest, fabs((double)a[i] - (double)b[i]));
    return largest;
}

Test(integers, floats_are_near) {
    static const double steps[] = {[MBN_PRECISION_FLOAT32] = 6, [MBN_PRECISION_BFLOAT16] = 9};
    for (int c = 0; c < CASES; c++) {
        mbn_model *model = load_case(c, 0, MBN_PRECISION_INT8);
        mbn_quantization q;
        cr_assert(mbn_model_output_quantization(model, MBN_LOGITS, &q));
        const outputs exact = run_all(model, (mbn_context_options){0}, MBN_NHWC);
        mbn_model_free(model);
        for (mbn_precision p = MBN_PRECISION_FLOAT32; p <= MBN_PRECISION_BFLOAT16; p++) {
            model = load_case(c, 0, p);
            cr_expect_not(mbn_model_output_quantization(model, MBN_LOGITS, &q));
            cr_expect_not(mbn_model_layer_quantization(model, -1, &q));
            const outputs o = run_all(model, (mbn_context_options){0}, MBN_NHWC);
            const double difference =
                largest_difference(o.values + o.count - CLASSES, exact.values + o.count - CLASSES,
                                   CLASSES) /
                0.052;
            cr_expect_lt(difference, steps[p], "case %d in %s: %g steps", c, mbn_precision_name(p),
                         difference);
            cr_expect_gt(difference, 0);
            mbn_model_free(model);
            free(o.values);
        }
        free(exact.values);
    }
}

/* A model in which one layer runs in floats, as a plan may have it. */
typedef struct mixed {
    mbn_model *integers, *floats;
    mbn_model mix;
    mbn_packed_layer *packed;
} mixed;

static mixed mix_layer(int c, int32_t floating) {
    mixed m = {
        .integers = load_case(c, 0, MBN_PRECISION_INT8),
        .floats = load_case(c, 0, MBN_PRECISION_FLOAT32),
    };
    const size_t count = (size_t)m.integers->network.layer_count;
    m.packed = malloc(count * sizeof *m.packed);
    cr_assert_not_null(m.packed);
    memcpy(m.packed, m.integers->packed, count * sizeof *m.packed);
    m.packed[floating] = m.floats->packed[floating];
    m.mix = *m.integers;
    m.mix.packed = m.packed;
    return m;
}

static void free_mixed(mixed *m) {
    free(m->packed);
    mbn_model_free(m->floats);
    mbn_model_free(m->integers);
}

/* A layer of floats among integers reads dequantised planes, and what it writes is quantised as it
 * is where it is one of integers.  (A stage of its own is not: it has the floats.) */
Test(integers, layers_of_floats_stand_among_them) {
    for (int c = 0; c < CASES; c += 3) {
        mbn_model *model = load_case(c, 0, MBN_PRECISION_INT8);
        const int32_t layers = mbn_model_network(model)->layer_count;
        const outputs exact = run_all(model, (mbn_context_options){0}, MBN_NHWC);
        for (int32_t i = 0; i < layers; i++) {
            mixed m = mix_layer(c, i);
            const outputs o = run_all(&m.mix, (mbn_context_options){0}, MBN_NHWC);
            const char *name = m.mix.network.layers[i].name;
            const size_t before = (size_t)o.begins[i];
            cr_expect_arr_eq(o.values, exact.values, before * sizeof *o.values, "before %s", name);
            mbn_quantization q;
            cr_assert(mbn_model_layer_quantization(model, i, &q));
            cr_expect_not(mbn_model_layer_quantization(&m.mix, i, &q));
            const int32_t end = i + 1 < layers ? o.begins[i + 1] : (int32_t)o.count - CLASSES;
            const double own = largest_difference(o.values + before, exact.values + before,
                                                  end - (int32_t)before) /
                               (double)q.scale;
            cr_expect_lt(own, 3, "case %d, %s: %g steps", c, name, own);
            const double logits = largest_difference(o.values + o.count - CLASSES,
                                                     exact.values + o.count - CLASSES, CLASSES) /
                                  0.052;
            cr_expect_lt(logits, 4, "case %d, behind %s: %g steps", c, name, logits);
            free(o.values);
            free_mixed(&m);
        }
        free(exact.values);
        mbn_model_free(model);
    }
}
