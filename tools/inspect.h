/* What `plan` and `profile` share: a model's context, made as the command line asks, and what to
 * call its steps. */
#ifndef MBN_TOOLS_INSPECT_H
#define MBN_TOOLS_INSPECT_H

#include "options.h"

#include <jansson.h>

typedef struct mbn_inspect_options {
    mbn_run_options run;
    const char *model;
    int32_t input_height, input_width; /* 0: the model's */
    int32_t band_rows;                 /* mbn_context_options' */
    bool json;
} mbn_inspect_options;

/* MODEL, --isa, --precision, --threads, --input, --band, --json; input: an mbn_inspect_options. */
extern const struct argp mbn_inspect_argp;

typedef struct mbn_inspection {
    mbn_model *model;
    mbn_context *context;
    const mbn_network *network; /* the context's */
    const mbn_kernels *kernels;
    size_t context_bytes;
} mbn_inspection;

mbn_status mbn_inspect(const mbn_inspect_options *options, mbn_inspection *inspection,
                       mbn_error *error);
void mbn_inspect_end(mbn_inspection *inspection);

/* Reports why one of these commands stopped, and returns its exit status.  subject: as
 * mbn_report's; NULL for what mbn_inspect says. */
int mbn_inspect_failed(const char *subject, const mbn_error *error);

/* Whether a step runs no layer, but converts what its first one reads to other elements. */
static inline bool mbn_inspect_converts(const mbn_step_info *step) {
    return step->last_layer < step->first_layer;
}

/* The roles of a step's layers: "expand+depthwise+project"; or "convert". */
typedef struct mbn_step_kind {
    char text[128];
} mbn_step_kind;

mbn_step_kind mbn_inspect_kind(const mbn_network *network, const mbn_step_info *step);

/* The shape of what a step hands on: "56x56x24". */
typedef struct mbn_step_shape {
    char text[48];
} mbn_step_shape;

mbn_step_shape mbn_inspect_shape(const mbn_network *network, const mbn_step_info *step);

/* Width of a column with this heading that holds the first layers' names, or the kinds, of all
 * steps. */
int mbn_inspect_name_width(const mbn_inspection *inspection, const char *heading);
int mbn_inspect_kind_width(const mbn_inspection *inspection, const char *heading);

/* "float32", "bfloat16": what it runs in. */
const char *mbn_inspect_precision(const mbn_inspection *inspection);

/* Prints which network runs on which kernels with how many threads. */
void mbn_inspect_print(const mbn_inspection *inspection);

/* The same as a JSON object, and that of one step; NULL when out of memory. */
json_t *mbn_inspect_json(const mbn_inspection *inspection);
json_t *mbn_inspect_step_json(const mbn_inspection *inspection, int32_t index);

/* Step number `index`, which must exist. */
mbn_step_info mbn_inspect_step(const mbn_inspection *inspection, int32_t index);

#endif
