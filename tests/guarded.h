/* Buffers between two guard pages, so that an access of one byte too far faults.  A buffer's end or
 * its beginning is flush against a page that cannot be touched, or neither is: then it is aligned
 * for one of its elements and for nothing more, whatever its size.  Tests run once with each. */
#ifndef MBN_TESTS_GUARDED_H
#define MBN_TESTS_GUARDED_H

#include <stddef.h>

typedef enum guard_side { GUARD_AFTER, GUARD_BEFORE, GUARD_MISALIGNED, GUARD_SIDES } guard_side;

/* What tests call it in messages. */
const char *guard_name(guard_side side);

/* Memory that grows on demand and is reused from case to case; {0} is a valid empty one. */
typedef struct guarded {
    unsigned char *pages; /* the first page after the leading guard */
    size_t bytes;         /* without the guards */
} guarded;

/* `count` elements of `element_bytes`, a power of two up to 16, or floats, aligned for one of them
 * at least; or bytes, which are misaligned as floats are.  The contents are arbitrary; what was
 * there before is lost. */
void *guarded_elements(guarded *memory, size_t count, size_t element_bytes, guard_side side);
unsigned char *guarded_bytes(guarded *memory, size_t count, guard_side side);
float *guarded_floats(guarded *memory, size_t count, guard_side side);
void guarded_free(guarded *memory);

/* Says what runs next: it is printed when a guard page is hit. */
__attribute__((format(printf, 1, 2))) void describe_case(const char *format, ...);
const char *described_case(void);

#endif
