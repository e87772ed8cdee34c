/* Names and shapes of all tensors against the frameworks' own lists (tests/golden/tensors). */
#include "networks.h"

#include <arch/network/names.h>
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TENSORS = 512, MAX_LINE = 160 };

struct list {
    char lines[MAX_TENSORS][MAX_LINE];
    size_t count;
};

static int by_text(const void *a, const void *b) {
    return strcmp(a, b);
}

/* Lines of "name [shape]", as in the frameworks' lists. */
static void list_tensors(const mbn_network *network, struct list *list) {
    for (int32_t i = 0; i < network->layer_count; i++) {
        for (int p = 0; p < MBN_PARAMETER_COUNT; p++) {
            mbn_parameter_info info;
            if (!mbn_layer_parameter(network, &network->layers[i], (mbn_parameter)p, &info))
                continue;
            cr_assert_lt(list->count, MAX_TENSORS);
            char *line = list->lines[list->count++];
            int length = snprintf(line, MAX_LINE, "%s [", info.name);
            for (int32_t j = 0; j < info.rank; j++)
                length += snprintf(line + length, (size_t)(MAX_LINE - length), "%s%" PRId64,
                                   j > 0 ? "," : "", info.shape[j]);
            snprintf(line + length, (size_t)(MAX_LINE - length), "]");
        }
    }
    qsort(list->lines, list->count, sizeof list->lines[0], by_text);
}

static void read_list(const char *network, const char *source, struct list *list) {
    char path[512];
    snprintf(path, sizeof path, "%s/tensors/%s.%s.txt", GOLDEN_DIRECTORY, network, source);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s", path);
    while (list->count < MAX_TENSORS && fgets(list->lines[list->count], MAX_LINE, file) != NULL) {
        char *line = list->lines[list->count++];
        line[strcspn(line, "\n")] = '\0';
    }
    fclose(file);
    qsort(list->lines, list->count, sizeof list->lines[0], by_text);
}

static void compare(const char *name, mbn_source source, const char *source_name) {
    static struct list ours, theirs;
    ours.count = theirs.count = 0;
    mbn_network *network = make_network(&(mbn_network_options){.network = name, .source = source});
    list_tensors(network, &ours);
    mbn_network_free(network);
    read_list(name, source_name, &theirs);
    cr_expect_eq(ours.count, theirs.count, "%s of %s: %zu tensors, not %zu", name, source_name,
                 ours.count, theirs.count);
    for (size_t i = 0; i < ours.count && i < theirs.count; i++)
        cr_assert_str_eq(ours.lines[i], theirs.lines[i]);
}

Test(names, as_keras) {
    for (int32_t i = 0; mbn_network_name(i) != NULL; i++)
        compare(mbn_network_name(i), MBN_SOURCE_KERAS, "keras");
}

Test(names, as_torchvision) {
    compare("mobilenet_v2", MBN_SOURCE_TORCHVISION, "torchvision");
    compare("mobilenet_v3_small", MBN_SOURCE_TORCHVISION, "torchvision");
    compare("mobilenet_v3_large", MBN_SOURCE_TORCHVISION, "torchvision");
}

/* Strides of the weights reach each element of the tensor once. */
Test(names, strides_cover_the_weights) {
    for (int32_t i = 0; mbn_network_name(i) != NULL; i++) {
        mbn_network *network = make_network(
            &(mbn_network_options){.network = mbn_network_name(i), .width = 0, .classes = 5});
        for (int32_t j = 0; j < network->layer_count; j++) {
            const mbn_layer *layer = &network->layers[j];
            mbn_parameter_info info;
            if (!mbn_layer_parameter(network, layer, MBN_WEIGHT, &info)) continue;
            unsigned char *seen = calloc((size_t)layer->weights, 1);
            cr_assert_not_null(seen);
            const bool depthwise = layer->kind == MBN_LAYER_DEPTHWISE;
            const int32_t inputs = depthwise ? 1 : layer->input_channels;
            for (int32_t o = 0; o < layer->output_channels; o++) {
                for (int32_t c = 0; c < inputs; c++) {
                    for (int32_t y = 0; y < layer->kernel_height; y++) {
                        for (int32_t x = 0; x < layer->kernel_width; x++) {
                            const ptrdiff_t at = o * info.output_stride + c * info.input_stride +
                                                 y * info.row_stride + x * info.column_stride;
                            cr_assert(at >= 0 && at < layer->weights, "%s", info.name);
                            cr_assert_eq(seen[at]++, 0, "%s", info.name);
                        }
                    }
                }
            }
            if (depthwise) cr_expect_eq(info.input_stride, 0);
            free(seen);
        }
        mbn_network_free(network);
    }
}
