/* Memory from the caller's allocator or the C library's. */
#ifndef MBN_ARCH_MEMORY_H
#define MBN_ARCH_MEMORY_H

#include <mobilenet.h>

/* Everything in memory starts on a cache line. */
enum { MBN_ALIGNMENT = 64 };

static inline size_t mbn_align(size_t bytes) {
    return (bytes + MBN_ALIGNMENT - 1) & ~(size_t)(MBN_ALIGNMENT - 1);
}

/* The caller's allocator, or the C library's where `allocator` is NULL. */
mbn_allocator mbn_allocator_or_default(const mbn_allocator *allocator);

/* size bytes, not cleared; NULL on failure or for size 0. */
void *mbn_allocate(const mbn_allocator *allocator, size_t size, size_t alignment);

/* NULL is allowed. */
void mbn_release(const mbn_allocator *allocator, void *pointer, size_t size);

#endif
