/* Whether tests are to be brief: MOBILENET_TESTS=brief in the environment.  Then each test still
 * checks everything, but not everything with everything: a case with one side of the guard pages, a
 * network with one table, fewer random cases.  Which ones, goes round from case to case, so that
 * every table and every side has its turn.  Or long: MOBILENET_TESTS=long.  Then those that repeat
 * things, with faults, signals, other sizes, do it for minutes (docs/testing.md). */
#ifndef MBN_TESTS_BRIEF_H
#define MBN_TESTS_BRIEF_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static inline bool tests_are(const char *length) {
    const char *tests = getenv("MOBILENET_TESTS");
    return tests != NULL && strcmp(tests, length) == 0;
}

static inline bool tests_are_brief(void) {
    return tests_are("brief");
}

static inline bool tests_are_long(void) {
    return tests_are("long");
}

#endif
