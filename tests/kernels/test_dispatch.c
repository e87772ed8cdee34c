#include <mobilenet/kernels.h>

#include <criterion/criterion.h>
#include <string.h>

Test(dispatch, scalar_is_always_there) {
    cr_assert((mbn_isa_built() & 1u << MBN_ISA_SCALAR) != 0);
    cr_assert((mbn_isa_usable() & 1u << MBN_ISA_SCALAR) != 0);
    cr_assert((mbn_isa_usable() & ~mbn_isa_built()) == 0);
    cr_assert((mbn_isa_built() & ~MBN_ISA_MASK_ALL) == 0);
}

Test(dispatch, tables_are_complete) {
    for (int isa = 0; isa < MBN_ISA_COUNT; isa++) {
        const mbn_kernels *table = mbn_kernels_for((mbn_isa)isa);
        cr_assert((table != NULL) == ((mbn_isa_built() >> isa & 1u) != 0));
        if (table == NULL) continue;
        cr_assert(table->isa == (mbn_isa)isa);
        cr_assert(strcmp(table->name, mbn_isa_name((mbn_isa)isa)) == 0);
        cr_assert(table->block >= 1);
        cr_assert(table->panel == 1 || table->panel == 2 || table->panel == 4);
        for (int i = 0; i < 8; i++) {
            cr_assert(table->depthwise[i >> 2][i >> 1 & 1][i & 1] != NULL, "%s: depthwise %d",
                      table->name, i);
        }
        cr_assert(table->pointwise != NULL && table->convolution != NULL &&
                      table->batch_norm != NULL && table->channel_scale != NULL &&
                      table->add != NULL && table->global_average_pool != NULL &&
                      table->max_pool != NULL && table->fully_connected != NULL &&
                      table->softmax != NULL && table->to_blocked != NULL &&
                      table->from_blocked != NULL,
                  "%s", table->name);
    }
}

Test(dispatch, best_of_a_mask) {
    uint32_t usable = mbn_isa_usable();
    for (uint32_t mask = 0; mask <= MBN_ISA_MASK_ALL; mask++) {
        const mbn_kernels *best = mbn_kernels_best(mask);
        cr_assert((best == NULL) == ((mask & usable) == 0), "mask %x", mask);
        if (best == NULL) continue;
        cr_assert((mask & usable) >> best->isa == 1, "mask %x: %s", mask, best->name);
    }
}

Test(dispatch, names) {
    static const char *const names[MBN_ISA_COUNT] = {"scalar", "sse", "avx2", "avx512", "neon"};
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
