/* Quantisation after training: from a model of floats to one of 8-bit integers, without labels and
 * without training.  It runs on images like those that the network will see (calibration), and
 * measures what is lost.
 *
 * Weights become signed bytes, with a scale for each output channel and without a zero point;
 * activations unsigned bytes with one scale and zero point for each layer, from the range of values
 * that calibration found.  What is computed with them is docs/integers.md's `float` rescaling.
 *
 * Ways to lose less:
 *   ranges        MINMAX takes all values; PERCENTILE leaves out one value in 10,000 at either end;
 *                 MSE takes the range whose squared error is the smallest over all values seen.
 *   equalisation  channels whose values stay far below those of others are scaled up, and the next
 *                 layer's weights down, where only a ReLU is between (Nagel et al. 2019,
 *                 "Data-Free Quantization Through Weight Equalization and Bias Correction").
 *   bias correction
 *                 what rounding the weights changes of a channel's mean is taken back by its bias.
 *
 * Of the static library this is a part of its own, mobilenet::quantize (libmobilenet-quantize.a).
 *
 * A quarter of the images is held out: no range is taken of it.  On these images every combination
 * is tried, and the one whose outputs are nearest to those of floats is kept; of a network with few
 * outputs, which agree by chance, the one whose pooled vectors are. */
#ifndef MOBILENET_QUANTIZE_H
#define MOBILENET_QUANTIZE_H

#include <mobilenet.h>

#ifdef __cplusplus
extern "C" {
#endif

/* BEST: all are tried. */
typedef enum mbn_range_method {
    MBN_RANGE_BEST = 0,
    MBN_RANGE_MINMAX,
    MBN_RANGE_PERCENTILE,
    MBN_RANGE_MSE
} mbn_range_method;

/* "best", "minmax", "percentile", "mse"; NULL for other values. */
MBN_API const char *mbn_range_method_name(mbn_range_method method);

/* Writes image number `index` as mbn_run takes it, [height][width][channels] floats of the model's
 * own size, to `input`.  `context` is of the model, for mbn_preprocess. */
typedef mbn_status mbn_calibration_read_fn(void *user, int32_t index, mbn_context *context,
                                           float *input, mbn_error *error);

/* The images to calibrate with.  All are read several times. */
typedef struct mbn_calibration {
    int32_t count; /* from 1 on */
    /* Called from several threads at once.  Where it fails, the image is left out, and not asked
     * for again. */
    mbn_calibration_read_fn *read;
    void *user;
} mbn_calibration;

/* Tells how far it is: `done` of `total` readings of images. */
typedef void mbn_progress_fn(void *user, int64_t done, int64_t total);

typedef struct mbn_quantize_options {
    mbn_range_method method;
    /* Layers with weights that stay in floats, by name (mbn_layer.name), and with them the pools
     * and channel scales that read them. */
    const char *const *keep_float; /* [keep_float_count] */
    int32_t keep_float_count;
    int32_t threads;   /* 1 to 1024, with an image each; 0: one for each CPU that may be used.  The
                          result does not depend on it. */
    uint32_t isa_mask; /* as mbn_model_options' */
    mbn_progress_fn *progress; /* called from any thread, but from one at a time; or NULL */
    void *user;
} mbn_quantize_options;

/* How near outputs of integers are to those of floats, over the held-out images.  Noise is the
 * difference of the two. */
typedef struct mbn_output_loss {
    double decibels;  /* of signal to noise of all outputs, 10 log10(sum float^2 / sum noise^2) */
    double cosine;    /* mean over the images */
    double agreement; /* part of the images whose largest output is the same one */
    int32_t sure;     /* images to whose first class floats give a probability of 0.5 or more ... */
    int32_t sure_same; /* ... and those of them with the same first class; both 0 without classes */
    double pool_decibels; /* the same of the pooled vector */
    double pool_cosine;
} mbn_output_loss;

/* One combination, and what it came to. */
typedef struct mbn_quantize_trial {
    mbn_range_method method;
    bool equalized, corrected;
    mbn_output_loss loss;
} mbn_quantize_trial;

/* Of a layer's output (after activation and residual), on the held-out images. */
typedef struct mbn_layer_loss {
    double decibels; /* signal to noise, infinite where nothing is lost */
    float low, high; /* what its bytes reach */
    bool floats;     /* it runs in floats */
    bool scaled;     /* equalised: its channels are not those of the float model, but multiples */
} mbn_layer_loss;

enum { MBN_QUANTIZE_TRIALS = 12 };

typedef struct mbn_quantized {
    const void *file; /* the model file */
    size_t file_bytes;
    int32_t calibrated, held_out, left_out; /* images */
    int32_t trial_count;
    int32_t kept; /* index of the trial that became the file */
    mbn_quantize_trial trials[MBN_QUANTIZE_TRIALS];
    int32_t layer_count;
    const mbn_layer_loss *layers; /* [layer_count] as the model's network */
} mbn_quantized;

/* Quantises a model file of floats.  Fails for one of integers (MBN_INVALID_ARGUMENT), where no
 * image can be read, and with a layer's name where its outputs are all 0, NaN or infinite.  With
 * fewer than 8 images none is held out, and losses are of those that ranges were taken of.  Free
 * the result with mbn_quantized_free. */
MBN_API mbn_status mbn_quantize(const char *path, const mbn_calibration *calibration,
                                const mbn_quantize_options *options, mbn_quantized **quantized,
                                mbn_error *error);

/* NULL is allowed. */
MBN_API void mbn_quantized_free(mbn_quantized *quantized);

#ifdef __cplusplus
}
#endif

#endif
