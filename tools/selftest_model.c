#include "selftest.h"

#include "report.h"

#include <tests/random.h>

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a model's last layer gives on one table. */
typedef struct outputs {
    float *values;
    int32_t count;
    bool integers; /* all layers are */
} outputs;

static bool is_of_integers(const mbn_model *model) {
    const mbn_network *network = mbn_model_network(model);
    mbn_quantization quantization;
    for (int32_t layer = 0; layer < network->layer_count; layer++) {
        if (!mbn_model_layer_quantization(model, layer, &quantization)) return false;
    }
    return true;
}

/* The last of a network's stages is its last layer, whether that is a classifier's or not. */
static mbn_stage_info last_stage(const mbn_network *network) {
    mbn_stage_info stage = {0}, next;
    for (int32_t i = 0; mbn_network_stage_at(network, i, &next); i++) stage = next;
    return stage;
}

/* values: of the last layer, for an image of random numbers that is the same each time. */
static mbn_status run(const mbn_model *model, int32_t threads, outputs *out, mbn_error *error) {
    const mbn_network *network = mbn_model_network(model);
    const mbn_stage_info stage = last_stage(network);
    const size_t pixels = (size_t)network->input_height * (size_t)network->input_width *
                          (size_t)network->input_channels;
    out->count = stage.height * stage.width * stage.channels;
    assert(out->count > 0);
    out->integers = is_of_integers(model);
    out->values = malloc((size_t)out->count * sizeof *out->values);
    float *image = malloc(pixels * sizeof *image);
    mbn_context *context = NULL;
    mbn_status status = MBN_OK;
    if (out->values == NULL || image == NULL) {
        status = mbn_explain(error, MBN_OUT_OF_MEMORY, "out of memory");
    } else {
        random_state r = {1};
        for (size_t i = 0; i < pixels; i++) image[i] = random_float(&r, -1.0f, 1.0f);
        const char *const name = stage.name;
        const mbn_context_options options = {.threads = threads, .stages = &name, .stage_count = 1};
        status = mbn_context_create(model, &options, &context, error);
    }
    if (status == MBN_OK) {
        const mbn_feature_map map = {out->values, MBN_NHWC};
        status = mbn_features(context, image, MBN_NHWC, 1, &map, error);
    }
    mbn_context_free(context);
    free(image);
    return status;
}

/* The largest difference as a part of the first's range, or of its only value; 0 where all bits are
 * the same, and infinity where one of them is NaN. */
static double difference(const outputs *first, const outputs *other) {
    if (memcmp(first->values, other->values, (size_t)first->count * sizeof *first->values) == 0) {
        return 0.0;
    }
    float least = first->values[0], largest = least;
    double worst = 0.0;
    for (int32_t i = 0; i < first->count; i++) {
        least = fminf(least, first->values[i]);
        largest = fmaxf(largest, first->values[i]);
        const double d = fabs((double)first->values[i] - (double)other->values[i]);
        if (!(d <= worst)) worst = isnan(d) ? (double)INFINITY : d;
    }
    const double range = first->count == 1 ? fabs((double)least) : (double)largest - (double)least;
    return worst / range;
}

/* Tables that round alike, and so give the same bits (docs/architecture.md): all of integers; of
 * bfloat16 those that round a multiply-add once. */
static bool is_alike(const mbn_kernels *kernels, const outputs *of) {
    switch (kernels->element) {
    case MBN_ELEMENT_Q8: return of->integers;
    case MBN_ELEMENT_BF16:
        return kernels->isa == MBN_ISA_AVX2 || kernels->isa == MBN_ISA_AVX512 ||
               kernels->isa == MBN_ISA_AVX512_BF16;
    default: return false;
    }
}

/* What others may differ by, as tests/networks allow it from frameworks. */
static double tolerance(mbn_element element) {
    return element == MBN_ELEMENT_F32 ? 1e-4 : 0.04;
}

/* What other tables of an element type are held against: the first one, and the first of those that
 * are alike. */
typedef struct references {
    outputs outputs[2];
    const mbn_kernels *kernels[2];
    int first, alike; /* which; -1: none yet */
} references;

/* NULL: none; *allowed: 0 for the same bits. */
static const outputs *find_reference(const references *kept, bool alike, mbn_element element,
                                     double *allowed, const char **name) {
    const bool same = alike && kept->alike >= 0;
    const int at = same ? kept->alike : kept->first;
    if (at < 0) return NULL;
    *allowed = same ? 0.0 : tolerance(element);
    *name = kept->kernels[at]->name;
    return &kept->outputs[at];
}

/* Takes the outputs over where they are the first of their kind. */
static void keep(references *kept, bool alike, const mbn_kernels *kernels, outputs *out) {
    const bool first = kept->first < 0;
    if (!first && (!alike || kept->alike >= 0)) return;
    const int at = first ? 0 : 1;
    kept->outputs[at] = *out;
    kept->kernels[at] = kernels;
    if (first) kept->first = at;
    if (alike) kept->alike = at;
    out->values = NULL;
}

/* The rest of a row; false if it fails. */
static bool compare(references *kept, const mbn_kernels *kernels, outputs *alone,
                    const outputs *together) {
    const bool alike = is_alike(kernels, alone);
    double allowed;
    const char *name;
    const outputs *reference = find_reference(kept, alike, kernels->element, &allowed, &name);
    bool passed = difference(alone, together) == 0.0;
    if (!passed) printf(" FAILED: other results with more threads;");
    if (reference == NULL) {
        printf(" %" PRId32 " values", alone->count);
    } else {
        const double d = difference(reference, alone);
        if (!(d <= allowed)) {
            printf(" FAILED:");
            passed = false;
        }
        if (d == 0.0) {
            printf(" the same as %s", name);
        } else {
            printf(" %.2g of the range from %s, %.2g allowed", d, name, allowed);
        }
    }
    keep(kept, alike, kernels, alone);
    return passed;
}

/* A row of the report; false if it fails. */
static bool check_table(const mbn_model *model, references *kept, int32_t cpus) {
    const mbn_kernels *kernels = mbn_model_kernels(model);
    outputs alone = {0}, together = {0};
    mbn_error error;
    mbn_status status = run(model, 1, &alone, &error);
    if (status == MBN_OK) status = run(model, cpus, &together, &error);
    bool passed = status == MBN_OK;
    printf("  %-5s %-10s", mbn_element_name(kernels->element), kernels->name);
    if (passed) {
        passed = compare(kept, kernels, &alone, &together);
    } else {
        printf(" FAILED: %s", error.message);
    }
    putchar('\n');
    free(alone.values);
    free(together.values);
    return passed;
}

/* The model on every table of a precision.  Where it has none of that precision, nothing. */
static int check_precision(const char *path, mbn_precision precision, mbn_element element,
                           int32_t cpus) {
    references kept = {.first = -1, .alike = -1};
    int failed = 0;
    for (int isa = 0; isa < MBN_ISA_COUNT; isa++) {
        if ((mbn_isa_usable() >> isa & 1u) == 0) continue;
        if (mbn_kernels_for(element, (mbn_isa)isa) == NULL) continue;
        const mbn_model_options options = {.isa_mask = 1u << isa, .precision = precision};
        mbn_model *model;
        mbn_error error;
        if (mbn_model_load(path, &options, &model, &error) != MBN_OK) {
            printf("  %-5s %-10s FAILED: %s\n", mbn_element_name(element),
                   mbn_isa_name((mbn_isa)isa), error.message);
            failed++;
            continue;
        }
        failed += !check_table(model, &kept, cpus);
        mbn_model_free(model);
    }
    free(kept.outputs[0].values);
    free(kept.outputs[1].values);
    return failed;
}

int mbn_selftest_model(const char *path, const mbn_model *model) {
    const mbn_network *network = mbn_model_network(model);
    mbn_cpus cpus;
    mbn_usable_cpus(&cpus);
    printf("Model of %s, %" PRId32 "x%" PRId32
           ": its outputs on every table, with 1 and with %" PRId32 " threads:\n",
           network->name, network->input_height, network->input_width, cpus.usable);
    int failed = check_precision(path, MBN_PRECISION_FLOAT32, MBN_ELEMENT_F32, cpus.usable) +
                 check_precision(path, MBN_PRECISION_BFLOAT16, MBN_ELEMENT_BF16, cpus.usable);
    mbn_rescaling rescaling;
    if (mbn_model_rescaling(model, &rescaling)) {
        failed += check_precision(path, MBN_PRECISION_INT8, MBN_ELEMENT_Q8, cpus.usable);
    }
    return failed;
}
