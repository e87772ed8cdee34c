#include "file.h"

#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Grows bytes->data while reading; the caller frees it, on failure too. */
static mbn_status read_all(int file, size_t limit, mbn_bytes *bytes, mbn_error *error) {
    struct stat status;
    if (fstat(file, &status) != 0) return mbn_explain(error, MBN_IO, "%s", strerror(errno));
    size_t capacity = 1 << 16;
    if (S_ISREG(status.st_mode)) {
        if ((uintmax_t)status.st_size > limit) {
            return mbn_explain(error, MBN_UNSUPPORTED, "larger than %zu bytes", limit);
        }
        capacity = (size_t)status.st_size + 1; /* one more, to see the end without growing */
    }
    for (;;) {
        if (bytes->data == NULL || bytes->size == capacity) {
            if (bytes->data != NULL) capacity += capacity / 2;
            uint8_t *grown = realloc(bytes->data, capacity);
            if (grown == NULL) return mbn_explain(error, MBN_OUT_OF_MEMORY, "out of memory");
            bytes->data = grown;
        }
        ssize_t got = read(file, bytes->data + bytes->size, capacity - bytes->size);
        if (got == 0) return MBN_OK;
        if (got < 0) {
            if (errno == EINTR) continue;
            return mbn_explain(error, MBN_IO, "%s", strerror(errno));
        }
        bytes->size += (size_t)got;
        if (bytes->size > limit) {
            return mbn_explain(error, MBN_UNSUPPORTED, "larger than %zu bytes", limit);
        }
    }
}

mbn_status mbn_file_read(const char *path, size_t limit, mbn_bytes *bytes, mbn_error *error) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return mbn_explain(error, MBN_IO, "%s", strerror(errno));
    mbn_bytes contents = {NULL, 0};
    mbn_status status = read_all(file, limit, &contents, error);
    close(file);
    if (status == MBN_OK) {
        *bytes = contents;
    } else {
        free(contents.data);
    }
    return status;
}

/* Closes the file in any case. */
static mbn_status write_all(int file, const mbn_part *parts, int count, mbn_error *error) {
    for (int i = 0; i < count; i++) {
        const char *data = parts[i].data;
        for (size_t done = 0; done < parts[i].size;) {
            ssize_t put = write(file, data + done, parts[i].size - done);
            if (put < 0 && errno == EINTR) continue;
            if (put < 0) {
                mbn_status status = mbn_explain(error, MBN_IO, "%s", strerror(errno));
                close(file);
                return status;
            }
            done += (size_t)put;
        }
    }
    if (close(file) != 0) return mbn_explain(error, MBN_IO, "%s", strerror(errno));
    return MBN_OK;
}

static mode_t default_mode(void) {
    mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

static mbn_status replace(const char *path, mode_t mode, const mbn_part *parts, int count,
                          mbn_error *error) {
    static const char suffix[] = ".XXXXXX";
    size_t length = strlen(path);
    char *temporary = malloc(length + sizeof suffix);
    if (temporary == NULL) return mbn_explain(error, MBN_OUT_OF_MEMORY, "out of memory");
    memcpy(temporary, path, length);
    memcpy(temporary + length, suffix, sizeof suffix);

    mbn_status status;
    int file = mkstemp(temporary);
    if (file < 0) {
        status = mbn_explain(error, MBN_IO, "%s", strerror(errno));
    } else {
        fchmod(file, mode); /* mkstemp's 0600 stays where the file system has no modes */
        status = write_all(file, parts, count, error);
        if (status == MBN_OK && rename(temporary, path) != 0) {
            status = mbn_explain(error, MBN_IO, "%s", strerror(errno));
        }
        if (status != MBN_OK) unlink(temporary);
    }
    free(temporary);
    return status;
}

mbn_status mbn_file_write(const char *path, const mbn_part *parts, int count, mbn_error *error) {
    struct stat old;
    if (stat(path, &old) != 0) {
        if (errno == ENOENT) return replace(path, default_mode(), parts, count, error);
        return mbn_explain(error, MBN_IO, "%s", strerror(errno));
    }
    if (!S_ISREG(old.st_mode)) {
        int file = open(path, O_WRONLY | O_CLOEXEC);
        if (file < 0) return mbn_explain(error, MBN_IO, "%s", strerror(errno));
        return write_all(file, parts, count, error);
    }
    char *target = realpath(path, NULL); /* a symbolic link stays one */
    if (target == NULL) return mbn_explain(error, MBN_IO, "%s", strerror(errno));
    mbn_status status = replace(target, old.st_mode & 07777, parts, count, error);
    free(target);
    return status;
}
