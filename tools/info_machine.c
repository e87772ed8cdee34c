#include "info_machine.h"

#include "command.h"
#include "options.h"
#include "processor.h"
#include "report.h"

#include <kernels/x86.h>

#include <cpuinfo.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void print_cache(const char *name, uint32_t count, const struct cpuinfo_cache *cache) {
    if (count == 0 || cache == NULL) return;
    printf("  %-11s %" PRIu32 " KB\n", name, cache->size / 1024);
}

/* "1 of 4 usable (affinity 2, quota 0.5)" */
static void print_usable_cpus(void) {
    mbn_cpus cpus;
    mbn_usable_cpus(&cpus);
    printf("  %-11s %" PRId32 " of %" PRId32 " usable", "CPUs", cpus.usable, cpus.online);
    if (cpus.affinity < cpus.online || cpus.quota > 0) printf(" (affinity %" PRId32, cpus.affinity);
    if (cpus.quota > 0) printf(", quota %.3g", cpus.quota);
    puts(cpus.affinity < cpus.online || cpus.quota > 0 ? ")" : "");
}

static void print_cpu(void) {
    printf("CPU: %s\n", mbn_processor_name());
    print_usable_cpus();
    if (!cpuinfo_initialize()) return;
    print_cache("L1 data", cpuinfo_get_l1d_caches_count(), cpuinfo_get_l1d_cache(0));
    print_cache("L2", cpuinfo_get_l2_caches_count(), cpuinfo_get_l2_cache(0));
    print_cache("L3", cpuinfo_get_l3_caches_count(), cpuinfo_get_l3_cache(0));
}

/* False if nothing can run, reported. */
static bool print_choice(void) {
    uint32_t mask = MBN_ISA_MASK_ALL;
    const char *restriction = getenv("MOBILENET_ISA");
    bool restricted = restriction != NULL && restriction[0] != '\0';
    if (restricted) {
        mask = mbn_isa_parse(restriction);
        if (mask == 0) {
            mbn_error error;
            mbn_explain(&error, MBN_INVALID_ARGUMENT, "'%s' is not a list of %s", restriction,
                        mbn_option_isa_names(MBN_ISA_MASK_ALL).text);
            mbn_report("MOBILENET_ISA", error.message);
            return false;
        }
    }
    const mbn_kernels *kernels = mbn_kernels_best(MBN_ELEMENT_F32, mask);
    if (kernels == NULL) {
        mbn_report("MOBILENET_ISA", "this machine can run none of these instruction sets");
        return false;
    }
    printf("  %-11s %s, the best usable one", "chosen", kernels->name);
    if (restricted) printf(" in MOBILENET_ISA=%s", restriction);
    printf(" (channel blocks of %d)\n", kernels->blocking.block);
    static const struct {
        const char *name;
        mbn_element element;
    } others[] = {{"bfloat16", MBN_ELEMENT_BF16}, {"int8", MBN_ELEMENT_Q8}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        kernels = mbn_kernels_best(others[i].element, mask);
        printf("  %-11s %s (channel blocks of %d)\n", others[i].name, kernels->name,
               kernels->blocking.block);
    }
    return true;
}

/* A row for those of the mask, if there are any. */
static void print_left_out(const char *name, uint32_t mask, const char *why) {
    if (mask != 0) printf("  %-11s %s: %s\n", name, mbn_option_isa_names(mask).text, why);
}

/* Why the others of this processor's kind are not usable. */
static void print_others(void) {
    const uint32_t built = mbn_isa_built(), usable = mbn_isa_usable();
#if defined(__x86_64__)
    /* What all bits would give is what there is for this kind. */
    const x86_words everything = {~0u, ~0u, ~0u, ~0u, ~0u}, words = x86_read();
    x86_words saved = words;
    saved.leaf1_ecx |= X86_OSXSAVE;
    saved.xcr0 = ~0u;
    const uint32_t kind = x86_isas(&everything), cpu = x86_isas(&saved);
    char why[96];
    snprintf(why, sizeof why, "the system does not keep their registers (XCR0 %" PRIx32 ")",
             words.xcr0);
    print_left_out("unusable", built & cpu & ~usable, why);
#elif defined(__aarch64__)
    const uint32_t kind = 1u << MBN_ISA_SCALAR | 1u << MBN_ISA_NEON | 1u << MBN_ISA_NEON_BF16 |
                          1u << MBN_ISA_NEON_DOT,
                   cpu = usable;
#else
    const uint32_t kind = 1u << MBN_ISA_SCALAR, cpu = usable;
#endif
    print_left_out("missing", built & ~cpu, "this CPU has no such instructions");
    print_left_out("not built", kind & ~built, "left out when the library was built");
}

int mbn_info_machine(void) {
    printf("mobilenet %s\n", mbn_version());
    print_cpu();
    puts("Instruction sets:");
    printf("  %-11s %s\n", "built in", mbn_option_isa_names(mbn_isa_built()).text);
    printf("  %-11s %s\n", "usable", mbn_option_isa_names(mbn_isa_usable()).text);
    print_others();
    return print_choice() ? MBN_EXIT_OK : MBN_EXIT_FAILED;
}
