#include "input.h"

#include "report.h"

mbn_status mbn_input_context(const mbn_model *model, const mbn_npy *input,
                             const mbn_context_options *options, mbn_context **context,
                             mbn_error *error) {
    const int64_t *shape = input->shape;
    bool fits = input->rank == 4 && shape[3] == 3;
    for (int i = 0; fits && i < 3; i++) fits = shape[i] >= 1 && shape[i] <= INT32_MAX;
    if (!fits) {
        return mbn_explain(error, MBN_INVALID_ARGUMENT, "shape %s, expected (N, height, width, 3)",
                           mbn_npy_shape_text(input).text);
    }
    mbn_context_options sized = *options;
    sized.input_height = (int32_t)shape[1];
    sized.input_width = (int32_t)shape[2];
    return mbn_context_create(model, &sized, context, error);
}
