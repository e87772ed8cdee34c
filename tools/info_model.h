/* What `mobilenet info MODEL` says of a model file. */
#ifndef MBN_TOOLS_INFO_MODEL_H
#define MBN_TOOLS_INFO_MODEL_H

#include <stdbool.h>

/* Prints it as text or JSON; reports what is wrong, and returns an exit status. */
int mbn_info_model(const char *path, bool json);

#endif
