/* The stem of every MobileNet, 3x3 with a horizontal stride of 2, over pixels of three bytes with
 * nothing between them.  A row of taps is nine bytes: eight are two operands as they lie in memory,
 * and the ninth ones of the three rows make a seventh, where pixels of four bytes take nine.
 *
 * Networks have the image's padding in its plane; pixels whose taps leave the plane all the same
 * are computed one by one, from a copy. */

enum {
    STEM_KERNEL = 3,
    STEM_PIXELS = 16,                        /* whose ninth bytes are brought together */
    STEM_SUMS = 16,                          /* of a tile */
    STEM_ROW = STEM_KERNEL * IMAGE_CHANNELS, /* bytes of a row of taps */
    STEM_STRIDE = 2 * IMAGE_CHANNELS,        /* between those of neighbouring outputs */
    STEM_ROW_OPERANDS = STEM_ROW / DEPTH,
};

/* Blocks [first, first + vectors) of the panel of `panel` blocks that begins with block b, of
 * pixels whose rows of taps are at `rows` and on; ninths: the last bytes of these, three for each
 * pixel and one that counts nothing.  pixels and vectors are constants. */
MBN_INLINE void stem_part(const mbn_convolution_args *args, const epilogue *e,
                          enum finish_kind kind, int32_t pixels, int32_t panel, int32_t first,
                          int32_t vectors, const char *rows, ptrdiff_t row_stride,
                          const char *ninths, int32_t b, int32_t oy, int32_t ox) {
    const ptrdiff_t step = (ptrdiff_t)panel * STEP_BYTES;
    const char *w = mbn_weights_at(&args->operands, b) + first * STEP_BYTES;
    sums acc[16][4];
    MBN_UNROLL
    for (int32_t v = 0; v < vectors; v++) {
        const sums start = start_of(kind, mbn_bias_at(&args->operands, b + first + v), NULL);
        MBN_UNROLL
        for (int32_t p = 0; p < pixels; p++) acc[p][v] = start;
    }
    for (int32_t pass = passes_of(&args->operands);;) {
        const char *row = rows;
        int32_t left = STEM_KERNEL;
        __asm__("" : "+r"(left)); /* or the compiler unrolls the loop */
        do {
            MBN_UNROLL
            for (int32_t k = 0; k < STEM_ROW_OPERANDS; k++, w += step) {
                tile_step(pixels, vectors, false, fenced(row) + k * OPERAND_BYTES, STEM_STRIDE, w,
                          acc);
            }
            row += row_stride;
        } while (--left != 0);
        tile_step(pixels, vectors, false, fenced(ninths), OPERAND_BYTES, w, acc);
        if (--pass == 0) break;
        w += step;
        MBN_UNROLL
        for (int32_t v = 0; v < vectors; v++) {
            const char *channels = fenced(mbn_bias_at(&args->operands, b + first + v));
            const sums start = start_of(kind, channels, NULL);
            MBN_UNROLL
            for (int32_t p = 0; p < pixels; p++) acc[p][v] = sums_twice(acc[p][v], start);
        }
    }
    finish_convolution(args, e, kind, pixels, vectors, acc, b + first, oy, ox);
}

/* Tiles are small, so that the next one's dot products are in the CPU's sight while one is
 * finished: on Zen 4 with 16 sums 5 % faster than with 28, and of one block than with 8 or 14. */
MBN_INLINE void stem_tiles(const mbn_convolution_args *args, const epilogue *e, int32_t panel,
                           int32_t first, int32_t vectors, const char *rows, const char *ninths,
                           int32_t b, int32_t oy, int32_t ox) {
    const int32_t pixels = STEM_SUMS / vectors;
    for (int32_t p = 0; p < STEM_PIXELS; p += pixels) {
        stem_part(args, e, e->kind, pixels, panel, first, vectors, rows + p * STEM_STRIDE,
                  args->input.row_stride, ninths + p * OPERAND_BYTES, b, oy, ox + p);
    }
}
/* A function each: the walk around them would take their registers. */
static __attribute__((noinline)) void stem_tiles_1(const mbn_convolution_args *args,
                                                   const epilogue *e, int32_t panel, int32_t first,
                                                   const char *rows, const char *ninths, int32_t b,
                                                   int32_t oy, int32_t ox) {
    stem_tiles(args, e, panel, first, 1, rows, ninths, b, oy, ox);
}
static __attribute__((noinline)) void stem_tiles_2(const mbn_convolution_args *args,
                                                   const epilogue *e, int32_t panel, int32_t first,
                                                   const char *rows, const char *ninths, int32_t b,
                                                   int32_t oy, int32_t ox) {
    stem_tiles(args, e, panel, first, 2, rows, ninths, b, oy, ox);
}

/* One pixel, wherever it lies. */
static void stem_single(const mbn_convolution_args *args, const epilogue *e, int32_t panel,
                        int32_t b, int32_t oy, int32_t ox) {
    const taps inside_taps = taps_at(args, oy, ox);
    char rows[STEM_KERNEL][STEM_ROW];
    memset(rows, e->input_zero, sizeof rows);
    const char *from = mbn_at(&args->input, input_offset_at(args, oy, ox));
    for (int32_t y = inside_taps.y_begin; y < inside_taps.y_end; y++) {
        for (int32_t i = inside_taps.x_begin * IMAGE_CHANNELS;
             i < inside_taps.x_end * IMAGE_CHANNELS; i++) {
            rows[y][i] = from[y * args->input.row_stride + i];
        }
    }
    const char ninths[OPERAND_BYTES] = {rows[0][STEM_ROW - 1], rows[1][STEM_ROW - 1],
                                        rows[2][STEM_ROW - 1]};
    for (int32_t v = 0; v < panel; v++) {
        stem_part(args, e, FINISH_ANY, 1, panel, v, 1, rows[0], STEM_ROW, ninths, b, oy, ox);
    }
}

/* whole: columns that tiles compute, which have all taps inside the plane. */
static void stem_row(const mbn_convolution_args *args, const epilogue *e, int32_t panel, span whole,
                     int32_t b, int32_t oy) {
    for (int32_t ox = 0; ox < args->output_width;) {
        if (ox < whole.begin || ox >= whole.end) {
            stem_single(args, e, panel, b, oy, ox);
            ox++;
            continue;
        }
        if (b == 0) fetch_image(args, STEM_PIXELS, STEM_STRIDE, oy, ox);
        const char *rows = mbn_at(&args->input, input_offset_at(args, oy, ox));
        char ninths[BLOCK * OPERAND_BYTES];
        stem_ninths(rows, args->input.row_stride, ninths);
        int32_t v = 0;
        for (; v + 2 <= panel; v += 2) stem_tiles_2(args, e, panel, v, rows, ninths, b, oy, ox);
        if (v < panel) stem_tiles_1(args, e, panel, v, rows, ninths, b, oy, ox);
        ox += STEM_PIXELS;
        /* The last tile ends with the row, over outputs that have their value already. */
        if (ox < whole.end && ox + STEM_PIXELS > whole.end) ox = whole.end - STEM_PIXELS;
    }
}

static void stem(const mbn_convolution_args *args, mbn_range range) {
    mbn_assert_convolution(args, range, ELEMENT_BYTES, IMAGE_BYTES);
    assert(args->kernel_height == STEM_KERNEL && args->kernel_width == STEM_KERNEL &&
           args->stride_horizontal == 2 && args->input_channels == IMAGE_CHANNELS);
    epilogue e = epilogue_of(&args->finish);
    e.kind = FINISH_ANY;
    if (args->residual.data == NULL) {
        e.kind = kind_of_blocks(&e, &args->operands, range.block_begin, range.block_end,
                                STEM_KERNEL * STEM_ROW);
    }
    const int32_t blocks = mbn_block_count(args->output_channels, BLOCK);
    const span columns =
        inside(args->output_width, args->input_width, STEM_KERNEL, 2, args->pad_left);
    const span rows = inside(args->output_height, args->input_height, STEM_KERNEL,
                             args->stride_vertical, args->pad_top);
    const span none = {0, 0};
    const bool tiled = columns.end - columns.begin >= STEM_PIXELS;
    for (int32_t b = range.block_begin, panel; b < range.block_end; b += panel) {
        panel = mbn_panel_width(blocks - b, PANEL);
        for (int32_t oy = range.row_begin; oy < range.row_end; oy++) {
            stem_row(args, &e, panel, tiled && oy >= rows.begin && oy < rows.end ? columns : none,
                     b, oy);
        }
    }
}

static void convolution_or_stem(const mbn_convolution_args *args, mbn_range range) {
    if (args->input_block == IMAGE_CHANNELS) {
        stem(args, range);
    } else {
        convolution(args, range);
    }
}
