#include "arch/error.h"
#include "architecture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const mbn_architecture *const architectures[] = {
    &mbn_mobilenet_v1,
    &mbn_mobilenet_v2,
    &mbn_mobilenet_v3_small,
    &mbn_mobilenet_v3_large,
    &mbn_mobilenet_v3_small_article,
};
enum { ARCHITECTURE_COUNT = sizeof architectures / sizeof architectures[0] };

enum { IMAGE = -1, NONE = -1 };

/* ---- Channels -------------------------------------------------------------------------------- */

/* In double, step by step as Keras and torchvision have it in Python: another order of operations
 * rounds some widths differently. */
static int32_t round_to_8(double channels) {
    const int32_t nearest = (int32_t)(channels + 4.0) / 8 * 8;
    const int32_t rounded = nearest < 8 ? 8 : nearest;
    return rounded < 0.9 * channels ? rounded + 8 : rounded;
}

static int32_t round_channels(double channels, mbn_rounding rounding) {
    switch (rounding) {
    case MBN_ROUND_DOWN: return (int32_t)channels;
    case MBN_ROUND_TO_8: return round_to_8(channels);
    case MBN_ROUND_DOWN_TO_8: return round_to_8((int32_t)channels);
    }
    return 0;
}

/* ---- Building -------------------------------------------------------------------------------- */

struct plane {
    int32_t layer; /* that wrote it, or IMAGE */
    int32_t channels;
};

struct builder {
    const mbn_architecture *architecture;
    const mbn_conventions *conventions;
    double width;
    bool standard;
    mbn_layer *layers; /* NULL while layers are only counted */
    int32_t count;
    int32_t block;
    int32_t table_channels; /* what `now` has at width 1 */
    struct plane now;       /* the plane that the next layer reads */
};

static int32_t scale_channels(const struct builder *b, int32_t channels, mbn_scaling scaling) {
    const mbn_rounding rounding = b->conventions->rounding;
    switch (scaling) {
    case MBN_SCALED: return round_channels(channels * b->width, rounding);
    case MBN_SCALED_UP:
        return b->width > 1 ? round_channels(channels * b->width, rounding) : channels;
    case MBN_FIXED: return channels;
    case MBN_TIMES_INPUT: return channels * b->now.channels;
    case MBN_TIMES_INPUT_ROUNDED:
        return round_channels(b->now.channels * ((double)channels / b->table_channels), rounding);
    }
    return 0;
}

struct window {
    int32_t height, width;
    int32_t stride_vertical, stride_horizontal;
};

static const struct window UNIT = {1, 1, 1, 1};

struct spec {
    mbn_layer_kind kind;
    mbn_layer_role role;
    int32_t channels;     /* of the output */
    struct window window; /* global pools: the whole plane, whatever it says (extent.c) */
    mbn_activation activation;
    bool batch_norm;
    bool bias;
    const struct plane *gate;     /* CHANNEL_SCALE only */
    const struct plane *residual; /* NULL: none */
};

static mbn_activation activation_of(mbn_activation_kind kind) {
    if (kind == MBN_ACTIVATION_HARD_SIGMOID || kind == MBN_ACTIVATION_HARD_SWISH)
        return (mbn_activation){kind, 1.0F / 6.0F, 0.5F};
    return (mbn_activation){kind, 0.0F, 0.0F};
}

static int64_t count_weights(const mbn_layer *layer) {
    const int64_t taps = (int64_t)layer->kernel_height * layer->kernel_width;
    switch (layer->kind) {
    case MBN_LAYER_DEPTHWISE: return taps * layer->output_channels;
    case MBN_LAYER_CONVOLUTION:
    case MBN_LAYER_POINTWISE:
    case MBN_LAYER_FULLY_CONNECTED: return taps * layer->input_channels * layer->output_channels;
    case MBN_LAYER_MAX_POOL:
    case MBN_LAYER_GLOBAL_POOL:
    case MBN_LAYER_CHANNEL_SCALE: break;
    }
    return 0;
}

/* Appends a layer that reads b->now, which becomes its output. */
static void add(struct builder *b, const struct spec *spec) {
    const struct window w = spec->window;
    if (b->layers != NULL) {
        mbn_layer *layer = &b->layers[b->count];
        *layer = (mbn_layer){
            .kind = spec->kind,
            .role = spec->role,
            .block = b->block,
            .input = b->now.layer,
            .gate = spec->gate != NULL ? spec->gate->layer : NONE,
            .residual = spec->residual != NULL ? spec->residual->layer : NONE,
            .input_channels = b->now.channels,
            .output_channels = spec->channels,
            .kernel_height = w.height,
            .kernel_width = w.width,
            .stride_vertical = w.stride_vertical,
            .stride_horizontal = w.stride_horizontal,
            .bias = spec->bias,
            .activation = spec->activation,
        };
        layer->weights = count_weights(layer);
        layer->parameters = layer->weights + (spec->bias ? spec->channels : 0) +
                            (spec->batch_norm ? 2 * spec->channels : 0);
        layer->batch_norm_statistics = spec->batch_norm ? 2 * spec->channels : 0;
    }
    b->now = (struct plane){b->count, spec->channels};
    b->count++;
}

static void add_convolution(struct builder *b, mbn_layer_role role, int32_t channels,
                            struct window window, mbn_activation_kind activation,
                            const struct plane *residual) {
    const bool one = window.height == 1 && window.width == 1;
    add(b, &(struct spec){
               .kind = role == MBN_ROLE_DEPTHWISE ? MBN_LAYER_DEPTHWISE
                       : one                      ? MBN_LAYER_POINTWISE
                                                  : MBN_LAYER_CONVOLUTION,
               .role = role,
               .channels = channels,
               .window = window,
               .activation = activation_of(activation),
               .batch_norm = !b->architecture->folded,
               .bias = b->architecture->convolution_bias || b->architecture->folded,
               .residual = residual,
           });
}

static void add_global_pool(struct builder *b, mbn_layer_role role) {
    add(b, &(struct spec){.kind = MBN_LAYER_GLOBAL_POOL,
                          .role = role,
                          .channels = b->now.channels,
                          .window = UNIT});
}

static void add_fully_connected(struct builder *b, mbn_layer_role role, int32_t channels,
                                mbn_activation activation) {
    add(b, &(struct spec){.kind = MBN_LAYER_FULLY_CONNECTED,
                          .role = role,
                          .channels = channels,
                          .window = UNIT,
                          .activation = activation,
                          .bias = true});
}

static void add_squeeze_excite(struct builder *b, const mbn_row *row) {
    const struct plane features = b->now;
    int32_t units = row->squeeze;
    if (units == MBN_SQUEEZE_QUARTER) units = features.channels / 4;
    if (units == MBN_SQUEEZE_QUARTER_ROUNDED) units = round_to_8(features.channels * 0.25);

    add_global_pool(b, MBN_ROLE_SQUEEZE_POOL);
    add_fully_connected(b, MBN_ROLE_SQUEEZE, units,
                        activation_of(row->own_squeeze_activation
                                          ? row->squeeze_activation
                                          : b->architecture->squeeze_activation));
    add_fully_connected(b, MBN_ROLE_EXCITE, features.channels, b->architecture->gate);
    const struct plane gate = b->now;
    b->now = features;
    add(b, &(struct spec){.kind = MBN_LAYER_CHANNEL_SCALE,
                          .role = MBN_ROLE_SCALE,
                          .channels = features.channels,
                          .window = UNIT,
                          .gate = &gate});
}

static void add_block(struct builder *b, const mbn_row *row, int32_t stride_vertical,
                      int32_t stride_horizontal) {
    const struct window window = {row->kernel, row->kernel, stride_vertical, stride_horizontal};
    const struct plane input = b->now;
    const int32_t output =
        round_channels(row->output_channels * b->width, b->conventions->row_rounding);
    const bool inverted = row->kind == MBN_ROW_INVERTED_RESIDUAL;
    const bool residual = inverted && !row->no_residual && stride_vertical == 1 &&
                          stride_horizontal == 1 && input.channels == output;

    if (inverted && row->expansion != 0) {
        const int32_t expanded = scale_channels(b, row->expansion, b->conventions->expansion);
        if (expanded != input.channels || b->architecture->expand_always)
            add_convolution(b, MBN_ROLE_EXPAND, expanded, UNIT, row->activation, NULL);
    }
    if (!b->standard)
        add_convolution(b, MBN_ROLE_DEPTHWISE, b->now.channels, window, row->activation, NULL);
    if (row->squeeze != MBN_SQUEEZE_NONE) add_squeeze_excite(b, row);
    add_convolution(b, MBN_ROLE_PROJECT, output, b->standard ? window : UNIT,
                    inverted ? MBN_ACTIVATION_NONE : row->activation, residual ? &input : NULL);
    b->table_channels = row->output_channels;
}

static void build(struct builder *b, const mbn_network *head) {
    const mbn_architecture *a = b->architecture;
    const mbn_conventions *c = b->conventions;
    b->count = 0;
    b->block = NONE;
    b->now = (struct plane){IMAGE, head->input_channels};

    add_convolution(b, MBN_ROLE_STEM, scale_channels(b, a->stem_channels, c->stem),
                    (struct window){3, 3, a->stem_stride_vertical, a->stem_stride_horizontal},
                    a->stem_activation, NULL);
    b->table_channels = a->stem_channels;

    for (int32_t i = 0; i < a->row_count; i++) {
        const mbn_row *row = &a->rows[i];
        for (int32_t repetition = 0; repetition < row->repeat; repetition++) {
            b->block++;
            add_block(b, row, repetition == 0 ? row->stride_vertical : 1,
                      repetition == 0 ? row->stride_horizontal : 1);
        }
    }
    b->block = NONE;

    if (a->head_channels != 0)
        add_convolution(b, MBN_ROLE_HEAD, scale_channels(b, a->head_channels, c->head), UNIT,
                        a->head_activation, NULL);
    if (a->head_max_pool_window != 0) {
        const int32_t window = a->head_max_pool_window, stride = a->head_max_pool_stride;
        add(b, &(struct spec){.kind = MBN_LAYER_MAX_POOL,
                              .role = MBN_ROLE_HEAD_MAX_POOL,
                              .channels = b->now.channels,
                              .window = {window, window, stride, stride}});
    }
    if (a->global_max_pool)
        add(b, &(struct spec){.kind = MBN_LAYER_MAX_POOL,
                              .role = MBN_ROLE_HEAD_GLOBAL_MAX_POOL,
                              .channels = b->now.channels,
                              .window = UNIT});
    add_global_pool(b, MBN_ROLE_HEAD_POOL);
    for (int32_t i = 0; i < a->hidden_count; i++)
        add_fully_connected(b, MBN_ROLE_HIDDEN, scale_channels(b, a->hidden[i].channels, c->hidden),
                            activation_of(a->hidden[i].activation));
    if (!a->no_logits)
        add_fully_connected(b, MBN_ROLE_LOGITS, head->classes, activation_of(MBN_ACTIVATION_NONE));
}

/* ---- Options --------------------------------------------------------------------------------- */

static mbn_status resolve_size(const char *option, int32_t value, int32_t fallback, int32_t least,
                               int32_t most, int32_t *resolved, mbn_error *error) {
    if (value == 0) value = fallback;
    if (value < least || value > most)
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "%s: %d is outside %d to %d", option,
                        (int)value, (int)least, (int)most);
    *resolved = value;
    return MBN_OK;
}

static mbn_status resolve_input(int32_t height, int32_t width, int32_t own_height,
                                int32_t own_width, mbn_network *network, mbn_error *error) {
    const mbn_status status =
        resolve_size("input_height", height, own_height, 32, 1024, &network->input_height, error);
    if (status != MBN_OK) return status;
    return resolve_size("input_width", width, own_width, 32, 1024, &network->input_width, error);
}

/* Options with every default filled in, as the head of a network. */
static mbn_status resolve(const mbn_architecture *a, const mbn_network_options *options,
                          mbn_network *network, mbn_error *error) {
    const double width = options->width == 0 ? 1 : options->width;
    if (!(width >= 0.1 && width <= 4))
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "width: %g is outside 0.1 to 4", width);
    if (a->fixed_width && width != 1)
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "width: %s has width 1 only, not %g", a->name,
                        width);

    mbn_status status =
        resolve_input(options->input_height, options->input_width, 224, 224, network, error);
    if (status == MBN_OK)
        status =
            resolve_size("classes", options->classes, 1000, 1, 1000000, &network->classes, error);
    if (status == MBN_OK)
        status = resolve_size("input_channels", options->input_channels, 3, 1, 4,
                              &network->input_channels, error);
    if (status != MBN_OK) return status;

    if (options->source != MBN_SOURCE_DEFAULT && mbn_source_name(options->source) == NULL)
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "source: %d is not one", (int)options->source);
    const mbn_conventions *c = mbn_architecture_conventions(a, options->source);
    if (c == NULL)
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "source: %s does not have %s",
                        mbn_source_name(options->source), a->name);

    if (options->padding != MBN_PADDING_DEFAULT && mbn_padding_name(options->padding) == NULL)
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "padding: %d is not one",
                        (int)options->padding);

    const double epsilon = options->batch_norm_epsilon;
    if (!(epsilon >= 0 && isfinite(epsilon)))
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "batch_norm_epsilon: %g is not positive",
                        epsilon);

    if (a->no_logits) network->classes = 0;
    network->width = width;
    network->padding = options->padding == MBN_PADDING_DEFAULT ? c->padding : options->padding;
    network->source = c->source;
    network->batch_norm_epsilon = epsilon == 0 ? c->batch_norm_epsilon : epsilon;
    memcpy(network->name, a->name, strlen(a->name) + 1);
    return MBN_OK;
}

/* ---- Interface ------------------------------------------------------------------------------- */

const mbn_architecture *mbn_architecture_find(const char *name) {
    for (int32_t i = 0; i < ARCHITECTURE_COUNT; i++) {
        if (strcmp(architectures[i]->name, name) == 0) return architectures[i];
    }
    return NULL;
}

const mbn_conventions *mbn_architecture_conventions(const mbn_architecture *architecture,
                                                    mbn_source source) {
    if (source == MBN_SOURCE_DEFAULT) return &architecture->conventions[0];
    for (int32_t i = 0; i < architecture->convention_count; i++) {
        if (architecture->conventions[i].source == source) return &architecture->conventions[i];
    }
    return NULL;
}

const char *mbn_source_name(mbn_source source) {
    switch (source) {
    case MBN_SOURCE_DEFAULT: break;
    case MBN_SOURCE_TORCHVISION: return "torchvision";
    case MBN_SOURCE_KERAS: return "keras";
    }
    return NULL;
}

const char *mbn_padding_name(mbn_padding padding) {
    switch (padding) {
    case MBN_PADDING_DEFAULT: break;
    case MBN_PADDING_SAME: return "same";
    case MBN_PADDING_SYMMETRIC: return "symmetric";
    case MBN_PADDING_TRAILING: return "trailing";
    }
    return NULL;
}

/* A network is one allocation. */
struct whole {
    mbn_network network;
    mbn_layer layers[];
};

static struct whole *allocate(int32_t layer_count) {
    return malloc(sizeof(struct whole) + (size_t)layer_count * sizeof(mbn_layer));
}

/* Takes over `whole`, whose layers lack their sizes; `head` has all but layers and sums. */
static mbn_status complete(struct whole *whole, const mbn_network *head, mbn_network **network,
                           mbn_error *error) {
    whole->network = *head;
    mbn_network *n = &whole->network;
    if (!mbn_size_layers(n->padding, n->input_height, n->input_width, whole->layers,
                         n->layer_count)) {
        free(whole);
        return mbn_fail(error, MBN_INVALID_ARGUMENT,
                        "input_height, input_width: %dx%d is too small for %s",
                        (int)head->input_height, (int)head->input_width, head->name);
    }
    n->layers = whole->layers;
    n->parameters = n->batch_norm_statistics = n->multiply_adds = 0;
    for (int32_t i = 0; i < n->layer_count; i++) {
        n->parameters += whole->layers[i].parameters;
        n->batch_norm_statistics += whole->layers[i].batch_norm_statistics;
        n->multiply_adds += whole->layers[i].multiply_adds;
    }
    *network = n;
    return MBN_OK;
}

mbn_status mbn_network_layout(const mbn_architecture *architecture,
                              const mbn_network_options *options, mbn_network **network,
                              mbn_error *error) {
    *network = NULL;
    mbn_network resolved = {0};
    const mbn_status status = resolve(architecture, options, &resolved, error);
    if (status != MBN_OK) return status;

    struct builder b = {
        .architecture = architecture,
        .conventions = mbn_architecture_conventions(architecture, resolved.source),
        .width = resolved.width,
        .standard = options->standard_convolution,
    };
    build(&b, &resolved);
    struct whole *whole = allocate(b.count);
    if (whole == NULL) return mbn_fail(error, MBN_OUT_OF_MEMORY, "network: out of memory");
    b.layers = whole->layers;
    build(&b, &resolved);
    mbn_name_layers(b.conventions->naming, whole->layers, b.count);
    resolved.layer_count = b.count;
    return complete(whole, &resolved, network, error);
}

mbn_status mbn_network_resize(const mbn_network *network, int32_t input_height, int32_t input_width,
                              mbn_network **resized, mbn_error *error) {
    *resized = NULL;
    mbn_network head = *network;
    const mbn_status status = resolve_input(input_height, input_width, network->input_height,
                                            network->input_width, &head, error);
    if (status != MBN_OK) return status;
    struct whole *whole = allocate(network->layer_count);
    if (whole == NULL) return mbn_fail(error, MBN_OUT_OF_MEMORY, "network: out of memory");
    memcpy(whole->layers, network->layers, (size_t)network->layer_count * sizeof(mbn_layer));
    return complete(whole, &head, resized, error);
}

static mbn_status fail_unknown(const char *name, mbn_error *error) {
    char known[256] = "";
    for (int32_t i = 0; i < ARCHITECTURE_COUNT; i++) {
        if (i > 0) strcat(known, ", ");
        strcat(known, architectures[i]->name);
    }
    return mbn_fail(error, MBN_INVALID_ARGUMENT, "network: unknown '%.64s'; known: %s", name,
                    known);
}

mbn_status mbn_network_create(const mbn_network_options *options, mbn_network **network,
                              mbn_error *error) {
    if (network == NULL) return mbn_fail(error, MBN_INVALID_ARGUMENT, "network: NULL");
    *network = NULL;
    if (options == NULL) return mbn_fail(error, MBN_INVALID_ARGUMENT, "options: NULL");
    if (options->network == NULL)
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "options.network: NULL");
    const mbn_architecture *architecture = mbn_architecture_find(options->network);
    if (architecture == NULL) return fail_unknown(options->network, error);
    return mbn_network_layout(architecture, options, network, error);
}

void mbn_network_free(mbn_network *network) {
    free(network);
}

const char *mbn_network_name(int32_t index) {
    return index >= 0 && index < ARCHITECTURE_COUNT ? architectures[index]->name : NULL;
}

const char *mbn_layer_kind_name(mbn_layer_kind kind) {
    switch (kind) {
    case MBN_LAYER_CONVOLUTION: return "convolution";
    case MBN_LAYER_DEPTHWISE: return "depthwise";
    case MBN_LAYER_POINTWISE: return "pointwise";
    case MBN_LAYER_MAX_POOL: return "max pool";
    case MBN_LAYER_GLOBAL_POOL: return "global pool";
    case MBN_LAYER_FULLY_CONNECTED: return "fully connected";
    case MBN_LAYER_CHANNEL_SCALE: return "channel scale";
    }
    return "unknown";
}

const char *mbn_layer_role_name(mbn_layer_role role) {
    switch (role) {
    case MBN_ROLE_STEM: return "stem";
    case MBN_ROLE_EXPAND: return "expand";
    case MBN_ROLE_DEPTHWISE: return "depthwise";
    case MBN_ROLE_SQUEEZE_POOL: return "squeeze pool";
    case MBN_ROLE_SQUEEZE: return "squeeze";
    case MBN_ROLE_EXCITE: return "excite";
    case MBN_ROLE_SCALE: return "scale";
    case MBN_ROLE_PROJECT: return "project";
    case MBN_ROLE_HEAD: return "head";
    case MBN_ROLE_HEAD_MAX_POOL: return "head max pool";
    case MBN_ROLE_HEAD_POOL: return "head pool";
    case MBN_ROLE_HIDDEN: return "hidden";
    case MBN_ROLE_LOGITS: return "logits";
    case MBN_ROLE_HEAD_GLOBAL_MAX_POOL: return "head global max pool";
    }
    return "unknown";
}

int32_t mbn_head_pool(const mbn_network *network) {
    int32_t index = network->layer_count - 1;
    while (network->layers[index].role != MBN_ROLE_HEAD_POOL) index--;
    return index;
}
