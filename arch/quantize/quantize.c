/* From a file of floats to one of integers: calibrates, tries what may help, keeps what helped. */
#include "arch/error.h"
#include "arch/system/file.h"
#include "quantizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PLAIN, EQUALIZED, FOLDINGS };

/* Networks with fewer outputs are judged by the pooled vector. */
enum { FEW_OUTPUTS = 16 };

typedef struct session {
    const mbn_quantize_options *options;
    mbn_safetensors *file;
    mbn_metadata metadata;
    mbn_model *model; /* of floats */
    const mbn_network *network;
    bool *floats; /* [layers] */
    mbn_reader *reader;
    mbn_statistics *statistics;
    int32_t foldings; /* FOLDINGS; 1 where nothing can be equalised */
    mbn_folded *folded[FOLDINGS];
    mbn_value_histograms *histograms[FOLDINGS];
    int32_t trial_count;
    mbn_quantize_trial trials[MBN_QUANTIZE_TRIALS];
    mbn_model *models[MBN_QUANTIZE_TRIALS];
} session;

const char *mbn_range_method_name(mbn_range_method method) {
    switch (method) {
    case MBN_RANGE_BEST: return "best";
    case MBN_RANGE_MINMAX: return "minmax";
    case MBN_RANGE_PERCENTILE: return "percentile";
    case MBN_RANGE_MSE: return "mse";
    }
    return NULL;
}

/* ---- What was asked for ---------------------------------------------------------------------- */

static mbn_status find_floats(session *s, mbn_error *error) {
    s->floats = calloc((size_t)s->network->layer_count, sizeof *s->floats);
    if (s->floats == NULL) return mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory to calibrate with");
    for (int32_t k = 0; k < s->options->keep_float_count; k++) {
        const char *name = s->options->keep_float[k];
        bool found = false;
        for (int32_t i = 0; i < s->network->layer_count; i++) {
            const mbn_layer *layer = &s->network->layers[i];
            if (layer->weights == 0 || strcmp(layer->name, name) != 0) continue;
            found = s->floats[i] = true;
        }
        if (!found) {
            return mbn_fail(error, MBN_INVALID_ARGUMENT,
                            "keep_float: %.64s is no layer with weights; such are %s, ..., %s",
                            name, s->network->layers[0].name,
                            s->network->layers[s->network->layer_count - 1].name);
        }
    }
    return MBN_OK;
}

/* `data` stays the caller's. */
static mbn_status load(session *s, const void *data, size_t size, mbn_error *error) {
    const mbn_model_options options = {.isa_mask = s->options->isa_mask,
                                       .precision = MBN_PRECISION_FLOAT32};
    mbn_status status = mbn_model_load_memory(data, size, &options, &s->model, error);
    if (status != MBN_OK) return status;
    mbn_rescaling rescaling;
    if (mbn_model_rescaling(s->model, &rescaling)) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT,
                        "is quantised already; give the model of floats that it was made of");
    }
    s->network = mbn_model_network(s->model);
    status = mbn_safetensors_parse(data, size, &s->file, error);
    if (status == MBN_OK) status = mbn_metadata_read(s->file, &s->metadata, error);
    if (status == MBN_OK) status = find_floats(s, error);
    if (status == MBN_OK) status = mbn_fold(s->file, s->network, &s->folded[PLAIN], error);
    return status;
}

/* ---- Calibration ----------------------------------------------------------------------------- */

/* Whether one byte of all channels stands for 0: then bytes can be the pixels' own. */
static bool has_zero_pixel(const session *s, const mbn_preprocessing *p) {
    const float zero = 255.0F * p->mean[0];
    bool alike = fabsf(zero - rintf(zero)) < 1e-3F;
    for (int32_t c = 1; c < s->network->input_channels; c++) {
        alike = alike && p->mean[c] == p->mean[0] &&
                p->standard_deviation[c] == p->standard_deviation[0];
    }
    return alike;
}

/* All pixels that there may be, and what was seen beyond them.  Where no pixel is 0, half a pixel's
 * step more at either end keeps a mean of 0.5 from putting every pixel in the middle between two
 * bytes. */
static void bound_image(const session *s, float *low, float *high) {
    mbn_preprocessing p;
    mbn_model_preprocessing(s->model, &p);
    const float more = has_zero_pixel(s, &p) ? 0.0F : 0.5F / 255.0F;
    for (int32_t c = 0; c < s->network->input_channels; c++) {
        *low = fminf(*low, (0.0F - more - p.mean[c]) / p.standard_deviation[c]);
        *high = fmaxf(*high, (1.0F + more - p.mean[c]) / p.standard_deviation[c]);
    }
}

/* The bounds of a folding's histograms. */
static void bound_values(const session *s, const mbn_folded *folded,
                         mbn_value_histograms *histograms) {
    for (int32_t v = 0; v <= s->network->layer_count; v++) {
        const mbn_value_statistics *of = &s->statistics->values[v];
        mbn_histogram *all = &histograms[v].all, *own = &histograms[v].own;
        all->low = INFINITY;
        all->high = -INFINITY;
        for (int32_t c = 0; c < of->channels; c++) {
            const float factor = mbn_factor(folded, v - 1, c);
            all->low = fminf(all->low, of->low[c] * factor);
            all->high = fmaxf(all->high, of->high[c] * factor);
        }
        own->low = of->own_low;
        own->high = of->own_high;
    }
    bound_image(s, &histograms[0].all.low, &histograms[0].all.high);
}

static mbn_status calibrate(session *s, mbn_error *error) {
    mbn_status status = mbn_calibrate(s->reader, s->model, &s->statistics, error);
    if (status != MBN_OK) return status;
    const char *no_memory = "no memory to calibrate with";
    s->folded[EQUALIZED] = mbn_folded_copy(s->folded[PLAIN]);
    if (s->folded[EQUALIZED] == NULL) return mbn_fail(error, MBN_OUT_OF_MEMORY, "%s", no_memory);
    s->foldings = mbn_equalize(s->statistics, s->folded[EQUALIZED]) ? FOLDINGS : 1;
    for (int32_t f = 0; f < s->foldings; f++) {
        mbn_scale_weights(s->folded[f]);
        s->histograms[f] = calloc((size_t)s->network->layer_count + 1, sizeof *s->histograms[f]);
        if (s->histograms[f] == NULL) return mbn_fail(error, MBN_OUT_OF_MEMORY, "%s", no_memory);
        bound_values(s, s->folded[f], s->histograms[f]);
    }
    return mbn_count_values(s->reader, s->model, (const mbn_folded *const *)s->folded, s->foldings,
                            s->histograms, error);
}

/* ---- Trials ---------------------------------------------------------------------------------- */

static void list_trials(session *s) {
    const mbn_range_method asked = s->options->method;
    for (int method = MBN_RANGE_MINMAX; method <= MBN_RANGE_MSE; method++) {
        if (asked != MBN_RANGE_BEST && asked != (mbn_range_method)method) continue;
        for (int32_t f = 0; f < s->foldings; f++) {
            for (int corrected = 0; corrected < 2; corrected++) {
                s->trials[s->trial_count++] = (mbn_quantize_trial){
                    .method = (mbn_range_method)method,
                    .equalized = f == EQUALIZED,
                    .corrected = corrected != 0,
                };
            }
        }
    }
}

/* *bytes: from malloc. */
static mbn_status write_trial(const session *s, const mbn_quantize_trial *trial, void **bytes,
                              size_t *size, mbn_error *error) {
    const int folding = trial->equalized ? EQUALIZED : PLAIN;
    mbn_plan_of_bytes *plan =
        mbn_plan_bytes(s->network, s->floats, trial->method, s->histograms[folding]);
    mbn_folded *corrected = trial->corrected ? mbn_folded_copy(s->folded[folding]) : NULL;
    mbn_status status;
    if (plan == NULL || (trial->corrected && corrected == NULL)) {
        status = mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory to quantise with");
    } else {
        if (corrected != NULL) {
            for (int32_t i = 0; i < s->network->layer_count; i++) {
                corrected->layers[i].factors = s->folded[folding]->layers[i].factors;
            }
            mbn_correct(s->statistics, plan, corrected);
        }
        status = mbn_write_integers(s->file, &s->metadata,
                                    corrected != NULL ? corrected : s->folded[folding], plan, bytes,
                                    size, error);
    }
    free(corrected);
    free(plan);
    return status;
}

static mbn_status load_trial(const session *s, const void *bytes, size_t size, mbn_model **model,
                             mbn_error *error) {
    const mbn_model_options options = {.isa_mask = s->options->isa_mask};
    return mbn_model_load_memory(bytes, size, &options, model, error);
}

static mbn_status try_all(session *s, mbn_error *error) {
    mbn_status status = MBN_OK;
    list_trials(s);
    for (int32_t t = 0; status == MBN_OK && t < s->trial_count; t++) {
        void *bytes = NULL;
        size_t size;
        status = write_trial(s, &s->trials[t], &bytes, &size, error);
        if (status == MBN_OK) status = load_trial(s, bytes, size, &s->models[t], error);
        free(bytes);
    }
    if (status != MBN_OK) return status;
    mbn_output_loss losses[MBN_QUANTIZE_TRIALS];
    status = mbn_compare_outputs(s->reader, s->model, s->models, s->trial_count, losses, error);
    for (int32_t t = 0; status == MBN_OK && t < s->trial_count; t++) s->trials[t].loss = losses[t];
    return status;
}

/* ---- The result ------------------------------------------------------------------------------ */

/* One allocation besides the file. */
typedef struct result {
    mbn_quantized quantized;
    mbn_layer_loss layers[];
} result;

static float stands_for(mbn_affine bytes, int byte) {
    return bytes.scale * (float)(byte - bytes.zero);
}

static mbn_status describe_layers(session *s, int32_t kept, mbn_layer_loss *layers,
                                  mbn_error *error) {
    const int folding = s->trials[kept].equalized ? EQUALIZED : PLAIN;
    const size_t count = (size_t)s->network->layer_count;
    double *decibels = malloc(count * sizeof *decibels);
    mbn_plan_of_bytes *plan =
        mbn_plan_bytes(s->network, s->floats, s->trials[kept].method, s->histograms[folding]);
    mbn_status status;
    if (decibels == NULL || plan == NULL) {
        status = mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory to compare with");
    } else {
        status = mbn_compare_layers(s->reader, s->model, s->models[kept], s->folded[folding],
                                    decibels, error);
    }
    for (size_t i = 0; status == MBN_OK && i < count; i++) {
        const mbn_layer_plan *of = &plan->layers[i];
        layers[i] = (mbn_layer_loss){
            .decibels = decibels[i],
            .low = stands_for(of->value, 0),
            .high = stands_for(of->value, 255),
            .floats = of->floats,
            .scaled = s->folded[folding]->layers[i].factors != NULL,
        };
    }
    free(plan);
    free(decibels);
    return status;
}

static double merit(const session *s, int32_t trial) {
    const mbn_output_loss *loss = &s->trials[trial].loss;
    const mbn_layer *last = &s->network->layers[s->network->layer_count - 1];
    return last->output_channels < FEW_OUTPUTS ? loss->pool_decibels : loss->decibels;
}

static mbn_status finish(session *s, mbn_quantized **quantized, mbn_error *error) {
    int32_t kept = 0;
    for (int32_t t = 1; t < s->trial_count; t++) {
        if (merit(s, t) > merit(s, kept)) kept = t;
    }
    const size_t layers = (size_t)s->network->layer_count;
    result *r = calloc(1, sizeof *r + layers * sizeof(mbn_layer_loss));
    if (r == NULL) return mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory for the result");
    mbn_quantized *q = &r->quantized;
    void *bytes = NULL;
    mbn_status status = describe_layers(s, kept, r->layers, error);
    if (status == MBN_OK) status = write_trial(s, &s->trials[kept], &bytes, &q->file_bytes, error);
    if (status != MBN_OK) {
        free(r);
        return status;
    }
    q->file = bytes;
    mbn_reader_counts(s->reader, &q->calibrated, &q->held_out, &q->left_out);
    q->trial_count = s->trial_count;
    q->kept = kept;
    memcpy(q->trials, s->trials, sizeof q->trials);
    q->layer_count = s->network->layer_count;
    q->layers = r->layers;
    *quantized = q;
    return MBN_OK;
}

void mbn_quantized_free(mbn_quantized *quantized) {
    if (quantized == NULL) return;
    free((void *)(uintptr_t)quantized->file);
    free(quantized);
}

/* ---- The whole ------------------------------------------------------------------------------- */

static void end(session *s) {
    for (int32_t t = 0; t < s->trial_count; t++) mbn_model_free(s->models[t]);
    for (int f = 0; f < FOLDINGS; f++) {
        free(s->histograms[f]);
        free(s->folded[f]);
    }
    free(s->statistics);
    mbn_reader_free(s->reader);
    free(s->floats);
    mbn_model_free(s->model);
    mbn_metadata_free(&s->metadata);
    mbn_safetensors_free(s->file);
}

static mbn_status quantize(session *s, const mbn_file *file, const mbn_calibration *calibration,
                           mbn_quantized **quantized, mbn_error *error) {
    mbn_status status = load(s, file->data, file->size, error);
    if (status == MBN_OK) status = mbn_reader_create(calibration, s->options, &s->reader, error);
    if (status == MBN_OK) {
        mbn_reader_expect(s->reader, 2);
        status = calibrate(s, error);
    }
    if (status == MBN_OK) status = try_all(s, error);
    if (status == MBN_OK) status = finish(s, quantized, error);
    return status;
}

static mbn_status check(const mbn_calibration *calibration, const mbn_quantize_options *options,
                        mbn_error *error) {
    if (calibration->count < 1 || calibration->read == NULL) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "calibration: there are no images");
    }
    if (mbn_range_method_name(options->method) == NULL) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "method: %d is no mbn_range_method",
                        (int)options->method);
    }
    return MBN_OK;
}

mbn_status mbn_quantize(const char *path, const mbn_calibration *calibration,
                        const mbn_quantize_options *options, mbn_quantized **quantized,
                        mbn_error *error) {
    const char *null = path == NULL          ? "path"
                       : calibration == NULL ? "calibration"
                       : quantized == NULL   ? "quantized"
                                             : NULL;
    if (null != NULL) return mbn_fail(error, MBN_INVALID_ARGUMENT, "%s: is NULL", null);
    *quantized = NULL;
    const mbn_quantize_options asked = options == NULL ? (mbn_quantize_options){0} : *options;
    mbn_status status = check(calibration, &asked, error);
    if (status != MBN_OK) return status;
    mbn_file file;
    status = mbn_file_map(path, &file, error);
    if (status != MBN_OK) return status;
    mbn_error reason = {MBN_OK, ""};
    session s = {.options = &asked};
    status = quantize(&s, &file, calibration, quantized, &reason);
    end(&s);
    mbn_file_unmap(&file);
    return status == MBN_OK ? MBN_OK : mbn_fail(error, status, "%s: %s", path, reason.message);
}
