/* NumPy's .npy files of float32, versions 1 to 3 of the format; bytes are written, too. */
#ifndef MBN_TOOLS_NPY_H
#define MBN_TOOLS_NPY_H

#include <mobilenet.h>

enum { MBN_NPY_MAX_RANK = 8 };

typedef struct mbn_npy {
    int32_t rank;
    int64_t shape[MBN_NPY_MAX_RANK];
    int64_t count; /* product of shape */
    float *values; /* in C order, from malloc */
} mbn_npy;

/* Messages do not repeat the path.  Other element types, big-endian and Fortran order are errors
 * that say so. */
mbn_status mbn_npy_read(const char *path, mbn_npy *array, mbn_error *error);

/* The same from memory; takes over `data`, which is from malloc, also on failure. */
mbn_status mbn_npy_parse(uint8_t *data, size_t size, mbn_npy *array, mbn_error *error);

/* Writes a file of version 1, complete or not at all. */
mbn_status mbn_npy_write(const char *path, const mbn_npy *array, mbn_error *error);

/* Likewise the bytes that the array's values stand for, as the quantisation's source has them: int8
 * or uint8.  Overwrites the values. */
mbn_status mbn_npy_write_bytes(const char *path, const mbn_npy *array,
                               const mbn_quantization *quantization, mbn_error *error);

/* "(1, 224, 224, 3)" */
typedef struct mbn_npy_shape {
    char text[MBN_NPY_MAX_RANK * 21 + 3];
} mbn_npy_shape;

mbn_npy_shape mbn_npy_shape_text(const mbn_npy *array);

#endif
