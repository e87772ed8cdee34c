#define _GNU_SOURCE
#include "memory.h"

#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of the sanitizers' runtime, in a header that gcc leaves out. */
int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void *, size_t),
                                              void (*)(const volatile void *));
size_t __sanitizer_get_allocated_size(const volatile void *);

static _Atomic long long live, peak;

static void on_malloc(const volatile void *pointer, size_t size) {
    (void)pointer;
    const long long now = atomic_fetch_add(&live, (long long)size) + (long long)size;
    long long most = atomic_load(&peak);
    while (now > most && !atomic_compare_exchange_weak(&peak, &most, now)) {
    }
}

static void on_free(const volatile void *pointer) {
    if (pointer == NULL) return;
    atomic_fetch_sub(&live, (long long)__sanitizer_get_allocated_size(pointer));
}

void memory_watch(void) {
    static bool installed;
    if (!installed) __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
    installed = true;
    atomic_store(&live, 0);
    atomic_store(&peak, 0);
}

size_t memory_peak(void) {
    return (size_t)atomic_load(&peak);
}

void memory_bound(size_t file, size_t multiple, size_t more) {
    cr_assert(memory_peak() <= multiple * file + more,
              "%zu bytes were allocated for a file of %zu: more than %zu times that and %zu",
              memory_peak(), file, multiple, more);
}

/* ---- Guard pages ----------------------------------------------------------------------------- */

static size_t round_up(size_t size, size_t unit) {
    return (size + unit - 1) / unit * unit;
}

static void *allocate(void *user, size_t size, size_t alignment) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), body = round_up(size, page);
    char *map = mmap(NULL, body + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) return NULL;
    cr_assert_eq(mprotect(map + page, body, PROT_READ | PROT_WRITE), 0);
    *(size_t *)user += size;
    on_malloc(map, size);
    return map + page + body - round_up(size, alignment);
}

static void release(void *user, void *pointer, size_t size) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), body = round_up(size, page);
    size_t *bytes = user;
    cr_assert_geq(*bytes, size);
    *bytes -= size;
    atomic_fetch_sub(&live, (long long)size);
    char *first = (char *)pointer - (uintptr_t)pointer % page;
    cr_assert_eq(munmap(first - page, body + 2 * page), 0);
}

mbn_allocator guarded_allocator(size_t *bytes) {
    return (mbn_allocator){allocate, release, bytes};
}
