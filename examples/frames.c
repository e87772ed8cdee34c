/* frames MODEL WIDTH HEIGHT [FRAMES.rgb]: what a camera sees, frame by frame, as a whole and in its
 * left and right half.  Frames are raw 8-bit RGB from a file or standard input:
 *
 *     ffmpeg -i /dev/video0 -f rawvideo -pix_fmt rgb24 - | frames MODEL 640 480
 *
 * The loop allocates nothing: model, context and buffers are made once. */
#include <mobilenet.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REGIONS = 3 };
static const char *const names[REGIONS] = {"frame", "left", "right"};

/* Part of the old in a region's running mean: single frames flicker. */
static const float memory = 0.8F;

/* A region is a pointer to its first pixel, its size, and the frame's stride. */
static void cut_regions(const uint8_t *frame, int32_t width, int32_t height,
                        mbn_image regions[REGIONS]) {
    const int32_t half = width / 2;
    const mbn_image whole = {
        .pixels = frame, .width = width, .height = height, .row_stride = (ptrdiff_t)width * 3};
    for (int i = 0; i < REGIONS; i++) regions[i] = whole;
    regions[1].width = regions[2].width = half;
    regions[2].pixels = frame + (ptrdiff_t)(width - half) * 3;
}

static void show(int64_t number, const mbn_model *model, const float *means, int32_t classes) {
    printf("%6lld", (long long)number);
    for (int i = 0; i < REGIONS; i++) {
        int32_t best;
        mbn_top(means + (ptrdiff_t)i * classes, classes, 1, &best);
        const char *label = mbn_model_label(model, best);
        printf("  %s: %.3f %d %s", names[i], (double)means[(ptrdiff_t)i * classes + best],
               (int)best, label != NULL ? label : "");
    }
    putchar('\n');
}

/* Until the frames end. */
static mbn_status watch(FILE *file, int32_t width, int32_t height, const mbn_model *model,
                        mbn_context *context, mbn_error *error) {
    const int32_t classes = mbn_model_network(model)->classes;
    const size_t size = (size_t)width * (size_t)height * 3, outputs = REGIONS * (size_t)classes;
    uint8_t *frame = malloc(size);
    float *now = malloc(outputs * sizeof *now), *means = malloc(outputs * sizeof *means);
    if (frame == NULL || now == NULL || means == NULL) abort();
    mbn_status status = MBN_OK;
    for (int64_t number = 0; fread(frame, 1, size, file) == size; number++) {
        mbn_image regions[REGIONS];
        cut_regions(frame, width, height, regions);
        status = mbn_run_images(context, regions, REGIONS, MBN_PROBABILITIES, now, error);
        if (status != MBN_OK) break;
        if (number == 0) memcpy(means, now, outputs * sizeof *means);
        for (size_t i = 0; i < outputs; i++) {
            means[i] = memory * means[i] + (1.0F - memory) * now[i];
        }
        show(number, model, means, classes);
    }
    free(means);
    free(now);
    free(frame);
    return status;
}

int main(int argc, char **argv) {
    const int width = argc >= 4 ? atoi(argv[2]) : 0, height = argc >= 4 ? atoi(argv[3]) : 0;
    if (argc > 5 || width < 2 || width > 65536 || height < 1 || height > 65536) {
        fprintf(stderr, "usage: %s MODEL.safetensors WIDTH HEIGHT [FRAMES.rgb]\n", argv[0]);
        return 2;
    }
    FILE *file = argc == 5 ? fopen(argv[4], "rb") : stdin;
    if (file == NULL) {
        perror(argv[4]);
        return 1;
    }
    mbn_model *model = NULL;
    mbn_context *context = NULL;
    mbn_error error;
    mbn_status status = mbn_model_load(argv[1], NULL, &model, &error);
    if (status == MBN_OK) {
        const mbn_context_options options = {.threads = 4};
        status = mbn_context_create(model, &options, &context, &error);
    }
    if (status == MBN_OK) status = watch(file, width, height, model, context, &error);
    if (status != MBN_OK) fprintf(stderr, "%s\n", error.message);
    mbn_context_free(context);
    mbn_model_free(model);
    if (argc == 5) fclose(file);
    return status == MBN_OK ? 0 : 1;
}
