/* How much memory a call takes: malloc's, whoever calls it, the libraries below included. */
#ifndef MBN_TESTS_FUZZ_MEMORY_H
#define MBN_TESTS_FUZZ_MEMORY_H

#include <mobilenet.h>

/* Counts from 0. */
void memory_watch(void);

/* The most that was allocated at once since then. */
size_t memory_peak(void);

/* Fails where more than `multiple` times the file's bytes and `more` were allocated at once. */
void memory_bound(size_t file, size_t multiple, size_t more);

/* Memory between two guard pages, which ends as near to the second one as its alignment allows.
 * *bytes: those that are out. */
mbn_allocator guarded_allocator(size_t *bytes);

#endif
