/* Label files, text and JSON.  The first byte says how many classes are asked for, 0: as many as
 * lines. */
#define _GNU_SOURCE /* memfd_create */
#include "choices.h"
#include "input.h"
#include "memory.h"

#include <criterion/criterion.h>
#include <labels.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* The path of a file in memory, the same for every input. */
static const char *file_with(const uint8_t *data, size_t size) {
    static char path[32];
    static int file = -1;
    if (file < 0) {
        file = memfd_create("labels", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    cr_assert(ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size);
    return path;
}

int fuzz_input(const uint8_t *data, size_t size) {
    choices c = {data, size};
    int32_t count = choose(&c, 0, 255);
    if (count == 0) {
        for (size_t i = 0; i < c.size; i++) count += c.data[i] == '\n' || c.data[i] == ',';
        count += c.size > 0 && c.data[c.size - 1] != '\n';
    }
    const char *path = file_with(c.data, c.size);
    mbn_labels labels = {NULL, 0};
    mbn_error error = {MBN_OK, ""};
    memory_watch();
    const mbn_status status = mbn_labels_read(path, count, &labels, &error);
    memory_bound(c.size, 256, 1 << 16);
    if (status != MBN_OK) {
        cr_assert(error.status == status && error.message[0] != '\0' && labels.count == 0);
        return 0;
    }
    cr_assert_eq(labels.count, count);
    for (int32_t i = 0; i < count; i++) {
        const char *name = mbn_labels_name(&labels, i);
        cr_assert(name != NULL && name[0] != '\0' && strlen(name) <= c.size);
        const size_t id = strlen(labels.classes[i].wordnet);
        cr_assert(id == 0 || id == MBN_WORDNET_ID_LENGTH);
    }
    cr_assert_null(mbn_labels_name(&labels, count));
    mbn_labels_free(&labels);
    return 0;
}
