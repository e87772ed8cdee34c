#include "cpu.h"

#include <cpuinfo.h>
#include <unistd.h>
#if defined(__linux__) && defined(__aarch64__)
#include <sys/auxv.h>
#endif

/* Whether cpuinfo knows this machine; only then may its queries be asked.  It cannot start where
 * /proc or /sys are out of reach (some containers and sandboxes), and says so on stderr. */
static bool is_known(void) {
#if defined(__linux__)
    if (access("/proc/cpuinfo", R_OK) != 0) return false;
#endif
    return cpuinfo_initialize();
}

#if defined(__aarch64__)
static bool kernel_says_bf16(void) {
#if defined(__linux__)
    return (getauxval(AT_HWCAP2) & HWCAP2_BF16) != 0;
#else
    return false;
#endif
}

static bool kernel_says_dot(void) {
#if defined(__linux__)
    return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#else
    return false;
#endif
}
#endif

/* Where cpuinfo does not know, the compiler's own CPUID check, which reads XCR0 too, decides, or
 * what the kernel tells every process. */
bool mbn_cpu_has(mbn_isa isa) {
    const bool known = is_known();
    switch (isa) {
    case MBN_ISA_SCALAR: return true;
#if defined(__x86_64__)
    case MBN_ISA_SSE:
        return known ? cpuinfo_has_x86_sse4_1() : __builtin_cpu_supports("sse4.1") != 0;
    case MBN_ISA_AVX2:
        return known ? cpuinfo_has_x86_avx2() && cpuinfo_has_x86_fma3()
                     : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case MBN_ISA_AVX512:
        return known ? cpuinfo_has_x86_avx512f() && cpuinfo_has_x86_avx512bw() &&
                           cpuinfo_has_x86_avx512dq() && cpuinfo_has_x86_avx512vl()
                     : __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    case MBN_ISA_AVX512_BF16:
        return mbn_cpu_has(MBN_ISA_AVX512) &&
               (known ? cpuinfo_has_x86_avx512bf16() : __builtin_cpu_supports("avx512bf16") != 0);
    case MBN_ISA_AVX512_VNNI:
        return mbn_cpu_has(MBN_ISA_AVX512) &&
               (known ? cpuinfo_has_x86_avx512vnni() : __builtin_cpu_supports("avx512vnni") != 0);
    case MBN_ISA_AVX512_VBMI:
        return mbn_cpu_has(MBN_ISA_AVX512_VNNI) &&
               (known ? cpuinfo_has_x86_avx512vbmi() : __builtin_cpu_supports("avx512vbmi") != 0);
#elif defined(__aarch64__)
    case MBN_ISA_NEON: return true; /* part of the AArch64 baseline */
    case MBN_ISA_NEON_DOT: return known ? cpuinfo_has_arm_neon_dot() : kernel_says_dot();
    case MBN_ISA_NEON_BF16: return known ? cpuinfo_has_arm_bf16() : kernel_says_bf16();
#endif
    default: (void)known; return false;
    }
}

size_t mbn_cpu_l2_bytes(void) {
    const struct cpuinfo_cache *l2 = is_known() ? cpuinfo_get_l2_cache(0) : NULL;
    return l2 != NULL && l2->size > 0 ? l2->size : 256 * 1024;
}
