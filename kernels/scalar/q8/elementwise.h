#include "kernels/contract.h"
#include "kernels/q8.h"
#include "kernels/scalar/float/plane.h"

/* By lookup. */
static void batch_norm(const mbn_elementwise_args *args, mbn_range range) {
    const uint8_t *lookup = args->finish.q8->lookup;
    mbn_assert_elementwise(args, range, sizeof(element));
    assert(lookup != NULL);
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            const element *in = row_at(&args->input, b, y);
            element *out = row_at(&args->output, b, y);
            for (int32_t i = 0; i < args->width * args->blocking.block; i++) out[i] = lookup[in[i]];
        }
    }
}

static void channel_scale(const mbn_elementwise_args *args, mbn_range range) {
    mbn_assert_channel_scale(args, range, sizeof(element));
    mbn_assert_q8_finish(args->finish.q8, false);
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        const element *gate = (const element *)args->scale + (ptrdiff_t)b * args->blocking.block;
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            const element *in = row_at(&args->input, b, y);
            element *out = row_at(&args->output, b, y);
            for (int32_t i = 0; i < args->width * args->blocking.block; i++) {
                out[i] = mbn_scale_byte(args->finish.q8, in[i], gate[i % args->blocking.block]);
            }
        }
    }
}

static void add(const mbn_elementwise_args *args, mbn_range range) {
    mbn_assert_add(args, range, sizeof(element));
    mbn_assert_q8_finish(args->finish.q8, true);
    for (int32_t b = range.block_begin; b < range.block_end; b++) {
        for (int32_t y = range.row_begin; y < range.row_end; y++) {
            const element *in = row_at(&args->input, b, y);
            const element *other = row_at(&args->other, b, y);
            element *out = row_at(&args->output, b, y);
            for (int32_t i = 0; i < args->width * args->blocking.block; i++) {
                out[i] = mbn_add_bytes(args->finish.q8->add, in[i], other[i]);
            }
        }
    }
}
