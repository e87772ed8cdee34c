#include "file.h"

#include "arch/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

mbn_status mbn_file_map(const char *path, mbn_file *file, mbn_error *error) {
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return mbn_fail(error, MBN_IO, "%s: %s", path, strerror(errno));
    struct stat attributes = {0};
    if (fstat(descriptor, &attributes) != 0 || !S_ISREG(attributes.st_mode) ||
        attributes.st_size <= 0) {
        close(descriptor);
        return mbn_fail(error, MBN_IO, "%s: %s", path,
                        S_ISDIR(attributes.st_mode)   ? "a folder, not a file"
                        : S_ISREG(attributes.st_mode) ? "an empty file"
                                                      : "not a file");
    }
    const size_t size = (size_t)attributes.st_size;
    void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    const int reason = errno;
    close(descriptor);
    if (data == MAP_FAILED) return mbn_fail(error, MBN_IO, "%s: %s", path, strerror(reason));
    *file = (mbn_file){data, size};
    return MBN_OK;
}

void mbn_file_unmap(mbn_file *file) {
    munmap((void *)file->data, file->size);
}

bool mbn_read_text(const char *path, char *text, size_t size) {
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return false;
    size_t length = 0;
    ssize_t got;
    while (length < size - 1 && (got = read(descriptor, text + length, size - 1 - length)) > 0) {
        length += (size_t)got;
    }
    close(descriptor);
    text[length] = '\0';
    return true;
}

bool mbn_folder_has(const char *path, const char *name) {
    const int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return false;
    const bool has = faccessat(folder, name, F_OK, 0) == 0;
    close(folder);
    return has;
}
