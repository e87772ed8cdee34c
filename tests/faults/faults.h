/* Calls that fail.  Linked into a program, faults.c stands between all of it, the shared libraries
 * that it uses included, and the C library's calls that may fail: memory, files, threads.  Calls
 * are counted, and one of them, or that and all later ones, fails. */
#ifndef MBN_TESTS_FAULTS_H
#define MBN_TESTS_FAULTS_H

#include <stddef.h>

typedef enum faults_extent {
    FAULTS_ONCE,  /* one call fails */
    FAULTS_ONWARD /* all of its kind do from then on: memory is used up, the disk is full */
} faults_extent;

/* Call number `nth` from now on fails; 0: none does, and calls are counted. */
void faults_arm(long nth, faults_extent extent);

/* Ends it.  Returns the calls since then. */
long faults_disarm(void);

/* What failed first since it was armed, by its name; "" if nothing did. */
const char *faults_struck(void);

/* Where what failed is written, too, as soon as it does. */
void faults_write_to(char name[32]);

/* A call of malloc, and where in the program or a library it comes from. */
typedef struct faults_allocation {
    size_t size;
    const void *caller;
} faults_allocation;

/* Writes down the next calls, up to so many; how many there were ends it. */
void faults_watch(faults_allocation *list, int room);
int faults_watched(void);

/* No call of malloc from there fails; NULL: from none. */
void faults_leave_out(const void *caller);

/* Blocks of memory that were allocated and not freed. */
long faults_live(void);

#endif
