/* Files that are cut, replaced or written to: an error that names the file, or a model; and with a
 * full disk, what was there before. */
#include <tests/brief.h>
#include <tests/run/integer_file.h>
#include <tests/run/models.h>

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <tests/random.h>
#include <unistd.h>

enum { SIDE = 40 };

static char path[] = "/tmp/mobilenet-test-XXXXXX";

static void write_to(const char *name, const void *bytes, size_t size) {
    const int file = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    cr_assert_geq(file, 0);
    cr_assert_eq(write(file, bytes, size), (ssize_t)size);
    close(file);
}

static void set_up(void) {
    const int file = mkstemp(path);
    cr_assert_geq(file, 0);
    close(file);
}

static void tear_down(void) {
    unlink(path);
}

static void *make_small(uint64_t seed, size_t *size) {
    const mbn_network_options options = {.network = "mobilenet_v3_small",
                                         .width = 0.1,
                                         .input_height = SIDE,
                                         .input_width = SIDE,
                                         .classes = CLASSES};
    cr_assert_eq(mbn_network_init(&options, seed, NULL, size, NULL), MBN_OK);
    void *bytes = malloc(*size);
    cr_assert_eq(mbn_network_init(&options, seed, bytes, size, NULL), MBN_OK);
    return bytes;
}

static void *make_integers(size_t *size) {
    integer_file *file = integer_file_make(ARITHMETIC_FIXED, true, true);
    void *bytes = integer_file_bytes(file, size);
    integer_file_free(file);
    return bytes;
}

/* ---- Cut files ------------------------------------------------------------------------------- */

static void check_cut(size_t length) {
    mbn_error error = {MBN_OK, ""};
    mbn_model *model = (mbn_model *)&error;
    cr_assert_eq(truncate(path, (off_t)length), 0);
    const mbn_status status = mbn_model_load(path, NULL, &model, &error);
    cr_assert_eq(status, length == 0 ? MBN_IO : MBN_MALFORMED, "%zu bytes: %s", length,
                 error.message);
    cr_assert_null(model);
    cr_assert_not_null(strstr(error.message, path), "%s", error.message);
}

/* The places where a tensor ends, as the header says. */
static size_t find_ends(const char *bytes, size_t header, size_t *ends, size_t room) {
    size_t count = 0, begin, end;
    for (const char *at = bytes + 8; count < room; at++) {
        at = strstr(at, "\"data_offsets\":[");
        if (at == NULL || at > bytes + 8 + header) break;
        if (sscanf(at, "\"data_offsets\":[%zu,%zu]", &begin, &end) == 2) ends[count++] = end;
    }
    return count;
}

static void check_cuts(void *bytes, size_t size) {
    size_t ends[INTEGER_TENSORS];
    uint64_t header;
    int cuts = 0;
    memcpy(&header, bytes, sizeof header);
    char *text = bytes;
    const char last = text[size - 1];
    text[size - 1] = '\0';
    const size_t count = find_ends(text, (size_t)header, ends, INTEGER_TENSORS);
    text[size - 1] = last;
    cr_assert_gt(count, 20);
    write_to(path, bytes, size);
    /* From the end, so that the file is written once. */
    const size_t step = tests_are_brief() ? 7 : 1;
    check_cut(size - 1);
    for (size_t i = count; i-- > 0;) {
        for (size_t after = 2; after-- > 0;) {
            const size_t length = 8 + (size_t)header + ends[i] - 1 + after;
            if (length >= size - 1 || i % step != 0) continue;
            check_cut(length);
            cuts++;
        }
    }
    for (size_t length = 8 + (size_t)header + 1; length-- > (size_t)header; cuts++)
        check_cut(length);
    for (size_t length = (size_t)header; length > 64; length -= 1 + length / 20, cuts++)
        check_cut(length);
    for (size_t length = 64 + 1; length-- > 0; cuts++) check_cut(length);
    printf("cut at %d places\n", cuts);
}

Test(files, cut, .init = set_up, .fini = tear_down) {
    size_t size;
    void *bytes = make_small(1, &size);
    check_cuts(bytes, size);
    free(bytes);
    bytes = make_integers(&size);
    check_cuts(bytes, size);
    free(bytes);
}

/* ---- Files that change ----------------------------------------------------------------------- */

typedef struct changer {
    char *bytes[2]; /* two files, or one that is mapped and a copy */
    size_t size;
    char other[sizeof path + 2];
    atomic_bool stop;
    atomic_long changes;
} changer;

/* One file over the other, and now and then none. */
static void *replace(void *argument) {
    changer *c = argument;
    while (!atomic_load(&c->stop)) {
        const long change = atomic_fetch_add(&c->changes, 1);
        write_to(c->other, c->bytes[change % 2], c->size);
        if (change % 7 == 6) unlink(path);
        rename(c->other, path);
    }
    return NULL;
}

static void expect(const void *bytes, size_t size, float *logits, const float *image) {
    mbn_model *model;
    mbn_context *context;
    cr_assert_eq(mbn_model_load_memory(bytes, size, NULL, &model, NULL), MBN_OK);
    cr_assert_eq(mbn_context_create(model, NULL, &context, NULL), MBN_OK);
    run_logits(context, image, logits);
    mbn_context_free(context);
    mbn_model_free(model);
}

static int rounds(void) {
    return tests_are_long() ? 5000 : tests_are_brief() ? 30 : 150;
}

/* Each load sees one of the files, whole, or none. */
Test(files, replaced, .init = set_up, .fini = tear_down) {
    changer c = {.size = 0};
    float *image = make_images(1, 1), expected[2][CLASSES], logits[CLASSES];
    for (int i = 0; i < 2; i++) {
        c.bytes[i] = make_small((uint64_t)i + 1, &c.size);
        expect(c.bytes[i], c.size, expected[i], image);
    }
    cr_assert_neq(memcmp(expected[0], expected[1], sizeof logits), 0);
    snprintf(c.other, sizeof c.other, "%s.n", path);
    write_to(path, c.bytes[0], c.size);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, replace, &c), 0);
    int seen[2] = {0, 0}, absent = 0;
    while (seen[0] == 0 || seen[1] == 0 || seen[0] + seen[1] < rounds()) {
        mbn_model *model;
        mbn_error error = {MBN_OK, ""};
        const mbn_status status = mbn_model_load(path, NULL, &model, &error);
        if (status != MBN_OK) {
            cr_assert_eq(status, MBN_IO, "%s", error.message);
            absent++;
            continue;
        }
        mbn_context *context = make_context(model, NULL);
        run_logits(context, image, logits);
        const int which = memcmp(logits, expected[0], sizeof logits) != 0;
        cr_assert_arr_eq(logits, expected[which], sizeof logits);
        seen[which]++;
        mbn_context_free(context);
        mbn_model_free(model);
    }
    atomic_store(&c.stop, true);
    pthread_join(thread, NULL);
    unlink(c.other);
    printf("replaced %ld times: %d and %d loads of either, %d of none\n", atomic_load(&c.changes),
           seen[0], seen[1], absent);
    free(c.bytes[0]);
    free(c.bytes[1]);
    free(image);
}

/* One byte after the other, which is put back two changes later: mostly of the tensors, at times of
 * the header. */
static void *scribble(void *argument) {
    changer *c = argument;
    random_state random = {3};
    enum { CHANGED = 2 };
    size_t places[CHANGED] = {0};
    char were[CHANGED] = {c->bytes[0][0], c->bytes[0][0]};
    uint64_t header;
    memcpy(&header, c->bytes[0], sizeof header);
    const size_t split = 8 + (size_t)header;
    while (!atomic_load(&c->stop)) {
        const long change = atomic_fetch_add(&c->changes, 1);
        volatile char *bytes = c->bytes[0];
        bytes[places[change % CHANGED]] = were[change % CHANGED];
        const size_t begin = change % 16 == 0 ? 0 : split, end = change % 16 == 0 ? split : c->size;
        const size_t at = begin + (size_t)(random_float(&random, 0, 1) * (float)(end - begin - 1));
        places[change % CHANGED] = at;
        were[change % CHANGED] = bytes[at];
        bytes[at] = (char)random_float(&random, -128, 127);
        usleep(20);
    }
    return NULL;
}

/* Which is not allowed (mbn_model_load), and yet reads and writes nothing out of bounds: a model of
 * whatever numbers, or an error.  A shift of integers that changes after it was checked is what the
 * undefined-behaviour sanitizer rightly finds. */
#if defined(UNDEFINED_BEHAVIOUR_IS_FOUND)
enum { KINDS = 1 };
#else
enum { KINDS = 2 };
#endif

Test(files, written_to, .init = set_up, .fini = tear_down) {
    for (int kind = 0; kind < KINDS; kind++) {
        changer c = {.size = 0};
        void *bytes = kind == 0 ? make_small(1, &c.size) : make_integers(&c.size);
        write_to(path, bytes, c.size);
        free(bytes);
        const int file = open(path, O_RDWR);
        c.bytes[0] = mmap(NULL, c.size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        cr_assert_neq((void *)c.bytes[0], MAP_FAILED);
        close(file);
        pthread_t thread;
        cr_assert_eq(pthread_create(&thread, NULL, scribble, &c), 0);
        float *image = make_images(1, 1), logits[CLASSES];
        int loaded = 0;
        for (int round = 0; round < rounds(); round++) {
            mbn_model *model = NULL;
            mbn_error error = {MBN_OK, ""};
            if (mbn_model_load(path, NULL, &model, &error) != MBN_OK) {
                cr_assert_not_null(strstr(error.message, path), "%s", error.message);
                continue;
            }
            loaded++;
            mbn_context *context = make_context(model, NULL);
            run_logits(context, image, logits);
            mbn_context_free(context);
            mbn_model_free(model);
        }
        atomic_store(&c.stop, true);
        pthread_join(thread, NULL);
        printf("written to %ld times: %d of %d loads\n", atomic_load(&c.changes), loaded, rounds());
        munmap(c.bytes[0], c.size);
        free(image);
    }
}
