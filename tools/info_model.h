/* What `mobilenet info MODEL` says of a model file. */
#ifndef MBN_TOOLS_INFO_MODEL_H
#define MBN_TOOLS_INFO_MODEL_H

#include "options.h"

#include <stdbool.h>

/* Prints it as text or JSON, as these options load it; reports what is wrong, and returns an exit
 * status. */
int mbn_info_model(const char *path, const mbn_run_options *options, bool json);

#endif
