/* decode IMAGE [alpha]: writes "WIDTH HEIGHT CHANNELS\n" and the bytes to stdout, for pixels.py to
 * compare with Pillow's. */
#include <image.h>

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    mbn_rgb image;
    mbn_error error;
    if (mbn_rgb_read(argv[1], argc > 2, &image, &error) != MBN_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    size_t size = (size_t)image.width * (size_t)image.height * (size_t)image.channels;
    printf("%d %d %d\n", image.width, image.height, image.channels);
    bool written = fwrite(image.pixels, 1, size, stdout) == size && fflush(stdout) == 0;
    free(image.pixels);
    return written ? 0 : 1;
}
