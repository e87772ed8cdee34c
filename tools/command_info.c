/* mobilenet info: the CPU, and which kernels would run on it; mobilenet info MODEL: what a file
 * holds. */
#include "command.h"
#include "info_model.h"
#include "options.h"
#include "processor.h"
#include "report.h"

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

static int print_machine(void) {
    printf("mobilenet %s\n", mbn_version());
    print_cpu();
    puts("Instruction sets:");
    printf("  %-11s %s\n", "built in", mbn_option_isa_names(mbn_isa_built()).text);
    printf("  %-11s %s\n", "usable", mbn_option_isa_names(mbn_isa_usable()).text);
    return print_choice() ? MBN_EXIT_OK : MBN_EXIT_FAILED;
}

enum { KEY_JSON = 'j' };

struct arguments {
    mbn_run_options load;
    const char *model;
    bool json;
};

static const struct argp_option options[] = {
    {"json", KEY_JSON, NULL, 0, "Print JSON: of a MODEL only", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &arguments->load; return 0;
    case KEY_JSON: arguments->json = true; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) argp_error(state, "too many arguments: '%s'", argument);
        arguments->model = argument;
        return 0;
    case ARGP_KEY_END:
        if (arguments->json && arguments->model == NULL) {
            argp_error(state, "--json: needs a MODEL");
        }
        if (arguments->load.isa_mask != 0 && arguments->model == NULL) {
            argp_error(state, "--isa: needs a MODEL");
        }
        if (arguments->load.precision != 0 && arguments->model == NULL) {
            argp_error(state, "--precision: needs a MODEL");
        }
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

int mbn_command_info(int argc, char **argv) {
    static const struct argp_child children[] = {{&mbn_model_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "[MODEL]",
        .doc =
            "Print what a model file holds: network, preprocessing, output, labels, sizes.\v"
            "Without MODEL: what this CPU is, which instruction sets there are kernels for, and "
            "which of them a model would use.  The environment variable MOBILENET_ISA, a list of "
            "names separated by commas, restricts the choice.",
        .children = children,
    };
    struct arguments arguments = {.model = NULL};
    if (!mbn_options_parse(&argp, argc, argv, 0, &arguments)) return MBN_EXIT_FAILED;
    return arguments.model == NULL
               ? print_machine()
               : mbn_info_model(arguments.model, &arguments.load, arguments.json);
}
