/* What pointwise calls fetch for the fully connected layers behind them. */
#include "arch/run/context.h"
#include "models.h"

#include <criterion/criterion.h>
#include <pthreadpool.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { FETCHES_MAX = 100000 };

static struct {
    mbn_fetch fetches[FETCHES_MAX];
    atomic_int count;
    mbn_pointwise_fn *pointwise;
} seen;

static void record(const mbn_pointwise_args *args, mbn_range range) {
    if (args->fetch_bytes > 0) {
        const int at = atomic_fetch_add(&seen.count, 1);
        cr_assert_lt(at, FETCHES_MAX);
        seen.fetches[at] = (mbn_fetch){args->fetch, args->fetch_bytes};
    }
    seen.pointwise(args, range);
}

static void watch(mbn_call *call) {
    if (call->kind != MBN_LAYER_POINTWISE || call->run.pointwise == NULL) return;
    seen.pointwise = call->run.pointwise;
    call->run.pointwise = record;
}

static int by_address(const void *a, const void *b) {
    const char *const x = ((const mbn_fetch *)a)->data, *const y = ((const mbn_fetch *)b)->data;
    return (x > y) - (x < y);
}

/* Bytes of the weights of fully connected layers. */
static size_t wanted_bytes(const mbn_context *context) {
    size_t bytes = 0;
    for (int32_t i = 0; i < context->step_count; i++) {
        const mbn_call *call = &context->steps[i].filter;
        if (call->kind != MBN_LAYER_FULLY_CONNECTED) continue;
        const mbn_fully_connected_args *args = &call->args.fully_connected;
        bytes += (size_t)args->input_channels * (size_t)args->output_channels * sizeof(float);
    }
    return bytes;
}

/* Whether a fetch begins and ends in the weights and biases of a run of fully connected layers. */
static bool is_wanted(const mbn_context *context, const mbn_fetch *fetch) {
    for (int32_t i = 0; i < context->step_count; i++) {
        if (context->steps[i].filter.kind != MBN_LAYER_FULLY_CONNECTED) continue;
        const char *begin = context->steps[i].filter.args.fully_connected.operands.weights;
        for (; i + 1 < context->step_count; i++) {
            if (context->steps[i + 1].filter.kind != MBN_LAYER_FULLY_CONNECTED) break;
        }
        const mbn_fully_connected_args *last = &context->steps[i].filter.args.fully_connected;
        /* The bias follows the weights. */
        if (fetch->data >= begin &&
            fetch->data + fetch->bytes <= (const char *)last->operands.bias) {
            return true;
        }
    }
    return false;
}

/* Every call fetches its part of what its call does: together all of it, and nothing twice. */
static void check_fetches(const char *network, size_t threads, int32_t band, size_t least) {
    mbn_model *model = make_model(network, 0, NULL);
    pthreadpool_t pool = pthreadpool_create(threads);
    mbn_context *context =
        make_context(model, &(mbn_context_options){.pool = pool, .band_rows = band});
    size_t planned = 0;
    for (int32_t i = 0; i < context->step_count; i++) {
        mbn_step *step = &context->steps[i];
        mbn_call *const calls[] = {&step->expand, &step->filter, &step->project};
        for (int s = 0; s < 3; s++) {
            planned += calls[s]->fetch.bytes;
            watch(calls[s]);
        }
    }
    float *image = make_images(1, 3), logits[CLASSES];
    seen.count = 0;
    run_logits(context, image, logits);
    const int count = seen.count;
    qsort(seen.fetches, (size_t)count, sizeof seen.fetches[0], by_address);
    size_t bytes = 0;
    for (int i = 0; i < count; i++) {
        const mbn_fetch *fetch = &seen.fetches[i];
        cr_assert(is_wanted(context, fetch), "%s: fetches what is no fully connected weight",
                  network);
        cr_assert(i == 0 || fetch[-1].data + fetch[-1].bytes <= fetch->data,
                  "%s: fetches some bytes twice", network);
        bytes += fetch->bytes;
    }
    /* A band that has all rows of its expansion from the one before fetches nothing. */
    cr_assert(bytes <= planned && 4 * bytes >= 3 * planned,
              "%s, %zu threads: calls fetch %zu of %zu bytes", network, threads, bytes, planned);
    cr_assert_geq(100 * bytes, least * wanted_bytes(context), "%s: fetches %zu of %zu bytes",
                  network, bytes, wanted_bytes(context));
    free(image);
    mbn_context_free(context);
    pthreadpool_destroy(pool);
    mbn_model_free(model);
}

Test(fetches, each_byte_once) {
    for (size_t threads = 1; threads <= 3; threads++) {
        for (int32_t band = -1; band <= 2; band++) {
            check_fetches("mobilenet_v1", threads, band, 75);
            check_fetches("mobilenet_v2", threads, band, 75);
            check_fetches("mobilenet_v3_large", threads, band, 5);
            check_fetches("mobilenet_v3_small", threads, band, 4);
        }
    }
}
