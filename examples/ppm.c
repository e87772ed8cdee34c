#include "ppm.h"

#include <stdio.h>
#include <stdlib.h>

bool ppm_read(const char *path, mbn_image *image) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return false;
    }
    int width, height, most;
    uint8_t *pixels = NULL;
    bool good = fscanf(file, "P6 %d %d %d", &width, &height, &most) == 3 && fgetc(file) != EOF &&
                most == 255 && width >= 1 && width <= 65536 && height >= 1 && height <= 65536;
    if (good) {
        const size_t size = (size_t)width * (size_t)height * 3;
        pixels = malloc(size);
        good = pixels != NULL && fread(pixels, 1, size, file) == size;
    }
    fclose(file);
    if (!good) {
        fprintf(stderr, "%s: not a whole binary PPM file (P6) of 8 bits\n", path);
        free(pixels);
        return false;
    }
    *image = (mbn_image){.pixels = pixels, .width = width, .height = height, .order = MBN_RGB};
    return true;
}
