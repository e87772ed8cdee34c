/* The subcommands of `mobilenet`.  main.c has the table; each takes its own command line, with
 * argv[0] "mobilenet NAME" for messages, and returns an exit status. */
#ifndef MBN_TOOLS_COMMAND_H
#define MBN_TOOLS_COMMAND_H

enum {
    MBN_EXIT_OK = 0,
    MBN_EXIT_FAILED = 1, /* something could not be done; stderr says what */
    MBN_EXIT_USAGE = 2   /* the command line makes no sense */
};

int mbn_command_classify(int argc, char **argv);
int mbn_command_run(int argc, char **argv);
int mbn_command_features(int argc, char **argv);
int mbn_command_embed(int argc, char **argv);
int mbn_command_evaluate(int argc, char **argv);
int mbn_command_count(int argc, char **argv);
int mbn_command_info(int argc, char **argv);
int mbn_command_init(int argc, char **argv);
int mbn_command_plan(int argc, char **argv);
int mbn_command_profile(int argc, char **argv);
int mbn_command_quantize(int argc, char **argv);
int mbn_command_selftest(int argc, char **argv);

#endif
