/* Errors of models, contexts and runs: a status, and a message that names the thing. */
#include "models.h"

#include <criterion/criterion.h>
#include <mobilenet/quantize.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static mbn_error error;

static void expect(mbn_status got, mbn_status status, const char *part) {
    cr_expect_eq(got, status, "%s: %s", mbn_status_text(got), error.message);
    cr_expect_eq(error.status, status);
    cr_expect_not_null(strstr(error.message, part), "\"%s\" lacks \"%s\"", error.message, part);
}

static mbn_status load(const void *data, size_t size, const mbn_model_options *options) {
    mbn_model *model = (mbn_model *)&error;
    error = (mbn_error){MBN_OK, ""};
    const mbn_status status = mbn_model_load_memory(data, size, options, &model, &error);
    cr_expect_null(model);
    return status;
}

/* The first `from` in a file's header becomes `to`, of the same length. */
static char *edited(const char *file, size_t size, const char *from, const char *to) {
    char *copy = malloc(size);
    memcpy(copy, file, size);
    cr_assert_eq(strlen(from), strlen(to));
    for (size_t i = 0; i + strlen(from) < size; i++) {
        if (memcmp(copy + i, from, strlen(from)) == 0) {
            memcpy(copy + i, to, strlen(to));
            return copy;
        }
    }
    cr_assert_fail("%s is not in the file", from);
    return NULL;
}

Test(errors, model_files) {
    const mbn_network_options options = {.network = "mobilenet_v2", .classes = CLASSES};
    size_t size;
    char *file = make_file(&options, &size);
    static const struct {
        const char *from, *to, *names;
    } edits[] = {
        {"mobilenet/1", "photorama/1",
         "format: expected mobilenet/1 or mobilenet/2, got photorama/1"},
        {"mobilenet_v2", "mobilenet_v9", "mobilenet_v9"},
        {"features.3.conv.0.0.weight", "features.3.conv.0.0.weighs", "features.3.conv.0.0.weight"},
        {"[144,24,1,1]", "[24,144,1,1]", "expected [144,24,1,1], got [24,144,1,1]"},
        {"symmetric", "symmetrix", "padding"},
        {"\"input_height\":\"224\"", "\"input_height\":\"9.5\"",
         "metadata input_height: 9.5 is not"},
        {"torchvision", "torchfusion", "source"},
    };
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        char *bad = edited(file, size, edits[i].from, edits[i].to);
        expect(load(bad, size, NULL), MBN_MALFORMED, edits[i].names);
        free(bad);
    }
    char *later = edited(file, size, "mobilenet/1", "mobilenet/9");
    expect(load(later, size, NULL), MBN_UNSUPPORTED,
           "format: mobilenet/9 is unknown to this version, " MBN_VERSION);
    free(later);
    for (size_t cut = 0; cut < size; cut += 1 + cut / 2) {
        cr_expect_eq(load(file, cut, NULL), MBN_MALFORMED, "%zu bytes", cut);
    }
    expect(load(NULL, size, NULL), MBN_INVALID_ARGUMENT, "data");
    free(file);
}

Test(errors, paths) {
    mbn_model *model;
    error = (mbn_error){MBN_OK, ""};
    expect(mbn_model_load("/no/such/file", NULL, &model, &error), MBN_IO, "/no/such/file");
    cr_expect_null(model);
    expect(mbn_model_load("/", NULL, &model, &error), MBN_IO, "/");
    expect(mbn_model_load(NULL, NULL, &model, &error), MBN_INVALID_ARGUMENT, "path");
    expect(mbn_model_load("x", NULL, NULL, &error), MBN_INVALID_ARGUMENT, "model");
    char path[] = "/tmp/mobilenet-test-XXXXXX";
    const int empty = mkstemp(path);
    cr_assert_geq(empty, 0);
    expect(mbn_model_load(path, NULL, &model, &error), MBN_IO, path);
    cr_assert_eq(write(empty, "garbage, not a model", 20), 20);
    expect(mbn_model_load(path, NULL, &model, &error), MBN_MALFORMED, path);
    close(empty);
    unlink(path);
}

Test(errors, instruction_sets) {
    const mbn_network_options options = {.network = "mobilenet_v3_small", .classes = CLASSES};
    size_t size;
    void *file = make_file(&options, &size);
    unsetenv("MOBILENET_ISA");
    uint32_t unusable = MBN_ISA_MASK_ALL & ~mbn_isa_usable();
    cr_assert_neq(unusable, 0);
    expect(load(file, size, &(mbn_model_options){.isa_mask = unusable}), MBN_UNSUPPORTED, "scalar");
    setenv("MOBILENET_ISA", "mmx", 1);
    expect(load(file, size, NULL), MBN_INVALID_ARGUMENT, "mmx");
    for (unsigned isa = 0; isa < MBN_ISA_COUNT; isa++) {
        cr_expect_not_null(strstr(error.message, mbn_isa_name((mbn_isa)isa)));
    }
    setenv("MOBILENET_ISA", "scalar", 1);
    mbn_model *model;
    cr_assert_eq(mbn_model_load_memory(file, size, NULL, &model, &error), MBN_OK);
    cr_expect_eq(mbn_model_kernels(model)->isa, MBN_ISA_SCALAR);
    mbn_model_free(model);
    free(file);
}

Test(errors, contexts_and_runs) {
    mbn_model *model = make_model("mobilenet_v3_small", 0, NULL);
    mbn_context *context = (mbn_context *)&error;
    size_t bytes = 77;
    error = (mbn_error){MBN_OK, ""};
    static const struct {
        mbn_context_options options;
        const char *names;
    } bad[] = {
        {{.input_height = 31}, "input_height"},
        {{.input_width = 1025}, "input_width"},
        {{.threads = -1}, "threads"},
        {{.threads = 1025}, "threads"},
        {{.batch = -1}, "batch"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        expect(mbn_context_create(model, &bad[i].options, &context, &error), MBN_INVALID_ARGUMENT,
               bad[i].names);
        cr_expect_null(context);
        expect(mbn_context_bytes(model, &bad[i].options, &bytes, &error), MBN_INVALID_ARGUMENT,
               bad[i].names);
        cr_expect_eq(bytes, 77);
    }
    expect(mbn_context_bytes(NULL, NULL, &bytes, &error), MBN_INVALID_ARGUMENT, "model");
    expect(mbn_context_bytes(model, NULL, NULL, &error), MBN_INVALID_ARGUMENT, "bytes");
    expect(mbn_context_create(NULL, NULL, &context, &error), MBN_INVALID_ARGUMENT, "model");
    expect(mbn_context_create(model, NULL, NULL, &error), MBN_INVALID_ARGUMENT, "context");

    context = make_context(model, NULL);
    float *image = make_images(1, 1), logits[CLASSES];
    expect(mbn_run(NULL, image, MBN_NHWC, 1, MBN_LOGITS, logits, &error), MBN_INVALID_ARGUMENT,
           "context");
    expect(mbn_run(context, NULL, MBN_NHWC, 1, MBN_LOGITS, logits, &error), MBN_INVALID_ARGUMENT,
           "input");
    expect(mbn_run(context, image, MBN_NHWC, 1, MBN_LOGITS, NULL, &error), MBN_INVALID_ARGUMENT,
           "output");
    expect(mbn_run(context, image, MBN_NHWC, 0, MBN_LOGITS, logits, &error), MBN_INVALID_ARGUMENT,
           "batch");
    expect(mbn_run(context, image, (mbn_tensor_layout)9, 1, MBN_LOGITS, logits, &error),
           MBN_INVALID_ARGUMENT, "layout");
    expect(mbn_run(context, image, MBN_NHWC, 1, (mbn_output)9, logits, &error),
           MBN_INVALID_ARGUMENT, "kind");

    /* The second image is bad: the first one's outputs stay what they were. */
    static const uint8_t pixels[4 * 4 * 3];
    const mbn_image images[] = {{pixels, 4, 4, 0, MBN_RGB}, {NULL, 4, 4, 0, MBN_RGB}};
    float outputs[2 * CLASSES];
    for (int i = 0; i < 2 * CLASSES; i++) outputs[i] = 123.0F;
    expect(mbn_run_images(context, images, 2, MBN_LOGITS, outputs, &error), MBN_INVALID_ARGUMENT,
           "pixels");
    for (int i = 0; i < 2 * CLASSES; i++) cr_expect_eq(outputs[i], 123.0F);

    mbn_step_info info;
    expect(mbn_context_step(NULL, 0, &info, &error), MBN_INVALID_ARGUMENT, "context");
    expect(mbn_context_step(context, 0, NULL, &error), MBN_INVALID_ARGUMENT, "info");
    expect(mbn_context_step(context, -1, &info, &error), MBN_INVALID_ARGUMENT, "index");
    expect(mbn_context_step(context, mbn_context_step_count(context), &info, &error),
           MBN_INVALID_ARGUMENT, "index");
    expect(mbn_profile(context, image, MBN_NHWC, NULL, NULL, &error), MBN_INVALID_ARGUMENT,
           "seconds");
    free(image);
    mbn_context_free(context);
    mbn_model_free(model);
    mbn_context_free(NULL);
    mbn_model_free(NULL);
}

static mbn_status no_image(void *user, int32_t index, mbn_context *context, float *input,
                           mbn_error *why) {
    (void)user, (void)index, (void)context, (void)input, (void)why;
    cr_assert_fail("an image is asked for");
    return MBN_IO;
}

Test(errors, quantising) {
    const mbn_calibration images = {1, no_image, NULL};
    mbn_quantized *quantized = (mbn_quantized *)&error;
    expect(mbn_quantize(NULL, &images, NULL, &quantized, &error), MBN_INVALID_ARGUMENT, "path");
    expect(mbn_quantize("x", NULL, NULL, &quantized, &error), MBN_INVALID_ARGUMENT, "calibration");
    expect(mbn_quantize("x", &images, NULL, NULL, &error), MBN_INVALID_ARGUMENT, "quantized");
    cr_expect_not_null(quantized);
    static const struct {
        mbn_calibration images;
        mbn_quantize_options options;
        const char *names;
    } bad[] = {
        {{0, no_image, NULL}, {0}, "calibration: there are no images"},
        {{1, NULL, NULL}, {0}, "calibration: there are no images"},
        {{1, no_image, NULL}, {.method = (mbn_range_method)9}, "method: 9"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        quantized = (mbn_quantized *)&error;
        expect(mbn_quantize("x", &bad[i].images, &bad[i].options, &quantized, &error),
               MBN_INVALID_ARGUMENT, bad[i].names);
        cr_expect_null(quantized);
    }
}

Test(errors, each_status_has_a_text) {
    static const char *const texts[] = {
        [MBN_OK] = "ok",
        [MBN_INVALID_ARGUMENT] = "invalid argument",
        [MBN_IO] = "input or output failed",
        [MBN_MALFORMED] = "malformed file",
        [MBN_UNSUPPORTED] = "unsupported",
        [MBN_OUT_OF_MEMORY] = "out of memory",
    };
    const int count = (int)(sizeof texts / sizeof texts[0]);
    for (int i = 0; i < count; i++) cr_expect_str_eq(mbn_status_text((mbn_status)i), texts[i]);
    cr_expect_str_eq(mbn_status_text((mbn_status)count), "unknown status");
    cr_expect_str_eq(mbn_status_text((mbn_status)-1), "unknown status");
}
