/* One model, many contexts: each in a thread of its own, with a pool of its own of one, two or
 * four threads, all at once.  Every result is the one that a single thread gives, bit for bit. */
#include <mobilenet.h>

#include <pthread.h>
#include <pthreadpool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 96, CLASSES = 24, USERS = 3, RUNS = 1, BATCH = 2 };
enum { INPUT = BATCH * SIZE * SIZE * 3, OUTPUT = BATCH * CLASSES };

static const char *const networks[] = {"mobilenet_v2", "mobilenet_v3_small"};
static float input[INPUT];

struct user {
    pthread_t thread;
    const mbn_model *model;
    const float *expected;
    size_t pool_threads;
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
    pthreadpool_t pool = pthreadpool_create(user->pool_threads);
    const mbn_context_options options = {.pool = pool};
    mbn_context *context;
    if (pool == NULL || mbn_context_create(user->model, &options, &context, NULL)) {
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
        users[i] =
            (struct user){.model = model, .expected = expected, .pool_threads = (size_t)1 << i};
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

int main(void) {
    for (int i = 0; i < INPUT; i++) input[i] = (float)(i * 37 % 256) / 128 - 1;
    int failures = 0;
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) failures += check(networks[i]);
    printf("%zu networks, %d contexts at once: %d failures\n", sizeof networks / sizeof *networks,
           USERS, failures);
    return failures != 0;
}
