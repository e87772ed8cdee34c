/* A network's table in JSON, and a model file's metadata with it: the first byte says which.  Of a
 * table that is read, the network is laid out, and laid out anew for another size. */
#include "choices.h"
#include "input.h"
#include "memory.h"

#include <arch/model/metadata.h>
#include <criterion/criterion.h>
#include <stdlib.h>

enum { MULTIPLE = 512, MORE = 1 << 20 };

/* What holds of every network. */
static void check_network(const mbn_network *network) {
    int64_t parameters = 0, multiply_adds = 0;
    for (int32_t i = 0; i < network->layer_count; i++) {
        const mbn_layer *layer = network->layers + i;
        cr_assert(layer->name[0] != '\0' && memchr(layer->name, '\0', sizeof layer->name) != NULL);
        cr_assert(layer->input < i && layer->residual < i && layer->gate < i);
        cr_assert(layer->output_height > 0 && layer->output_width > 0 &&
                  layer->output_channels > 0);
        cr_assert(layer->weights >= 0 && layer->parameters >= layer->weights);
        cr_assert_geq(layer->multiply_adds, 0);
        parameters += layer->parameters;
        multiply_adds += layer->multiply_adds;
        const int32_t source = layer->input;
        cr_assert_eq(layer->input_channels,
                     source < 0 ? network->input_channels : layer[source - i].output_channels);
    }
    cr_assert_eq(parameters, network->parameters);
    cr_assert_eq(multiply_adds, network->multiply_adds);
    mbn_stage_info stage, found;
    for (int32_t i = 0; mbn_network_stage_at(network, i, &stage); i++) {
        cr_assert(stage.layer >= 0 && stage.layer < network->layer_count);
        cr_assert_eq(mbn_network_stage(network, stage.name, &found, NULL), MBN_OK, "%s",
                     stage.name);
    }
}

static void lay_out(const mbn_architecture *architecture, const mbn_network_options *options) {
    mbn_network *network = NULL, *resized = NULL;
    mbn_error error = {MBN_OK, ""};
    if (mbn_network_layout(architecture, options, &network, &error) != MBN_OK) {
        cr_assert(network == NULL && error.message[0] != '\0');
        return;
    }
    check_network(network);
    if (mbn_network_resize(network, 97, 33, &resized, &error) == MBN_OK) check_network(resized);
    mbn_network_free(resized);
    mbn_network_free(network);
}

static void read_table(choices *c) {
    const mbn_network_options options = {
        .input_height = choose(c, 32, 287),
        .input_width = choose(c, 32, 287),
        .classes = choose(c, 0, 255),
        .padding = (mbn_padding)choose(c, MBN_PADDING_DEFAULT, MBN_PADDING_TRAILING),
        .input_channels = choose(c, 0, 5),
        .standard_convolution = choose(c, 0, 3) == 1,
    };
    char *text = malloc(c->size + 1);
    if (text == NULL) return;
    if (c->size > 0) memcpy(text, c->data, c->size);
    text[c->size] = '\0';
    mbn_architecture *architecture = NULL;
    mbn_error error = {MBN_OK, ""};
    if (mbn_architecture_parse(text, "any", &architecture, &error) == MBN_OK) {
        lay_out(architecture, &options);
    } else {
        cr_assert(architecture == NULL && error.message[0] != '\0');
    }
    free(architecture);
    free(text);
}

/* The input is the metadata object: a file without tensors around it. */
static void read_metadata(const choices *c) {
    static const char before[] = "{\"__metadata__\":";
    const size_t lead = sizeof before - 1, length = lead + c->size + 1;
    uint8_t *bytes = malloc(8 + length);
    if (bytes == NULL) return;
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)((uint64_t)length >> 8 * i);
    memcpy(bytes + 8, before, lead);
    if (c->size > 0) memcpy(bytes + 8 + lead, c->data, c->size);
    bytes[8 + length - 1] = '}';
    mbn_safetensors *file = NULL;
    mbn_error error = {MBN_OK, ""};
    if (mbn_safetensors_parse(bytes, 8 + length, &file, &error) == MBN_OK) {
        mbn_metadata metadata;
        if (mbn_metadata_read(file, &metadata, &error) == MBN_OK) {
            if (metadata.architecture != NULL) lay_out(metadata.architecture, &metadata.options);
        } else {
            cr_assert(error.message[0] != '\0');
        }
        mbn_metadata_free(&metadata);
    }
    mbn_safetensors_free(file);
    free(bytes);
}

int fuzz_input(const uint8_t *data, size_t size) {
    choices c = {data, size};
    const bool table = choose(&c, 0, 1) == 0;
    memory_watch();
    if (table) {
        read_table(&c);
    } else {
        read_metadata(&c);
    }
    memory_bound(size, MULTIPLE, MORE);
    return 0;
}
