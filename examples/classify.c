/* classify MODEL IMAGE.ppm: what is in a photo, in three calls. */
#include "ppm.h"

#include <mobilenet.h>

#include <stdio.h>
#include <stdlib.h>

/* The three calls; then the five most probable classes. */
static mbn_status classify(const char *path, const mbn_image *image, mbn_error *error) {
    mbn_model *model = NULL;
    mbn_context *context = NULL;
    float *probabilities = NULL;
    mbn_status status = mbn_model_load(path, NULL, &model, error);
    if (status == MBN_OK) status = mbn_context_create(model, NULL, &context, error);
    if (status == MBN_OK) {
        const int32_t classes = mbn_model_network(model)->classes;
        probabilities = malloc((size_t)classes * sizeof *probabilities);
        if (probabilities == NULL) abort();
        status = mbn_run_images(context, image, 1, MBN_PROBABILITIES, probabilities, error);
        if (status == MBN_OK) {
            int32_t best[5];
            const int32_t count = mbn_top(probabilities, classes, 5, best);
            for (int32_t i = 0; i < count; i++) {
                const char *label = mbn_model_label(model, best[i]);
                printf("%.3f  %d  %s\n", (double)probabilities[best[i]], (int)best[i],
                       label != NULL ? label : "(no label)");
            }
        }
    }
    free(probabilities);
    mbn_context_free(context);
    mbn_model_free(model);
    return status;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: %s MODEL.safetensors IMAGE.ppm\n", argv[0]);
        return 2;
    }
    mbn_image image;
    if (!ppm_read(argv[2], &image)) return 1;
    mbn_error error;
    const mbn_status status = classify(argv[1], &image, &error);
    if (status != MBN_OK) fprintf(stderr, "%s\n", error.message);
    free((void *)image.pixels);
    return status == MBN_OK ? 0 : 1;
}
