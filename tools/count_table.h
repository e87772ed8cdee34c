/* The networks' tables. */
#ifndef MOBILENET_TOOLS_COUNT_TABLE_H
#define MOBILENET_TOOLS_COUNT_TABLE_H

#include <jansson.h>

/* Every network by its name at width 1, each as a model file's `architecture` would have it
 * (docs/model-format.md).  NULL if there is no memory. */
json_t *mbn_tables_json(void);

#endif
