#include "cpu.h"

#include "x86.h"

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

uint32_t mbn_cpu_isas(void) {
#if defined(__x86_64__)
    const x86_words words = x86_read();
    return x86_isas(&words);
#elif defined(__aarch64__)
    /* Where cpuinfo does not know, what the kernel tells every process. */
    const bool known = is_known();
    const bool dot = known ? cpuinfo_has_arm_neon_dot() : kernel_says_dot();
    const bool bf16 = known ? cpuinfo_has_arm_bf16() : kernel_says_bf16();
    return 1u << MBN_ISA_SCALAR | 1u << MBN_ISA_NEON | (dot ? 1u << MBN_ISA_NEON_DOT : 0) |
           (bf16 ? 1u << MBN_ISA_NEON_BF16 : 0);
#else
    return 1u << MBN_ISA_SCALAR;
#endif
}

size_t mbn_cpu_l2_bytes(void) {
    const struct cpuinfo_cache *l2 = is_known() ? cpuinfo_get_l2_cache(0) : NULL;
    return l2 != NULL && l2->size > 0 ? l2->size : 256 * 1024;
}
