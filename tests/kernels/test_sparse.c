/* The choice of a table where an element type has none for some instruction sets, on machines of
 * all kinds: dispatch.c with tables (sparse/tables.inc) and a CPU of this file's own. */
#include "kernels/cpu.h"
#include "kernels/tables.h"

#include <criterion/criterion.h>

/* An element type that the library does not have. */
#define SPARSE MBN_ELEMENT_COUNT

#define DEFINE(isa_name, number, element_name, type)                                               \
    const mbn_kernels mbn_##isa_name##_##element_name = {                                          \
        .name = #isa_name, .isa = number, .element = type}
DEFINE(scalar, MBN_ISA_SCALAR, f32, MBN_ELEMENT_F32);
DEFINE(sse, MBN_ISA_SSE, f32, MBN_ELEMENT_F32);
DEFINE(avx2, MBN_ISA_AVX2, f32, MBN_ELEMENT_F32);
DEFINE(avx512, MBN_ISA_AVX512, f32, MBN_ELEMENT_F32);
DEFINE(neon, MBN_ISA_NEON, f32, MBN_ELEMENT_F32);
DEFINE(sse, MBN_ISA_SSE, sparse, SPARSE);
DEFINE(avx2, MBN_ISA_AVX2, sparse, SPARSE);

enum {
    SCALAR = 1 << MBN_ISA_SCALAR,
    SSE = 1 << MBN_ISA_SSE,
    AVX2 = 1 << MBN_ISA_AVX2,
    AVX512 = 1 << MBN_ISA_AVX512,
    NEON = 1 << MBN_ISA_NEON
};

static uint32_t cpu;

uint32_t mbn_cpu_isas(void) {
    return cpu;
}

static const uint32_t old = SCALAR, usual = SCALAR | SSE | AVX2,
                      wide = SCALAR | SSE | AVX2 | AVX512, arm = SCALAR | NEON;

static void expect(uint32_t machine, mbn_element element, uint32_t mask, const mbn_kernels *table) {
    cpu = machine;
    const mbn_kernels *best = mbn_kernels_best(element, mask);
    cr_assert(best == table, "machine %x, element %d, mask %x: %s", machine, (int)element, mask,
              best == NULL ? "none" : best->name);
}

Test(sparse, best) {
    const uint32_t all = MBN_ISA_MASK_ALL;
    expect(wide, MBN_ELEMENT_F32, all, &mbn_avx512_f32);
    expect(usual, MBN_ELEMENT_F32, all, &mbn_avx2_f32);
    expect(usual, MBN_ELEMENT_F32, SCALAR | SSE, &mbn_sse_f32);
    expect(usual, MBN_ELEMENT_F32, SCALAR, &mbn_scalar_f32);
    expect(arm, MBN_ELEMENT_F32, all, &mbn_neon_f32);
    expect(old, MBN_ELEMENT_F32, all, &mbn_scalar_f32);
    expect(wide, SPARSE, all, &mbn_avx2_sparse);
    expect(wide, SPARSE, SSE | SCALAR, &mbn_sse_sparse);
}

/* What an instruction set builds on is allowed with it, and nothing else is. */
Test(sparse, beneath_the_mask) {
    expect(wide, SPARSE, AVX512, &mbn_avx2_sparse);
    expect(wide, SPARSE, AVX512 | SSE, &mbn_avx2_sparse);
    expect(wide, SPARSE, AVX2, &mbn_avx2_sparse);
    expect(wide, SPARSE, SSE, &mbn_sse_sparse);
    expect(wide, SPARSE, SCALAR, NULL);
    expect(SCALAR | SSE | AVX512, SPARSE, AVX512, &mbn_sse_sparse); /* a virtual machine's CPU */
    expect(arm, SPARSE, NEON, NULL);
    expect(arm, SPARSE, MBN_ISA_MASK_ALL, NULL);
}

/* What this machine cannot run allows nothing. */
Test(sparse, unusable) {
    expect(usual, MBN_ELEMENT_F32, AVX512, NULL);
    expect(usual, SPARSE, AVX512, NULL);
    expect(usual, SPARSE, AVX512 | SSE, &mbn_sse_sparse);
    expect(usual, MBN_ELEMENT_F32, AVX512 | NEON | SCALAR, &mbn_scalar_f32);
    expect(old, SPARSE, MBN_ISA_MASK_ALL, NULL);
    expect(wide, MBN_ELEMENT_F32, 0, NULL);
}

Test(sparse, listed) {
    cr_assert(mbn_kernels_for(SPARSE, MBN_ISA_SSE) == &mbn_sse_sparse);
    cr_assert(mbn_kernels_for(SPARSE, MBN_ISA_AVX2) == &mbn_avx2_sparse);
    cr_assert(mbn_kernels_for(SPARSE, MBN_ISA_SCALAR) == NULL);
    cr_assert(mbn_kernels_for(SPARSE, MBN_ISA_AVX512) == NULL);
    cpu = usual;
    cr_assert(mbn_isa_built() == (wide | arm));
    cr_assert(mbn_isa_usable() == usual);
}
