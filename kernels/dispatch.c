/* Which instruction sets this build has, which of them this machine can run, and their tables. */
#include <mobilenet/kernels.h>

#include "cpu.h"
#include "tables.h"

#include <string.h>

static const char *const names[MBN_ISA_COUNT] = {
    [MBN_ISA_SCALAR] = "scalar", [MBN_ISA_SSE] = "sse",   [MBN_ISA_AVX2] = "avx2",
    [MBN_ISA_AVX512] = "avx512", [MBN_ISA_NEON] = "neon",
};

static const mbn_kernels *const tables[MBN_ISA_COUNT] = {
    [MBN_ISA_SCALAR] = &mbn_scalar_kernels,
#ifdef MBN_HAVE_SSE
    [MBN_ISA_SSE] = &mbn_sse_kernels,
#endif
#ifdef MBN_HAVE_AVX2
    [MBN_ISA_AVX2] = &mbn_avx2_kernels,
#endif
#ifdef MBN_HAVE_AVX512
    [MBN_ISA_AVX512] = &mbn_avx512_kernels,
#endif
#ifdef MBN_HAVE_NEON
    [MBN_ISA_NEON] = &mbn_neon_kernels,
#endif
};

const char *mbn_isa_name(mbn_isa isa) {
    return (unsigned)isa < MBN_ISA_COUNT ? names[isa] : NULL;
}

const mbn_kernels *mbn_kernels_for(mbn_isa isa) {
    return (unsigned)isa < MBN_ISA_COUNT ? tables[isa] : NULL;
}

uint32_t mbn_isa_built(void) {
    uint32_t mask = 0;
    for (unsigned isa = 0; isa < MBN_ISA_COUNT; isa++) {
        if (tables[isa] != NULL) mask |= 1u << isa;
    }
    return mask;
}

uint32_t mbn_isa_usable(void) {
    uint32_t mask = 0;
    for (unsigned isa = 0; isa < MBN_ISA_COUNT; isa++) {
        if (tables[isa] != NULL && mbn_cpu_has((mbn_isa)isa)) mask |= 1u << isa;
    }
    return mask;
}

const mbn_kernels *mbn_kernels_best(uint32_t mask) {
    mask &= mbn_isa_usable();
    for (int isa = MBN_ISA_COUNT - 1; isa >= 0; isa--) {
        if ((mask >> isa & 1u) != 0) return tables[isa];
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
