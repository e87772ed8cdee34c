/* Options that several commands have, as argp parsers to be children of theirs, and the parsing of
 * values.  A value that makes no sense ends the program with a message and MBN_EXIT_USAGE. */
#ifndef MBN_TOOLS_OPTIONS_H
#define MBN_TOOLS_OPTIONS_H

#include <mobilenet.h>

#include <argp.h>
#include <stdio.h>

/* argp_parse, which ends the program itself where it does not understand the arguments.  False, and
 * reported, where it has no memory to do so. */
bool mbn_options_parse(const struct argp *argp, int argc, char **argv, unsigned flags, void *input);

/* A whole number in [low, high].  `name` is the option's, for the message. */
int64_t mbn_option_integer(struct argp_state *state, const char *name, const char *text,
                           int64_t low, int64_t high);

/* An input size, N or HxW; whether the network takes it is the library's to say.  `name` as
 * above. */
void mbn_option_size(struct argp_state *state, const char *name, const char *text, int32_t *height,
                     int32_t *width);

/* Name of a file to write, in the format that its extension (".npy") names: one of another format,
 * which its content would not be, is refused. */
const char *mbn_option_output(struct argp_state *state, const char *name, const char *text,
                              const char *extension);

/* One of mbn_network_name's names. */
const char *mbn_option_network(struct argp_state *state, const char *text);

/* The value, from `first` on, that is called `text`; name(value) is NULL past the last. */
int mbn_option_choice(struct argp_state *state, const char *option, const char *text,
                      const char *(*name)(int), int first);

/* What `write` writes, for argp's help filters: argp frees what they give back, unless it is the
 * text that they were given.  NULL where there is no memory. */
char *mbn_option_help(void (*write)(FILE *stream));

/* --width, --resolution, --classes, --padding, --source; input: an mbn_network_options. */
extern const struct argp mbn_network_argp;

typedef struct mbn_run_options {
    uint32_t isa_mask;
    mbn_precision precision;
    int32_t threads;
} mbn_run_options;

/* --isa, --precision; input: an mbn_run_options. */
extern const struct argp mbn_model_argp;

/* These and --threads; input: an mbn_run_options.  The second is of a command that runs images side
 * by side, on all CPUs where it is not told otherwise. */
extern const struct argp mbn_run_argp, mbn_run_many_argp;

/* "default", "same", ...; "default", "torchvision", "keras". */
const char *mbn_option_padding_name(mbn_padding padding);
const char *mbn_option_source_name(mbn_source source);

/* The names of the instruction sets in a mask, separated by a comma and a space. */
typedef struct mbn_isa_list {
    char text[128];
} mbn_isa_list;

mbn_isa_list mbn_option_isa_names(uint32_t mask);

#endif
