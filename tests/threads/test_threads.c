/* One model, many contexts: each in a thread of its own, with a pool of its own of one, two or
 * four threads, or with threads of the library's own, all at once.  Every result is the one that a
 * single thread gives, bit for bit.  And these threads by themselves, more of them than CPUs. */
#include "arch/system/threads.h"

#include <mobilenet.h>

#include <pthread.h>
#include <pthreadpool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 96, CLASSES = 24, POOLS = 3, USERS = POOLS + 2, RUNS = 2, BATCH = 2 };
enum { INPUT = BATCH * SIZE * SIZE * 3, OUTPUT = BATCH * CLASSES };

static const char *const networks[] = {"mobilenet_v2", "mobilenet_v3_small"};
static float input[INPUT];

struct user {
    pthread_t thread;
    const mbn_model *model;
    const float *expected;
    size_t pool_threads; /* 0: the library's own */
    const char *failure; /* NULL: none */
};

static const char *run_and_compare(const struct user *user, mbn_context *context) {
    for (int run = 0; run < RUNS; run++) {
        float output[OUTPUT];
        if (mbn_run(context, input, MBN_NHWC, BATCH, MBN_LOGITS, output, NULL)) return "mbn_run";
        if (memcmp(output, user->expected, sizeof output) != 0) return "the result differs";
    }
    return NULL;
}

static void *use(void *argument) {
    struct user *user = argument;
    const bool own = user->pool_threads == 0;
    pthreadpool_t pool = own ? NULL : pthreadpool_create(user->pool_threads);
    const mbn_context_options options = {.pool = pool, .threads = 2};
    mbn_context *context;
    if ((pool == NULL && !own) || mbn_context_create(user->model, &options, &context, NULL)) {
        user->failure = "mbn_context_create";
    } else {
        user->failure = run_and_compare(user, context);
        mbn_context_free(context);
    }
    pthreadpool_destroy(pool);
    return NULL;
}

/* A model of random weights, or NULL. */
static mbn_model *make_model(const char *network, mbn_error *error) {
    const mbn_network_options options = {
        .network = network, .input_height = SIZE, .input_width = SIZE, .classes = CLASSES};
    mbn_model *model = NULL;
    size_t size;
    if (mbn_network_init(&options, 1, NULL, &size, error)) return NULL;
    void *bytes = malloc(size);
    if (bytes != NULL && mbn_network_init(&options, 1, bytes, &size, error) == MBN_OK)
        mbn_model_load_memory(bytes, size, NULL, &model, error);
    free(bytes);
    return model;
}

/* Number of failures. */
static int check(const char *network) {
    mbn_error error = {0};
    mbn_model *model = make_model(network, &error);
    mbn_context *context = NULL;
    float expected[OUTPUT];
    if (model == NULL || mbn_context_create(model, NULL, &context, &error) ||
        mbn_run(context, input, MBN_NHWC, BATCH, MBN_LOGITS, expected, &error)) {
        printf("%s: %s\n", network, error.message);
        return 1;
    }
    mbn_context_free(context);

    struct user users[USERS];
    int failures = 0;
    for (int i = 0; i < USERS; i++) {
        users[i] = (struct user){
            .model = model, .expected = expected, .pool_threads = i < POOLS ? (size_t)1 << i : 0};
        if (pthread_create(&users[i].thread, NULL, use, &users[i])) abort();
    }
    for (int i = 0; i < USERS; i++) {
        pthread_join(users[i].thread, NULL);
        if (users[i].failure == NULL) continue;
        printf("%s, %zu threads: %s\n", network, users[i].pool_threads, users[i].failure);
        failures++;
    }
    mbn_model_free(model);
    return failures;
}

enum { CELLS = 64, JOBS = 400 };

/* What tasks write without any care: each cell is one task's in a job, and another's in the
 * next. */
struct cells {
    long values[CELLS], sums[CELLS];
};

static void add_neighbours(void *argument, int32_t task, int32_t thread) {
    struct cells *cells = argument;
    (void)thread;
    cells->sums[task] = cells->values[task] + cells->values[(task + 7) % CELLS];
}

static void copy_back(void *argument, int32_t task, int32_t thread) {
    struct cells *cells = argument;
    (void)thread;
    cells->values[task] = cells->sums[task] % 1000003;
}

static struct cells ours, expected;

static void run_jobs(void *threads) {
    for (int job = 0; job < JOBS; job++) {
        mbn_threads_run(threads, add_neighbours, &ours, CELLS);
        mbn_threads_run(threads, copy_back, &ours, CELLS);
        for (int32_t i = 0; i < CELLS; i++) add_neighbours(&expected, i, 0);
        for (int32_t i = 0; i < CELLS; i++) copy_back(&expected, i, 0);
    }
}

/* Number of failures. */
static int check_threads(int32_t count, pthreadpool_t pool) {
    for (int i = 0; i < CELLS; i++) ours.values[i] = expected.values[i] = i;
    mbn_threads *threads = mbn_threads_create(count, pool);
    if (threads == NULL) abort();
    mbn_threads_gather(threads, run_jobs, threads);
    mbn_threads_free(threads);
    pthreadpool_destroy(pool);
    if (memcmp(&ours, &expected, sizeof ours) == 0) return 0;
    printf("%d threads: the sums differ\n", (int)count);
    return 1;
}

int main(void) {
    for (int i = 0; i < INPUT; i++) input[i] = (float)(i * 37 % 256) / 128 - 1;
    int failures = 0;
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) failures += check(networks[i]);
    for (int32_t count = 1; count <= 5; count++) {
        failures += check_threads(count, NULL);
        failures += check_threads(count, pthreadpool_create((size_t)count));
    }
    printf("%zu networks, %d contexts at once: %d failures\n", sizeof networks / sizeof *networks,
           USERS, failures);
    return failures != 0;
}
