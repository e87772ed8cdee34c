/* mobilenet: MobileNet v1, v2 and v3 on CPUs.
 *
 * Three calls classify a photo:
 *
 *     mbn_model_load("mobilenet_v2.safetensors", NULL, &model, &error);
 *     mbn_context_create(model, NULL, &context, &error);
 *     mbn_run_images(context, &image, 1, MBN_PROBABILITIES, probabilities, &error);
 *
 * A model holds packed weights and never changes after loading: any number of contexts, in any
 * number of threads, may share it, and it must outlive them.  A context holds the memory of one
 * run and is used by one thread at a time.  Nothing is global, nothing is printed, nothing aborts.
 *
 * Fork.  A child process may use and free the models and contexts that its parent made, also those
 * that were running at that moment.  A context's own threads are not in the child: its first run
 * there starts them anew, which allocates, and gives the same bits.  Nor are those of a caller's
 * pool: a context on one of several threads fails to run there, with MBN_INVALID_ARGUMENT, and both
 * have to be made anew.  Children that share their parent's memory (vfork) may do nothing.
 *
 * Errors.  Functions that can fail return a status and, if `error` is not NULL, describe the
 * failure there, naming the tensor, option or file.  On failure outputs are untouched, and
 * pointers to created objects are set to NULL. */
#ifndef MOBILENET_H
#define MOBILENET_H

#include <mobilenet/kernels.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MBN_VERSION "0.2.0"

/* The version of the linked library, as MBN_VERSION is that of the header. */
MBN_API const char *mbn_version(void);

typedef enum mbn_status {
    MBN_OK = 0,
    MBN_INVALID_ARGUMENT, /* outside the documented range */
    MBN_IO,               /* a file cannot be opened, read or written */
    MBN_MALFORMED,        /* a file is not what it should be */
    MBN_UNSUPPORTED,      /* valid, but not by this library or on this machine */
    MBN_OUT_OF_MEMORY
} mbn_status;

/* "ok", "invalid argument", ...; "unknown status" for other values. */
MBN_API const char *mbn_status_text(mbn_status status);

typedef struct mbn_error {
    mbn_status status;
    char message[512]; /* one line, without a newline, always terminated */
} mbn_error;

/* Memory from the caller.  allocate returns NULL on failure; alignment is a power of two up to
 * 4096; release gets the size that was asked for.  Both may be called from any thread that calls
 * this library, never while a network runs.  The structure is copied. */
typedef struct mbn_allocator {
    void *(*allocate)(void *user, size_t size, size_t alignment);
    void (*release)(void *user, void *pointer, size_t size);
    void *user;
} mbn_allocator;

/* What this process may use of the machine's CPUs. */
typedef struct mbn_cpus {
    int32_t online;   /* of the machine */
    int32_t affinity; /* of the calling thread's affinity mask */
    double quota;     /* in CPUs, of the control groups (cgroups) that it is in; 0: none */
    int32_t usable;   /* at the same time: affinity, or quota rounded up where that is less */
} mbn_cpus;

/* Asks the system anew each time. */
MBN_API void mbn_usable_cpus(mbn_cpus *cpus);

/* ---- Networks: shapes and counts, without weights ------------------------------------------- */

/* Where zeros go at the borders of a convolution with kernel k and stride s.
 *   SAME       TensorFlow: output = ceil(input / s); the smaller half of the padding comes first,
 *              so (0, 1) for k = 3, s = 2 and an even size.  Keras's MobileNetV2 and V3.
 *   SYMMETRIC  (k - 1) / 2 on every side.  torchvision, and the article's v2.
 *   TRAILING   SAME, but depthwise with stride 2 pads (0, 1) at odd sizes too: Keras's MobileNet
 *              (v1), which differs from SAME at odd sizes only. */
typedef enum mbn_padding {
    MBN_PADDING_DEFAULT = 0, /* the network's own: SAME, for v2, v3 of torchvision: SYMMETRIC */
    MBN_PADDING_SAME,
    MBN_PADDING_SYMMETRIC,
    MBN_PADDING_TRAILING
} mbn_padding;

/* Whose network it is: names and layout of its tensors, the rule by which a width multiplier
 * rounds channels, the padding and batch norm epsilon that are the default. */
typedef enum mbn_source {
    MBN_SOURCE_DEFAULT = 0, /* torchvision where it has the network (v2, v3), else Keras */
    MBN_SOURCE_TORCHVISION, /* OIHW, "features.0.0.weight" */
    MBN_SOURCE_KERAS        /* HWIO, "Conv1/kernel" */
} mbn_source;

typedef struct mbn_network_options {
    const char *network;  /* "mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small",
                             "mobilenet_v3_large", "mobilenet_v3_small_article" */
    double width;         /* multiplier, 0.1 to 4; 0: 1.  The article's network: 1 only. */
    int32_t input_height; /* 32 to 1024; 0: 224 */
    int32_t input_width;  /* 32 to 1024; 0: 224 */
    int32_t classes;      /* 1 to 1,000,000; 0: 1000 */
    mbn_padding padding;
    mbn_source source;
    double batch_norm_epsilon; /* 0: the source's */
    /* Every depthwise-separable pair becomes one standard convolution of the same kernel, stride,
     * inputs and outputs (v2, v3: depthwise and projection; a squeeze-excite between them stays,
     * before the convolution).  For comparison: such a network can be counted, not loaded. */
    bool standard_convolution;
    int32_t input_channels; /* 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA); 0: 3 */
} mbn_network_options;

typedef enum mbn_layer_kind {
    MBN_LAYER_CONVOLUTION, /* standard, kernel larger than 1x1 */
    MBN_LAYER_DEPTHWISE,
    MBN_LAYER_POINTWISE,
    MBN_LAYER_MAX_POOL,
    MBN_LAYER_GLOBAL_POOL,
    MBN_LAYER_FULLY_CONNECTED, /* squeeze, excite, hidden and logits layers */
    MBN_LAYER_CHANNEL_SCALE    /* input * gate, per channel */
} mbn_layer_kind;

/* What a layer is in its network. */
typedef enum mbn_layer_role {
    MBN_ROLE_STEM,
    MBN_ROLE_EXPAND,
    MBN_ROLE_DEPTHWISE,
    MBN_ROLE_SQUEEZE_POOL,
    MBN_ROLE_SQUEEZE,
    MBN_ROLE_EXCITE,
    MBN_ROLE_SCALE,
    MBN_ROLE_PROJECT, /* v1: the pointwise half of the separable pair */
    MBN_ROLE_HEAD,    /* the last convolution before the pool */
    MBN_ROLE_HEAD_MAX_POOL,
    MBN_ROLE_HEAD_POOL,
    MBN_ROLE_HIDDEN,
    MBN_ROLE_LOGITS,
    MBN_ROLE_HEAD_GLOBAL_MAX_POOL /* of the whole plane: MBN_ROLE_HEAD_POOL then reads one pixel */
} mbn_layer_role;

/* One layer with what is fused to it: output = activation(batch_norm(layer(input)) [+
 * residual]). */
typedef struct mbn_layer {
    char name[64];            /* the source's name of its weights ("features.3.conv.0.0"), or a name
                                 of that form for a layer without weights; unique in the network */
    char batch_norm_name[64]; /* "" without batch norm */
    mbn_layer_kind kind;
    mbn_layer_role role;
    int32_t block;    /* index of the network's row that it belongs to; -1 outside of rows */
    int32_t input;    /* index of the layer whose output it reads; -1: the image */
    int32_t gate;     /* CHANNEL_SCALE: index of the layer with the factors; else -1 */
    int32_t residual; /* index of the layer whose output is added; -1: none */
    int32_t input_height, input_width, input_channels;
    int32_t output_height, output_width, output_channels;
    int32_t kernel_height, kernel_width;
    int32_t stride_vertical, stride_horizontal;
    int32_t pad_top, pad_left, pad_bottom, pad_right;
    bool bias;   /* has a bias tensor of its own */
    bool matrix; /* its weights are a matrix in the model file, not a 1x1 convolution's */
    mbn_activation activation;
    int64_t weights;               /* number of weights, without bias */
    int64_t parameters;            /* weights, bias, batch norm's gamma and beta */
    int64_t batch_norm_statistics; /* batch norm's moving mean and variance */
    int64_t multiply_adds;         /* of convolutions and fully connected layers, for one image */
} mbn_layer;

typedef struct mbn_network {
    char name[64];
    double width;
    int32_t input_height, input_width;
    int32_t classes;     /* 0: a model file's network without a classifier, for feature maps */
    mbn_padding padding; /* never DEFAULT */
    mbn_source source;   /* never DEFAULT */
    double batch_norm_epsilon;
    int32_t layer_count;
    int64_t parameters;            /* trainable: torchvision's count */
    int64_t batch_norm_statistics; /* Keras counts parameters + batch_norm_statistics */
    int64_t multiply_adds;
    const mbn_layer *layers; /* in order of execution */
    int32_t input_channels;
} mbn_network;

/* Lays out a network.  The network is one allocation; free it with mbn_network_free. */
MBN_API mbn_status mbn_network_create(const mbn_network_options *options, mbn_network **network,
                                      mbn_error *error);
MBN_API void mbn_network_free(mbn_network *network);

/* Name of network number `index`, in the order of mbn_network_options.network; NULL past the
 * end. */
MBN_API const char *mbn_network_name(int32_t index);

/* "convolution", "depthwise", "pointwise", ... */
MBN_API const char *mbn_layer_kind_name(mbn_layer_kind kind);

/* "stem", "expand", "depthwise", "squeeze pool", ... */
MBN_API const char *mbn_layer_role_name(mbn_layer_role role);

/* Writes a model file's bytes with seeded random weights: for benchmarks and tests, not for
 * classification.  The same options and seed give the same bytes on every machine
 * (docs/model-format.md says how).  With buffer NULL, *size becomes the bytes needed; else *size
 * is the buffer's size on entry, and the bytes written on return. */
MBN_API mbn_status mbn_network_init(const mbn_network_options *options, uint64_t seed, void *buffer,
                                    size_t *size, mbn_error *error);

/* ---- Stages: places in a network whose values can be had ---------------------------------------
 *
 *   "stride2", "stride4", ... "stride32"
 *              The last feature map at that stride: the output of the last layer before the
 *              resolution drops.  In v2 and v3 it is a block's expansion, where their papers attach
 *              detector heads, and the last convolution for the largest stride.  Where vertical and
 *              horizontal stride differ, the name has the larger.
 *   "block0", "block1", ...
 *              The output of a row's repetition (mbn_layer.block), after the residual.
 *   "pool"     The globally pooled vector.
 *   a layer    mbn_layer.name: its output as mbn_layer has it, after batch norm (which is folded
 *              into the weights), activation and residual.  There is no output before the
 *              activation. */
typedef struct mbn_stage_info {
    char name[64];
    int32_t layer; /* index of the network's layers */
    int32_t height, width, channels;
    int32_t stride_vertical,
        stride_horizontal; /* input pixels per pixel of the map; 0 for vectors */
} mbn_stage_info;

/* Finds a stage by its name.  The error lists what there is. */
MBN_API mbn_status mbn_network_stage(const mbn_network *network, const char *name,
                                     mbn_stage_info *stage, mbn_error *error);

/* Stage number `index`: strides, blocks, "pool", then all layers.  False past the end. */
MBN_API bool mbn_network_stage_at(const mbn_network *network, int32_t index, mbn_stage_info *stage);

/* ---- Models: a network with its weights ----------------------------------------------------- */

typedef struct mbn_model mbn_model;

/* What weights and activations are in.  Whatever it is, images, logits, probabilities and feature
 * maps are float32.
 *   DEFAULT   The file's own: int8 of a file of integers, float32 of one of floats.
 *   FLOAT32   A file of integers is dequantised: weights and biases become the numbers that they
 *             stand for, and nothing is rounded to bytes.
 *   BFLOAT16  Of any file.  Half the bytes, and less time where the processor multiplies
 *             bfloat16; everywhere else it works, too, and takes longer.  <mobilenet/kernels.h>
 *             says what is rounded when, docs/performance.md how near the logits are to those of
 *             float32.
 *   INT8      8-bit integers, of files of integers; MBN_INVALID_ARGUMENT for others.  What is
 *             computed, to the last bit, is in <mobilenet/q8.h>; it is the same on every machine.
 *   FASTEST   INT8 of a file of integers; else BFLOAT16 where this machine has an instruction set
 *             for it, and mask and environment allow it; else FLOAT32. */
typedef enum mbn_precision {
    MBN_PRECISION_DEFAULT = 0,
    MBN_PRECISION_FLOAT32,
    MBN_PRECISION_BFLOAT16,
    MBN_PRECISION_INT8,
    MBN_PRECISION_FASTEST
} mbn_precision;

/* "default", "float32", "bfloat16", "int8", "fastest"; NULL past the end. */
MBN_API const char *mbn_precision_name(mbn_precision precision);

typedef struct mbn_model_options {
    uint32_t isa_mask; /* instruction sets that may be used; 0: all.  The environment variable
                          MOBILENET_ISA, a comma-separated list of names, restricts it further. */
    const mbn_allocator *allocator; /* NULL: the C library's */
    /* For feature maps only: the layers behind the global pool are left out.  Their tensors are not
     * read, and need not be in the file; mbn_run fails.  A file without a classifier needs no such
     * option. */
    bool headless;
    mbn_precision precision; /* MBN_INVALID_ARGUMENT where it is none of these */
} mbn_model_options;

/* Loads a model file (docs/model-format.md), validates it and packs its weights in the precision
 * asked for, for the best instruction set allowed.  The file is not needed afterwards.  Until then
 * it is mapped: removing it, or renaming another over it, does no harm, but nobody may write to it.
 * Where another process makes it shorter meanwhile, the system ends this one with SIGBUS; other
 * numbers may be those that were checked and are no longer so.  Who cannot rely on that reads the
 * file and uses mbn_model_load_memory. */
MBN_API mbn_status mbn_model_load(const char *path, const mbn_model_options *options,
                                  mbn_model **model, mbn_error *error);

/* The same from memory, which may be released afterwards. */
MBN_API mbn_status mbn_model_load_memory(const void *data, size_t size,
                                         const mbn_model_options *options, mbn_model **model,
                                         mbn_error *error);

/* NULL is allowed. */
MBN_API void mbn_model_free(mbn_model *model);

/* The network at the model's own input size; lives as long as the model. */
MBN_API const mbn_network *mbn_model_network(const mbn_model *model);

/* The kernels that it was packed for. */
MBN_API const mbn_kernels *mbn_model_kernels(const mbn_model *model);

/* What it runs in: MBN_PRECISION_FLOAT32, MBN_PRECISION_BFLOAT16 or MBN_PRECISION_INT8, whatever
 * was asked for. */
MBN_API mbn_precision mbn_model_precision(const mbn_model *model);

/* Of a file of integers, whatever the precision: by what its sums become bytes, MBN_RESCALE_FLOAT
 * or MBN_RESCALE_FIXED.  False of a file of floats. */
MBN_API bool mbn_model_rescaling(const mbn_model *model, mbn_rescaling *rescaling);

/* "float", "fixed" as in model files, "double"; NULL for other values. */
MBN_API const char *mbn_rescaling_name(mbn_rescaling rescaling);

/* Bytes that the model holds: packed weights, tables, labels. */
MBN_API size_t mbn_model_bytes(const mbn_model *model);

/* The name of a class, UTF-8; NULL if the file has no labels or the class does not exist.  A single
 * sigmoid (mbn_model_probabilities) may have two names: 0 is what the image shows if the
 * probability is that of 0, 1 what it shows if it is that of 1. */
MBN_API const char *mbn_model_label(const mbn_model *model, int32_t class_index);

/* What makes probabilities of the last layer's values.
 *   SOFTMAX  of all classes together: they add up to 1, and the image shows one of them.
 *   SIGMOID  of each class by itself: labels of which an image may show several, or none.  One
 *            class alone says yes or no.
 *   NO       nothing does: they are values as they are, of a regression for instance. */
typedef enum mbn_probability_kind {
    MBN_SOFTMAX = 0,
    MBN_SIGMOID,
    MBN_NO_PROBABILITIES
} mbn_probability_kind;

MBN_API mbn_probability_kind mbn_model_probabilities(const mbn_model *model);

/* "softmax", "sigmoid", "none", as in model files; NULL for other values. */
MBN_API const char *mbn_probability_kind_name(mbn_probability_kind kind);

/* How a pixel of the resized image comes from those of the image. */
typedef enum mbn_interpolation {
    MBN_INTERPOLATION_BILINEAR = 0,
    MBN_INTERPOLATION_BICUBIC, /* Keys's, a = -0.5 */
    MBN_INTERPOLATION_NEAREST,
    MBN_INTERPOLATION_AREA /* the mean of what it covers; Pillow's BOX */
} mbn_interpolation;

/* Whose arithmetic resizes.
 *   PILLOW      Image.resize, as torchvision and timm use it: where the image shrinks, filters are
 *               as wide as the reduction; values are rounded to 8 bits between and after the two
 *               directions.
 *   TENSORFLOW  tf.image.resize, as Keras's Resizing uses it: half-pixel centres, without
 *               antialiasing, in float32 and not rounded. */
typedef enum mbn_resampling { MBN_RESAMPLING_PILLOW = 0, MBN_RESAMPLING_TENSORFLOW } mbn_resampling;

/* What becomes of an image whose aspect ratio is not the input's.  The target is the input size
 * with its shorter side scaled to mbn_preprocessing.resize, or the input size itself where that is
 * 0.  What the resized image has more than the input is cut off around the centre; what it lacks is
 * filled.  With TENSORFLOW `resize` is 0 or at least the input's shorter side.
 *   CROP       The shorter side of the image becomes `resize` (torchvision's Resize and
 *              CenterCrop); with resize 0 as SQUASH.  TENSORFLOW: as COVER, unless resize is 0.
 *   SQUASH     To the target, whatever the aspect ratio.
 *   LETTERBOX  As large as fits into the target (timm's crop mode "border").  TENSORFLOW: the image
 *              is filled up to the target's aspect ratio, then resized (pad_to_aspect_ratio).
 *   COVER      As small as covers the target (timm's ResizeKeepRatio).  TENSORFLOW: the image is
 *              cut to the target's aspect ratio, then resized (crop_to_aspect_ratio). */
typedef enum mbn_fit { MBN_FIT_CROP = 0, MBN_FIT_SQUASH, MBN_FIT_LETTERBOX, MBN_FIT_COVER } mbn_fit;

/* "bilinear", ...; "pillow", "tensorflow"; "crop", ...: as in model files; NULL past the end. */
MBN_API const char *mbn_interpolation_name(mbn_interpolation interpolation);
MBN_API const char *mbn_resampling_name(mbn_resampling resampling);
MBN_API const char *mbn_fit_name(mbn_fit fit);

/* How an image becomes an input: resized, cropped or filled in the centre to the context's input
 * size, then (pixel / 255 - mean) / standard_deviation for each channel of the input
 * (mbn_network.input_channels; the rest of the arrays is of no meaning).  For a context of another
 * input size than the model's, the model's `resize` is scaled by its shorter side over the model's,
 * so that it sees the same part of the image. */
typedef struct mbn_preprocessing {
    float mean[4];
    float standard_deviation[4]; /* positive, and no denormals, which a run takes for 0 */
    int32_t resize;              /* 0 to 65536 */
    mbn_interpolation interpolation;
    mbn_resampling resampling;
    mbn_fit fit;
    float fill[4]; /* 0 to 255: what is around the image */
} mbn_preprocessing;

MBN_API void mbn_model_preprocessing(const mbn_model *model, mbn_preprocessing *preprocessing);

/* ---- Contexts: running a model -------------------------------------------------------------- */

typedef struct mbn_context mbn_context;

struct pthreadpool; /* <pthreadpool.h> */

typedef struct mbn_context_options {
    int32_t input_height; /* 32 to 1024; 0: the model's */
    int32_t input_width;
    int32_t threads; /* 1 to 1024; 0: 1.  More than mbn_usable_cpus are not used. */
    /* The caller's own pool instead; it must outlive the context.  A run takes all of its threads,
     * for as long as it lasts: contexts that share a pool take turns, and none may run in a task of
     * that pool.  More threads than there are usable CPUs are used, and cost time: with four on two
     * CPUs a run takes a third longer than with two. */
    struct pthreadpool *pool;
    /* Images that mbn_run and mbn_run_images will usually get at once; 0: 1.  From 2 on, a context
     * of several threads has an arena for each (up to `batch` of them), and runs images side by
     * side, one on each thread, where it would else run one after the other on all.  Any other
     * number may be run, too, and results are the same. */
    int32_t batch;
    int32_t band_rows; /* rows of a block that run together through a cache-sized scratch; 0: chosen
                          from the cache sizes; -1: every layer by itself.  For measuring: results
                          are the same. */
    const mbn_allocator *allocator; /* NULL: the model's */
    /* Stages that mbn_features will write, by name (mbn_network_stage).  Layers that would be fused
     * run by themselves where their output is asked for; results stay the same. */
    const char *const *stages; /* [stage_count] */
    int32_t stage_count;
    /* For mbn_run_images and mbn_preprocess instead of the model's, as it is: its `resize` is not
     * scaled.  NULL: the model's.  The structure is copied. */
    const mbn_preprocessing *preprocessing;
} mbn_context_options;

/* Bytes that mbn_context_create would allocate (a thread pool's own memory aside). */
MBN_API mbn_status mbn_context_bytes(const mbn_model *model, const mbn_context_options *options,
                                     size_t *bytes, mbn_error *error);

/* options may be NULL. */
MBN_API mbn_status mbn_context_create(const mbn_model *model, const mbn_context_options *options,
                                      mbn_context **context, mbn_error *error);

/* NULL is allowed. */
MBN_API void mbn_context_free(mbn_context *context);

typedef enum mbn_tensor_layout { MBN_NHWC = 0, MBN_NCHW } mbn_tensor_layout;

/* PROBABILITIES are what mbn_model_probabilities makes of the logits; MBN_INVALID_ARGUMENT where
 * that is nothing.  A sigmoid is exact but for the rounding to float, and NaN stays NaN. */
typedef enum mbn_output { MBN_LOGITS = 0, MBN_PROBABILITIES } mbn_output;

/* What bytes a model's logits or probabilities are, or a layer's output, which is a stage
 * (mbn_stage_info.layer); -1: the image that the first layer reads.  A float x that mbn_run or
 * mbn_features writes is one of 256, scale * (byte - zero), and byte = zero + rint(x / scale) where
 * scale is not 0; the source's own number is byte - origin, signed if origin is 128.  False where
 * they are floats: of a model that runs in floats, and probabilities of a file that does not say
 * what theirs are quantised by, which are computed from the logits in floats; or where there is no
 * such output. */
MBN_API bool mbn_model_output_quantization(const mbn_model *model, mbn_output kind,
                                           mbn_quantization *quantization);
MBN_API bool mbn_model_layer_quantization(const mbn_model *model, int32_t layer,
                                          mbn_quantization *quantization);

/* Runs `batch` images.  input: [batch][height][width][channels] or [batch][channels][height][width]
 * floats, preprocessed, contiguous, the context's size; 3 channels unless the network has another
 * number (mbn_network.input_channels).  output: [batch][classes] floats.  No allocation, lock or
 * system call happens, but that threads that have waited for each other for a while sleep, and that
 * the first run after a fork starts them.  Results are bit-identical from run to run and for every
 * thread count and batch.  While it runs, every thread rounds to nearest and flushes denormals to
 * zero, whatever the caller's floating-point state, which is restored.  Images do not affect each
 * other.  A NaN anywhere in an image makes all of its outputs NaN; an infinity is clamped by the
 * activations that clamp, and makes NaN where it meets its opposite or a zero weight.  Where a
 * model runs in integers, numbers beyond those that its bytes stand for become the nearest one, and
 * NaN the smallest. */
MBN_API mbn_status mbn_run(mbn_context *context, const float *input, mbn_tensor_layout layout,
                           int32_t batch, mbn_output kind, float *output, mbn_error *error);

typedef enum mbn_pixel_order {
    MBN_RGB = 0,
    MBN_BGR,
    MBN_RGBA,
    MBN_BGRA,
    MBN_GRAY,
    MBN_GRAY_ALPHA
} mbn_pixel_order;

/* What a network reads of an image of any order, by its number of input channels:
 *   1  grey: of colours, Rec. 601 luma as Pillow's convert("L") rounds it
 *   2  grey and alpha
 *   3  red, green, blue: all three are the grey of a grey image
 *   4  red, green, blue, alpha
 * Alpha that the image has not is 255; alpha that the network has not is ignored.  Where an image
 * is resized, a network's alpha weighs its colours, as in Pillow's resize. */

/* 8-bit pixels, row by row from the top: pixel (x, y) starts at pixels + y * row_stride + x * n, n
 * the order's channels.  A part of a frame is a pointer to its first pixel and the frame's
 * row_stride, which may be negative. */
typedef struct mbn_image {
    const uint8_t *pixels;
    int32_t width, height; /* 1 to 65536 */
    ptrdiff_t row_stride;  /* bytes; 0: width * n */
    mbn_pixel_order order;
} mbn_image;

/* Preprocesses `count` images (mbn_preprocessing) and runs them.  output:
 * [count][classes]. */
MBN_API mbn_status mbn_run_images(mbn_context *context, const mbn_image *images, int32_t count,
                                  mbn_output kind, float *output, mbn_error *error);

/* The preprocessing alone: output [height][width][input_channels], the context's input size. */
MBN_API mbn_status mbn_preprocess(mbn_context *context, const mbn_image *image, float *output,
                                  mbn_error *error);

/* Where mbn_features writes a stage: [batch][height][width][channels] floats, or
 * [batch][channels][height][width] with MBN_NCHW, contiguous. */
typedef struct mbn_feature_map {
    float *values;
    mbn_tensor_layout layout;
} mbn_feature_map;

/* Runs `batch` images as far as the last of the context's stages, and writes them all:
 * maps[stage_count], in the order of mbn_context_options.stages.  Input, threads and values are as
 * for mbn_run: nothing is allocated, and no bit depends on threads, batch or the other stages.
 * mbn_network_stage(mbn_context_network(context), name, ...) tells the sizes. */
MBN_API mbn_status mbn_features(mbn_context *context, const float *input, mbn_tensor_layout layout,
                                int32_t batch, const mbn_feature_map *maps, mbn_error *error);

/* ---- Looking inside ------------------------------------------------------------------------- */

/* A step of a context's plan: one or more layers that run together. */
typedef struct mbn_step_info {
    int32_t first_layer,
        last_layer;    /* of mbn_context_network's layers, both included; a step that only
                                        converts what first_layer reads has last_layer before it */
    int32_t tasks;     /* that threads share; 1: the calling thread alone */
    int32_t band_rows; /* output rows that its layers compute together */
    int64_t multiply_adds;
    int64_t bytes; /* that have to be moved at least: inputs, weights and bias, outputs */
} mbn_step_info;

/* The network at the context's input size; lives as long as the context. */
MBN_API const mbn_network *mbn_context_network(const mbn_context *context);

/* Threads that share a step's tasks: what was asked for, as far as there are CPUs, or the caller's
 * pool's. */
MBN_API int32_t mbn_context_threads(const mbn_context *context);

/* Bytes of the activations' arena, a part of mbn_context_bytes. */
MBN_API size_t mbn_context_arena_bytes(const mbn_context *context);

MBN_API int32_t mbn_context_step_count(const mbn_context *context);

/* Step number `index` in order of execution. */
MBN_API mbn_status mbn_context_step(const mbn_context *context, int32_t index, mbn_step_info *info,
                                    mbn_error *error);

/* Runs one image's steps as mbn_run does, and times them: seconds[mbn_context_step_count].
 * again[the same], unless it is NULL: the time of every step's second run, which follows at once
 * and so finds what it reads and writes in the caches, as far as it fits them. */
MBN_API mbn_status mbn_profile(mbn_context *context, const float *input, mbn_tensor_layout layout,
                               double *seconds, double *again, mbn_error *error);

/* Indices of the k largest of count values, largest first, equal ones in ascending order, NaN last.
 * Writes min(k, count) indices and returns that number. */
MBN_API int32_t mbn_top(const float *values, int32_t count, int32_t k, int32_t *indices);

#ifdef __cplusplus
}
#endif

#endif
