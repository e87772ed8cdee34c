#include "cpu.h"

#include "x86.h"

#include <cpuinfo.h>
#include <fcntl.h>
#include <unistd.h>
#if defined(__linux__) && defined(__aarch64__)
#include <sys/auxv.h>
#endif

#if defined(__linux__)
static bool can_be_read(const char *path) {
    char byte;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    const bool readable = file >= 0 && read(file, &byte, 1) == 1;
    if (file >= 0) close(file);
    return readable;
}
#endif

/* Whether cpuinfo knows this machine; only then may its queries be asked.  Where it cannot read
 * what the system says of its CPUs (some containers and sandboxes, a process with all the files
 * open that it may have), it says so on stderr, or crashes. */
static bool is_known(void) {
#if defined(__linux__)
    if (access("/proc/cpuinfo", R_OK) != 0 || !can_be_read("/sys/devices/system/cpu/possible") ||
        !can_be_read("/sys/devices/system/cpu/present"))
        return false;
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
#if defined(_SC_LEVEL2_CACHE_SIZE)
    /* glibc, of x86: from CPUID alone. */
    const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
    if (bytes > 0) return (size_t)bytes;
#endif
    const struct cpuinfo_cache *l2 = is_known() ? cpuinfo_get_l2_cache(0) : NULL;
    return l2 != NULL && l2->size > 0 ? l2->size : 256 * 1024;
}
