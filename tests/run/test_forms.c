/* Plans that mix tables: layers run with tables of different blockings, and with one that does not
 * read the image as floats, so that conversions stand between them.  The scalar functions serve
 * every blocking and give the same bits under each. */
#include "arch/run/context.h"
#include "models.h"

#include <criterion/criterion.h>
#include <pthreadpool.h>
#include <stdlib.h>
#include <string.h>
#include <tests/random.h>

enum { TABLES = 5 };

static mbn_kernels vectors_of_last;

static void make_tables(mbn_kernels tables[TABLES]) {
    static const mbn_blocking blockings[TABLES] = {
        {1, 1, 1}, {4, 2, 1}, {16, 2, 1}, {8, 4, 1}, {8, 1, 1}};
    for (int t = 0; t < TABLES; t++) {
        tables[t] = *mbn_kernels_for(MBN_ELEMENT_F32, MBN_ISA_SCALAR);
        tables[t].blocking = blockings[t];
        tables[t].reads_floats = t % 2 == 0;
    }
    vectors_of_last = tables[TABLES - 1];
    tables[TABLES - 1].vectors = &vectors_of_last;
}

/* A model whose layers are packed for any of the tables. */
typedef struct mixed {
    mbn_model *model; /* scalar's, and the source of all but `packed` */
    mbn_model mix;
    void *memory[TABLES];
} mixed;

static void pack_all(const char *network, const mbn_kernels tables[TABLES], random_state *random,
                     mixed *m) {
    const mbn_network_options options = {
        .network = network, .input_height = HEIGHT, .input_width = WIDTH, .classes = CLASSES};
    const mbn_allocator allocator = mbn_allocator_or_default(NULL);
    size_t size;
    void *file = make_file(&options, &size);
    mbn_safetensors *tensors;
    mbn_error error;
    cr_assert_eq(mbn_safetensors_parse(file, size, &tensors, &error), MBN_OK, "%s", error.message);
    m->model = make_model(network, 1u << MBN_ISA_SCALAR, NULL);
    m->mix = *m->model;
    const mbn_network *layers = &m->model->network;
    const size_t count = (size_t)layers->layer_count;
    const mbn_packing packing = {tensors, layers, NULL, layers->layer_count, &allocator, NULL};
    m->mix.packed = malloc(count * sizeof *m->mix.packed);
    mbn_packed_layer *packed = malloc(count * sizeof *packed);
    cr_assert(m->mix.packed != NULL && packed != NULL);
    for (int t = 0; t < TABLES; t++) {
        const size_t bytes = mbn_packed_bytes(&packing, &tables[t]);
        m->memory[t] = mbn_allocate(&allocator, bytes, MBN_ALIGNMENT);
        cr_assert_eq(mbn_pack_layers(&packing, &tables[t], m->memory[t], packed, &error), MBN_OK,
                     "%s", error.message);
        for (size_t i = 0; i < count; i++) {
            const bool first = i == 0; /* a table that has the image converted */
            if (first ? t == 1 : t == 0 || random_int(random, 0, t) == 0) {
                m->mix.packed[i] = packed[i];
            }
        }
    }
    free(packed);
    mbn_safetensors_free(tensors);
    free(file);
}

static void free_all(mixed *m) {
    for (int t = 0; t < TABLES; t++) free(m->memory[t]);
    free(m->mix.packed);
    mbn_model_free(m->model);
}

/* Stages of several kinds: planes before and after conversions, a vector. */
static const char *const stages[] = {"stride2", "block2", "stride16", "pool"};
enum { STAGES = sizeof stages / sizeof *stages };

/* What every stage holds, in both layouts, and the logits. */
static float *run_all(const mbn_model *model, mbn_context_options options, size_t *count) {
    options.stages = stages;
    options.stage_count = STAGES;
    mbn_context *context = make_context(model, &options);
    size_t floats = CLASSES;
    mbn_stage_info infos[STAGES];
    mbn_error error;
    for (int s = 0; s < STAGES; s++) {
        cr_assert_eq(mbn_network_stage(mbn_context_network(context), stages[s], &infos[s], &error),
                     MBN_OK, "%s", error.message);
        floats += (size_t)infos[s].height * (size_t)infos[s].width * (size_t)infos[s].channels;
    }
    float *image = make_images(1, 3), *results = malloc(2 * floats * sizeof *results);
    cr_assert_not_null(results);
    float *next = results;
    for (mbn_tensor_layout layout = MBN_NHWC; layout <= MBN_NCHW; layout++) {
        mbn_feature_map maps[STAGES];
        for (int s = 0; s < STAGES; s++) {
            maps[s] = (mbn_feature_map){next, layout};
            next += infos[s].height * infos[s].width * infos[s].channels;
        }
        cr_assert_eq(mbn_features(context, image, layout, 1, maps, &error), MBN_OK, "%s",
                     error.message);
        cr_assert_eq(mbn_run(context, image, layout, 1, MBN_LOGITS, next, &error), MBN_OK, "%s",
                     error.message);
        next += CLASSES;
    }
    mbn_context_free(context);
    free(image);
    *count = 2 * floats;
    return results;
}

static int32_t count_conversions(const mbn_model *model) {
    mbn_context *context = make_context(model, NULL);
    int32_t count = 0;
    for (int32_t i = 0; i < mbn_context_step_count(context); i++) {
        mbn_step_info info;
        mbn_error error;
        cr_assert_eq(mbn_context_step(context, i, &info, &error), MBN_OK);
        if (info.last_layer >= info.first_layer) continue;
        count++;
        cr_assert(info.bytes > 0 && info.multiply_adds == 0);
    }
    mbn_context_free(context);
    return count;
}

static void check_network(const char *network, uint64_t seed) {
    mbn_kernels tables[TABLES];
    random_state random = {seed};
    mixed m;
    make_tables(tables);
    pack_all(network, tables, &random, &m);
    cr_assert_eq(count_conversions(m.model), 0);
    cr_assert_gt(count_conversions(&m.mix), 5, "%s", network);
    size_t expected_count, count;
    float *expected = run_all(m.model, (mbn_context_options){0}, &expected_count);
    for (int32_t threads = 1; threads <= 3; threads += 2) {
        pthreadpool_t pool = pthreadpool_create((size_t)threads);
        for (int32_t band = -1; band <= 1; band++) {
            if (tests_are_brief() && (threads == 3) != (band == 0)) continue;
            float *actual =
                run_all(&m.mix, (mbn_context_options){.pool = pool, .band_rows = band}, &count);
            cr_assert_eq(count, expected_count);
            for (size_t i = 0; i < count; i++) {
                cr_assert(memcmp(&actual[i], &expected[i], sizeof *actual) == 0,
                          "%s, seed %d, %d threads, band %d: value %zu is %.9g, not %.9g", network,
                          (int)seed, (int)threads, (int)band, i, (double)actual[i],
                          (double)expected[i]);
            }
            free(actual);
        }
        pthreadpool_destroy(pool);
    }
    free(expected);
    free_all(&m);
}

Test(forms, layers_of_any_table) {
    check_network("mobilenet_v1", 1);
    check_network("mobilenet_v2", 2);
    check_network("mobilenet_v3_small", 3);
}
