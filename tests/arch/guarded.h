/* Buffers that end where a page begins that cannot be touched: reading one byte too far crashes. */
#ifndef MBN_TESTS_ARCH_GUARDED_H
#define MBN_TESTS_ARCH_GUARDED_H

#include <criterion/criterion.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct guarded {
    void *data;
    size_t size;
    void *mapping;
    size_t mapped;
} guarded;

static inline guarded guarded_alloc(size_t size) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t usable = (size + page - 1) / page * page;
    guarded buffer = {.size = size, .mapped = usable + page};
    buffer.mapping =
        mmap(NULL, buffer.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(buffer.mapping, MAP_FAILED);
    cr_assert_eq(mprotect((char *)buffer.mapping + usable, page, PROT_NONE), 0);
    buffer.data = (char *)buffer.mapping + usable - size;
    return buffer;
}

static inline void guarded_free(guarded buffer) {
    munmap(buffer.mapping, buffer.mapped);
}

#endif
