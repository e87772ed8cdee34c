/* A long life: runs at changing sizes, load after load, children in between, many processes at
 * once.  Outputs stay what they were, bit for bit, and memory does not grow.  Usage:
 *     test_long [RUNS CYCLES]      of all precisions together */
#include <tests/brief.h>
#include <tests/patience.h>
#include <tests/threads/models.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_IS_WATCHED 1 /* by a sanitizer, which keeps what is freed for a while */
#else
#define MEMORY_IS_WATCHED 0
#endif

enum { SIZES = 6, MOST_SIDE = 65, PROCESSES = 24, LIFE = 50 };

static const int32_t sizes[SIZES][2] = {{40, 40}, {32, 65}, {41, 33}, {64, 48}, {33, 32}, {65, 65}};
static models files;
static float image[MOST_SIDE * MOST_SIDE * 3];
static float expected[PRECISIONS][SIZES][CLASSES];
static char path[] = "/tmp/mobilenet-test-XXXXXX";

/* ---- Memory ---------------------------------------------------------------------------------- */

static atomic_llong held; /* by the caller's allocator */

static void *allocate(void *user, size_t size, size_t alignment) {
    void *pointer;
    (void)user;
    if (posix_memalign(&pointer, alignment < sizeof pointer ? sizeof pointer : alignment, size))
        return NULL;
    atomic_fetch_add(&held, (long long)size);
    return pointer;
}

static void release(void *user, void *pointer, size_t size) {
    (void)user;
    atomic_fetch_sub(&held, (long long)size);
    free(pointer);
}

static const mbn_allocator allocator = {allocate, release, NULL};

/* The last may not grow at all, the others a little: pieces of a heap come to lie apart, and each
 * thread keeps some of every size. */
typedef struct memory {
    long resident; /* KB */
    long in_use;   /* bytes from malloc */
    long long held;
} memory;

static memory look(void) {
    memory m = {.held = atomic_load(&held)};
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file != NULL && fscanf(file, "%*d %ld", &pages) == 1)
        m.resident = pages * (sysconf(_SC_PAGESIZE) / 1024);
    if (file != NULL) fclose(file);
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
    m.in_use = (long)mallinfo2().uordblks;
#endif
    return m;
}

/* Since a part had done a tenth of what it does. */
static void check_memory(const char *what, memory before) {
    const memory now = look();
    printf("%s: %ld KB resident, %ld before; %ld bytes from malloc, %ld before\n", what,
           now.resident, before.resident, now.in_use, before.in_use);
    insist(now.held == 0 && before.held == 0, what, "memory of the caller's allocator is kept");
    if (MEMORY_IS_WATCHED) return;
    insist(now.in_use - before.in_use < 1 << 16, what, "memory from malloc is kept");
    insist(now.resident - before.resident < 1 << 10, what, "the process grows");
}

/* ---- Contexts -------------------------------------------------------------------------------- */

static mbn_context *open_context(const mbn_model *model, int size, int32_t threads) {
    const mbn_context_options options = {.input_height = sizes[size][0],
                                         .input_width = sizes[size][1],
                                         .threads = threads,
                                         .allocator = &allocator};
    mbn_context *context;
    mbn_error error = {MBN_OK, ""};
    insist(mbn_context_create(model, &options, &context, &error) == MBN_OK, "mbn_context_create",
           error.message);
    return context;
}

static void run(mbn_context *context, float logits[CLASSES]) {
    mbn_error error = {MBN_OK, ""};
    insist(mbn_run(context, image, MBN_NHWC, 1, MBN_LOGITS, logits, &error) == MBN_OK, "mbn_run",
           error.message);
}

static void run_and_compare(mbn_context *context, int precision, int size) {
    float logits[CLASSES] = {0};
    run(context, logits);
    insist(memcmp(logits, expected[precision][size], sizeof logits) == 0, "a run",
           "the result differs");
}

static void expect_all(void) {
    for (int precision = 0; precision < PRECISIONS; precision++) {
        mbn_model *model = models_load(&files, precision);
        for (int size = 0; size < SIZES; size++) {
            mbn_context *context = open_context(model, size, 1);
            run(context, expected[precision][size]);
            mbn_context_free(context);
        }
        mbn_model_free(model);
    }
}

/* ---- The parts ------------------------------------------------------------------------------- */

/* Ends as a child of this process does. */
static void run_in_child(mbn_context *context, int precision, int size) {
    const pid_t child = fork();
    insist(child >= 0, "fork", "failed");
    if (child == 0) {
        alarm(PATIENCE_SECONDS);
        run_and_compare(context, precision, size);
        mbn_context_free(context);
        _exit(0);
    }
    int status;
    insist(waitpid(child, &status, 0) == child && status == 0, "a child", "failed");
}

/* Contexts live for some runs each, at one size after the other, on one thread or two; at the end
 * of some lives there is a child. */
static void run_long(long runs) {
    for (int precision = 0; precision < PRECISIONS; precision++) {
        mbn_model *model = models_load(&files, precision);
        const long lives = runs / PRECISIONS / LIFE + 1;
        memory before = look();
        for (long life = 0; life < lives; life++) {
            const int size = (int)(life % SIZES);
            mbn_context *context = open_context(model, size, 1 + (int32_t)(life / SIZES % 2));
            for (int i = 0; i < LIFE; i++) run_and_compare(context, precision, size);
            if (!MEMORY_IS_WATCHED && life % 10 == 9) run_in_child(context, precision, size);
            mbn_context_free(context);
            if (life == lives / 10 || life == 2 * SIZES) before = look();
        }
        check_memory("runs", before);
        mbn_model_free(model);
    }
}

/* From memory and from a file, by turns. */
static void load_long(long cycles) {
    static const mbn_precision precisions[] = {MBN_PRECISION_FLOAT32, MBN_PRECISION_BFLOAT16};
    memory before = look();
    for (long cycle = 0; cycle < cycles; cycle++) {
        const int precision = (int)(cycle % PRECISIONS), size = (int)(cycle / PRECISIONS % SIZES);
        mbn_model *model;
        if (precision < 2 && cycle % 2 == 1) {
            const mbn_model_options options = {.precision = precisions[precision],
                                               .allocator = &allocator};
            mbn_error error = {MBN_OK, ""};
            insist(mbn_model_load(path, &options, &model, &error) == MBN_OK, "mbn_model_load",
                   error.message);
        } else {
            model = models_load(&files, precision);
        }
        mbn_context *context = open_context(model, size, 1 + (int32_t)(cycle % 2));
        run_and_compare(context, precision, size);
        mbn_context_free(context);
        mbn_model_free(model);
        if (cycle == cycles / 10) before = look();
    }
    check_memory("load and free", before);
}

/* All at once, on however few CPUs. */
static void run_processes(long runs) {
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        insist(children[i] >= 0, "fork", "failed");
        if (children[i] > 0) continue;
        const int precision = i % PRECISIONS, size = i / PRECISIONS % SIZES;
        mbn_model *model = models_load(&files, precision);
        mbn_context *context = open_context(model, size, 2);
        for (long r = 0; r < runs / PROCESSES + 1; r++) run_and_compare(context, precision, size);
        mbn_context_free(context);
        mbn_model_free(model);
        _exit(0);
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        insist(waitpid(children[i], &status, 0) == children[i] && status == 0,
               "one process of many", "failed");
    }
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double tell(const char *what, long count, double since) {
    const double now = seconds();
    printf("%ld %s in %.1f s\n", count, what, now - since);
    fflush(stdout); /* children have none of it */
    return now;
}

int main(int argc, char **argv) {
    const int length = tests_are_long() ? 2 : tests_are_brief() ? 0 : 1;
    static const long lengths[][2] = {{600, 30}, {3000, 120}, {100000, 10000}};
    const long runs = argc > 2 ? atol(argv[1]) : lengths[length][0];
    const long cycles = argc > 2 ? atol(argv[2]) : lengths[length][1];
    for (int i = 0; i < MOST_SIDE * MOST_SIDE * 3; i++) image[i] = (float)(i * 37 % 256) / 128 - 1;
    models_make(&files);
    const int file = mkstemp(path);
    insist(file >= 0 && write(file, files.floats, files.floats_size) == (ssize_t)files.floats_size,
           path, "cannot be written");
    close(file);
    expect_all();
    double since = seconds();
    run_long(runs);
    since = tell("runs", runs, since);
    load_long(cycles);
    since = tell("models loaded and freed", cycles, since);
    run_processes(runs);
    tell("processes at once", PROCESSES, since);
    unlink(path);
    models_free(&files);
    return 0;
}
