/* Plans: a network of any table, in any precision, on any number of threads, in bands of any
 * height, for any batch, with any stages asked for, gives bit for bit what every layer by itself
 * gives on one thread. */
#include "input.h"
#include "memory.h"
#include "network_file.h"

#include <criterion/criterion.h>
#include <mobilenet.h>
#include <pthreadpool.h>
#include <stdlib.h>
#include <tests/random.h>

enum { MOST_STAGES = 4, MOST_BATCH = 3, MOST_MULTIPLY_ADDS = 2 << 20 };

typedef struct results {
    float *logits; /* [batch][classes] */
    float *probabilities;
    float *maps[MOST_STAGES];
    size_t logits_count, map_counts[MOST_STAGES];
} results;

static float *floats(size_t count) {
    float *values = calloc(count + 1, sizeof *values);
    cr_assert_not_null(values);
    return values;
}

static results results_of(const mbn_network *network, const mbn_context_options *o, int32_t batch) {
    results r = {.logits_count = (size_t)network->classes * (size_t)batch};
    r.logits = floats(r.logits_count);
    r.probabilities = floats(r.logits_count);
    for (int32_t i = 0; i < o->stage_count; i++) {
        mbn_stage_info stage;
        cr_assert_eq(mbn_network_stage(network, o->stages[i], &stage, NULL), MBN_OK);
        r.map_counts[i] =
            (size_t)stage.height * (size_t)stage.width * (size_t)stage.channels * (size_t)batch;
        r.maps[i] = floats(r.map_counts[i]);
    }
    return r;
}

static void results_free(results *r) {
    free(r->logits);
    free(r->probabilities);
    for (int i = 0; i < MOST_STAGES; i++) free(r->maps[i]);
}

/* All that a context gives; `at_once` images in a call. */
static results run(const mbn_model *model, const mbn_context_options *o, const float *images,
                   int32_t batch, int32_t at_once, mbn_tensor_layout layout) {
    mbn_context *context;
    mbn_error error = {MBN_OK, ""};
    cr_assert_eq(mbn_context_create(model, o, &context, &error), MBN_OK, "%s", error.message);
    const mbn_network *network = mbn_context_network(context);
    const size_t pixels = (size_t)network->input_height * (size_t)network->input_width *
                          (size_t)network->input_channels;
    results r = results_of(network, o, batch);
    for (int32_t i = 0; i < batch; i += at_once) {
        const int32_t count = batch - i < at_once ? batch - i : at_once;
        const float *image = images + (size_t)i * pixels;
        const size_t at = (size_t)i * (size_t)network->classes;
        if (network->classes > 0) {
            cr_assert_eq(mbn_run(context, image, layout, count, MBN_LOGITS, r.logits + at, &error),
                         MBN_OK, "%s", error.message);
        }
        if (network->classes > 0 && mbn_model_probabilities(model) != MBN_NO_PROBABILITIES) {
            cr_assert_eq(mbn_run(context, image, layout, count, MBN_PROBABILITIES,
                                 r.probabilities + at, &error),
                         MBN_OK, "%s", error.message);
        }
        mbn_feature_map maps[MOST_STAGES];
        for (int32_t s = 0; s < o->stage_count; s++) {
            const size_t each = r.map_counts[s] / (size_t)batch;
            maps[s] = (mbn_feature_map){r.maps[s] + (size_t)i * each, layout};
        }
        if (o->stage_count == 0) continue;
        cr_assert_eq(mbn_features(context, image, layout, count, maps, &error), MBN_OK, "%s",
                     error.message);
    }
    mbn_context_free(context);
    return r;
}

static void compare(const float *plain, const float *planned, size_t count, const char *what,
                    const mbn_context_options *o) {
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(memcmp(plain + i, planned + i, sizeof *plain), 0,
                     "%s: number %zu is %.9g, of every layer by itself %.9g (%dx%d, band %d, batch "
                     "%d, %d threads%s, %d stages)",
                     what, i, (double)planned[i], (double)plain[i], (int)o->input_height,
                     (int)o->input_width, (int)o->band_rows, (int)o->batch, (int)o->threads,
                     o->pool != NULL ? " of a pool" : "", (int)o->stage_count);
    }
}

/* Of 3 to 5 threads, more than there may be CPUs; they stay. */
static pthreadpool_t pool_of(int32_t threads) {
    static pthreadpool_t pools[3];
    pthreadpool_t *pool = &pools[threads - 3];
    if (*pool == NULL) *pool = pthreadpool_create((size_t)threads);
    cr_assert_not_null(*pool);
    return *pool;
}

static void check(const mbn_model *model, choices *c) {
    mbn_context_options plain = {.band_rows = -1, .threads = 1}, planned = {0};
    if (choose(c, 0, 3) > 1) {
        plain.input_height = planned.input_height = choose(c, 32, 96);
        plain.input_width = planned.input_width = choose(c, 32, 96);
    }
    planned.band_rows = choose(c, 0, 1) == 0 ? 0 : choose(c, -1, 12);
    planned.threads = choose(c, 0, 4) + 1;
    planned.batch = choose(c, 0, MOST_BATCH);
    if (planned.threads > 2) planned.pool = pool_of(planned.threads);
    const int32_t batch = choose(c, 1, MOST_BATCH), at_once = choose(c, 1, MOST_BATCH);
    const mbn_tensor_layout layout = (mbn_tensor_layout)choose(c, MBN_NHWC, MBN_NCHW);

    char names[MOST_STAGES][64];
    const char *stages[MOST_STAGES];
    mbn_context *context;
    mbn_error error = {MBN_OK, ""};
    /* A window may not fit the plane of another size. */
    if (mbn_context_create(model, &plain, &context, &error) != MBN_OK) return;
    const mbn_network *network = mbn_context_network(context);
    const bool small = network->multiply_adds <= MOST_MULTIPLY_ADDS;
    const size_t pixels = (size_t)network->input_height * (size_t)network->input_width *
                          (size_t)network->input_channels;
    int32_t last = 0;
    mbn_stage_info stage;
    while (mbn_network_stage_at(network, last, &stage)) last++;
    const int32_t wanted = choose(c, 0, MOST_STAGES);
    for (int32_t i = 0; i < wanted; i++) {
        mbn_network_stage_at(network, choose(c, 0, last - 1), &stage);
        memcpy(names[i], stage.name, sizeof names[i]);
        stages[i] = names[i];
    }
    mbn_context_free(context);
    if (!small) return;
    plain.stages = planned.stages = stages;
    plain.stage_count = planned.stage_count = wanted;

    float *images = floats(pixels * (size_t)batch);
    random_state random = {choose_bits(c, 2)};
    for (size_t i = 0; i < pixels * (size_t)batch; i++) {
        images[i] = random_float(&random, -1.0F, 1.0F);
    }
    results alone = run(model, &plain, images, batch, 1, layout);
    results together = run(model, &planned, images, batch, at_once, layout);
    compare(alone.logits, together.logits, alone.logits_count, "logits", &planned);
    compare(alone.probabilities, together.probabilities, alone.logits_count, "probabilities",
            &planned);
    for (int32_t i = 0; i < wanted; i++) {
        compare(alone.maps[i], together.maps[i], alone.map_counts[i], stages[i], &planned);
    }
    results_free(&alone);
    results_free(&together);
    free(images);
}

int fuzz_input(const uint8_t *data, size_t size) {
    enum { OPTIONS = 24 };
    const size_t before = size < OPTIONS ? size : OPTIONS;
    choices options = {data, before}, file = {data + before, size - before};
    const bool integers = choose(&options, 0, 3) == 1;
    size_t out = 0;
    const mbn_allocator allocator = guarded_allocator(&out);
    const mbn_model_options model_options = {
        .allocator = &allocator,
        .isa_mask = choose(&options, 0, 1) == 0
                        ? 0
                        : (1u << choose(&options, MBN_ISA_SCALAR, MBN_ISA_COUNT - 1)) |
                              1u << MBN_ISA_SCALAR,
        .precision =
            (mbn_precision)choose(&options, MBN_PRECISION_DEFAULT,
                                  integers ? MBN_PRECISION_FASTEST : MBN_PRECISION_BFLOAT16),
    };
    size_t bytes;
    uint8_t *made =
        integers ? choose_integer_file(&file, &bytes) : choose_network_file(&file, &bytes);
    if (made == NULL) return 0;
    mbn_model *model;
    mbn_error error = {MBN_OK, ""};
    const mbn_status status = mbn_model_load_memory(made, bytes, &model_options, &model, &error);
    free(made);
    cr_assert_eq(status, MBN_OK, "%s", error.message);
    check(model, &options);
    mbn_model_free(model);
    cr_assert_eq(out, 0);
    return 0;
}
