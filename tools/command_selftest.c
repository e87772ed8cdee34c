/* mobilenet selftest [MODEL]: whether this machine computes what it should, with a report for
 * others to read. */
#include "command.h"
#include "info_machine.h"
#include "report.h"
#include "selftest.h"

#include <argp.h>
#include <checks.h>
#include <stdio.h>
#include <sys/utsname.h>

static void print_system(void) {
    struct utsname system;
    if (uname(&system) == 0) {
        printf("System: %s %s, %s\n", system.sysname, system.release, system.machine);
    }
#if defined(__clang__)
    printf("Compiler: %s\n", __VERSION__);
#else
    printf("Compiler: GCC %s\n", __VERSION__);
#endif
}

static error_t parse(int key, char *argument, struct argp_state *state) {
    const char **model = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (*model != NULL) argp_error(state, "too many arguments: '%s'", argument);
        *model = argument;
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* As many as take some seconds; fewer where the project's tests are brief. */
enum { CASES = 120 };

int mbn_command_selftest(int argc, char **argv) {
    static const struct argp argp = {
        .parser = parse,
        .args_doc = "[MODEL]",
        .doc =
            "Run every kernel of every instruction set that this machine has against exact "
            "arithmetic and scalar code, and a MODEL on all of them, and print a report for a "
            "bug report.\v"
            "The exit status is 1 where anything differs by more than it may: a line that begins "
            "with FAILED has the kernel, the table and the case.",
    };
    const char *path = NULL;
    if (argp_parse(&argp, argc, argv, 0, NULL, &path) != 0) return MBN_EXIT_USAGE;

    mbn_model *model = NULL;
    mbn_error error;
    if (path != NULL && mbn_model_load(path, NULL, &model, &error) != MBN_OK) {
        mbn_report(NULL, error.message);
        return MBN_EXIT_FAILED;
    }
    int status = mbn_info_machine();
    if (status == MBN_EXIT_OK) {
        print_system();
        const int failed = mbn_selftest_kernels(cases_under_test(CASES)) +
                           (model != NULL ? mbn_selftest_model(path, model) : 0);
        if (failed > 0) {
            printf("%d FAILED: please report it, with all of this\n", failed);
            status = MBN_EXIT_FAILED;
        } else {
            puts("All as it should be.");
        }
    }
    mbn_model_free(model);
    return status;
}
