/* The library, with one call after the other failing: what is made says that it could not be made,
 * with the right status and a name, and leaves nothing; what runs does not notice. */
#include "faults.h"
#include "known.h"

#include <tests/brief.h>
#include <tests/patience.h>
#include <tests/run/integer_file.h>
#include <tests/run/models.h>

#include <criterion/criterion.h>
#include <mobilenet/quantize.h>
#include <pthreadpool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIDE = 40, IMAGE = SIDE * SIDE * 3, CALIBRATION = 3 };

/* What is tried, with all that it needs. */
typedef struct trial {
    const void *file;
    size_t size;
    const char *path;
    const mbn_model *model;
    mbn_model_options load;
    mbn_context_options context;
} trial;

static float image[2 * IMAGE];
static long faults;

/* ---- The caller's allocator ------------------------------------------------------------------ */

static size_t held;

static void *allocate(void *user, size_t size, size_t alignment) {
    void *pointer;
    (void)user;
    if (posix_memalign(&pointer, alignment < sizeof pointer ? sizeof pointer : alignment, size))
        return NULL;
    held += size;
    return pointer;
}

static void release(void *user, void *pointer, size_t size) {
    (void)user;
    held -= size;
    free(pointer);
}

static const mbn_allocator allocator = {allocate, release, NULL};

/* ---- What is tried --------------------------------------------------------------------------- */

static mbn_status load_memory(const trial *t, mbn_error *error) {
    mbn_model *model = (mbn_model *)error;
    const mbn_status status = mbn_model_load_memory(t->file, t->size, &t->load, &model, error);
    cr_assert_eq(model == NULL, status != MBN_OK);
    mbn_model_free(model);
    return status;
}

static mbn_status load_file(const trial *t, mbn_error *error) {
    mbn_model *model = (mbn_model *)error;
    const mbn_status status = mbn_model_load(t->path, &t->load, &model, error);
    cr_assert_eq(model == NULL, status != MBN_OK);
    mbn_model_free(model);
    return status;
}

static mbn_status create_network(const trial *t, mbn_error *error) {
    (void)t;
    mbn_network *network = (mbn_network *)error;
    const mbn_status status = mbn_network_create(
        &(mbn_network_options){.network = "mobilenet_v2", .width = 0.35}, &network, error);
    cr_assert_eq(network == NULL, status != MBN_OK);
    mbn_network_free(network);
    return status;
}

static mbn_status init_network(const trial *t, mbn_error *error) {
    (void)t;
    const mbn_network_options options = {.network = "mobilenet_v1", .width = 0.1, .classes = 3};
    size_t size = 77;
    const mbn_status status = mbn_network_init(&options, 1, NULL, &size, error);
    cr_assert_eq(size == 77, status != MBN_OK);
    return status;
}

static mbn_status create_context(const trial *t, mbn_error *error) {
    mbn_context *context = (mbn_context *)error;
    size_t bytes = 77;
    mbn_status status = mbn_context_bytes(t->model, &t->context, &bytes, error);
    cr_assert_eq(bytes == 77, status != MBN_OK);
    if (status != MBN_OK) return status;
    status = mbn_context_create(t->model, &t->context, &context, error);
    cr_assert_eq(context == NULL, status != MBN_OK);
    mbn_context_free(context);
    return status;
}

static mbn_status read_image(void *user, int32_t index, mbn_context *context, float *input,
                             mbn_error *error) {
    (void)user, (void)context, (void)error;
    memcpy(input, image + index, IMAGE * sizeof *input);
    return MBN_OK;
}

static mbn_status quantize(const trial *t, mbn_error *error) {
    const mbn_calibration calibration = {CALIBRATION, read_image, NULL};
    const mbn_quantize_options options = {.method = MBN_RANGE_MINMAX,
                                          .threads = t->context.threads};
    mbn_quantized *quantized = (mbn_quantized *)error;
    const mbn_status status = mbn_quantize(t->path, &calibration, &options, &quantized, error);
    cr_assert_eq(quantized == NULL, status != MBN_OK);
    if (status == MBN_OK) cr_assert_eq(quantized->left_out, 0);
    mbn_quantized_free(quantized);
    return status;
}

/* ---- Faults ---------------------------------------------------------------------------------- */

static bool is_right(mbn_status status) {
    const char *name = faults_struck();
    static const char *const files[] = {"open", "read", "close", "fstat"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (strcmp(name, files[i]) == 0) return status == MBN_IO;
    }
    /* A file is mapped, and memory that forks are known by. */
    if (strcmp(name, "mmap") == 0) return status == MBN_IO || status == MBN_OUT_OF_MEMORY;
    return status == MBN_OUT_OF_MEMORY;
}

static void fail_once(const char *what, mbn_status (*attempt)(const trial *, mbn_error *),
                      const trial *t, long nth, faults_extent extent) {
    mbn_error error = {MBN_OK, ""};
    const long live = faults_live();
    const size_t before = held;
    faults_arm(nth, extent);
    const mbn_status status = attempt(t, &error);
    faults_disarm();
    faults++;
    cr_assert_eq(faults_live(), live, "%s: call %ld, %s: %ld blocks are left", what, nth,
                 faults_struck(), faults_live() - live);
    cr_assert_eq(held, before, "%s: call %ld, %s", what, nth, faults_struck());
    if (status == MBN_OK) return;
    cr_assert(is_right(status), "%s: call %ld, %s: %s: %s", what, nth, faults_struck(),
              mbn_status_text(status), error.message);
    cr_assert_eq(error.status, status);
    cr_assert_gt(strlen(error.message), strlen("out of memory"), "%s: %s", what, error.message);
    if (attempt == load_file || attempt == quantize) {
        cr_assert_not_null(strstr(error.message, "no memory") != NULL
                               ? error.message
                               : strstr(error.message, t->path),
                           "%s: %s", what, error.message);
    }
}

/* For about so many of the calls to fail; twenty times as many where tests are long. */
static long stride(long calls, long most) {
    if (tests_are_long()) most *= 20;
    if (tests_are_brief()) most /= 4;
    return calls > most ? calls / most : 1;
}

static void sweep(const char *what, mbn_status (*attempt)(const trial *, mbn_error *),
                  const trial *t, long most) {
    mbn_error error = {MBN_OK, ""};
    faults_arm(0, FAULTS_ONCE);
    cr_assert_eq(attempt(t, &error), MBN_OK, "%s: %s", what, error.message);
    const long calls = faults_disarm();
    cr_assert_gt(calls, 0, "%s: calls are not counted", what);
    const long step = stride(calls, most);
    for (long nth = 1; nth <= calls; nth += step) {
        fail_once(what, attempt, t, nth, FAULTS_ONCE);
        fail_once(what, attempt, t, nth, FAULTS_ONWARD);
    }
    cr_assert_eq(attempt(t, &error), MBN_OK, "%s: %s", what, error.message);
    printf("%s: %ld calls, each %ldth failed, %ld faults so far\n", what, calls, step, faults);
}

/* ---- Models ---------------------------------------------------------------------------------- */

static void set_up(void) {
    faults_leave_out_known();
    for (int i = 0; i < 2 * IMAGE; i++) image[i] = (float)(i * 37 % 256) / 128 - 1;
}

static void *make_small(size_t *size) {
    return make_file(&(mbn_network_options){.network = "mobilenet_v3_small",
                                            .width = 0.1,
                                            .input_height = SIDE,
                                            .input_width = SIDE,
                                            .classes = CLASSES},
                     size);
}

/* A file of integers' bytes. */
static void *make_integers(integer_arithmetic arithmetic, size_t *size) {
    integer_file *file = integer_file_make(arithmetic, false, true);
    void *bytes = integer_file_bytes(file, size);
    integer_file_free(file);
    return bytes;
}

static void write_file(char *path, const void *bytes, size_t size) {
    const int file = mkstemp(path);
    cr_assert_geq(file, 0);
    cr_assert_eq(write(file, bytes, size), (ssize_t)size);
    close(file);
}

static mbn_model *load(const void *bytes, size_t size, mbn_precision precision) {
    mbn_model *model = NULL;
    mbn_error error = {MBN_OK, ""};
    const mbn_model_options options = {.precision = precision};
    cr_assert_eq(mbn_model_load_memory(bytes, size, &options, &model, &error), MBN_OK, "%s",
                 error.message);
    return model;
}

Test(faults, loading, .init = set_up) {
    trial t = {.path = NULL};
    void *file = make_small(&t.size);
    char path[] = "/tmp/mobilenet-test-XXXXXX";
    write_file(path, file, t.size);
    t.file = file;
    t.path = path;
    sweep("floats", load_memory, &t, 50);
    t.load = (mbn_model_options){.precision = MBN_PRECISION_BFLOAT16, .allocator = &allocator};
    sweep("bfloat16, a caller's allocator", load_memory, &t, 50);
    t.load = (mbn_model_options){.headless = true};
    sweep("a file, headless", load_file, &t, 50);
    free(file);
    unlink(path);
    for (int a = 0; a < ARITHMETICS; a++) {
        file = make_integers((integer_arithmetic)a, &t.size);
        t.file = file;
        t.load = (mbn_model_options){.precision = MBN_PRECISION_INT8};
        sweep("integers", load_memory, &t, 50);
        t.load = (mbn_model_options){.precision = MBN_PRECISION_FLOAT32, .allocator = &allocator};
        sweep("integers as floats", load_memory, &t, 50);
        free(file);
    }
    sweep("a network", create_network, &t, 100);
    sweep("a file's bytes", init_network, &t, 100);
}

/* ---- Contexts -------------------------------------------------------------------------------- */

static void check_contexts(mbn_model *model) {
    static const char *const stages[] = {"stride8", "pool"};
    pthreadpool_t pool = pthreadpool_create(3);
    const mbn_context_options options[] = {
        {.threads = 1},
        {.threads = 2, .allocator = &allocator},
        {.threads = 2, .batch = 2, .input_height = 64, .input_width = 33},
        {.threads = 2, .stages = stages, .stage_count = 2},
        {.pool = pool, .batch = 3},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        const trial t = {.model = model, .context = options[i]};
        sweep("a context", create_context, &t, 100);
    }
    pthreadpool_destroy(pool);
}

Test(faults, contexts, .init = set_up) {
    size_t size;
    void *file = make_small(&size);
    mbn_model *models[] = {load(file, size, MBN_PRECISION_FLOAT32),
                           load(file, size, MBN_PRECISION_BFLOAT16), NULL};
    free(file);
    file = make_integers(ARITHMETIC_ONNX, &size);
    models[2] = load(file, size, MBN_PRECISION_INT8);
    free(file);
    for (int i = 0; i < 3; i++) {
        check_contexts(models[i]);
        mbn_model_free(models[i]);
    }
}

Test(faults, quantizing, .init = set_up) {
    char path[] = "/tmp/mobilenet-test-XXXXXX";
    size_t size;
    void *file = make_small(&size);
    write_file(path, file, size);
    free(file);
    for (int32_t threads = 1; threads <= 2; threads++) {
        const trial t = {.path = path, .context = {.threads = threads}};
        sweep("quantising", quantize, &t, 8);
    }
    unlink(path);
}

/* ---- Runs ------------------------------------------------------------------------------------ */

/* All that a context does, with every call failing: there are none. */
static void run_all(mbn_context *context, float *logits) {
    static uint8_t pixels[50 * 60 * 3];
    static float map[64 * 64 * 64];
    const mbn_image photo = {pixels, 60, 50, 0, MBN_RGB};
    const mbn_feature_map maps[] = {{map, MBN_NHWC}};
    mbn_error error;
    cr_assert_eq(mbn_run(context, image, MBN_NHWC, 2, MBN_LOGITS, logits, &error), MBN_OK);
    cr_assert_eq(mbn_run_images(context, &photo, 1, MBN_PROBABILITIES, map, &error), MBN_OK);
    cr_assert_eq(mbn_features(context, image, MBN_NCHW, 1, maps, &error), MBN_OK);
}

#if !defined(__SANITIZE_ADDRESS__)
static int run_in_child(mbn_context *context, const float *expected, long nth) {
    const pid_t child = fork();
    if (child == 0) {
        float logits[2 * CLASSES];
        alarm(PATIENCE_SECONDS);
        faults_arm(nth, FAULTS_ONWARD);
        run_all(context, logits);
        faults_disarm();
        mbn_context_free(context);
        _exit(memcmp(logits, expected, sizeof logits) != 0);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    return status;
}
#endif

/* A child of the process starts its own threads; where it cannot, the one that it has does all. */
Test(faults, runs, .init = set_up) {
    static const char *const stages[] = {"pool"};
    size_t size;
    void *file = make_small(&size);
    for (int p = 0; p < 2; p++) {
        mbn_model *model =
            load(file, size, p == 0 ? MBN_PRECISION_FLOAT32 : MBN_PRECISION_BFLOAT16);
        mbn_context *context = make_context(
            model, &(mbn_context_options){
                       .threads = 2, .batch = 1 + p, .stages = stages, .stage_count = 1});
        float expected[2 * CLASSES], logits[2 * CLASSES];
        run_all(context, expected);
        faults_arm(1, FAULTS_ONWARD);
        run_all(context, logits);
        cr_assert_eq(faults_disarm(), 0, "a run makes calls");
        cr_assert_arr_eq(logits, expected, sizeof logits);
        /* The address sanitizer's locks may be held while threads start, and stay so in a child. */
#if !defined(__SANITIZE_ADDRESS__)
        for (long nth = 1; nth <= 4; nth++) {
            cr_expect_eq(run_in_child(context, expected, nth), 0, "call %ld", nth);
        }
#endif
        mbn_context_free(context);
        mbn_model_free(model);
    }
    free(file);
}

/* Without a file descriptor left, which is when cpuinfo must not be started. */
Test(faults, no_descriptors) {
    size_t size;
    void *file = make_small(&size);
    struct rlimit limit, none;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    mbn_error error = {MBN_OK, ""};
    mbn_model *model = NULL;
    mbn_context *context = NULL;
    const mbn_status status = mbn_model_load_memory(file, size, NULL, &model, &error);
    mbn_status created = MBN_OK;
    if (status == MBN_OK)
        created = mbn_context_create(model, &(mbn_context_options){.threads = 2}, &context, &error);
    setrlimit(RLIMIT_NOFILE, &limit);
    cr_assert_eq(status, MBN_OK, "%s", error.message);
    cr_assert_eq(created, MBN_OK, "%s", error.message);
    float logits[2 * CLASSES];
    cr_assert_eq(mbn_run(context, image, MBN_NHWC, 2, MBN_LOGITS, logits, &error), MBN_OK);
    mbn_context_free(context);
    mbn_model_free(model);
    free(file);
}
