/* `mobilenet COMMAND ...`: picks the command and lets it read the rest of the line. */
#include "command.h"
#include "options.h"
#include "report.h"

#include <mobilenet.h>

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"classify", "Name what is in photos", mbn_command_classify},
    {"run", "Run a model on a tensor from a .npy file", mbn_command_run},
    {"features", "Write feature maps from the middle of a network", mbn_command_features},
    {"embed", "Turn images into vectors", mbn_command_embed},
    {"evaluate", "Accuracy over a folder of labelled images", mbn_command_evaluate},
    {"count", "Parameters and multiply-adds of a network, layer by layer", mbn_command_count},
    {"plan", "How a model will run, step by step", mbn_command_plan},
    {"profile", "Where a model's time goes, step by step", mbn_command_profile},
    {"info", "What a model file holds; this CPU, and its instruction sets", mbn_command_info},
    {"selftest", "Every kernel of this machine against what it should compute",
     mbn_command_selftest},
    {"quantize", "Make a model of 8-bit integers out of one of floats", mbn_command_quantize},
    {"init", "Write a model with random weights, for benchmarks", mbn_command_init},
};

enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static const struct command *find_command(const char *name) {
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    }
    return NULL;
}

static void write_commands(FILE *stream) {
    fputs("Commands:\n", stream);
    for (int i = 0; i < COMMAND_COUNT; i++) {
        fprintf(stream, "  %-10s %s\n", commands[i].name, commands[i].summary);
    }
    fputs("\n`mobilenet COMMAND --help' says more.", stream);
}

static char *list_commands(int key, const char *text, void *input) {
    (void)input;
    return key == ARGP_KEY_HELP_POST_DOC ? mbn_option_help(write_commands) : (char *)text;
}

struct choice {
    const struct command *command;
    int index; /* of the command's name in argv */
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct choice *choice = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        choice->command = find_command(argument);
        if (choice->command == NULL) argp_error(state, "unknown command '%s'", argument);
        choice->index = state->next - 1;
        state->next = state->argc; /* the rest is the command's */
        return 0;
    case ARGP_KEY_NO_ARGS: argp_error(state, "missing command"); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

int main(int argc, char **argv) {
    static const struct argp argp = {
        .parser = parse,
        .args_doc = "COMMAND [ARGUMENT...]",
        .doc = "MobileNet v1, v2 and v3 on CPUs.\v",
        .help_filter = list_commands,
    };
    char version[64];
    snprintf(version, sizeof version, "mobilenet %s", mbn_version());
    argp_program_version = version;
    argp_err_exit_status = MBN_EXIT_USAGE;

    char program[] = "mobilenet"; /* in messages, wherever it lies */
    if (argc > 0) argv[0] = program;
    struct choice choice = {NULL, 0};
    if (!mbn_options_parse(&argp, argc, argv, ARGP_IN_ORDER, &choice)) return MBN_EXIT_FAILED;

    char name[64];
    snprintf(name, sizeof name, "mobilenet %s", choice.command->name);
    argv[choice.index] = name;
    int status = choice.command->run(argc - choice.index, argv + choice.index);

    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        mbn_report("standard output", errno != 0 ? strerror(errno) : "write failed");
        return MBN_EXIT_FAILED;
    }
    return status;
}
