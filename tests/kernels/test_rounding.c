/* How bfloat16 tables round floats, on every way that floats become elements without a sum: to the
 * nearest, ties to even, with NaN and infinity kept and denormals made zero of their sign. */
#include "harness.h"

#include "kernels/float_state.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Every upper half with these lower ones. */
static const uint16_t lowers[] = {0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF};

enum { LOWERS = sizeof lowers / sizeof *lowers, COUNT = 65536 * LOWERS };

/* As channels, rows and columns. */
enum { CHANNELS = 24, HEIGHT = 128, WIDTH = 128 };

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of(size_t i) {
    return (uint32_t)(i / LOWERS) << 16 | lowers[i % LOWERS];
}

/* On integers, unlike the tests' element_type, which looks for the nearest number. */
static uint16_t rounded(uint32_t bits) {
    const uint32_t magnitude = bits & 0x7FFFFFFF;
    if (magnitude > 0x7F800000) return (uint16_t)(bits >> 16 | 0x40);
    if (magnitude < 0x00800000) return (uint16_t)(bits >> 16 & 0x8000);
    const uint32_t lower = bits & 0xFFFF, upper = bits >> 16;
    return (uint16_t)(upper + (lower > 0x8000 || (lower == 0x8000 && upper % 2 == 1)));
}

static void check_rounded(const mbn_kernels *table, const char *how, uint32_t from,
                          uint16_t actual) {
    cr_assert(actual == rounded(from), "%s: %s: %08X became %04X, not %04X", table_text(table), how,
              from, actual, rounded(from));
}

/* These would pass with an error that the rule above has, too. */
Test(rounding, the_rule) {
    static const struct {
        uint32_t from;
        uint16_t to;
    } known[] = {
        {0x7F800001, 0x7FC0}, {0x7FFF8C22, 0x7FFF}, {0xFF800001, 0xFFC0}, {0x3E89CCD5, 0x3E8A},
        {0x3F808000, 0x3F80}, {0x3F818000, 0x3F82}, {0x7F7FFFFF, 0x7F80}, {0xFF7FFFFF, 0xFF80},
        {0x7F800000, 0x7F80}, {0x80000001, 0x8000}, {0x007FFFFF, 0x0000}, {0x00800000, 0x0080},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        cr_assert(rounded(known[i].from) == known[i].to, "%08X", known[i].from);
        const float value = float_of(known[i].from);
        uint16_t stored;
        element_type_of(MBN_ELEMENT_BF16)->store(&stored, value);
        cr_assert(stored == known[i].to, "%08X", known[i].from);
    }
}

/* Denormals become zero where the floating-point control register says so, and elsewhere, too, but
 * in the instruction of NEON. */
static bool can_flush(const mbn_kernels *table, bool flush) {
    return flush || table->isa != MBN_ISA_NEON_BF16;
}

static uint64_t state_begin(bool flush) {
    const uint64_t state = mbn_float_state_set();
    if (!flush) mbn_float_state_restore(state);
    return state;
}

static size_t strided_at(bool interleaved, int32_t channels, int32_t height, int32_t width,
                         int32_t c, int32_t y, int32_t x) {
    return (size_t)(interleaved ? (y * width + x) * channels + c : (c * height + y) * width + x);
}

/* channels * height * width floats into planes of `block`, and back where from_blocked reads
 * such. */
static void check_layout(const mbn_kernels *table, bool flush, bool interleaved, int32_t channels,
                         int32_t height, int32_t width, int32_t block) {
    const int32_t blocks = mbn_block_count(channels, block);
    const size_t planes = (size_t)blocks * (size_t)(height * width * block);
    float *strided = malloc(COUNT * sizeof *strided);
    uint16_t *blocked = malloc(planes * sizeof *blocked);
    cr_assert(strided != NULL && blocked != NULL);
    cr_assert(channels * height * width == COUNT);
    for (size_t i = 0; i < COUNT; i++) strided[i] = float_of(bits_of(i));
    mbn_layout_args args = {
        .blocked = {blocked, (ptrdiff_t)width * block * 2, (ptrdiff_t)height * width * block * 2},
        .strided = strided,
        .channel_stride = interleaved ? 1 : (ptrdiff_t)height * width,
        .strided_row_stride = (ptrdiff_t)width * (interleaved ? channels : 1),
        .pixel_stride = interleaved ? channels : 1,
        .height = height,
        .width = width,
        .channels = channels,
        .blocking = table->blocking,
    };
    const bool image = block != table->blocking.block;
    args.blocking.block = block;
    const mbn_range all = {0, height, 0, blocks};
    const uint64_t state = state_begin(flush);
    table->to_blocked(&args, all);
    if (!image) table->from_blocked(&args, all);
    mbn_float_state_restore(state);
    for (int32_t c = 0; c < channels; c++) {
        for (int32_t y = 0; y < height; y++) {
            for (int32_t x = 0; x < width; x++) {
                const size_t from = strided_at(interleaved, channels, height, width, c, y, x);
                const size_t to =
                    (size_t)(((c / block * height + y) * width + x) * block) + (size_t)(c % block);
                check_rounded(table, image ? "image" : "to_blocked", bits_of(from), blocked[to]);
                if (image) continue;
                uint32_t back;
                memcpy(&back, strided + from, sizeof back);
                cr_assert(back == (uint32_t)blocked[to] << 16, "%s: from_blocked: %04X became %08X",
                          table_text(table), blocked[to], back);
            }
        }
    }
    free(strided);
    free(blocked);
}

static int32_t tables_of(mbn_kernels tables[TABLES_MAX]) {
    return tables_under_test(tables, MBN_ELEMENT_BF16, false);
}

/* In every state and both orders. */
static void check_layouts(bool image) {
    mbn_kernels tables[TABLES_MAX];
    const int32_t count = tables_of(tables);
    for (int32_t i = 0; i < 4 * count; i++) {
        const mbn_kernels *table = tables + i / 4;
        const bool flush = i % 2 == 0, interleaved = i / 2 % 2 == 0;
        const int32_t depth = table->blocking.depth;
        if (!can_flush(table, flush)) continue;
        if (image) {
            check_layout(table, flush, interleaved, 3, COUNT / 3 / WIDTH, WIDTH,
                         mbn_block_count(3, depth) * depth);
        } else {
            check_layout(table, flush, interleaved, CHANNELS, HEIGHT, WIDTH, table->blocking.block);
        }
    }
}

Test(rounding, layout) {
    check_layouts(false);
}

Test(rounding, images) {
    check_layouts(true);
}

/* -0 * 1 + shift is the shift, whatever it is. */
Test(rounding, batch_norm) {
    mbn_kernels tables[TABLES_MAX];
    const int32_t count = tables_of(tables);
    uint16_t *elements = malloc(COUNT * sizeof *elements);
    float *scale = malloc(COUNT * sizeof *scale), *shift = malloc(COUNT * sizeof *shift);
    cr_assert(elements != NULL && scale != NULL && shift != NULL);
    for (size_t i = 0; i < COUNT; i++) {
        scale[i] = 1.0f;
        shift[i] = float_of(bits_of(i));
    }
    for (int32_t i = 0; i < 2 * count; i++) {
        const mbn_kernels *table = tables + i / 2;
        const bool flush = i % 2 == 0;
        const int32_t block = table->blocking.block;
        if (!can_flush(table, flush)) continue;
        const mbn_plane view = {elements, block * 2, block * 2};
        for (size_t at = 0; at < COUNT; at++) elements[at] = 0x8000;
        const mbn_elementwise_args args = {
            .input = view,
            .output = view,
            .scale = scale,
            .shift = shift,
            .finish = {.activation = make_activation(MBN_ACTIVATION_NONE)},
            .height = 1,
            .width = 1,
            .channels = COUNT,
            .blocking = table->blocking,
        };
        const uint64_t state = state_begin(flush);
        table->batch_norm(&args, (mbn_range){0, 1, 0, COUNT / block});
        mbn_float_state_restore(state);
        for (size_t at = 0; at < COUNT; at++) {
            check_rounded(table, "batch_norm", bits_of(at), elements[at]);
        }
    }
    free(elements);
    free(scale);
    free(shift);
}
