#include "operands.h"
#include "suite.h"

enum { TO_BLOCKED = 1, NCHW = 2 };

/* What users hand in and take out: the image, interleaved where networks have it converted for
 * tables that do not read floats, and the feature maps that blocks and heads end with. */
static bool shape(const bench_case *c, char *text, size_t size) {
    const mbn_layer *l = c->layer;
    if (l->role == MBN_ROLE_STEM) {
        return bench_format(text, size, "%dx%dx%d", l->input_height, l->input_width,
                            l->input_channels);
    }
    return l->kind == MBN_LAYER_POINTWISE && l->role != MBN_ROLE_EXPAND &&
           bench_format(text, size, "%dx%dx%d", l->output_height, l->output_width,
                        l->output_channels);
}

static void run(bench_state *state, const void *context) {
    const bench_case *c = context;
    const mbn_layer *l = c->layer;
    const bool image = l->role == MBN_ROLE_STEM;
    const int32_t height = image ? l->input_height : l->output_height;
    const int32_t width = image ? l->input_width : l->output_width;
    const int32_t channels = image ? l->input_channels : l->output_channels;
    const mbn_kernels *k = c->kernels;
    const bool planes = (c->variant & NCHW) != 0;
    const bool interleaved = image && (c->variant & TO_BLOCKED) != 0 && !k->reads_floats;
    mbn_blocking blocking = k->blocking;
    if (interleaved) blocking.block = bench_image_block(k, l);
    bench_memory memory = {0};
    const mbn_layout_args args = {
        .blocked = interleaved ? bench_image_plane(&memory, k, l, height, width)
                               : bench_input_plane(&memory, k, channels, height, width),
        .strided = bench_random(&memory, (size_t)height * (size_t)width * (size_t)channels),
        .channel_stride = planes ? (ptrdiff_t)height * width : 1,
        .strided_row_stride = planes ? width : (ptrdiff_t)width * channels,
        .pixel_stride = planes ? 1 : channels,
        .height = height,
        .width = width,
        .channels = channels,
        .blocking = blocking,
        .quantization = bench_quantization,
    };
    const mbn_range range = bench_whole(height, channels, blocking.block);
    mbn_layout_fn *convert = (c->variant & TO_BLOCKED) != 0 ? k->to_blocked : k->from_blocked;
    while (bench_keep_running(state)) convert(&args, range);
    bench_report(state, c, 0,
                 ((double)sizeof(float) + k->element_bytes) * height * width * channels);
    bench_memory_free(&memory);
}

const bench_family bench_to_blocked_nhwc = {"to_blocked_nhwc", TO_BLOCKED, shape, run};
const bench_family bench_to_blocked_nchw = {"to_blocked_nchw", TO_BLOCKED | NCHW, shape, run};
const bench_family bench_from_blocked_nhwc = {"from_blocked_nhwc", 0, shape, run};
const bench_family bench_from_blocked_nchw = {"from_blocked_nchw", NCHW, shape, run};
