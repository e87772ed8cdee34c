/* Reader of the safetensors format over bytes in memory: an 8-byte little-endian header length, a
 * JSON header, then the tensors' data.  Everything is validated before use; a hostile file gets an
 * error that names the tensor. */
#ifndef MBN_ARCH_SAFETENSORS_H
#define MBN_ARCH_SAFETENSORS_H

#include <mobilenet.h>

typedef enum mbn_dtype {
    MBN_DTYPE_F32,
    MBN_DTYPE_F16,
    MBN_DTYPE_BF16,
    MBN_DTYPE_F64,
    MBN_DTYPE_I8,
    MBN_DTYPE_U8,
    MBN_DTYPE_I32,
    MBN_DTYPE_OTHER
} mbn_dtype;

enum { MBN_TENSOR_MAX_RANK = 8 };

typedef struct mbn_tensor {
    const char *name; /* lives as long as the mbn_safetensors */
    mbn_dtype dtype;
    const char *dtype_name; /* as in the file, for messages */
    int32_t rank;
    int64_t shape[MBN_TENSOR_MAX_RANK];
    int64_t count;    /* product of shape */
    const void *data; /* inside the caller's bytes; any alignment */
    size_t bytes;
} mbn_tensor;

typedef struct mbn_safetensors mbn_safetensors;

/* Parses and validates: header length and size (at most 100 MB), JSON without duplicate keys, every
 * tensor's dtype, shape (no overflow) and data_offsets (in range, length matching the shape, no two
 * tensors overlapping, no hole and no trailing bytes, as the format demands), metadata strings.
 * `data` must outlive the result.  Allocates with the C library; free it after loading. */
mbn_status mbn_safetensors_parse(const void *data, size_t size, mbn_safetensors **file,
                                 mbn_error *error);
void mbn_safetensors_free(mbn_safetensors *file);

/* NULL if there is none of that name. */
const mbn_tensor *mbn_safetensors_find(const mbn_safetensors *file, const char *name);

/* By position, in the order of their data; NULL past the end. */
const mbn_tensor *mbn_safetensors_at(const mbn_safetensors *file, size_t index);

/* A value of __metadata__; NULL if there is none. */
const char *mbn_safetensors_metadata(const mbn_safetensors *file, const char *key);

/* Whether mbn_tensor_to_floats reads it: F32, F16 and BF16. */
static inline bool mbn_tensor_has_floats(const mbn_tensor *tensor) {
    return tensor->dtype == MBN_DTYPE_F32 || tensor->dtype == MBN_DTYPE_F16 ||
           tensor->dtype == MBN_DTYPE_BF16;
}

/* Copies such a tensor to floats, `count` of them. */
void mbn_tensor_to_floats(const mbn_tensor *tensor, float *out);

/* Element `index` of a tensor of dtype I8, U8 or I32; of F32 or F64. */
int32_t mbn_tensor_integer(const mbn_tensor *tensor, int64_t index);
double mbn_tensor_real(const mbn_tensor *tensor, int64_t index);

#endif
