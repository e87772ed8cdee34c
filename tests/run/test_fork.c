/* Contexts in the children of the process that made them.  A child ends with the number of the
 * check that failed, or is killed by its alarm where it hangs. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* usleep */
#endif

#include "models.h"

#include <tests/patience.h>

#include <criterion/criterion.h>
#include <dirent.h>
#include <pthread.h>
#include <pthreadpool.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BATCH = 3, OUTPUTS = BATCH * CLASSES };

static float *images, expected[OUTPUTS];

static mbn_model *set_up(void) {
    mbn_model *model = make_model("mobilenet_v2", 0, NULL);
    images = make_images(BATCH, 1);
    mbn_context *context = make_context(model, NULL);
    cr_assert_eq(mbn_run(context, images, MBN_NHWC, BATCH, MBN_LOGITS, expected, NULL), MBN_OK);
    mbn_context_free(context);
    return model;
}

static void tear_down(mbn_model *model) {
    free(images);
    mbn_model_free(model);
}

static bool same(mbn_context *context) {
    float output[OUTPUTS] = {0};
    return mbn_run(context, images, MBN_NHWC, BATCH, MBN_LOGITS, output, NULL) == MBN_OK &&
           memcmp(output, expected, sizeof output) == 0;
}

/* 0, or what a child answered. */
static int in_child(int (*check)(mbn_context *context), mbn_context *context) {
    const pid_t child = fork();
    if (child == 0) {
        alarm(PATIENCE_SECONDS);
        _exit(check(context));
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child) return 1000;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 2000 + WTERMSIG(status);
}

/* Processes in this one's thread group. */
static int count_own_threads(void) {
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    int threads = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "Threads: %d", &threads) == 1) break;
    }
    if (file != NULL) fclose(file);
    return threads;
}

/* Whether all threads do but this one, the process's first. */
static bool others_sleep(void) {
    DIR *tasks = opendir("/proc/self/task");
    bool sleeping = true;
    for (const struct dirent *task; tasks != NULL && (task = readdir(tasks)) != NULL;) {
        char path[64], state = 'S';
        if (task->d_name[0] == '.' || atoi(task->d_name) == getpid()) continue;
        snprintf(path, sizeof path, "/proc/self/task/%.20s/stat", task->d_name);
        FILE *file = fopen(path, "r");
        if (file != NULL && fscanf(file, "%*d (%*[^)]) %c", &state) == 1 && state != 'S') {
            sleeping = false;
        }
        if (file != NULL) fclose(file);
    }
    if (tasks != NULL) closedir(tasks);
    return sleeping;
}

/* Threads that begin hold locks of the address sanitizer (gcc 12), which a child would wait for,
 * and a run does not wait until all have begun. */
static void wait_for_threads(void) {
    for (int calm = 0; calm < 2; calm = others_sleep() ? calm + 1 : 0) usleep(1000);
}

static int run_thrice(mbn_context *context) {
    if (count_own_threads() != 1) return 1;
    for (int i = 0; i < 3; i++) {
        if (!same(context)) return 2;
        if (count_own_threads() != mbn_context_threads(context)) return 3;
    }
    mbn_context_free(context);
    return count_own_threads() == 1 ? 0 : 4;
}

static int run_here_and_in_children(mbn_context *context) {
    if (!same(context)) return 1;
    wait_for_threads();
    if (in_child(run_thrice, context) != 0) return 2;
    return same(context) ? 0 : 3;
}

static int run_in_children_only(mbn_context *context) {
    return in_child(run_thrice, context);
}

static int free_it(mbn_context *context) {
    mbn_context_free(context);
    return 0;
}

Test(fork, child_makes_its_own_threads) {
    mbn_model *model = set_up();
    for (int32_t batch = 1; batch <= BATCH; batch += 2) {
        mbn_context *context =
            make_context(model, &(mbn_context_options){.threads = 2, .batch = batch});
        wait_for_threads();
        cr_expect_eq(in_child(run_thrice, context), 0, "before the parent ran");
        cr_assert(same(context));
        cr_expect_eq(in_child(run_thrice, context), 0);
        usleep(10000); /* long enough for the workers to sleep */
        cr_expect_eq(in_child(run_thrice, context), 0, "while they sleep");
        cr_expect_eq(in_child(run_here_and_in_children, context), 0);
        cr_expect_eq(in_child(run_in_children_only, context), 0, "a grandchild");
        cr_expect_eq(in_child(free_it, context), 0);
        cr_expect(same(context), "the parent afterwards");
        mbn_context_free(context);
    }
    tear_down(model);
}

struct runner {
    mbn_context *context;
    atomic_bool begun, stop;
    bool ok;
};

static void *run_on(void *argument) {
    struct runner *runner = argument;
    runner->ok = true;
    while (!atomic_load(&runner->stop)) {
        runner->ok = same(runner->context) && runner->ok;
        atomic_store(&runner->begun, true);
    }
    return NULL;
}

/* The child comes into the world in the middle of a run. */
Test(fork, while_another_thread_runs) {
    mbn_model *model = set_up();
    struct runner runner = {.context = make_context(model, &(mbn_context_options){.threads = 2})};
    pthread_t thread;
    wait_for_threads();
    cr_assert_eq(pthread_create(&thread, NULL, run_on, &runner), 0);
    while (!atomic_load(&runner.begun)) usleep(100);
    const int children = tests_are_brief() ? 10 : 30;
    for (int i = 0; i < children; i++)
        cr_expect_eq(in_child(run_thrice, runner.context), 0, "%d", i);
    atomic_store(&runner.stop, true);
    pthread_join(thread, NULL);
    cr_expect(runner.ok, "the parent");
    mbn_context_free(runner.context);
    tear_down(model);
}

static bool is_refused(mbn_status status, const mbn_error *error) {
    return status == MBN_INVALID_ARGUMENT && strstr(error->message, "pool") != NULL &&
           strstr(error->message, "fork") != NULL;
}

static int expect_errors(mbn_context *context) {
    static const uint8_t pixels[16 * 16 * 3];
    static float map[PIXELS], output[OUTPUTS];
    static double seconds[1000];
    const mbn_image photo = {pixels, 16, 16, 0, MBN_RGB};
    const mbn_feature_map maps[] = {{map, MBN_NHWC}};
    mbn_error e = {MBN_OK, ""};
    if (!is_refused(mbn_run(context, images, MBN_NHWC, 1, MBN_LOGITS, output, &e), &e)) return 1;
    if (!is_refused(mbn_run_images(context, &photo, 1, MBN_LOGITS, output, &e), &e)) return 2;
    if (!is_refused(mbn_features(context, images, MBN_NHWC, 1, maps, &e), &e)) return 3;
    if (!is_refused(mbn_profile(context, images, MBN_NHWC, seconds, NULL, &e), &e)) return 4;
    /* What one thread does alone works. */
    if (mbn_preprocess(context, &photo, map, &e) != MBN_OK) return 5;
    mbn_context_free(context);
    return 0;
}

static const mbn_model *parents_model;

static int replace_pool(mbn_context *context) {
    mbn_context_free(context);
    pthreadpool_t pool = pthreadpool_create(3);
    context = make_context(parents_model, &(mbn_context_options){.pool = pool});
    const bool ok = same(context);
    mbn_context_free(context);
    pthreadpool_destroy(pool);
    return ok ? 0 : 1;
}

static int run_once(mbn_context *context) {
    return same(context) ? 0 : 1;
}

/* The pool's threads are the parent's: an error that says so. */
Test(fork, callers_pool) {
    static const char *const stages[] = {"pool"};
    mbn_model *model = set_up();
    parents_model = model;
    for (size_t threads = 1; threads <= 3; threads++) {
        pthreadpool_t pool = pthreadpool_create(threads);
        mbn_context *context = make_context(
            model, &(mbn_context_options){.pool = pool, .stages = stages, .stage_count = 1});
        cr_assert(same(context));
        wait_for_threads();
        const int answer = in_child(threads == 1 ? run_once : expect_errors, context);
        cr_expect_eq(answer, 0, "%zu threads: %d", threads, answer);
        cr_expect_eq(in_child(replace_pool, context), 0);
        cr_expect(same(context));
        mbn_context_free(context);
        pthreadpool_destroy(pool);
    }
    tear_down(model);
}
