/* main() of a target where there is no libFuzzer: tries the files of a corpus, and inputs made of
 * them at random, the same ones each time.  What is tried depends on nothing but the corpus and
 * this file, so that a test of a commit finds what it found before, and nothing else.
 *     fuzz-TARGET CORPUS COUNT      its files, and COUNT inputs more
 *     fuzz-TARGET FILE...           each of these
 * An input that fails is left in fuzz-TARGET-failure in the working directory. */
#include "input.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tests/patience.h>
#include <tests/random.h>
#include <unistd.h>

enum { MOST_FILES = 256, MOST_BYTES = 1 << 13 };

typedef struct input {
    uint8_t *data;
    size_t size;
} input;

static input tried;
static char failure[256];

/* ---- What is said of an input that fails ----------------------------------------------------- */

static void keep_input(void) {
    const int file = open(failure, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (file < 0) return;
    const ssize_t written = write(file, tried.data, tried.size);
    close(file);
    if (written != (ssize_t)tried.size) return;
    static const char before[] = "the input is in ";
    if (write(STDERR_FILENO, before, sizeof before - 1) > 0 &&
        write(STDERR_FILENO, failure, strlen(failure)) > 0) {
        (void)!write(STDERR_FILENO, "\n", 1);
    }
}

/* abort, of an assertion, or too long a time. */
static void on_signal(int number) {
    keep_input();
    signal(number, SIG_DFL);
    raise(number);
}

static void try(const uint8_t *data, size_t size) {
    tried = (input){malloc(size + (size == 0)), size}; /* its end is watched */
    if (tried.data == NULL) exit(2);
    if (size > 0) memcpy(tried.data, data, size);
    alarm(PATIENCE_SECONDS);
    LLVMFuzzerTestOneInput(tried.data, size);
    free(tried.data);
    tried = (input){0};
}

/* ---- The corpus ------------------------------------------------------------------------------ */

static input read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    struct stat about;
    input result = {0};
    if (file != NULL && fstat(fileno(file), &about) == 0) {
        result = (input){malloc((size_t)about.st_size + 1), (size_t)about.st_size};
    }
    if (result.data == NULL || fread(result.data, 1, result.size, file) != result.size) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(2);
    }
    fclose(file);
    return result;
}

static int is_file(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name); /* in every locale */
}

/* In the order of their names. */
static int read_corpus(const char *folder, input *files) {
    struct dirent **entries;
    const int count = scandir(folder, &entries, is_file, by_bytes);
    if (count < 1 || count > MOST_FILES) {
        fprintf(stderr, "%s: %s\n", folder,
                count < 0 ? strerror(errno) : "none, or too many files");
        exit(2);
    }
    for (int i = 0; i < count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        files[i] = read_file(path);
        free(entries[i]);
    }
    free(entries);
    return count;
}

/* ---- Inputs made of it ----------------------------------------------------------------------- */

static size_t below(random_state *r, size_t count) {
    return (size_t)random_int(r, 0, (int32_t)count - 1);
}

/* Mostly short. */
static size_t choose_length(random_state *r, size_t most) {
    const size_t usual = most < 16 ? most : 16;
    return 1 + below(r, below(r, 4) == 0 ? most : usual);
}

/* `count` bytes at `at` become `with` of them; what does not fit is left out. */
static void replace(input *x, size_t at, size_t count, const uint8_t *bytes, size_t with) {
    if (x->size - count + with > MOST_BYTES) return;
    uint8_t copy[MOST_BYTES]; /* they may be the input's own */
    if (with > 0) memcpy(copy, bytes, with);
    memmove(x->data + at + with, x->data + at + count, x->size - at - count);
    if (with > 0) memcpy(x->data + at, copy, with);
    x->size = x->size - count + with;
}

/* Numbers at which something may change, in 1 to 8 bytes of either order. */
static void put_number(random_state *r, input *x) {
    const size_t width = (size_t)1 << below(r, 4), at = below(r, x->size);
    uint64_t number = UINT64_C(1) << below(r, 8 * width);
    if (below(r, 4) == 0) number = x->size;
    number += (uint64_t)random_int(r, -2, 2);
    if (below(r, 2) == 0) number = -number;
    const int big = random_int(r, 0, 1);
    for (size_t i = 0; i < width && at + i < x->size; i++) {
        x->data[at + i] = (uint8_t)(number >> 8 * (big ? width - 1 - i : i));
    }
}

/* The same where numbers are text. */
static void put_decimal(random_state *r, input *x) {
    size_t at = below(r, x->size), end;
    while (at < x->size && (x->data[at] < '0' || x->data[at] > '9')) at++;
    for (end = at; end < x->size && x->data[end] >= '0' && x->data[end] <= '9';) end++;
    if (at == end) return;
    char text[32];
    const uint64_t number = (UINT64_C(1) << below(r, 64)) + (uint64_t)random_int(r, -2, 2);
    const int digits = snprintf(text, sizeof text, "%lld", (long long)number);
    replace(x, at, end - at, (uint8_t *)text, (size_t)digits);
}

static void mutate(random_state *r, input *x, const input *other) {
    if (x->size == 0) { /* as choices, all of them the lowest */
        x->data[0] = (uint8_t)random_bits(r);
        x->size = 1;
        return;
    }
    const size_t at = below(r, x->size), length = choose_length(r, x->size - at);
    uint8_t bytes[16];
    switch (below(r, 11)) {
    case 0: x->data[at] ^= (uint8_t)(1u << below(r, 8)); break;
    case 1: x->data[at] = (uint8_t)random_bits(r); break;
    case 2: put_number(r, x); break;
    case 3: put_decimal(r, x); break;
    case 4: replace(x, at, length, NULL, 0); break;
    case 5: x->size = at; break;
    case 6: /* a part of it again, elsewhere */
        replace(x, below(r, x->size + 1), 0, x->data + at, length);
        break;
    case 7: { /* or in place of another */
        const size_t to = below(r, x->size), room = x->size - to;
        replace(x, to, length < room ? length : room, x->data + at, length < room ? length : room);
        break;
    }
    case 8: { /* a part of another file */
        if (other->size == 0) break;
        const size_t from = below(r, other->size);
        const size_t count = choose_length(r, other->size - from);
        const size_t out = below(r, 2) == 0 ? 0 : count < x->size - at ? count : x->size - at;
        if (count <= MOST_BYTES) replace(x, at, out, other->data + from, count);
        break;
    }
    default: /* bytes at random, behind the end, too: choices that were not made */
        for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)random_bits(r);
        replace(x, below(r, 2) == 0 ? x->size : at, 0, bytes, 1 + below(r, sizeof bytes));
    }
}

/* Input `number` of those that are made. */
static void try_made(uint64_t number, const input *files, int count) {
    static uint8_t data[MOST_BYTES];
    random_state r = {number << 32};
    const input *file = files + below(&r, (size_t)count);
    input made = {data, file->size < MOST_BYTES ? file->size : MOST_BYTES};
    memcpy(data, file->data, made.size);
    for (int32_t i = random_int(&r, 1, 4); i > 0; i--) {
        mutate(&r, &made, files + below(&r, (size_t)count));
    }
    try(made.data, made.size);
}

int main(int count, char **arguments) {
    const char *name = strrchr(arguments[0], '/');
    snprintf(failure, sizeof failure, "%s-failure", name != NULL ? name + 1 : arguments[0]);
    signal(SIGABRT, on_signal);
    signal(SIGALRM, on_signal);
    __sanitizer_set_death_callback(keep_input);

    struct stat about;
    if (count == 3 && stat(arguments[1], &about) == 0 && S_ISDIR(about.st_mode)) {
        static input files[MOST_FILES];
        const int found = read_corpus(arguments[1], files);
        const uint64_t more = strtoull(arguments[2], NULL, 10);
        for (int i = 0; i < found; i++) try(files[i].data, files[i].size);
        for (uint64_t i = 0; i < more; i++) try_made(i, files, found);
        for (int i = 0; i < found; i++) free(files[i].data);
        printf("%d files, %llu inputs made of them\n", found, (unsigned long long)more);
        return 0;
    }
    for (int i = 1; i < count; i++) {
        const input file = read_file(arguments[i]);
        try(file.data, file.size);
        free(file.data);
    }
    return count > 1 ? 0 : 2;
}
