/* What `mobilenet selftest` does: all kernels of this machine by the checks of the project's own
 * tests, and all tables that a model can run on against each other. */
#ifndef MBN_TOOLS_SELFTEST_H
#define MBN_TOOLS_SELFTEST_H

#include <mobilenet.h>

/* Each prints its part of the report, and returns how many tables failed: of every family on its
 * own, and of every precision that the model at `path`, which has been loaded, can run in.
 * cases: of each family, on each table. */
int mbn_selftest_kernels(int32_t cases);
int mbn_selftest_model(const char *path, const mbn_model *model);

#endif
