#include "known.h"

#include "faults.h"

#include <cpuinfo.h>
#include <jansson.h>

enum { ALLOCATIONS = 64 };

/* The place in jansson that makes room for tokens is one that asks for 32, 64, 128 bytes while it
 * reads a long one. */
static const void *find_growth(const faults_allocation *seen, int count) {
    for (int i = 0; i < count; i++) {
        unsigned sizes = 0;
        for (int j = 0; j < count; j++) {
            if (seen[j].caller == seen[i].caller) sizes |= (unsigned)seen[j].size;
        }
        if ((sizes & (32 | 64 | 128)) == (32 | 64 | 128)) return seen[i].caller;
    }
    return NULL;
}

void faults_leave_out_known(void) {
    static const char long_token[] =
        "[\"0123456789012345678901234567890123456789012345678901234567890123456789\"]";
    faults_allocation seen[ALLOCATIONS];
    cpuinfo_initialize();
    faults_watch(seen, ALLOCATIONS);
    json_decref(json_loads(long_token, 0, NULL));
    const int count = faults_watched();
    faults_leave_out(find_growth(seen, count));
}
