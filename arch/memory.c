#include "memory.h"

#include <stdlib.h>

static void *default_allocate(void *user, size_t size, size_t alignment) {
    (void)user;
    if (alignment < sizeof(void *)) alignment = sizeof(void *);
    void *pointer = NULL;
    return posix_memalign(&pointer, alignment, size) == 0 ? pointer : NULL;
}

static void default_release(void *user, void *pointer, size_t size) {
    (void)user;
    (void)size;
    free(pointer);
}

mbn_allocator mbn_allocator_or_default(const mbn_allocator *allocator) {
    if (allocator != NULL) return *allocator;
    return (mbn_allocator){default_allocate, default_release, NULL};
}

void *mbn_allocate(const mbn_allocator *allocator, size_t size, size_t alignment) {
    return size == 0 ? NULL : allocator->allocate(allocator->user, size, alignment);
}

void mbn_release(const mbn_allocator *allocator, void *pointer, size_t size) {
    if (pointer != NULL) allocator->release(allocator->user, pointer, size);
}
