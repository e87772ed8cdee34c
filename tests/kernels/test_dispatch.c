#include <mobilenet/kernels.h>

#include <criterion/criterion.h>
#include <string.h>

/* What CMake says that this build has, besides scalar code: fewer than all where they were chosen,
 * or where the compiler lacks some. */
#ifndef MBN_TEST_ISAS
#error "MBN_TEST_ISAS: the list of instruction sets"
#endif

/* Of which instruction sets a complete build has an element type's tables. */
static const uint32_t expected_tables[MBN_ELEMENT_COUNT] = {
#if defined(__x86_64__)
    [MBN_ELEMENT_F32] =
        1u << MBN_ISA_SCALAR | 1u << MBN_ISA_SSE | 1u << MBN_ISA_AVX2 | 1u << MBN_ISA_AVX512,
    [MBN_ELEMENT_BF16] = 1u << MBN_ISA_SCALAR | 1u << MBN_ISA_SSE | 1u << MBN_ISA_AVX2 |
                         1u << MBN_ISA_AVX512 | 1u << MBN_ISA_AVX512_BF16,
    [MBN_ELEMENT_Q8] = 1u << MBN_ISA_SCALAR | 1u << MBN_ISA_SSE | 1u << MBN_ISA_AVX2 |
                       1u << MBN_ISA_AVX_VNNI | 1u << MBN_ISA_AVX512_VNNI |
                       1u << MBN_ISA_AVX512_VBMI,
#elif defined(__aarch64__)
    [MBN_ELEMENT_F32] = 1u << MBN_ISA_SCALAR | 1u << MBN_ISA_NEON,
    [MBN_ELEMENT_BF16] = 1u << MBN_ISA_SCALAR | 1u << MBN_ISA_NEON | 1u << MBN_ISA_NEON_BF16,
    [MBN_ELEMENT_Q8] = 1u << MBN_ISA_SCALAR | 1u << MBN_ISA_NEON | 1u << MBN_ISA_NEON_DOT,
#else
    [MBN_ELEMENT_F32] = 1u << MBN_ISA_SCALAR,
    [MBN_ELEMENT_BF16] = 1u << MBN_ISA_SCALAR,
    [MBN_ELEMENT_Q8] = 1u << MBN_ISA_SCALAR,
#endif
};

static uint32_t expected_of(int element) {
    return expected_tables[element] & mbn_isa_parse(MBN_TEST_ISAS);
}

Test(dispatch, scalar_is_always_there) {
    cr_assert((mbn_isa_built() & 1u << MBN_ISA_SCALAR) != 0);
    cr_assert((mbn_isa_usable() & 1u << MBN_ISA_SCALAR) != 0);
    cr_assert((mbn_isa_usable() & ~mbn_isa_built()) == 0);
    cr_assert((mbn_isa_built() & ~MBN_ISA_MASK_ALL) == 0);
}

Test(dispatch, tables_are_listed) {
    uint32_t built = 0;
    for (int element = 0; element < MBN_ELEMENT_COUNT; element++) {
        for (int isa = 0; isa < MBN_ISA_COUNT; isa++) {
            const mbn_kernels *table = mbn_kernels_for((mbn_element)element, (mbn_isa)isa);
            const bool expected = (expected_of(element) >> isa & 1u) != 0;
            cr_assert((table != NULL) == expected, "%s %s", mbn_isa_name((mbn_isa)isa),
                      mbn_element_name((mbn_element)element));
            if (table == NULL) continue;
            cr_assert(table->element == (mbn_element)element && table->isa == (mbn_isa)isa);
            cr_assert(strcmp(table->name, mbn_isa_name((mbn_isa)isa)) == 0);
        }
        built |= expected_of(element);
    }
    cr_assert(mbn_isa_built() == built);
    cr_assert(mbn_kernels_for(MBN_ELEMENT_COUNT, MBN_ISA_SCALAR) == NULL);
    cr_assert(mbn_kernels_for(MBN_ELEMENT_F32, MBN_ISA_COUNT) == NULL);
}

static void check_table(const mbn_kernels *table) {
    static const int32_t element_bytes[MBN_ELEMENT_COUNT] = {
        [MBN_ELEMENT_F32] = 4, [MBN_ELEMENT_BF16] = 2, [MBN_ELEMENT_Q8] = 1};
    const char *element = mbn_element_name(table->element);
    cr_assert(table->element_bytes == element_bytes[table->element], "%s %s", table->name, element);
    const mbn_blocking b = table->blocking;
    cr_assert(b.block >= 1, "%s %s", table->name, element);
    cr_assert(b.panel == 1 || b.panel == 2 || b.panel == 4, "%s %s", table->name, element);
    cr_assert(b.depth >= 1 && (b.depth & (b.depth - 1)) == 0, "%s %s", table->name, element);
    const mbn_kernels *vectors = table->vectors;
    if (vectors != NULL) {
        cr_assert(vectors->blocking.block == b.block, "%s %s", table->name, element);
        cr_assert(vectors->vectors == NULL || vectors->vectors == vectors, "%s %s", table->name,
                  element);
    }
    const bool q8 = table->element == MBN_ELEMENT_Q8;
    cr_assert(!q8 || (b.block == 16 && vectors == NULL && !table->reads_floats), "%s", table->name);
    /* Every slot, by its bytes, so that one that is new is among them. */
    mbn_pointwise_fn *const none = NULL;
    const char *const bytes = (const char *)table;
    for (size_t at = offsetof(mbn_kernels, depthwise); at < offsetof(mbn_kernels, vectors);
         at += sizeof none) {
        const bool empty = memcmp(bytes + at, &none, sizeof none) == 0;
        cr_assert(empty == (at == offsetof(mbn_kernels, pack_channels) && !q8),
                  "%s %s: slot %zu is %s", table->name, element,
                  (at - offsetof(mbn_kernels, depthwise)) / sizeof none,
                  empty ? "empty" : "not empty");
    }
}

Test(dispatch, tables_are_complete) {
    /* Slots are between the first and `vectors`, and nowhere else. */
    cr_assert(offsetof(mbn_kernels, depthwise) - offsetof(mbn_kernels, blocking) <
              sizeof(mbn_blocking) + sizeof(void *));
    cr_assert(sizeof(mbn_kernels) - offsetof(mbn_kernels, vectors) <= 2 * sizeof(void *));
    int32_t tables = 0;
    for (int element = 0; element < MBN_ELEMENT_COUNT; element++) {
        for (int isa = 0; isa < MBN_ISA_COUNT; isa++) {
            const mbn_kernels *table = mbn_kernels_for((mbn_element)element, (mbn_isa)isa);
            if (table == NULL) continue;
            check_table(table);
            tables++;
        }
    }
    cr_assert(tables >= 1);
}

/* The best is of the best set that has a table, or that the best set builds on; test_sparse has
 * more. */
static void check_best(mbn_element element, uint32_t mask) {
    const mbn_kernels *best = mbn_kernels_best(element, mask);
    mask &= mbn_isa_usable();
    cr_assert((best == NULL) == (mask == 0), "mask %x", mask);
    if (best == NULL) return;
    cr_assert(best == mbn_kernels_for(element, best->isa), "mask %x", mask);
    int top = MBN_ISA_COUNT - 1;
    while ((mask >> top & 1u) == 0) top--;
    if (mbn_kernels_for(element, (mbn_isa)top) != NULL) {
        cr_assert(best->isa == (mbn_isa)top, "mask %x: %s", mask, best->name);
    } else {
        cr_assert(best->isa < (mbn_isa)top, "mask %x: %s", mask, best->name);
    }
}

Test(dispatch, best_of_a_mask) {
    for (uint32_t mask = 0; mask <= MBN_ISA_MASK_ALL; mask++) {
        check_best(MBN_ELEMENT_F32, mask);
        check_best(MBN_ELEMENT_BF16, mask);
        check_best(MBN_ELEMENT_Q8, mask);
        cr_assert(mbn_kernels_best(MBN_ELEMENT_COUNT, mask) == NULL, "mask %x", mask);
    }
}

Test(dispatch, names) {
    static const char *const names[MBN_ISA_COUNT] = {
        "scalar",   "sse",     "avx2",       "avx512",     "neon",   "avx512bf16",
        "neonbf16", "avxvnni", "avx512vnni", "avx512vbmi", "neondot"};
    for (int isa = 0; isa < MBN_ISA_COUNT; isa++) {
        cr_assert(strcmp(mbn_isa_name((mbn_isa)isa), names[isa]) == 0);
        cr_assert(mbn_isa_parse(names[isa]) == 1u << isa);
    }
    cr_assert(mbn_isa_name(MBN_ISA_COUNT) == NULL);
    cr_assert(mbn_isa_parse("scalar,avx2") == (1u << MBN_ISA_SCALAR | 1u << MBN_ISA_AVX2));
    cr_assert(mbn_isa_parse("neon,neon") == 1u << MBN_ISA_NEON);
    static const char *const wrong[] = {"",        ",",       "scalar,", ",scalar",  "avx",
                                        "avx2048", "scalar ", "AVX2",    "sse,,neon"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_assert(mbn_isa_parse(wrong[i]) == 0, "\"%s\"", wrong[i]);
    }
}

Test(dispatch, element_names) {
    static const char *const names[MBN_ELEMENT_COUNT] = {"f32", "bf16", "q8"};
    for (int element = 0; element < MBN_ELEMENT_COUNT; element++) {
        cr_assert(strcmp(mbn_element_name((mbn_element)element), names[element]) == 0);
    }
    cr_assert(mbn_element_name(MBN_ELEMENT_COUNT) == NULL);
    cr_assert(mbn_element_name((mbn_element)-1) == NULL);
}
