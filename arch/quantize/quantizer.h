/* What the parts of the quantiser share. */
#ifndef MBN_ARCH_QUANTIZER_H
#define MBN_ARCH_QUANTIZER_H

#include "arch/model/metadata.h"
#include "arch/model/safetensors.h"

#include <mobilenet/quantize.h>

/* ---- fold.c: a layer's floats, batch norm folded in ------------------------------------------ */

/* The number of weights of one output: inputs, rows, columns, of a depthwise layer the last two. */
static inline int32_t mbn_window(const mbn_layer *layer) {
    return (int32_t)(layer->weights / layer->output_channels);
}

typedef struct mbn_folded_layer {
    float *weights; /* [outputs][mbn_window]; NULL: the layer has none */
    float *bias;    /* [outputs] */
    float *scales;  /* [outputs], of the weights' bytes: weights.c */
    float *factors; /* [outputs], by which equalize.c has multiplied what it writes; NULL: 1 */
} mbn_folded_layer;

typedef struct mbn_folded {
    const mbn_network *network;
    mbn_folded_layer layers[]; /* [layer_count] */
} mbn_folded;

/* Of a file that was checked.  Free the result with free(). */
mbn_status mbn_fold(const mbn_safetensors *file, const mbn_network *network, mbn_folded **folded,
                    mbn_error *error);

/* A copy; NULL when out of memory. */
mbn_folded *mbn_folded_copy(const mbn_folded *folded);

/* By what the equaliser has multiplied channel c of what a layer (-1: the image) writes. */
static inline float mbn_factor(const mbn_folded *folded, int32_t layer, int32_t c) {
    return layer < 0 || folded->layers[layer].factors == NULL ? 1.0F
                                                              : folded->layers[layer].factors[c];
}

/* ---- pass.c: all images, on all threads ------------------------------------------------------ */

/* What models computed of one image. */
typedef struct mbn_view {
    const float *image;              /* [height][width][channels] */
    const float *const *const *maps; /* [model][layer], [height][width][channels]; NULL where the
                                        pass does not ask for that layer */
} mbn_view;

typedef struct mbn_reader mbn_reader; /* the images, and what is known of them */

typedef struct mbn_pass {
    mbn_model *const *models;
    const bool *whole; /* [model_count]: all layers are asked for, or those from the pool on */
    int32_t model_count;
    bool held_out; /* the images that are held out, or the others */
    void *user;
    void **results; /* [threads]: room for what `look` says of one image */
    /* The first is called of several images at once; the second of one at a time, in their order;
     * NULL: `look` gathers what can be added up in any order. */
    void (*look)(const struct mbn_pass *pass, const mbn_view *view, void *result);
    void (*merge)(const struct mbn_pass *pass, const void *result);
} mbn_pass;

mbn_status mbn_reader_create(const mbn_calibration *calibration,
                             const mbn_quantize_options *options, mbn_reader **reader,
                             mbn_error *error);
void mbn_reader_free(mbn_reader *reader);
int32_t mbn_reader_threads(const mbn_reader *reader);

/* How many passes over the calibrating images there will be, and over those that are held out: as
 * many of each; for progress. */
void mbn_reader_expect(mbn_reader *reader, int32_t passes);

/* Parts the images; afterwards it says how many are which. */
void mbn_reader_counts(const mbn_reader *reader, int32_t *calibrated, int32_t *held_out,
                       int32_t *left_out);

/* Fails where no image can be read. */
mbn_status mbn_pass_run(mbn_reader *reader, const mbn_pass *pass, mbn_error *error);

/* ---- calibrate.c: what values there are ------------------------------------------------------ */

enum { MBN_BINS = 2048 };

/* Values of a plane, from `low` to `high`, counted in bins of one width. */
typedef struct mbn_histogram {
    float low, high;
    uint64_t counts[MBN_BINS];
} mbn_histogram;

/* Of what a layer writes; number 0 is the image, number i + 1 layer i. */
typedef struct mbn_value_statistics {
    int32_t channels;
    float *low, *high;       /* [channels] */
    float own_low, own_high; /* before the residual is added */
    bool finite;
    double *means; /* [mbn_window], of a depthwise layer [channels][mbn_window]: what the layer's
                      weights are multiplied with, averaged over all pixels and images; NULL where
                      it has none */
} mbn_value_statistics;

typedef struct mbn_statistics {
    const mbn_network *network;
    int32_t images;
    double *sums;                  /* scratch: one for each channel */
    float *row;                    /* likewise */
    mbn_value_statistics values[]; /* [1 + layer_count] */
} mbn_statistics;

/* Runs the model of floats, and refuses values that no range fits.  Free the result with free(). */
mbn_status mbn_calibrate(mbn_reader *reader, mbn_model *model, mbn_statistics **statistics,
                         mbn_error *error);

/* Two of each value: of all, and of what is there before the residual. */
typedef struct mbn_value_histograms {
    mbn_histogram all, own;
} mbn_value_histograms;

/* Histograms of what every one of `count` foldings of the model's network writes, histograms[f][1 +
 * layer_count].  Their bounds are filled in, their counts 0. */
mbn_status mbn_count_values(mbn_reader *reader, mbn_model *model, const mbn_folded *const *folded,
                            int32_t count, mbn_value_histograms *const *histograms,
                            mbn_error *error);

/* ---- ranges.c: from values to what bytes stand for ------------------------------------------- */

typedef struct mbn_affine {
    float scale;
    uint8_t zero;
} mbn_affine;

/* The range that a method makes of values, with 0 in it. */
void mbn_range_of(mbn_range_method method, const mbn_histogram *histogram, float *low, float *high);

/* Bytes for that range. */
mbn_affine mbn_affine_of(float low, float high);

/* How a layer's numbers become bytes. */
typedef struct mbn_layer_plan {
    bool floats; /* it runs in floats; `value` is what its outputs are quantised by behind it */
    bool keeps;  /* it hands on what it reads, in the same scale */
    mbn_affine output; /* of rescaled sums */
    uint8_t low, high; /* the bytes that the activation leaves */
    bool looks_up;
    uint8_t lookup[256]; /* from bytes of `output` to those of `value` */
    bool adds;
    mbn_affine value; /* of what it writes in the end: behind the lookup or the sum */
} mbn_layer_plan;

typedef struct mbn_plan_of_bytes {
    mbn_affine image;
    mbn_layer_plan layers[]; /* [layer_count] */
} mbn_plan_of_bytes;

/* floats[layer_count]: which layers stay in floats.  histograms[1 + layer_count].  Free the result
 * with free(); NULL when out of memory. */
mbn_plan_of_bytes *mbn_plan_bytes(const mbn_network *network, const bool *floats,
                                  mbn_range_method method, const mbn_value_histograms *histograms);

/* ---- weights.c ------------------------------------------------------------------------------- */

/* Fills in the scales. */
void mbn_scale_weights(mbn_folded *folded);

/* The scale of an output's weights: large enough for the bias, which is in units of the input's
 * scale times it.  And a weight's byte. */
float mbn_weight_scale_of(const mbn_folded_layer *layer, int32_t output, float input_scale);
int8_t mbn_round_weight(float weight, float scale);

/* ---- equalize.c, correct.c ------------------------------------------------------------------- */

/* Equalises, by the ranges of channels.  False if there is nothing that can be. */
bool mbn_equalize(const mbn_statistics *statistics, mbn_folded *folded);

/* Changes the biases. */
void mbn_correct(const mbn_statistics *statistics, const mbn_plan_of_bytes *plan,
                 mbn_folded *folded);

/* ---- loss.c ---------------------------------------------------------------------------------- */

/* Runs the model of floats and those of integers, and compares their outputs: losses[count]. */
mbn_status mbn_compare_outputs(mbn_reader *reader, mbn_model *floats, mbn_model *const *integers,
                               int32_t count, mbn_output_loss *losses, mbn_error *error);

/* All layers of one of them: decibels[layer_count].  folded: as it was quantised. */
mbn_status mbn_compare_layers(mbn_reader *reader, mbn_model *floats, mbn_model *integers,
                              const mbn_folded *folded, double *decibels, mbn_error *error);

/* ---- table.c, write.c: the file -------------------------------------------------------------- */

/* The network as a table of a model file (docs/model-format.md), without batch norm; a JSON object.
 * NULL when out of memory. */
json_t *mbn_table_of(const mbn_network *network, const mbn_naming *naming);

/* file, metadata: of the model of floats.  *bytes: from malloc. */
mbn_status mbn_write_integers(const mbn_safetensors *file, const mbn_metadata *metadata,
                              const mbn_folded *folded, const mbn_plan_of_bytes *plan, void **bytes,
                              size_t *size, mbn_error *error);

#endif
