#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

double runner_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static bool fail(const char *what, const char *why) {
    fprintf(stderr, "mobilenet-runner: %s: %s\n", what, why);
    return false;
}

/* The input is read where it is: a copy costs a cold start more than its pages. */
static const float *map_floats(const char *path, size_t count) {
    struct stat attributes;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &attributes) != 0) {
        fail(path, strerror(errno));
        if (file >= 0) close(file);
        return NULL;
    }
    void *data = MAP_FAILED;
    if ((size_t)attributes.st_size != count * sizeof(float)) {
        fail(path, "not as many floats as the network's input");
    } else if ((data = mmap(NULL, count * sizeof(float), PROT_READ, MAP_PRIVATE, file, 0)) ==
               MAP_FAILED) {
        fail(path, strerror(errno));
    }
    close(file);
    return data == MAP_FAILED ? NULL : data;
}

static size_t count_input(const runner_session *session) {
    return 3 * (size_t)session->network->input_height * (size_t)session->network->input_width;
}

mbn_model *runner_load_model(const char *dtype, const char *path) {
    mbn_model_options options = {.precision = MBN_PRECISION_FLOAT32};
    if (strcmp(dtype, "bf16") == 0) {
        options.precision = MBN_PRECISION_BFLOAT16;
    } else if (strcmp(dtype, "int8") == 0) {
        options.precision = MBN_PRECISION_DEFAULT;
    } else if (strcmp(dtype, "f32") != 0) {
        fail(dtype, "neither f32, bf16 nor int8");
        return NULL;
    }
    mbn_model *model = NULL;
    mbn_error error;
    if (mbn_model_load(path, &options, &model, &error) != MBN_OK) fail("loading", error.message);
    return model;
}

bool runner_load(runner_session *session, const char *dtype, const char *model, const char *input) {
    *session = (runner_session){.model = runner_load_model(dtype, model)};
    if (session->model == NULL) return false;
    session->network = mbn_model_network(session->model);
    session->input = map_floats(input, count_input(session));
    return session->input != NULL;
}

void runner_unload(runner_session *session) {
    if (session->input != NULL) {
        munmap((void *)(uintptr_t)session->input, count_input(session) * sizeof(float));
    }
    mbn_model_free(session->model);
}

bool runner_context_create(runner_context *context, const runner_session *session, int threads) {
    *context = (runner_context){.session = session};
    const mbn_context_options options = {.threads = threads};
    mbn_error error;
    if (mbn_context_create(session->model, &options, &context->context, &error) != MBN_OK)
        return fail(session->network->name, error.message);
    context->output = calloc((size_t)session->network->classes, sizeof(float));
    return context->output != NULL || fail(session->network->name, "out of memory");
}

bool runner_run(runner_context *context) {
    mbn_error error;
    if (mbn_run(context->context, context->session->input, MBN_NHWC, 1, MBN_LOGITS, context->output,
                &error) != MBN_OK)
        return fail(context->session->network->name, error.message);
    return true;
}

void runner_context_free(runner_context *context) {
    free(context->output);
    mbn_context_free(context->context);
}

bool runner_write_output(const runner_context *context, const char *path) {
    const size_t count = (size_t)context->session->network->classes;
    FILE *file = fopen(path, "wb");
    if (file == NULL) return fail(path, strerror(errno));
    const bool written = fwrite(context->output, sizeof(float), count, file) == count;
    return (fclose(file) == 0 && written) || fail(path, strerror(errno));
}

void runner_ready(const runner_session *session) {
    const mbn_element element = mbn_model_kernels(session->model)->element;
    printf("{\"version\": \"%s\", \"dtype\": \"%s\"}\n", mbn_version(),
           element == MBN_ELEMENT_Q8 ? "int8" : mbn_element_name(element));
    fflush(stdout);
}

bool runner_read_command(char name[16], double *number) {
    char line[64];
    if (fgets(line, sizeof line, stdin) == NULL) return false;
    *number = 0;
    return sscanf(line, "%15s %lf", name, number) >= 1;
}
