#include "options.h"

#include "report.h"
#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Keys of options without a letter. */
enum { KEY_ISA = 0x100, KEY_PRECISION, KEY_THREADS, KEY_PADDING, KEY_SOURCE, KEY_CHANNELS };

static const char *const paddings[] = {
    [MBN_PADDING_DEFAULT] = "default",
    [MBN_PADDING_SAME] = "same",
    [MBN_PADDING_SYMMETRIC] = "symmetric",
    [MBN_PADDING_TRAILING] = "trailing",
};

static const char *const sources[] = {
    [MBN_SOURCE_DEFAULT] = "default",
    [MBN_SOURCE_TORCHVISION] = "torchvision",
    [MBN_SOURCE_KERAS] = "keras",
};

const char *mbn_option_padding_name(mbn_padding padding) {
    return paddings[padding];
}

const char *mbn_option_source_name(mbn_source source) {
    return sources[source];
}

mbn_isa_list mbn_option_isa_names(uint32_t mask) {
    mbn_isa_list list = {""};
    size_t length = 0;
    for (int isa = 0; isa < MBN_ISA_COUNT; isa++) {
        if ((mask >> isa & 1u) == 0) continue;
        int added = snprintf(list.text + length, sizeof list.text - length, "%s%s",
                             length == 0 ? "" : ", ", mbn_isa_name((mbn_isa)isa));
        if (added < 0 || (size_t)added >= sizeof list.text - length) break;
        length += (size_t)added;
    }
    return list;
}

/* Digits only at the start: strtoll would take blanks and signs.  *end is behind the number. */
static bool read_integer(const char *text, int64_t low, int64_t high, const char **end,
                         int64_t *value) {
    if (!isdigit((unsigned char)text[0])) return false;
    errno = 0;
    char *last;
    long long number = strtoll(text, &last, 10);
    *end = last;
    *value = number;
    return errno == 0 && number >= low && number <= high;
}

int64_t mbn_option_integer(struct argp_state *state, const char *name, const char *text,
                           int64_t low, int64_t high) {
    int64_t value = 0;
    const char *end;
    if (!read_integer(text, low, high, &end, &value) || *end != '\0') {
        argp_error(state, "%s: '%s' is not a whole number from %" PRId64 " to %" PRId64, name, text,
                   low, high);
    }
    return value;
}

const char *mbn_option_output(struct argp_state *state, const char *name, const char *text,
                              const char *extension) {
    static const char *const formats[] = {
        ".csv", ".h5",  ".html", ".jpeg", ".jpg",         ".json", ".npy",    ".npz", ".onnx",
        ".pdf", ".png", ".pt",   ".pth",  ".safetensors", ".svg",  ".tflite", ".txt", ".webp"};
    const char *ending = strrchr(text, '.');
    for (size_t i = 0; ending != NULL && i < sizeof formats / sizeof formats[0]; i++) {
        if (strcasecmp(ending, formats[i]) == 0 && strcasecmp(ending, extension) != 0) {
            argp_error(state, "%s: '%s': what is written is no %s; name it %s", name, text,
                       ending + 1, extension);
        }
    }
    return text;
}

const char *mbn_option_network(struct argp_state *state, const char *text) {
    char list[256] = "";
    for (int32_t i = 0; mbn_network_name(i) != NULL; i++) {
        const char *name = mbn_network_name(i);
        if (strcmp(name, text) == 0) return name;
        size_t length = strlen(list);
        snprintf(list + length, sizeof list - length, "%s%s", i == 0 ? "" : ", ", name);
    }
    argp_error(state, "unknown network '%s'; there are %s", text, list);
    return NULL;
}

static double parse_width(struct argp_state *state, const char *text) {
    char *end;
    double width = strtod(text, &end);
    if (end == text || *end != '\0' || !(width >= 0.1 && width <= 4.0)) {
        argp_error(state, "--width: '%s' is not a number from 0.1 to 4", text);
    }
    return width;
}

void mbn_option_size(struct argp_state *state, const char *name, const char *text, int32_t *height,
                     int32_t *width) {
    int64_t rows = 0;
    int64_t columns = 0;
    const char *end;
    bool valid = read_integer(text, 1, INT32_MAX, &end, &rows);
    if (valid && *end == 'x') {
        valid = read_integer(end + 1, 1, INT32_MAX, &end, &columns);
    } else {
        columns = rows;
    }
    if (!valid || *end != '\0') {
        argp_error(state, "%s: '%s' is not N or HxW, for example 224 or 192x256", name, text);
    }
    *height = (int32_t)rows;
    *width = (int32_t)columns;
}

int mbn_option_choice(struct argp_state *state, const char *option, const char *text,
                      const char *(*name)(int), int first) {
    char list[128] = "";
    const char *choice;
    for (int i = first; (choice = name(i)) != NULL; i++) {
        if (strcmp(choice, text) == 0) return i;
        size_t length = strlen(list);
        snprintf(list + length, sizeof list - length, "%s%s", i == first ? "" : ", ", choice);
    }
    argp_error(state, "%s: '%s' is none of %s", option, text, list);
    return first;
}

static const char *padding_name(int padding) {
    return padding < (int)(sizeof paddings / sizeof paddings[0]) ? paddings[padding] : NULL;
}

static const char *source_name(int source) {
    return source < (int)(sizeof sources / sizeof sources[0]) ? sources[source] : NULL;
}

static error_t parse_network(int key, char *argument, struct argp_state *state) {
    mbn_network_options *options = state->input;
    switch (key) {
    case 'w': options->width = parse_width(state, argument); return 0;
    case 'r':
        mbn_option_size(state, "--resolution", argument, &options->input_height,
                        &options->input_width);
        return 0;
    case 'c':
        options->classes = (int32_t)mbn_option_integer(state, "--classes", argument, 1, 1000000);
        return 0;
    case KEY_CHANNELS:
        options->input_channels = (int32_t)mbn_option_integer(state, "--channels", argument, 1, 4);
        return 0;
    case KEY_PADDING:
        options->padding = (mbn_padding)mbn_option_choice(state, "--padding", argument,
                                                          padding_name, MBN_PADDING_DEFAULT + 1);
        return 0;
    case KEY_SOURCE:
        options->source = (mbn_source)mbn_option_choice(state, "--source", argument, source_name,
                                                        MBN_SOURCE_DEFAULT + 1);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option network_options[] = {
    {"width", 'w', "W", 0, "Width multiplier, 0.1 to 4 (default 1)", 0},
    {"resolution", 'r', "R", 0, "Input size, N or HxW, each 32 to 1024 (default 224)", 0},
    {"classes", 'c', "C", 0, "Number of classes, 1 to 1000000 (default 1000)", 0},
    {"channels", KEY_CHANNELS, "N", 0,
     "Channels of the images: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA (default 3)", 0},
    {"padding", KEY_PADDING, "P", 0, "same, symmetric or trailing (default: the source's)", 0},
    {"source", KEY_SOURCE, "S", 0,
     "Whose network: torchvision or keras (default: torchvision where it has the network)", 0},
    {0},
};

bool mbn_options_parse(const struct argp *argp, int argc, char **argv, unsigned flags,
                       void *input) {
    const error_t reason = argp_parse(argp, argc, argv, flags, NULL, input);
    if (reason != 0) mbn_report("arguments", strerror(reason));
    return reason == 0;
}

char *mbn_option_help(void (*write)(FILE *stream)) {
    mbn_text text;
    mbn_text_begin(&text);
    if (text.stream != NULL) write(text.stream);
    return mbn_text_end(&text) ? text.bytes : NULL;
}

static void write_networks(FILE *stream) {
    fputs("NETWORK is one of", stream);
    for (int32_t i = 0; mbn_network_name(i) != NULL; i++) {
        fprintf(stream, "%s %s", i == 0 ? "" : ",", mbn_network_name(i));
    }
    putc('.', stream);
}

static char *list_networks(int key, const char *text, void *input) {
    (void)input;
    return key == ARGP_KEY_HELP_POST_DOC ? mbn_option_help(write_networks) : (char *)text;
}

/* A blank behind \v, for argp asks for what is behind it only where there is something. */
const struct argp mbn_network_argp = {.options = network_options,
                                      .parser = parse_network,
                                      .doc = "\v ",
                                      .help_filter = list_networks};

static const char *precision_name(int precision) {
    return mbn_precision_name((mbn_precision)precision);
}

static error_t parse_model(int key, char *argument, struct argp_state *state) {
    mbn_run_options *options = state->input;
    switch (key) {
    case KEY_ISA:
        options->isa_mask = mbn_isa_parse(argument);
        if (options->isa_mask == 0) {
            argp_error(state, "--isa: '%s' is not a list of %s", argument,
                       mbn_option_isa_names(MBN_ISA_MASK_ALL).text);
        }
        return 0;
    case KEY_PRECISION:
        options->precision = (mbn_precision)mbn_option_choice(
            state, "--precision", argument, precision_name, MBN_PRECISION_DEFAULT);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const char isa_help[] = "Instruction sets that may be used, separated by commas";

static void write_isas(FILE *stream) {
    fprintf(stream, "%s: %s (default: all)", isa_help, mbn_option_isa_names(MBN_ISA_MASK_ALL).text);
}

static char *list_isas(int key, const char *text, void *input) {
    (void)input;
    return key == KEY_ISA ? mbn_option_help(write_isas) : (char *)text;
}

static const struct argp_option model_options[] = {
    {"isa", KEY_ISA, "I", 0, isa_help, 0},
    {"precision", KEY_PRECISION, "P", 0,
     "float32, bfloat16, int8 (of models of integers), or fastest: int8 of a model of integers, "
     "else bfloat16 where this machine has instructions for it, else float32 (default: the "
     "model's own, int8 or float32)",
     0},
    {0},
};

const struct argp mbn_model_argp = {
    .options = model_options, .parser = parse_model, .help_filter = list_isas};

static error_t parse_run(int key, char *argument, struct argp_state *state) {
    mbn_run_options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = options; return 0;
    case KEY_THREADS:
        options->threads = (int32_t)mbn_option_integer(state, "--threads", argument, 1, 1024);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option run_options[] = {
    {"threads", KEY_THREADS, "N", 0, "Number of threads, 1 to 1024 (default 1)", 0},
    {0},
};

static const struct argp_option run_many_options[] = {
    {"threads", KEY_THREADS, "N", 0,
     "Number of threads, 1 to 1024, with an image each (default: one for each CPU that may be "
     "used)",
     0},
    {0},
};

static const struct argp_child run_children[] = {{&mbn_model_argp, 0, NULL, 0}, {0}};

const struct argp mbn_run_argp = {
    .options = run_options, .parser = parse_run, .children = run_children};
const struct argp mbn_run_many_argp = {
    .options = run_many_options, .parser = parse_run, .children = run_children};
