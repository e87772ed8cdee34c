/* Which instruction sets this build has, which of them this machine can run, and their tables. */
#include <mobilenet/kernels.h>

#include "cpu.h"
#include "tables.h"

#include <string.h>

static const char *const names[MBN_ISA_COUNT] = {
    [MBN_ISA_SCALAR] = "scalar",
    [MBN_ISA_SSE] = "sse",
    [MBN_ISA_AVX2] = "avx2",
    [MBN_ISA_AVX512] = "avx512",
    [MBN_ISA_NEON] = "neon",
    [MBN_ISA_AVX512_BF16] = "avx512bf16",
    [MBN_ISA_NEON_BF16] = "neonbf16",
    [MBN_ISA_AVX_VNNI] = "avxvnni",
    [MBN_ISA_AVX512_VNNI] = "avx512vnni",
    [MBN_ISA_AVX512_VBMI] = "avx512vbmi",
    [MBN_ISA_NEON_DOT] = "neondot",
};

/* What an instruction set builds on: a mask that has its bit allows these, too. */
static const uint32_t beneath[MBN_ISA_COUNT] = {
    [MBN_ISA_SSE] = 1u << MBN_ISA_SCALAR,         [MBN_ISA_AVX2] = 1u << MBN_ISA_SSE,
    [MBN_ISA_AVX512] = 1u << MBN_ISA_AVX2,        [MBN_ISA_NEON] = 1u << MBN_ISA_SCALAR,
    [MBN_ISA_AVX512_BF16] = 1u << MBN_ISA_AVX512, [MBN_ISA_NEON_BF16] = 1u << MBN_ISA_NEON,
    [MBN_ISA_AVX_VNNI] = 1u << MBN_ISA_AVX2,      [MBN_ISA_AVX512_VNNI] = 1u << MBN_ISA_AVX512,
    [MBN_ISA_NEON_DOT] = 1u << MBN_ISA_NEON,      [MBN_ISA_AVX512_VBMI] = 1u << MBN_ISA_AVX512_VNNI,
};

static const struct {
    const mbn_kernels *kernels;
    const char *element; /* as the table's file is called */
} tables[] = {
#define MBN_TABLE(isa, element) {&mbn_##isa##_##element, #element},
#include "tables.inc"
#undef MBN_TABLE
};

enum { TABLES = sizeof tables / sizeof *tables };

const char *mbn_isa_name(mbn_isa isa) {
    return (unsigned)isa < MBN_ISA_COUNT ? names[isa] : NULL;
}

const char *mbn_element_name(mbn_element element) {
    for (int i = 0; i < TABLES; i++) {
        if (tables[i].kernels->element == element) return tables[i].element;
    }
    return NULL;
}

const mbn_kernels *mbn_kernels_for(mbn_element element, mbn_isa isa) {
    for (int i = 0; i < TABLES; i++) {
        const mbn_kernels *kernels = tables[i].kernels;
        if (kernels->element == element && kernels->isa == isa) return kernels;
    }
    return NULL;
}

uint32_t mbn_isa_built(void) {
    uint32_t mask = 0;
    for (int i = 0; i < TABLES; i++) mask |= 1u << tables[i].kernels->isa;
    return mask;
}

uint32_t mbn_isa_usable(void) {
    return mbn_isa_built() & mbn_cpu_isas();
}

const mbn_kernels *mbn_kernels_best(mbn_element element, uint32_t mask) {
    const uint32_t usable = mbn_isa_usable();
    mask &= usable;
    for (int isa = MBN_ISA_COUNT - 1; isa >= 0; isa--) {
        if ((mask >> isa & 1u) == 0) continue;
        const mbn_kernels *kernels = mbn_kernels_for(element, (mbn_isa)isa);
        if (kernels != NULL && (usable >> isa & 1u) != 0) return kernels;
        mask |= beneath[isa];
    }
    return NULL;
}

uint32_t mbn_isa_parse(const char *list) {
    uint32_t mask = 0;
    for (const char *name = list;;) {
        const size_t length = strcspn(name, ",");
        uint32_t bit = 0;
        for (unsigned isa = 0; isa < MBN_ISA_COUNT; isa++) {
            if (strlen(names[isa]) == length && memcmp(names[isa], name, length) == 0) {
                bit = 1u << isa;
            }
        }
        if (bit == 0) return 0;
        mask |= bit;
        if (name[length] == '\0') return mask;
        name += length + 1;
    }
}
