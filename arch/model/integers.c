#include "integers.h"

#include "arch/error.h"
#include "tensors.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A multiplier's and a shift's bounds (mobilenet/q8.h). */
enum { LEAST_FIXED = 1 << 30, LEAST_SHIFT = -31, MOST_SHIFT = 30 };

/* Factors of a sum that is shifted: with bytes they stay below 2^31 together, the rounding
 * included. */
enum { MOST_SUM_FACTOR = 1 << 21 };

typedef struct reader {
    const mbn_safetensors *file;
    const mbn_metadata *metadata;
    const mbn_network *network;
    mbn_integers *integers;
    bool *used;             /* [tensors], in the order of their data */
    const mbn_layer *layer; /* whose tensors are read; NULL: those of the whole network */
    mbn_error *error;
} reader;

/* ---- Tensors --------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static bool fail(const reader *r, const char *name,
                                                       const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    mbn_fail(r->error, MBN_MALFORMED, "%.128s: %s", name, text);
    return false;
}

/* A name of one of the layer's tensors. */
typedef struct tensor_name {
    char text[96];
} tensor_name;

static tensor_name name_of(const reader *r, const char *what) {
    tensor_name name;
    snprintf(name.text, sizeof name.text, "%s%s%s", r->layer != NULL ? r->layer->name : "",
             r->layer != NULL ? "." : "", what);
    return name;
}

/* NULL if there is none. */
static const mbn_tensor *find_named(reader *r, const char *name) {
    const mbn_tensor *tensor = mbn_safetensors_find(r->file, name);
    if (tensor != NULL) r->used[tensor - mbn_safetensors_at(r->file, 0)] = true;
    return tensor;
}

static const mbn_tensor *find(reader *r, const char *what) {
    return find_named(r, name_of(r, what).text);
}

static bool require(reader *r, const char *what, const mbn_tensor **tensor) {
    *tensor = find(r, what);
    if (*tensor != NULL) return true;
    fail(r, name_of(r, what).text, "missing from the file");
    return false;
}

#define TYPE(dtype) (1U << MBN_DTYPE_##dtype)

/* types: a mask; names: the same for the message. */
static bool check_type(const reader *r, const mbn_tensor *tensor, unsigned types,
                       const char *names) {
    if ((types >> tensor->dtype & 1U) != 0) return true;
    return fail(r, tensor->name, "type %s, not %s", tensor->dtype_name, names);
}

static bool check_bytes(const reader *r, const mbn_tensor *tensor) {
    return check_type(r, tensor, TYPE(I8) | TYPE(U8), "I8 or U8");
}

static bool check_same_type(const reader *r, const mbn_tensor *tensor, const mbn_tensor *other) {
    if (tensor->dtype == other->dtype) return true;
    return fail(r, tensor->name, "type %s, but %.96s is %s", tensor->dtype_name, other->name,
                other->dtype_name);
}

/* [count], or [count][columns] where that is not 0. */
static bool check_shape(const reader *r, const mbn_tensor *tensor, int64_t count, int64_t columns) {
    mbn_parameter_info info = {.rank = columns == 0 ? 1 : 2, .shape = {count, columns}};
    snprintf(info.name, sizeof info.name, "%s", tensor->name);
    return mbn_check_shape(tensor, &info, r->error) == MBN_OK;
}

/* [1], or one of each channel. */
static bool check_channels(const reader *r, const mbn_tensor *tensor, int32_t channels) {
    return (tensor->rank == 1 && tensor->count == 1) || check_shape(r, tensor, channels, 0);
}

/* Whether all elements, which are F32 or F64, are factors. */
static bool check_factors(const reader *r, const mbn_tensor *tensor) {
    for (int64_t i = 0; i < tensor->count; i++) {
        const double factor = mbn_tensor_real(tensor, i);
        if (!(factor >= 0.0 && isfinite(factor))) {
            return fail(r, tensor->name, "[%d] is %g, not a finite number from 0 on", (int)i,
                        factor);
        }
    }
    return true;
}

/* Pairs of a multiplier and a shift up to `most`. */
static bool check_fixed(const reader *r, const mbn_tensor *tensor, int32_t most) {
    for (int64_t i = 0; i < tensor->shape[0]; i++) {
        const int32_t fixed = mbn_tensor_integer(tensor, 2 * i);
        const int32_t shift = mbn_tensor_integer(tensor, 2 * i + 1);
        if (fixed != 0 && fixed < LEAST_FIXED) {
            return fail(r, tensor->name, "[%d,0] is %d, neither 0 nor from 2^30 on", (int)i,
                        (int)fixed);
        }
        if (shift < LEAST_SHIFT || shift > most) {
            return fail(r, tensor->name, "[%d,1] is %d, not a shift from %d to %d", (int)i,
                        (int)shift, LEAST_SHIFT, (int)most);
        }
    }
    return true;
}

uint8_t mbn_byte_at(const mbn_tensor *tensor, int64_t index) {
    return (uint8_t)(mbn_tensor_integer(tensor, index) + (tensor->dtype == MBN_DTYPE_I8 ? 128 : 0));
}

/* ---- Quantisations --------------------------------------------------------------------------- */

/* `what`_scale and `what`_zero_point; *zero becomes the latter. */
static bool read_quantization(reader *r, const char *what, mbn_quantization *quantization,
                              const mbn_tensor **zero) {
    char scale_name[32], zero_name[32];
    snprintf(scale_name, sizeof scale_name, "%s_scale", what);
    snprintf(zero_name, sizeof zero_name, "%s_zero_point", what);
    const mbn_tensor *scale;
    if (!require(r, scale_name, &scale) || !check_type(r, scale, TYPE(F32), "F32") ||
        !check_shape(r, scale, 1, 0) || !check_factors(r, scale) || !require(r, zero_name, zero) ||
        !check_bytes(r, *zero) || !check_shape(r, *zero, 1, 0)) {
        return false;
    }
    *quantization = (mbn_quantization){
        .scale = (float)mbn_tensor_real(scale, 0),
        .zero = mbn_byte_at(*zero, 0),
        .origin = (*zero)->dtype == MBN_DTYPE_I8 ? 128 : 0,
        .quantizing = r->metadata->quantizing,
    };
    return true;
}

/* That, and `what`_range. */
static bool read_output(reader *r, const char *what, mbn_quantization *quantization,
                        mbn_byte_range *range) {
    char name[32];
    snprintf(name, sizeof name, "%s_range", what);
    const mbn_tensor *zero;
    if (!read_quantization(r, what, quantization, &zero)) return false;
    *range = (mbn_byte_range){(uint8_t)quantization->zero, 0, 255};
    const mbn_tensor *ends = find(r, name);
    if (ends == NULL) return true;
    if (!check_same_type(r, ends, zero) || !check_shape(r, ends, 2, 0)) return false;
    range->low = mbn_byte_at(ends, 0);
    range->high = mbn_byte_at(ends, 1);
    return range->low <= range->high ||
           fail(r, ends->name, "%d is above %d", (int)mbn_tensor_integer(ends, 0),
                (int)mbn_tensor_integer(ends, 1));
}

static bool read_lookup(reader *r, const char *what, const mbn_tensor *zero,
                        const mbn_tensor **lookup) {
    return require(r, what, lookup) && check_same_type(r, *lookup, zero) &&
           check_shape(r, *lookup, 256, 0);
}

/* ---- Layers ---------------------------------------------------------------------------------- */

/* The multipliers of `count` channels; their type says how sums are rescaled. */
static bool read_multiplier(reader *r, int32_t count, mbn_layer_integers *at) {
    const mbn_tensor **tensor = &at->multiplier;
    if (!require(r, "multiplier", tensor) ||
        !check_type(r, *tensor, TYPE(F32) | TYPE(I32) | TYPE(F64), "F32, I32 or F64")) {
        return false;
    }
    if ((*tensor)->dtype == MBN_DTYPE_I32) {
        at->finish.rescaling = MBN_RESCALE_FIXED;
        return check_shape(r, *tensor, count, 2) && check_fixed(r, *tensor, MOST_SHIFT);
    }
    at->finish.rescaling =
        (*tensor)->dtype == MBN_DTYPE_F32 ? MBN_RESCALE_FLOAT : MBN_RESCALE_DOUBLE;
    return check_shape(r, *tensor, count, 0) && check_factors(r, *tensor);
}

/* Whether the channel's weights, less their zero point, are all within -128 .. 127. */
static bool is_narrow(const mbn_layer_integers *at, int32_t channel) {
    const bool is_signed = at->weight->dtype == MBN_DTYPE_I8;
    const int32_t least = mbn_weight_zero(at, channel) - (is_signed ? 0 : 128);
    if (least == 0) return true; /* as bytes from 0 on: whatever they are */
    const int64_t count = at->layout.output_stride;
    const uint8_t *bytes = (const uint8_t *)at->weight->data + channel * count;
    const uint8_t sign = is_signed ? 0x80 : 0;
    bool outside = false;
    for (int64_t i = 0; i < count; i++) {
        const int32_t byte = bytes[i] ^ sign;
        outside |= byte < least || byte > least + 255;
    }
    return !outside;
}

static bool read_weights(reader *r, mbn_layer_integers *at) {
    mbn_layer_parameter(r->network, r->layer, MBN_WEIGHT, &at->layout);
    at->weight = find_named(r, at->layout.name);
    if (mbn_check_shape(at->weight, &at->layout, r->error) != MBN_OK ||
        !check_bytes(r, at->weight) || !require(r, "weight_scale", &at->weight_scale) ||
        !check_type(r, at->weight_scale, TYPE(F32), "F32") ||
        !check_channels(r, at->weight_scale, r->layer->output_channels) ||
        !check_factors(r, at->weight_scale)) {
        return false;
    }
    at->weight_zero_point = find(r, "weight_zero_point");
    if (at->weight_zero_point == NULL) {
        if (at->weight->dtype == MBN_DTYPE_U8) {
            return fail(r, name_of(r, "weight_zero_point").text,
                        "missing from the file, and weights are U8");
        }
    } else if (!check_same_type(r, at->weight_zero_point, at->weight) ||
               !check_channels(r, at->weight_zero_point, r->layer->output_channels)) {
        return false;
    }
    for (int32_t c = 0; !at->wide && c < r->layer->output_channels; c++)
        at->wide = !is_narrow(at, c);
    return require(r, "bias", &at->bias) && check_type(r, at->bias, TYPE(I32), "I32") &&
           check_shape(r, at->bias, r->layer->output_channels, 0);
}

static mbn_multiplier fixed_multiplier(const mbn_tensor *pairs, int64_t index) {
    return (mbn_multiplier){.fixed = mbn_tensor_integer(pairs, 2 * index),
                            .shift = mbn_tensor_integer(pairs, 2 * index + 1)};
}

/* A sum by whole numbers and a shift. */
static bool read_shifted_sum(const reader *r, const mbn_tensor *factors, mbn_q8_add *add) {
    add->kind = MBN_ADD_SHIFT;
    for (int i = 0; i < 2; i++) {
        add->multiplier[i].fixed = mbn_tensor_integer(factors, i);
        if (add->multiplier[i].fixed < -MOST_SUM_FACTOR ||
            add->multiplier[i].fixed > MOST_SUM_FACTOR) {
            return fail(r, factors->name, "[%d] is %d, beyond 2^21", i,
                        (int)add->multiplier[i].fixed);
        }
    }
    add->output.shift = mbn_tensor_integer(factors, 2);
    return (add->output.shift >= 1 && add->output.shift <= 31) ||
           fail(r, factors->name, "[2] is %d, not a shift from 1 to 31", (int)add->output.shift);
}

/* A sum by fixed-point multipliers, of which none is above 1. */
static bool read_fixed_sum(const reader *r, const mbn_tensor *pairs, mbn_q8_add *add) {
    add->kind = MBN_ADD_FIXED;
    add->multiplier[0] = fixed_multiplier(pairs, 0);
    add->multiplier[1] = fixed_multiplier(pairs, 1);
    add->output = fixed_multiplier(pairs, 2);
    return check_fixed(r, pairs, 0);
}

static bool read_float_sum(reader *r, const mbn_tensor *factors, mbn_q8_add *add) {
    add->kind = MBN_ADD_FLOAT;
    for (int i = 0; i < 3; i++) {
        const float factor = (float)mbn_tensor_real(factors, i);
        if (!isfinite(factor)) return fail(r, factors->name, "[%d] is %g", i, (double)factor);
        *(i < 2 ? &add->multiplier[i].real : &add->offset) = factor;
    }
    const mbn_tensor *swapped = find(r, "sum_swapped");
    if (swapped == NULL) return true;
    if (!check_type(r, swapped, TYPE(U8), "U8") || !check_shape(r, swapped, 1, 0)) return false;
    const int32_t value = mbn_tensor_integer(swapped, 0);
    add->other_first = value == 1;
    return value <= 1 || fail(r, swapped->name, "%d is neither 0 nor 1", (int)value);
}

/* The sum of the layer's output and a residual. */
static bool read_sum(reader *r, const mbn_quantization *residual, mbn_layer_integers *at) {
    const mbn_quantization *own = &at->output;
    const mbn_tensor *factors;
    mbn_quantization sum;
    mbn_q8_add *add = &at->add;
    at->adds = true;
    if (!require(r, "sum_multiplier", &factors) ||
        !check_type(r, factors, TYPE(I32) | TYPE(F32), "I32 or F32") ||
        !check_shape(r, factors, 3,
                     factors->dtype == MBN_DTYPE_I32 && factors->rank == 2 ? 2 : 0) ||
        !read_output(r, "sum", &sum, &add->range) ||
        !(factors->dtype == MBN_DTYPE_F32 ? read_float_sum(r, factors, add)
          : factors->rank == 1            ? read_shifted_sum(r, factors, add)
                                          : read_fixed_sum(r, factors, add))) {
        return false;
    }
    if (add->kind == MBN_ADD_FLOAT &&
        (own->origin != residual->origin || own->origin != sum.origin)) {
        return fail(r, name_of(r, "sum_zero_point").text,
                    "one of the sum and its two terms is signed and another is not");
    }
    add->zero[0] = own->zero;
    add->zero[1] = residual->zero;
    add->origin[0] = own->origin;
    add->origin[1] = residual->origin;
    at->output = sum;
    return true;
}

/* A layer with weights. */
static bool read_weighted(reader *r, mbn_layer_integers *at) {
    if (!read_weights(r, at) || !read_multiplier(r, r->layer->output_channels, at) ||
        !read_output(r, "output", &at->output, &at->finish.range)) {
        return false;
    }
    if (find(r, "lookup") != NULL) {
        const mbn_tensor *zero;
        if (!read_quantization(r, "lookup", &at->output, &zero) ||
            !read_lookup(r, "lookup", zero, &at->lookup)) {
            return false;
        }
    }
    const int32_t residual = r->layer->residual;
    return residual < 0 || read_sum(r, &r->integers->layers[residual].output, at);
}

static bool read_channel_scale(reader *r, mbn_layer_integers *at) {
    at->finish.gate_zero = r->integers->layers[r->layer->gate].output.zero;
    if (!read_multiplier(r, 1, at) || !read_output(r, "output", &at->output, &at->finish.range)) {
        return false;
    }
    at->finish.multiplier = mbn_channel_multiplier(at, 0);
    at->finish.zero_inside = r->metadata->quantizing == MBN_QUANTIZE_QUOTIENT;
    at->finish.origin = at->output.origin;
    if (find(r, "lookup") == NULL) return true;
    const mbn_tensor *zero;
    mbn_quantization looked_up;
    if (!read_quantization(r, "lookup", &looked_up, &zero) ||
        !read_lookup(r, "lookup", zero, &at->lookup)) {
        return false;
    }
    at->finish.input_zero = looked_up.zero;
    return true;
}

/* The floats that a global pool averages, one for each byte. */
static bool read_values(reader *r, mbn_layer_integers *at) {
    at->values = find(r, "values");
    if (at->values == NULL) return true;
    if (!check_type(r, at->values, TYPE(F32), "F32") || !check_shape(r, at->values, 256, 0)) {
        return false;
    }
    for (int64_t i = 0; i < 256; i++) {
        const double value = mbn_tensor_real(at->values, i);
        if (!isfinite(value)) return fail(r, at->values->name, "[%d] is %g", (int)i, value);
    }
    at->finish.mean.kind = MBN_MEAN_VALUES;
    return true;
}

static bool read_global_pool(reader *r, mbn_layer_integers *at) {
    mbn_q8_mean *mean = &at->finish.mean;
    mean->kind = MBN_MEAN_INTEGER;
    mean->origin = at->input.origin;
    if (find(r, "output_scale") == NULL) return true;
    if (!read_output(r, "output", &at->output, &at->finish.range)) return false;
    mean->kind = r->metadata->rescaling == MBN_RESCALE_FIXED        ? MBN_MEAN_FIXED
                 : r->metadata->quantizing == MBN_QUANTIZE_QUOTIENT ? MBN_MEAN_FLOAT
                                                                    : MBN_MEAN_OFFSET;
    mean->input_scale = at->input.scale;
    mean->output_scale = at->output.scale;
    if (mean->kind == MBN_MEAN_OFFSET && at->output.origin != mean->origin) {
        return fail(r, name_of(r, "output_zero_point").text,
                    "one of the mean and what it is of is signed and the other is not");
    }
    if (!(at->output.scale > 0.0F)) {
        return fail(r, name_of(r, "output_scale").text, "0, by which means would be divided");
    }
    return read_values(r, at);
}

/* Layers with weights say it by their type; others are as what they read. */
static bool is_of_floats(const reader *r, int32_t index) {
    const mbn_layer *layer = &r->network->layers[index];
    if (layer->weights == 0) {
        return layer->input >= 0 && r->integers->layers[layer->input].floats;
    }
    mbn_parameter_info info;
    mbn_layer_parameter(r->network, layer, MBN_WEIGHT, &info);
    const mbn_tensor *weight = mbn_safetensors_find(r->file, info.name);
    return weight != NULL && mbn_tensor_has_floats(weight);
}

static bool read_float_tensor(reader *r, mbn_parameter parameter) {
    mbn_parameter_info info;
    if (!mbn_layer_parameter(r->network, r->layer, parameter, &info)) return true;
    const mbn_tensor *tensor = find_named(r, info.name);
    return mbn_check_shape(tensor, &info, r->error) == MBN_OK &&
           check_type(r, tensor, TYPE(F32) | TYPE(F16) | TYPE(BF16), "F32, F16 or BF16");
}

/* A layer that stays in floats, and what becomes of them where bytes are read. */
static bool read_floats(reader *r, mbn_layer_integers *at) {
    at->floats = true;
    if (!read_float_tensor(r, MBN_WEIGHT) || !read_float_tensor(r, MBN_BIAS)) return false;
    if (find(r, "output_scale") == NULL) return true;
    const mbn_tensor *zero;
    at->has_bytes = true;
    return read_quantization(r, "output", &at->output, &zero);
}

/* What a layer of integers reads has a quantisation. */
static bool check_reading(reader *r, int32_t index) {
    if (index < 0 || !r->integers->layers[index].floats || r->integers->layers[index].has_bytes) {
        return true;
    }
    char name[96];
    snprintf(name, sizeof name, "%s.output_scale", r->network->layers[index].name);
    return fail(r, name, "missing from the file, and %.64s reads bytes", r->layer->name);
}

static bool read_layer(reader *r, int32_t index) {
    mbn_layer_integers *at = &r->integers->layers[index];
    r->layer = &r->network->layers[index];
    if (is_of_floats(r, index)) return read_floats(r, at);
    if (!check_reading(r, r->layer->input) || !check_reading(r, r->layer->gate) ||
        !check_reading(r, r->layer->residual)) {
        return false;
    }
    at->input =
        r->layer->input < 0 ? r->integers->image : r->integers->layers[r->layer->input].output;
    at->output = at->input;
    at->finish.input_zero = at->input.zero;
    switch (r->layer->kind) {
    case MBN_LAYER_CONVOLUTION:
    case MBN_LAYER_DEPTHWISE:
    case MBN_LAYER_POINTWISE:
    case MBN_LAYER_FULLY_CONNECTED: return read_weighted(r, at);
    case MBN_LAYER_CHANNEL_SCALE: return read_channel_scale(r, at);
    case MBN_LAYER_GLOBAL_POOL: return read_global_pool(r, at);
    case MBN_LAYER_MAX_POOL: break;
    }
    return true;
}

/* ---- The network ----------------------------------------------------------------------------- */

/* What the image is quantised by, and its lookup. */
static bool read_image(reader *r) {
    mbn_integers *integers = r->integers;
    const int32_t channels = r->network->input_channels;
    const mbn_tensor *zero, **scales = &integers->image_scale, **shifts = &integers->image_shift;
    if (!read_quantization(r, "input", &integers->image, &zero)) return false;
    const mbn_tensor *lookup = find(r, "input_lookup");
    integers->image_lookup = lookup;
    if (lookup == NULL) return true;
    if (!check_same_type(r, lookup, zero) ||
        !(lookup->rank == 1 ? check_shape(r, lookup, 256, 0)
                            : check_shape(r, lookup, channels, 256)) ||
        !require(r, "image_scale", scales) || !check_type(r, *scales, TYPE(F32), "F32") ||
        !check_channels(r, *scales, channels) || !check_factors(r, *scales) ||
        !require(r, "image_shift", shifts) || !check_type(r, *shifts, TYPE(F32), "F32") ||
        !check_channels(r, *shifts, channels)) {
        return false;
    }
    for (int32_t c = 0; c < channels; c++) {
        if (!(mbn_tensor_real(*scales, mbn_element_of(*scales, c)) > 0.0)) {
            return fail(r, (*scales)->name, "0, by which pixels would be divided");
        }
        const double shift = mbn_tensor_real(*shifts, mbn_element_of(*shifts, c));
        if (!isfinite(shift)) return fail(r, (*shifts)->name, "[%d] is %g", (int)c, shift);
    }
    return true;
}

/* Exponentials of 0 to -255 times a logit's scale, as their runtime has them. */
static bool read_exponentials(reader *r, const mbn_tensor **table) {
    if (!require(r, "probabilities_table", table) ||
        !check_type(r, *table, TYPE(F32) | TYPE(I32), "F32 or I32") ||
        !check_shape(r, *table, 256, 0)) {
        return false;
    }
    const bool fixed = (*table)->dtype == MBN_DTYPE_I32;
    const double one = fixed ? INT32_MAX : 1.0;
    for (int64_t i = 0; i < 256; i++) {
        const double value = fixed ? mbn_tensor_integer(*table, i) : mbn_tensor_real(*table, i);
        if (!(i == 0 ? value == one : value >= 0.0 && value <= one)) {
            return fail(r, (*table)->name, "[%d] is %.10g, not %s%.10g", (int)i, value,
                        i == 0 ? "" : "from 0 to ", one);
        }
    }
    return !fixed || r->network->classes < 4096 ||
           fail(r, (*table)->name, "the sum of %d classes does not fit 31 bits",
                (int)r->network->classes);
}

static bool read_probabilities(reader *r) {
    mbn_integers *integers = r->integers;
    const mbn_probability_kind kind = r->metadata->probabilities;
    r->layer = NULL;
    if (kind == MBN_NO_PROBABILITIES || r->network->classes == 0 ||
        find(r, "probabilities_scale") == NULL) {
        return true;
    }
    const mbn_tensor *zero;
    if (integers->layers[r->network->layer_count - 1].floats) {
        return fail(r, "probabilities_scale", "the logits stay in floats");
    }
    if (!read_quantization(r, "probabilities", &integers->probabilities, &zero)) return false;
    if (kind == MBN_SIGMOID) {
        return read_lookup(r, "probabilities_lookup", zero, &integers->probabilities_table);
    }
    if (!(integers->probabilities.scale > 0.0F)) {
        return fail(r, "probabilities_scale", "0, by which a softmax would be divided");
    }
    return read_exponentials(r, &integers->probabilities_table);
}

/* A layer that is not read, but whose tensors may be there, has this one. */
static bool is_left_out(const reader *r, int32_t layers, const char *name) {
    for (int32_t i = layers; i < r->network->layer_count; i++) {
        const size_t length = strlen(r->network->layers[i].name);
        if (strncmp(name, r->network->layers[i].name, length) == 0 && name[length] == '.') {
            return true;
        }
    }
    return false;
}

static bool check_unused(const reader *r, int32_t layers) {
    const mbn_tensor *tensor;
    for (size_t i = 0; (tensor = mbn_safetensors_at(r->file, i)) != NULL; i++) {
        if (!r->used[i] && !is_left_out(r, layers, tensor->name)) {
            return fail(r, tensor->name, "%s has no such tensor", r->network->name);
        }
    }
    return true;
}

static bool read_network(reader *r, int32_t layers) {
    if (r->network->batch_norm_statistics != 0 || r->network->source != MBN_SOURCE_TORCHVISION) {
        return fail(r, "metadata rescaling",
                    "a network of integers has an `architecture' with \"batch_norm\": false");
    }
    if (!read_image(r)) return false;
    for (int32_t i = 0; i < layers; i++) {
        if (!read_layer(r, i)) return false;
    }
    return read_probabilities(r) && check_unused(r, layers);
}

static size_t count_tensors(const mbn_safetensors *file) {
    size_t count = 0;
    while (mbn_safetensors_at(file, count) != NULL) count++;
    return count;
}

mbn_status mbn_integers_read(const mbn_safetensors *file, const mbn_metadata *metadata,
                             const mbn_network *network, int32_t layers, mbn_integers **integers,
                             mbn_error *error) {
    const size_t bytes =
        sizeof(mbn_integers) + (size_t)network->layer_count * sizeof(mbn_layer_integers);
    reader r = {
        .file = file,
        .metadata = metadata,
        .network = network,
        .integers = calloc(1, bytes),
        .used = calloc(count_tensors(file) + 1, sizeof(bool)),
        .error = error,
    };
    mbn_status status = MBN_MALFORMED;
    if (r.integers == NULL || r.used == NULL) {
        status = mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory for a network's integers");
    } else if (read_network(&r, layers)) {
        status = MBN_OK;
    }
    free(r.used);
    if (status != MBN_OK) {
        free(r.integers);
        r.integers = NULL;
    }
    *integers = r.integers;
    return status;
}

/* ---- Channels -------------------------------------------------------------------------------- */

int64_t mbn_element_of(const mbn_tensor *tensor, int32_t channel) {
    return tensor->count == 1 ? 0 : channel;
}

int32_t mbn_weight_zero(const mbn_layer_integers *layer, int32_t channel) {
    const mbn_tensor *tensor = layer->weight_zero_point;
    return tensor == NULL ? 0 : mbn_tensor_integer(tensor, mbn_element_of(tensor, channel));
}

float mbn_weight_scale(const mbn_layer_integers *layer, int32_t channel) {
    const mbn_tensor *tensor = layer->weight_scale;
    return (float)mbn_tensor_real(tensor, mbn_element_of(tensor, channel));
}

mbn_multiplier mbn_channel_multiplier(const mbn_layer_integers *layer, int32_t channel) {
    const mbn_tensor *tensor = layer->multiplier;
    switch (layer->finish.rescaling) {
    case MBN_RESCALE_FLOAT:
        return (mbn_multiplier){.real = (float)mbn_tensor_real(tensor, channel)};
    case MBN_RESCALE_FIXED: return fixed_multiplier(tensor, channel);
    case MBN_RESCALE_DOUBLE: break;
    }
    return (mbn_multiplier){.wide = mbn_tensor_real(tensor, channel)};
}
