/* What a run takes from its surroundings: nothing. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* syscall */
#endif

#include "models.h"

#include <criterion/criterion.h>
#include <pthreadpool.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__linux__)
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#if defined(CALLS_ARE_WRAPPED)
static atomic_int calls;

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
int __real_posix_memalign(void **, size_t, size_t);
void __real_free(void *);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *pointer, size_t size);
int __wrap_posix_memalign(void **pointer, size_t alignment, size_t size);
void __wrap_free(void *pointer);

void *__wrap_malloc(size_t size) {
    calls++;
    return __real_malloc(size);
}
void *__wrap_calloc(size_t count, size_t size) {
    calls++;
    return __real_calloc(count, size);
}
void *__wrap_realloc(void *pointer, size_t size) {
    calls++;
    return __real_realloc(pointer, size);
}
int __wrap_posix_memalign(void **pointer, size_t alignment, size_t size) {
    calls++;
    return __real_posix_memalign(pointer, alignment, size);
}
void __wrap_free(void *pointer) {
    calls++;
    __real_free(pointer);
}

static uint8_t frame[300 * 400 * 3];

static void check_features(const mbn_model *model, const float *image) {
    static const char *const stages[] = {"stride8", "pool"};
    mbn_context *context = make_context(
        model, &(mbn_context_options){.threads = 2, .stages = stages, .stage_count = 2});
    mbn_feature_map maps[2];
    for (int i = 0; i < 2; i++) {
        mbn_stage_info stage;
        const mbn_network *network = mbn_context_network(context);
        cr_assert_eq(mbn_network_stage(network, stages[i], &stage, NULL), MBN_OK);
        maps[i].values =
            malloc(sizeof(float) * (size_t)(stage.height * stage.width * stage.channels));
        maps[i].layout = MBN_NCHW;
    }
    const int before = calls;
    cr_assert_eq(mbn_features(context, image, MBN_NHWC, 1, maps, NULL), MBN_OK);
    cr_expect_eq(calls, before, "features: %d calls", calls - before);
    for (int i = 0; i < 2; i++) free(maps[i].values);
    mbn_context_free(context);
}

static void check_no_allocation_in_a_run(mbn_precision precision) {
    const char *network;
    for (int32_t n = 0; (network = mbn_network_name(n)) != NULL; n++) {
        mbn_model *model = make_model_in(precision, network, 0, NULL);
        mbn_context *context =
            make_context(model, &(mbn_context_options){.threads = 2, .batch = 2});
        float *image = make_images(3, 1), output[3 * CLASSES];
        const mbn_image photo = {frame, 400, 300, 0, MBN_RGB};
        const int before = calls;
        cr_assert_gt(before, 0, "calls are not counted");
        run_logits(context, image, output);
        cr_assert_eq(mbn_run(context, image, MBN_NCHW, 3, MBN_PROBABILITIES, output, NULL), MBN_OK);
        cr_assert_eq(mbn_run_images(context, &photo, 1, MBN_PROBABILITIES, output, NULL), MBN_OK);
        cr_expect_eq(calls, before, "%s: %d calls", network, calls - before);
        mbn_context_free(context);
        check_features(model, image);
        free(image);
        mbn_model_free(model);
    }
}

Test(resources, no_allocation_in_a_run) {
    in_every_precision(check_no_allocation_in_a_run);
}
#endif

#if defined(__linux__) && !defined(__SANITIZE_THREAD__)
/* In a child that the kernel kills at its first system call but read, write and exit. */
static void check_no_system_call_in_a_run(mbn_precision precision) {
    mbn_model *model = make_model_in(precision, "mobilenet_v3_small", 0, NULL);
    mbn_context *context = make_context(model, NULL);
    float *image = make_images(1, 1), output[CLASSES];
    run_logits(context, image, output);
    const pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) _exit(77);
        const mbn_status status =
            mbn_run(context, image, MBN_NHWC, 1, MBN_PROBABILITIES, output, NULL);
        syscall(SYS_exit, status == MBN_OK ? 0 : 1);
    }
    int result;
    cr_assert_eq(waitpid(child, &result, 0), child);
    if (WIFEXITED(result) && WEXITSTATUS(result) == 77) cr_skip_test("no seccomp here");
    cr_expect(WIFEXITED(result) && WEXITSTATUS(result) == 0, "status %#x", (unsigned)result);
    free(image);
    mbn_context_free(context);
    mbn_model_free(model);
}

Test(resources, no_system_call_in_a_run) {
    in_every_precision(check_no_system_call_in_a_run);
}
#endif

/* MXCSR or FPCR: how to round, and whether denormals count as zero. */
#if defined(__x86_64__)
enum { ROUND_DOWN = 0x2000 };

static uint64_t float_state(void) {
    return _mm_getcsr() & ~0x3FU; /* without the sticky flags */
}

static void set_float_state(uint64_t state) {
    _mm_setcsr((unsigned)state);
}
#elif defined(__aarch64__)
enum { ROUND_DOWN = 2 << 22 };

static uint64_t float_state(void) {
    uint64_t state;
    __asm__ volatile("mrs %0, fpcr" : "=r"(state));
    return state;
}

static void set_float_state(uint64_t state) {
    __asm__ volatile("msr fpcr, %0" ::"r"(state));
}
#endif

/* Zeroes the tensors of a model file whose names end so. */
static void clear_tensors(char *file, const char *ending) {
    uint64_t header;
    memcpy(&header, file, sizeof header);
    char *data = file + sizeof header + header, key[64];
    snprintf(key, sizeof key, "%s\":{", ending);
    const char saved = *data;
    *data = '\0'; /* ends the header as a string */
    int cleared = 0;
    for (char *at = file + sizeof header; (at = strstr(at, key)) != NULL; at++, cleared++) {
        size_t begin, end;
        const char *offsets = strstr(at, "\"data_offsets\":[");
        cr_assert_not_null(offsets);
        cr_assert_eq(sscanf(offsets, "\"data_offsets\":[%zu,%zu]", &begin, &end), 2);
        cr_assert_gt(begin, 0); /* where the string ends for now */
        memset(data + begin, 0, end - begin);
    }
    *data = saved;
    cr_assert_gt(cleared, 0, "no tensor is called ...%s", ending);
}

/* Flush-to-zero is on while a network runs, on the calling thread too, and off again afterwards.
 * With nothing added anywhere, denormal inputs make small outputs, unless they count as zero. */
static void check_floating_point_state(mbn_precision precision) {
    const mbn_network_options options = {.network = "mobilenet_v2",
                                         .input_height = HEIGHT,
                                         .input_width = WIDTH,
                                         .classes = CLASSES};
    size_t size;
    char *file = make_file(&options, &size);
    clear_tensors(file, "bias");
    clear_tensors(file, "running_mean");
    mbn_model *model;
    cr_assert_eq(mbn_model_load_memory(file, size, &(mbn_model_options){.precision = precision},
                                       &model, NULL),
                 MBN_OK);
    free(file);
    mbn_context *context = make_context(model, &(mbn_context_options){.threads = 2});
    float *image = make_images(1, 1), output[CLASSES];
    run_logits(context, image, output);
    for (int i = 0; i < CLASSES; i++) cr_expect_neq(output[i], 0.0F);
    for (int i = 0; i < PIXELS; i++) image[i] = i % 2 == 0 ? 1e-38F : -1e-38F;
    const uint64_t state = float_state();
    set_float_state(state | ROUND_DOWN);
    run_logits(context, image, output);
    cr_expect_eq(float_state(), state | ROUND_DOWN);
    set_float_state(state);
    for (int i = 0; i < CLASSES; i++) cr_expect_eq(output[i], 0.0F, "output %d", i);
    free(image);
    mbn_context_free(context);
    mbn_model_free(model);
}

Test(resources, floating_point_state) {
    in_every_precision(check_floating_point_state);
}

struct ledger {
    size_t bytes, peak;
    int blocks, limit; /* allocations that succeed, -1: all */
};

static void *allocate(void *user, size_t size, size_t alignment) {
    struct ledger *ledger = user;
    if (ledger->limit == 0) return NULL;
    if (ledger->limit > 0) ledger->limit--;
    void *pointer = NULL;
    if (posix_memalign(&pointer, alignment < sizeof pointer ? sizeof pointer : alignment, size) !=
        0) {
        return NULL;
    }
    memset(pointer, 0xA5, size);
    ledger->blocks++;
    ledger->bytes += size;
    if (ledger->bytes > ledger->peak) ledger->peak = ledger->bytes;
    return pointer;
}

static void release(void *user, void *pointer, size_t size) {
    struct ledger *ledger = user;
    ledger->blocks--;
    ledger->bytes -= size;
    memset(pointer, 0x5A, size);
    free(pointer);
}

Test(resources, callers_allocator) {
    struct ledger ledger = {.limit = -1};
    const mbn_allocator allocator = {allocate, release, &ledger};
    mbn_model *model = make_model("mobilenet_v3_small", 0, &allocator);
    cr_expect_eq(ledger.blocks, 1);
    cr_expect_eq(ledger.bytes, mbn_model_bytes(model));

    /* What mbn_context_bytes promises is what the context takes. */
    struct ledger own = {.limit = -1};
    const mbn_allocator another = {allocate, release, &own};
    const mbn_context_options options = {.input_height = 100, .allocator = &another};
    size_t bytes = 0;
    cr_assert_eq(mbn_context_bytes(model, &options, &bytes, NULL), MBN_OK);
    cr_expect_eq(own.blocks, 0);
    mbn_context *context = make_context(model, &options);
    cr_expect_eq(own.blocks, 1);
    cr_expect_eq(own.bytes, bytes);
    cr_expect_lt(mbn_context_arena_bytes(context), bytes);
    mbn_context_free(context);
    cr_expect_eq(own.blocks, 0);
    cr_expect_eq(own.bytes, 0);

    /* With images side by side, too. */
    pthreadpool_t pool = pthreadpool_create(3);
    const mbn_context_options lanes = {.pool = pool, .batch = 2, .allocator = &another};
    cr_assert_eq(mbn_context_bytes(model, &lanes, &bytes, NULL), MBN_OK);
    context = make_context(model, &lanes);
    cr_expect_eq(own.blocks, 3);
    cr_expect_eq(own.bytes, bytes);
    mbn_context_free(context);
    cr_expect_eq(own.blocks, 0);
    cr_expect_eq(own.bytes, 0);
    pthreadpool_destroy(pool);
    mbn_model_free(model);
    cr_expect_eq(ledger.blocks, 0);
    cr_expect_eq(ledger.bytes, 0);
}

/* Memory that runs out anywhere is an error, and nothing stays behind. */
Test(resources, out_of_memory) {
    const mbn_network_options network = {.network = "mobilenet_v3_small", .classes = CLASSES};
    size_t size;
    void *file = make_file(&network, &size);
    struct ledger ledger = {0};
    const mbn_allocator allocator = {allocate, release, &ledger};
    const mbn_model_options options = {.allocator = &allocator};
    mbn_model *model = NULL;
    mbn_error error = {MBN_OK, ""};
    int failures = 0;
    for (;; failures++) {
        ledger.limit = failures;
        if (mbn_model_load_memory(file, size, &options, &model, &error) == MBN_OK) break;
        cr_assert_eq(error.status, MBN_OUT_OF_MEMORY, "%s", error.message);
        cr_assert_null(model);
        cr_assert_eq(ledger.blocks, 0);
    }
    cr_expect_gt(failures, 0);
    pthreadpool_t pool = pthreadpool_create(3);
    const mbn_context_options lanes = {.pool = pool, .batch = 3};
    for (failures = 0;; failures++) {
        mbn_context *context = NULL;
        ledger.limit = failures;
        if (mbn_context_create(model, &lanes, &context, &error) == MBN_OK) {
            mbn_context_free(context);
            break;
        }
        cr_assert_eq(error.status, MBN_OUT_OF_MEMORY, "%s", error.message);
        cr_assert_null(context);
        cr_assert_eq(ledger.blocks, 1);
    }
    cr_expect_geq(failures, 4); /* itself, and three for the images side by side */
    pthreadpool_destroy(pool);
    mbn_model_free(model);
    cr_expect_eq(ledger.blocks, 0);
    free(file);
}
