/* backbone MODEL IMAGE.ppm: feature maps at strides 8, 16 and 32 as a detector's head wants them.
 * The model is loaded without its classifier, and one run gives all three maps.  A real head would
 * go over every cell of every map with its own weights; this one only says where the features are
 * strongest, in pixels of the network's input. */
#include "ppm.h"

#include <mobilenet.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { LEVELS = 3 };
static const char *const levels[LEVELS] = {"stride8", "stride16", "stride32"};

struct backbone {
    mbn_model *model;
    mbn_context *context;
    float *input; /* [height][width][channels] */
    mbn_stage_info stages[LEVELS];
    mbn_feature_map maps[LEVELS]; /* [height][width][channels] each */
};

static void close_backbone(struct backbone *b) {
    for (int i = 0; i < LEVELS; i++) free(b->maps[i].values);
    free(b->input);
    mbn_context_free(b->context);
    mbn_model_free(b->model);
}

static float *allocate(int32_t height, int32_t width, int32_t channels) {
    float *values = malloc((size_t)height * (size_t)width * (size_t)channels * sizeof *values);
    if (values == NULL) abort();
    return values;
}

static mbn_status open_backbone(const char *path, struct backbone *b, mbn_error *error) {
    const mbn_model_options headless = {.headless = true};
    mbn_status status = mbn_model_load(path, &headless, &b->model, error);
    if (status != MBN_OK) return status;
    const mbn_context_options options = {.stages = levels, .stage_count = LEVELS};
    status = mbn_context_create(b->model, &options, &b->context, error);
    if (status != MBN_OK) return status;

    const mbn_network *network = mbn_context_network(b->context);
    b->input = allocate(network->input_height, network->input_width, network->input_channels);
    for (int i = 0; status == MBN_OK && i < LEVELS; i++) {
        mbn_stage_info *stage = &b->stages[i];
        status = mbn_network_stage(network, levels[i], stage, error);
        if (status != MBN_OK) continue;
        b->maps[i].layout = MBN_NHWC; /* a cell's channels side by side */
        b->maps[i].values = allocate(stage->height, stage->width, stage->channels);
    }
    return status;
}

/* Where a head would be. */
static void look_at(const mbn_stage_info *stage, const float *map) {
    double strongest = -1;
    int32_t row = 0, column = 0;
    for (int32_t y = 0; y < stage->height; y++) {
        for (int32_t x = 0; x < stage->width; x++, map += stage->channels) {
            double squares = 0;
            for (int32_t c = 0; c < stage->channels; c++)
                squares += (double)map[c] * (double)map[c];
            if (squares > strongest) {
                strongest = squares;
                row = y;
                column = x;
            }
        }
    }
    printf("%-8s  %3d x %3d cells of %4d channels, strongest (%.2f) at pixel %d, %d\n", stage->name,
           (int)stage->height, (int)stage->width, (int)stage->channels, sqrt(strongest),
           (int)(column * stage->stride_horizontal + stage->stride_horizontal / 2),
           (int)(row * stage->stride_vertical + stage->stride_vertical / 2));
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: %s MODEL.safetensors IMAGE.ppm\n", argv[0]);
        return 2;
    }
    mbn_image image;
    if (!ppm_read(argv[2], &image)) return 1;
    struct backbone b = {0};
    mbn_error error;
    mbn_status status = open_backbone(argv[1], &b, &error);
    if (status == MBN_OK) status = mbn_preprocess(b.context, &image, b.input, &error);
    if (status == MBN_OK) {
        status = mbn_features(b.context, b.input, MBN_NHWC, 1, b.maps, &error);
    }
    if (status == MBN_OK) {
        for (int i = 0; i < LEVELS; i++) look_at(&b.stages[i], b.maps[i].values);
    } else {
        fprintf(stderr, "%s\n", error.message);
    }
    close_backbone(&b);
    free((void *)image.pixels);
    return status == MBN_OK ? 0 : 1;
}
