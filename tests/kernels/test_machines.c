/* What machines of all kinds may run: CPUID's and XGETBV's words of theirs, of which some cannot be
 * bought, and cpu.c with a cpuinfo of this file's own. */
#include "kernels/cpu.h"
#include "kernels/x86.h"

#include <cpuinfo.h>
#include <criterion/criterion.h>
#include <unistd.h>

/* ---- x86 ------------------------------------------------------------------------------------ */

/* As in Intel's manual, volume 2A, CPUID, tables 3-10 and 3-8; ECX of leaf 1. */
#define SSE3 (1u << 0)
#define SSSE3 (1u << 9)
#define FMA (1u << 12)
#define SSE41 (1u << 19)
#define SSE42 (1u << 20)
#define POPCNT (1u << 23)
#define XSAVE (1u << 26)
#define OSXSAVE (1u << 27)
#define AVX (1u << 28)
#define F16C (1u << 29)
/* EBX of leaf 7. */
#define AVX2 (1u << 5)
#define AVX512F (1u << 16)
#define AVX512DQ (1u << 17)
#define AVX512IFMA (1u << 21)
#define AVX512CD (1u << 28)
#define AVX512BW (1u << 30)
#define AVX512VL (1u << 31)
/* ECX of leaf 7. */
#define AVX512VBMI (1u << 1)
#define AVX512VNNI (1u << 11)
/* EAX of leaf 7, 1. */
#define AVXVNNI (1u << 4)
#define AVX512BF16 (1u << 5)
/* XCR0: x87, xmm, ymm, bndregs, bndcsr, opmask, upper halves of zmm, zmm 16-31, pkru, tilecfg,
 * tiledata. */
#define SAVED_SSE 0x3u
#define SAVED_AVX 0x7u
#define SAVED_MPX 0x1Fu
#define SAVED_AVX512 0xE7u
#define SAVED_PKRU 0x200u
#define SAVED_TILES 0x60000u

#define NEHALEM (SSE3 | SSSE3 | SSE41 | SSE42 | POPCNT)
#define SANDY_BRIDGE (NEHALEM | XSAVE | OSXSAVE | AVX)
#define HASWELL (SANDY_BRIDGE | FMA | F16C)
#define SKYLAKE_X (AVX2 | AVX512F | AVX512DQ | AVX512CD | AVX512BW | AVX512VL)

struct machine {
    const char *name;
    x86_words words;
    uint32_t isas; /* that it may run */
};

enum {
    SCALAR = 1 << MBN_ISA_SCALAR,
    SSE = SCALAR | 1 << MBN_ISA_SSE,
    AVX2_FMA = SSE | 1 << MBN_ISA_AVX2,
    AVX512 = AVX2_FMA | 1 << MBN_ISA_AVX512,
    YMM_VNNI = AVX2_FMA | 1 << MBN_ISA_AVX_VNNI,
    BF16 = AVX512 | 1 << MBN_ISA_AVX512_BF16,
    VNNI = AVX512 | 1 << MBN_ISA_AVX512_VNNI,
    VBMI = VNNI | 1 << MBN_ISA_AVX512_VBMI,
};

static const struct machine machines[] = {
    {"all zeros: CPUID says nothing", {0}, SCALAR},
    {"Core 2 of 65 nm, qemu64: no SSE4.1", {SSE3 | SSSE3, 0, 0, 0, 0}, SCALAR},
    {"Nehalem", {NEHALEM, 0, 0, 0, 0}, SSE},
    {"Sandy Bridge", {SANDY_BRIDGE, 0, 0, 0, SAVED_AVX}, SSE},
    {"Haswell", {HASWELL, AVX2, 0, 0, SAVED_AVX}, AVX2_FMA},
    {"Haswell, an old system: no XGETBV", {HASWELL & ~OSXSAVE, AVX2, 0, 0, 0}, SSE},
    {"Haswell, words of XCR0 that were not to be read",
     {HASWELL & ~OSXSAVE, AVX2, 0, 0, SAVED_AVX},
     SSE},
    {"Haswell, ymm not saved (noxsave, some hypervisors)", {HASWELL, AVX2, 0, 0, SAVED_SSE}, SSE},
    {"Haswell, upper halves of ymm only", {HASWELL, AVX2, 0, 0, 0x5}, SSE},
    {"AVX2 without AVX", {HASWELL & ~AVX, AVX2, 0, 0, SAVED_AVX}, SSE},
    {"AVX2 without FMA", {HASWELL & ~FMA, AVX2, 0, 0, SAVED_AVX}, SSE},
    {"AVX2 without POPCNT", {HASWELL & ~POPCNT, AVX2, 0, 0, SAVED_AVX}, SSE},
    {"AVX2 without SSE4.1", {HASWELL & ~SSE41, AVX2, 0, 0, SAVED_AVX}, SCALAR},
    {"Skylake-X", {HASWELL, SKYLAKE_X, 0, 0, SAVED_AVX512}, AVX512},
    {"Skylake-X with MPX and PKRU",
     {HASWELL, SKYLAKE_X, 0, 0, SAVED_MPX | SAVED_AVX512 | SAVED_PKRU},
     AVX512},
    {"Skylake-X, only ymm saved", {HASWELL, SKYLAKE_X, 0, 0, SAVED_AVX}, AVX2_FMA},
    {"Skylake-X, mask registers not saved",
     {HASWELL, SKYLAKE_X, 0, 0, SAVED_AVX512 & ~0x20u},
     AVX2_FMA},
    {"Skylake-X, upper halves of zmm not saved",
     {HASWELL, SKYLAKE_X, 0, 0, SAVED_AVX512 & ~0x40u},
     AVX2_FMA},
    {"Skylake-X, zmm 16 to 31 not saved",
     {HASWELL, SKYLAKE_X, 0, 0, SAVED_AVX512 & ~0x80u},
     AVX2_FMA},
    {"zmm saved, but ymm not", {HASWELL, SKYLAKE_X, 0, 0, SAVED_AVX512 & ~0x4u}, SSE},
    {"Knights Landing: no BW, DQ, VL",
     {HASWELL, AVX2 | AVX512F | AVX512CD, 0, 0, SAVED_AVX512},
     AVX2_FMA},
    {"no VL", {HASWELL, SKYLAKE_X & ~AVX512VL, 0, 0, SAVED_AVX512}, AVX2_FMA},
    {"no BW", {HASWELL, SKYLAKE_X & ~AVX512BW, 0, 0, SAVED_AVX512}, AVX2_FMA},
    {"no DQ", {HASWELL, SKYLAKE_X & ~AVX512DQ, 0, 0, SAVED_AVX512}, AVX2_FMA},
    {"no F", {HASWELL, SKYLAKE_X & ~AVX512F, 0, 0, SAVED_AVX512}, AVX2_FMA},
    {"AVX-512 without AVX2", {HASWELL, SKYLAKE_X & ~AVX2, 0, 0, SAVED_AVX512}, SSE},
    {"Cascade Lake", {HASWELL, SKYLAKE_X, AVX512VNNI, 0, SAVED_AVX512}, VNNI},
    {"Cooper Lake", {HASWELL, SKYLAKE_X, AVX512VNNI, AVX512BF16, SAVED_AVX512}, VNNI | BF16},
    {"Cannon Lake: VBMI without VNNI",
     {HASWELL, SKYLAKE_X | AVX512IFMA, AVX512VBMI, 0, SAVED_AVX512},
     AVX512},
    {"Ice Lake", {HASWELL, SKYLAKE_X | AVX512IFMA, AVX512VBMI | AVX512VNNI, 0, SAVED_AVX512}, VBMI},
    {"Ice Lake, only ymm saved",
     {HASWELL, SKYLAKE_X | AVX512IFMA, AVX512VBMI | AVX512VNNI, 0, SAVED_AVX},
     AVX2_FMA},
    {"Alder Lake: VNNI of ymm", {HASWELL, AVX2, 0, AVXVNNI, SAVED_AVX}, YMM_VNNI},
    {"Alder Lake, ymm not saved", {HASWELL, AVX2, 0, AVXVNNI, SAVED_SSE}, SSE},
    {"Sapphire Rapids, Zen 5",
     {HASWELL, SKYLAKE_X | AVX512IFMA, AVX512VBMI | AVX512VNNI, AVXVNNI | AVX512BF16,
      SAVED_AVX512 | SAVED_PKRU},
     VBMI | BF16 | YMM_VNNI},
    {"Sapphire Rapids with tiles",
     {HASWELL, SKYLAKE_X | AVX512IFMA, AVX512VBMI | AVX512VNNI, AVXVNNI | AVX512BF16,
      SAVED_AVX512 | SAVED_PKRU | SAVED_TILES},
     VBMI | BF16 | YMM_VNNI},
    {"Sapphire Rapids, tiles saved, and only ymm",
     {HASWELL, SKYLAKE_X, AVX512VBMI | AVX512VNNI, AVX512BF16, SAVED_AVX | SAVED_TILES},
     AVX2_FMA},
    {"every bit there is", {~0u, ~0u, ~0u, ~0u, ~0u}, VBMI | BF16 | YMM_VNNI},
    {"every bit, but nothing saved", {~0u, ~0u, ~0u, ~0u, 0}, SSE},
};

Test(machines, x86) {
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        const struct machine *m = &machines[i];
        const uint32_t isas = x86_isas(&m->words);
        cr_expect_eq(isas, m->isas, "%s: %x, expected %x", m->name, isas, m->isas);
    }
}

/* The compiler's own reading of this machine, which knows XCR0 too. */
Test(machines, this_one) {
    const uint32_t isas = mbn_cpu_isas();
    cr_expect((isas & 1u << MBN_ISA_SCALAR) != 0);
#if defined(__x86_64__)
    const struct {
        mbn_isa isa;
        bool has;
    } expected[] = {
        {MBN_ISA_SSE, __builtin_cpu_supports("sse4.1") != 0},
        {MBN_ISA_AVX2, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")},
        {MBN_ISA_AVX512, __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                             __builtin_cpu_supports("avx512dq") &&
                             __builtin_cpu_supports("avx512vl")},
        {MBN_ISA_AVX512_BF16, __builtin_cpu_supports("avx512bf16") != 0},
        {MBN_ISA_AVX512_VNNI, __builtin_cpu_supports("avx512vnni") != 0},
        {MBN_ISA_AVX512_VBMI, __builtin_cpu_supports("avx512vbmi") != 0},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        cr_expect_eq((isas >> expected[i].isa & 1u) != 0, expected[i].has, "instruction set %d",
                     (int)expected[i].isa);
    }
#elif defined(__aarch64__)
    cr_expect((isas & 1u << MBN_ISA_NEON) != 0);
#endif
}

/* ---- cpuinfo -------------------------------------------------------------------------------- */

static bool starts;
static struct cpuinfo_cache cache;
static const struct cpuinfo_cache *l2;
static int asked; /* before cpuinfo has started, which its functions answer by ending the process */

bool cpuinfo_initialize(void) {
    return starts;
}

const struct cpuinfo_cache *cpuinfo_get_l2_cache(uint32_t index) {
    asked += !starts || index != 0;
    return l2;
}

#if defined(__aarch64__)
struct cpuinfo_arm_isa cpuinfo_isa;
#endif

/* What the C library does not know by itself. */
static size_t unless_known(size_t bytes) {
#if defined(_SC_LEVEL2_CACHE_SIZE)
    const long known = sysconf(_SC_LEVEL2_CACHE_SIZE);
    if (known > 0) return (size_t)known;
#endif
    return bytes;
}

Test(machines, cpuinfo_does_not_start) {
    starts = false;
    cr_expect_eq(mbn_cpu_l2_bytes(), unless_known(256 * 1024));
    cr_expect((mbn_cpu_isas() & 1u << MBN_ISA_SCALAR) != 0);
    cr_expect_eq(asked, 0);
}

Test(machines, cpuinfo_does_not_know_the_cache) {
    starts = true;
    l2 = NULL;
    cr_expect_eq(mbn_cpu_l2_bytes(), unless_known(256 * 1024));
    l2 = &cache;
    cr_expect_eq(mbn_cpu_l2_bytes(), unless_known(256 * 1024));
    cache.size = 1234567;
    cr_expect_eq(mbn_cpu_l2_bytes(), unless_known(1234567));
    cr_expect_eq(asked, 0);
}
