/* mobilenet embed MODEL IMAGE... --output E.npy: a vector per image, from the global pool. */
#include "command.h"
#include "file.h"
#include "input.h"
#include "npy.h"
#include "options.h"
#include "preprocessing.h"
#include "report.h"
#include "text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { KEY_OUTPUT = 'o', KEY_NORMALIZE = 'n' };

struct arguments {
    mbn_run_options run;
    mbn_preprocessing_options preprocessing;
    const char *model, *output;
    char **images;
    int image_count;
    bool normalize;
};

static const struct argp_option options[] = {
    {"output", KEY_OUTPUT, "E.npy", 0,
     "Written: float32 [images,channels], and beside it E.txt, the image of each row", 0},
    {"normalize", KEY_NORMALIZE, NULL, 0, "Scale every vector to length 1 (L2)", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->run;
        state->child_inputs[1] = &arguments->preprocessing;
        return 0;
    case KEY_OUTPUT:
        arguments->output = mbn_option_output(state, "--output", argument, ".npy");
        return 0;
    case KEY_NORMALIZE: arguments->normalize = true; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num == 0) {
            arguments->model = argument;
        } else { /* the first image; argp has put the options in front, the others follow it */
            arguments->images = &state->argv[state->next - 1];
            arguments->image_count = state->argc - state->next + 1;
            state->next = state->argc;
        }
        return 0;
    case ARGP_KEY_END:
        if (arguments->image_count == 0) {
            argp_error(state, "missing argument: MODEL and IMAGE are needed");
        }
        if (arguments->output == NULL) argp_error(state, "missing option: --output");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

struct embedder {
    mbn_model *model;
    mbn_context *context;
    float *input; /* one preprocessed image */
    mbn_npy vectors;
};

static void close_embedder(struct embedder *embedder) {
    free(embedder->vectors.values);
    free(embedder->input);
    mbn_context_free(embedder->context);
    mbn_model_free(embedder->model);
}

static mbn_status open_embedder(const struct arguments *arguments, struct embedder *embedder,
                                mbn_error *error) {
    static const char *const stages[] = {"pool"};
    const mbn_model_options model_options = {.isa_mask = arguments->run.isa_mask,
                                             .precision = arguments->run.precision,
                                             .headless = true};
    mbn_status status = mbn_model_load(arguments->model, &model_options, &embedder->model, error);
    if (status != MBN_OK) return status;
    const mbn_context_options context_options = {
        .threads = arguments->run.threads, .stages = stages, .stage_count = 1};
    status = mbn_create_image_context(embedder->model, &context_options, &arguments->preprocessing,
                                      &embedder->context, error);
    if (status != MBN_OK) return status;

    const mbn_network *network = mbn_context_network(embedder->context);
    mbn_stage_info pool;
    status = mbn_network_stage(network, stages[0], &pool, error);
    if (status != MBN_OK) return status;
    const int64_t images = arguments->image_count, channels = pool.channels;
    const size_t values = (size_t)network->input_height * (size_t)network->input_width *
                          (size_t)network->input_channels;
    embedder->vectors = (mbn_npy){.rank = 2, .shape = {images, channels}};
    embedder->vectors.count = images * channels;
    embedder->vectors.values = malloc((size_t)embedder->vectors.count * sizeof(float));
    embedder->input = malloc(values * sizeof *embedder->input);
    if (embedder->vectors.values == NULL || embedder->input == NULL) {
        return mbn_explain(error, MBN_OUT_OF_MEMORY, "vectors: out of memory");
    }
    return MBN_OK;
}

static mbn_status embed(struct embedder *embedder, const char *path, float *vector,
                        mbn_error *error) {
    mbn_rgb pixels;
    mbn_image image;
    const int32_t channels = mbn_model_network(embedder->model)->input_channels;
    mbn_status status = mbn_read_image(path, channels, &pixels, &image, error);
    if (status != MBN_OK) return status;
    status = mbn_preprocess(embedder->context, &image, embedder->input, error);
    free(pixels.pixels);
    if (status != MBN_OK) return status;
    const mbn_feature_map map = {vector, MBN_NHWC};
    return mbn_features(embedder->context, embedder->input, MBN_NHWC, 1, &map, error);
}

/* A vector of zeros stays what it is. */
static void normalize(float *vector, int64_t count) {
    double squares = 0;
    for (int64_t i = 0; i < count; i++) squares += (double)vector[i] * (double)vector[i];
    if (squares == 0) return;
    const double factor = 1 / sqrt(squares);
    for (int64_t i = 0; i < count; i++) vector[i] = (float)((double)vector[i] * factor);
}

/* ---- The names of the rows ------------------------------------------------------------------- */

/* E.txt for E.npy, OUTPUT.txt for others, from malloc. */
static char *names_path(const char *output) {
    static const char suffix[] = ".npy";
    size_t length = strlen(output);
    const size_t ending = sizeof suffix - 1;
    if (length > ending && strcmp(output + length - ending, suffix) == 0) length -= ending;
    const size_t size = length + sizeof ".txt";
    char *path = malloc(size);
    if (path != NULL) snprintf(path, size, "%.*s.txt", (int)length, output);
    return path;
}

/* A line for each name.  What would end a line inside of one becomes '?'. */
static mbn_status write_names(const char *path, char *const *names, int64_t count,
                              mbn_error *error) {
    mbn_text text;
    mbn_text_begin(&text);
    for (int64_t i = 0; text.stream != NULL && i < count; i++) {
        for (const char *c = names[i]; *c != '\0'; c++) {
            putc(*c == '\n' || *c == '\r' ? '?' : *c, text.stream);
        }
        putc('\n', text.stream);
    }
    if (!mbn_text_end(&text)) return mbn_explain(error, MBN_OUT_OF_MEMORY, "out of memory");
    const mbn_part part = {text.bytes, text.size};
    const mbn_status status = mbn_file_write(path, &part, 1, error);
    free(text.bytes);
    return status;
}

/* A device or a pipe takes the rows alone: there is no file beside it. */
static bool is_device(const char *path) {
    struct stat attributes;
    return stat(path, &attributes) == 0 && !S_ISREG(attributes.st_mode);
}

/* names: of the rows. */
static int write_all(const struct arguments *arguments, const mbn_npy *vectors,
                     char *const *names) {
    const char *output = arguments->output;
    mbn_error error;
    if (mbn_npy_write(output, vectors, &error) != MBN_OK) {
        mbn_report(output, error.message);
        return MBN_EXIT_FAILED;
    }
    if (is_device(output)) return MBN_EXIT_OK;
    char *path = names_path(output);
    mbn_status status = mbn_explain(&error, MBN_OUT_OF_MEMORY, "out of memory");
    if (path != NULL) status = write_names(path, names, vectors->shape[0], &error);
    if (status != MBN_OK) mbn_report(path != NULL ? path : output, error.message);
    free(path);
    return status == MBN_OK ? MBN_EXIT_OK : MBN_EXIT_FAILED;
}

/* ---- The command ----------------------------------------------------------------------------- */

/* Leaves out what cannot be read, and names it; the others' vectors and names move up. */
static int embed_all(const struct arguments *arguments, struct embedder *embedder) {
    mbn_npy *vectors = &embedder->vectors;
    const int64_t channels = vectors->shape[1];
    char **names = arguments->images;
    int64_t rows = 0;
    for (int i = 0; i < arguments->image_count; i++) {
        char *name = arguments->images[i];
        float *vector = vectors->values + rows * channels;
        mbn_error error;
        if (embed(embedder, name, vector, &error) != MBN_OK) {
            mbn_report(name, error.message);
            continue;
        }
        if (arguments->normalize) normalize(vector, channels);
        names[rows++] = name;
    }
    if (rows == 0) {
        mbn_report(arguments->output, "not written: no image could be read");
        return MBN_EXIT_FAILED;
    }
    vectors->shape[0] = rows;
    vectors->count = rows * channels;
    const int written = write_all(arguments, vectors, names);
    if (rows == arguments->image_count || written != MBN_EXIT_OK) return written;
    fprintf(stderr, "mobilenet: %lld of %d images are in %s\n", (long long)rows,
            arguments->image_count, arguments->output);
    return MBN_EXIT_FAILED;
}

int mbn_command_embed(int argc, char **argv) {
    static const struct argp_child children[] = {
        {&mbn_run_argp, 0, NULL, 0}, {&mbn_preprocessing_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "MODEL IMAGE... --output E.npy",
        .doc =
            "Turn JPEG, PNG or BMP images into vectors that are near each other for images that "
            "look alike: the network's pooled features, a row per image.  What cannot be read is "
            "named and left out.",
        .children = children,
    };
    struct arguments arguments = {.run = {.isa_mask = MBN_ISA_MASK_ALL, .threads = 1}};
    if (!mbn_options_parse(&argp, argc, argv, 0, &arguments)) return MBN_EXIT_FAILED;

    struct embedder embedder = {0};
    mbn_error error;
    int exit_status = MBN_EXIT_FAILED;
    if (open_embedder(&arguments, &embedder, &error) == MBN_OK) {
        exit_status = embed_all(&arguments, &embedder);
    } else {
        mbn_report(NULL, error.message);
    }
    close_embedder(&embedder);
    return exit_status;
}
