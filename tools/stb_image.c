/* The one instance of stb_image, with the decoders that are used and no others. */
#include "stb_memory.h"

#include <stdlib.h>

static _Thread_local size_t most;
static _Thread_local bool refused;

void mbn_stb_allow(size_t bytes) {
    most = bytes;
    refused = false;
}

bool mbn_stb_refused(void) {
    return refused;
}

static void *grow(void *buffer, size_t bytes) {
    refused = refused || bytes > most;
    return bytes > most ? NULL : realloc(buffer, bytes);
}

#define STBI_MALLOC(bytes) malloc(bytes)
#define STBI_FREE(buffer) free(buffer)
#define STBI_REALLOC(buffer, bytes) grow(buffer, bytes)
#define STBI_ONLY_BMP
#define STBI_ONLY_PNG
#define STBI_NO_LINEAR
#define STBI_NO_STDIO
#define STBI_FAILURE_USERMSG
#define STB_IMAGE_IMPLEMENTATION
#include <stb_image.h>
