/* Model files with seeded random weights: docs/model-format.md, "Seeded weights". */
#include "arch/error.h"
#include "arch/network/architecture.h"
#include "arch/network/names.h"
#include "sink.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

/* ---- Numbers --------------------------------------------------------------------------------- */

static const uint64_t GOLDEN_RATIO = 0x9E3779B97F4A7C15;

static uint64_t fnv1a64(const char *text) {
    uint64_t hash = 0xCBF29CE484222325;
    for (const char *c = text; *c != '\0'; c++) hash = (hash ^ (unsigned char)*c) * 0x100000001B3;
    return hash;
}

/* The finaliser of splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
    x = (x ^ x >> 27) * 0x94D049BB133111EB;
    return x ^ x >> 31;
}

struct range {
    double low, high;
};

/* Chosen so that activations keep their size through tens of layers: sqrt(6 / fan_in) preserves the
 * second moment through a ReLU, sqrt(3 / fan_in) through a layer without activation.  Gates lie
 * mostly between a half and one; a hard-swish gate with larger ones would feed on itself. */
static struct range range_of(const mbn_layer *layer, mbn_parameter parameter) {
    const bool squeeze_excite = layer->role == MBN_ROLE_SQUEEZE || layer->role == MBN_ROLE_EXCITE;
    const bool narrows = layer->output_channels < layer->input_channels;
    const double fan_in = (double)(layer->weights / layer->output_channels);
    switch (parameter) {
    case MBN_WEIGHT: {
        const double bound = sqrt((squeeze_excite ? 1.0 : narrows ? 3.0 : 6.0) / fan_in);
        return (struct range){-bound, bound};
    }
    case MBN_BIAS:
        if (layer->role == MBN_ROLE_EXCITE) return (struct range){0.0, 2.0};
        return (struct range){-0.1, 0.1};
    case MBN_GAMMA:
    case MBN_VARIANCE: return (struct range){0.8, 1.2};
    case MBN_BETA:
    case MBN_MEAN: break;
    case MBN_PARAMETER_COUNT: break;
    }
    return (struct range){-0.2, 0.2};
}

static void put_values(mbn_sink *out, const char *name, uint64_t seed, uint64_t count,
                       struct range range) {
    const uint64_t state = fnv1a64(name) ^ seed * GOLDEN_RATIO;
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t x = mix(state + (i + 1) * GOLDEN_RATIO);
        const double unit = (double)(x >> 40) * 0x1p-24;
        const float value = (float)(range.low + (range.high - range.low) * unit);
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        mbn_put_little_endian(out, bits, sizeof bits);
    }
}

/* ---- File ------------------------------------------------------------------------------------ */

/* The shortest decimal that reads back as value.  By way of jansson, whose numbers do not depend on
 * the locale.  False when out of memory. */
static bool number_text(double value, char *text, size_t size) {
    for (size_t precision = 1; precision <= 17; precision++) {
        json_t *number = json_real(value);
        const size_t length =
            json_dumpb(number, text, size - 1, JSON_ENCODE_ANY | JSON_REAL_PRECISION(precision));
        json_decref(number);
        if (length == 0 || length > size - 1) return false;
        text[length] = '\0';
        json_t *back = json_loadb(text, length, JSON_DECODE_ANY, NULL);
        if (back == NULL) return false;
        const bool exact = json_number_value(back) == value;
        json_decref(back);
        if (exact) break;
    }
    return true;
}

static uint64_t element_count(const mbn_parameter_info *info) {
    uint64_t count = 1;
    for (int32_t i = 0; i < info->rank; i++) count *= (uint64_t)info->shape[i];
    return count;
}

static void put_header(mbn_sink *out, const mbn_network *network, const char *width,
                       const char *epsilon) {
    const int channels = (int)network->input_channels;
    mbn_put_text(out, "{\"__metadata__\":{\"format\":\"mobilenet/%d\",\"network\":\"%s\",",
                 channels == 3 ? 1 : 2, network->name);
    mbn_put_text(out, "\"source\":\"%s\",\"width\":\"%s\",", mbn_source_name(network->source),
                 width);
    mbn_put_text(out, "\"input_height\":\"%d\",\"input_width\":\"%d\",\"classes\":\"%d\",",
                 (int)network->input_height, (int)network->input_width, (int)network->classes);
    mbn_put_text(out, "\"padding\":\"%s\",\"batch_norm_epsilon\":\"%s\",",
                 mbn_padding_name(network->padding), epsilon);
    if (channels != 3) mbn_put_text(out, "\"input_channels\":\"%d\",", channels);
    static const char halves[] = "0.5,0.5,0.5,0.5"; /* of which a channel takes four characters */
    mbn_put_text(out, "\"mean\":\"[%.*s]\",\"std\":\"[%.*s]\",\"resize\":\"0\"}", 4 * channels - 1,
                 halves, 4 * channels - 1, halves);

    uint64_t offset = 0;
    for (int32_t i = 0; i < network->layer_count; i++) {
        for (mbn_parameter p = MBN_WEIGHT; p < MBN_PARAMETER_COUNT; p++) {
            mbn_parameter_info info;
            if (!mbn_layer_parameter(network, &network->layers[i], p, &info)) continue;
            mbn_put_tensor(out, info.name, "F32", info.shape, info.rank,
                           element_count(&info) * sizeof(float), &offset);
        }
    }
    mbn_put_header_end(out);
}

static void put_tensors(mbn_sink *out, const mbn_network *network, uint64_t seed) {
    for (int32_t i = 0; i < network->layer_count; i++) {
        for (mbn_parameter p = MBN_WEIGHT; p < MBN_PARAMETER_COUNT; p++) {
            mbn_parameter_info info;
            if (!mbn_layer_parameter(network, &network->layers[i], p, &info)) continue;
            put_values(out, info.name, seed, element_count(&info),
                       range_of(&network->layers[i], p));
        }
    }
}

static mbn_status write_file(const mbn_network *network, uint64_t seed, void *buffer, size_t *size,
                             mbn_error *error) {
    char width[32], epsilon[32];
    if (!number_text(network->width, width, sizeof width) ||
        !number_text(network->batch_norm_epsilon, epsilon, sizeof epsilon))
        return mbn_fail(error, MBN_OUT_OF_MEMORY, "metadata: out of memory");

    mbn_sink counted = {NULL, 0};
    put_header(&counted, network, width, epsilon);
    const uint64_t data =
        (uint64_t)(network->parameters + network->batch_norm_statistics) * sizeof(float);
    const uint64_t needed = 8 + counted.length + data;
    if (needed > SIZE_MAX)
        return mbn_fail(error, MBN_UNSUPPORTED, "a model of %" PRIu64 " bytes", needed);
    if (buffer != NULL) {
        if (*size < needed)
            return mbn_fail(error, MBN_INVALID_ARGUMENT, "size: %zu bytes, but %" PRIu64 " needed",
                            *size, needed);
        mbn_sink out = {buffer, 0};
        mbn_put_little_endian(&out, counted.length, 8);
        put_header(&out, network, width, epsilon);
        put_tensors(&out, network, seed);
    }
    *size = (size_t)needed;
    return MBN_OK;
}

mbn_status mbn_network_init(const mbn_network_options *options, uint64_t seed, void *buffer,
                            size_t *size, mbn_error *error) {
    if (size == NULL) return mbn_fail(error, MBN_INVALID_ARGUMENT, "size: NULL");
    if (options != NULL && options->standard_convolution)
        return mbn_fail(error, MBN_INVALID_ARGUMENT,
                        "standard_convolution: such a network can be counted, not initialised");
    mbn_network *network;
    mbn_status status = mbn_network_create(options, &network, error);
    if (status != MBN_OK) return status;
    status = write_file(network, seed, buffer, size, error);
    mbn_network_free(network);
    return status;
}
