/* Many contexts of one model at once, for as many runs as are asked for; contexts and models that
 * come and go meanwhile; and signals that interrupt runs.  No bit of a result is another than that
 * of one context alone.  Usage: test_stress [RUNS of each context] */
#include "models.h"

#include <tests/brief.h>

#include <pthread.h>
#include <pthreadpool.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

enum { CONTEXTS = 8, IMAGES = 4, BATCH = 2, OUTPUT = BATCH * CLASSES };

/* The thread sanitizer puts signals off until a thread waits, and then calls the handler as a
 * function: nobody gives registers back. */
#if defined(__SANITIZE_THREAD__)
#define SIGNALS_ARE_CALLS 1
#else
#define SIGNALS_ARE_CALLS 0
#endif

static models files;
static float inputs[IMAGES][BATCH * IMAGE];

/* ---- A context's runs ------------------------------------------------------------------------ */

typedef struct user {
    pthread_t thread;
    const mbn_model *model;
    const float (*expected)[OUTPUT]; /* [IMAGES] */
    int number, precision;
    long runs;
    atomic_bool done;
    const char *failure; /* NULL: none */
} user;

static void run_some(user *u, mbn_context *context, long runs) {
    for (long run = 0; run < runs && u->failure == NULL; run++) {
        const int i = (int)((run + u->number) % IMAGES);
        float output[OUTPUT] = {0};
        if (mbn_run(context, inputs[i], MBN_NHWC, BATCH, MBN_LOGITS, output, NULL) != MBN_OK) {
            u->failure = "mbn_run";
        } else if (memcmp(output, u->expected[i], sizeof output) != 0) {
            u->failure = "the result differs";
        }
    }
}

/* Contexts of one thread, of two, with images side by side, and of a pool, by turns. */
static mbn_context *open_context(const user *u, int kind, pthreadpool_t pool) {
    const mbn_context_options kinds[] = {
        {.threads = 1}, {.threads = 2}, {.threads = 2, .batch = 2}, {.pool = pool}};
    mbn_context *context;
    return mbn_context_create(u->model, &kinds[kind % 4], &context, NULL) == MBN_OK ? context
                                                                                    : NULL;
}

static void *use(void *argument) {
    user *u = argument;
    enum { LIVES = 4 };
    pthreadpool_t pool = pthreadpool_create(2);
    for (int life = 0; life < LIVES && u->failure == NULL; life++) {
        mbn_context *context = open_context(u, u->number + life, pool);
        if (context == NULL) {
            u->failure = "mbn_context_create";
        } else {
            run_some(u, context, u->runs / LIVES + 1);
        }
        mbn_context_free(context);
    }
    pthreadpool_destroy(pool);
    atomic_store(&u->done, true);
    return NULL;
}

/* Loads and frees models of its own meanwhile. */
static void *load_and_free(void *argument) {
    user *u = argument;
    for (long i = 0; i < u->runs / 20 + 1 && u->failure == NULL; i++) {
        mbn_model *model = models_load(&files, u->precision);
        user one = *u;
        one.model = model;
        mbn_context *context = open_context(&one, (int)(i % 3), NULL);
        if (context == NULL) {
            u->failure = "mbn_context_create";
        } else {
            run_some(u, context, 2);
        }
        mbn_context_free(context);
        mbn_model_free(model);
    }
    atomic_store(&u->done, true);
    return NULL;
}

/* ---- Signals --------------------------------------------------------------------------------- */

static atomic_long signals;

#define ONES(n) "vpternlogd $255, %%zmm" #n ", %%zmm" #n ", %%zmm" #n "\n"

/* Leaves nothing in a register that was there: the system gives it all back. */
static void overwrite_registers(void) {
#if defined(__x86_64__)
    _mm_setcsr(0x7F80); /* towards zero, and no flush to it */
    if (__builtin_cpu_supports("avx512f")) {
        __asm__ volatile(ONES(0) ONES(7) ONES(15) ONES(16) ONES(23) ONES(31)::
                             : "xmm0", "xmm7", "xmm15");
    } else {
        __asm__ volatile("pcmpeqd %%xmm0, %%xmm0\n pcmpeqd %%xmm15, %%xmm15\n" ::: "xmm0", "xmm15");
    }
#elif defined(__aarch64__)
    __asm__ volatile("movi v0.16b, #255\n movi v7.16b, #255\n movi v16.16b, #255\n"
                     "movi v31.16b, #255\n" ::
                         : "v0", "v7", "v16", "v31");
#endif
}

static void interrupt(int number) {
    (void)number;
    float values[64], sum = 0;
    for (int i = 0; i < 64; i++) values[i] = 1e-40F * (float)(i + 1); /* denormals */
    for (int i = 0; i < 64; i++) sum += values[i] / (float)(i + 3);
    volatile float sink = sum;
    (void)sink;
    if (!SIGNALS_ARE_CALLS) overwrite_registers();
    atomic_fetch_add(&signals, 1);
}

/* To this process every fifth of a millisecond; main sends others to each of the runners. */
static void start_signals(void) {
    struct sigaction action = {.sa_handler = interrupt}; /* what waits is interrupted, too */
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    const struct itimerval often = {{0, 200}, {0, 200}};
    setitimer(ITIMER_REAL, &often, NULL);
}

static void stop_signals(void) {
    const struct itimerval never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &never, NULL);
}

/* ---- All at once ----------------------------------------------------------------------------- */

static void expect(const mbn_model *model, float expected[IMAGES][OUTPUT]) {
    mbn_context *context;
    mbn_error error = {MBN_OK, ""};
    insist(mbn_context_create(model, NULL, &context, &error) == MBN_OK, "mbn_context_create",
           error.message);
    for (int i = 0; i < IMAGES; i++) {
        insist(mbn_run(context, inputs[i], MBN_NHWC, BATCH, MBN_LOGITS, expected[i], &error) ==
                   MBN_OK,
               "mbn_run", error.message);
    }
    mbn_context_free(context);
    insist(memcmp(expected[0], expected[1], sizeof expected[0]) != 0, "images",
           "all give the same");
}

/* Number of failures. */
static int check(int precision, long runs, bool interrupted) {
    mbn_model *model = models_load(&files, precision);
    float expected[IMAGES][OUTPUT];
    expect(model, expected);
    user users[CONTEXTS + 1];
    const long before = atomic_load(&signals);
    if (interrupted) start_signals();
    for (int i = 0; i <= CONTEXTS; i++) {
        users[i] = (user){.model = model,
                          .expected = (const float(*)[OUTPUT])expected,
                          .number = i,
                          .precision = precision,
                          .runs = runs};
        void *(*body)(void *) = i < CONTEXTS ? use : load_and_free;
        insist(pthread_create(&users[i].thread, NULL, body, &users[i]) == 0, "pthread_create",
               "failed");
    }
    int failures = 0;
    for (int i = 0; i <= CONTEXTS; i++) {
        while (interrupted && !atomic_load(&users[i].done)) {
            pthread_kill(users[i].thread, SIGUSR1);
            usleep(100);
        }
        pthread_join(users[i].thread, NULL);
        if (users[i].failure == NULL) continue;
        printf("precision %d, context %d: %s\n", precision, i, users[i].failure);
        failures++;
    }
    if (interrupted) stop_signals();
    const long arrived = atomic_load(&signals) - before;
    if (interrupted && !SIGNALS_ARE_CALLS && arrived < 10) {
        printf("precision %d: only %ld signals\n", precision, arrived);
        failures++;
    }
    mbn_model_free(model);
    return failures;
}

int main(int argc, char **argv) {
    const long runs = argc > 1            ? atol(argv[1])
                      : tests_are_long()  ? 3000
                      : tests_are_brief() ? 4
                                          : 12;
    models_make(&files);
    for (int i = 0; i < IMAGES; i++) {
        for (int b = 0; b < BATCH; b++) models_draw(BATCH * i + b, inputs[i] + b * IMAGE);
    }
    int failures = 0;
    for (int precision = 0; precision < PRECISIONS; precision++) {
        failures += check(precision, runs, false);
        failures += check(precision, runs, true);
    }
    models_free(&files);
    printf("%d contexts at once, %ld runs of each in %d precisions, and again with %ld signals: "
           "%d failures\n",
           CONTEXTS, runs, PRECISIONS, atomic_load(&signals), failures);
    return failures != 0;
}
