/* After how long a process counts as one that hangs.  It is the clock that counts, which a slow
 * build and other work on the machine let run on: so much more than anything takes, and much less
 * than ctest allows a whole test, which is the limit of what has no other. */
#ifndef MBN_TESTS_PATIENCE_H
#define MBN_TESTS_PATIENCE_H

enum { PATIENCE_SECONDS = 600 };

#endif
