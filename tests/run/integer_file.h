/* Integer model files, made tensor by tensor: a small network with every kind of layer. */
#ifndef MBN_TESTS_RUN_INTEGER_FILE_H
#define MBN_TESTS_RUN_INTEGER_FILE_H

#include "models.h"

/* Whose arithmetic the file's tensors are for. */
typedef enum integer_arithmetic {
    ARITHMETIC_FLOAT, /* of TensorFlow Lite: F32 multipliers, shifted sums */
    ARITHMETIC_FIXED, /* of its reference kernels: I32 and F64 multipliers, fixed-point sums */
    ARITHMETIC_ONNX   /* F32 multipliers and sums */
} integer_arithmetic;

enum { ARITHMETICS = ARITHMETIC_ONNX + 1 };

typedef struct integer_tensor {
    char name[96];
    const char *dtype;
    int rank;
    int64_t shape[4];
    void *data;
    size_t bytes;
} integer_tensor;

enum { INTEGER_TENSORS = 512, INTEGER_KEYS = 16 };

typedef struct integer_file {
    char *metadata[INTEGER_KEYS][2]; /* key and value, up to a NULL */
    integer_tensor tensors[INTEGER_TENSORS];
    int count;
} integer_file;

/* Activations and weights are signed or not; unsigned weights have a zero point far from the
 * middle, so that they are wide.  classes: CLASSES. */
integer_file *integer_file_make(integer_arithmetic arithmetic, bool signed_activations,
                                bool signed_weights);
void integer_file_free(integer_file *file);

/* Replaces a tensor, or adds one.  shape: `rank` sizes.  values: of its elements, or of the first
 * `given` of them, the last of which all others have. */
void integer_file_put(integer_file *file, const char *name, const char *dtype, int rank,
                      const int64_t *shape, const double *values, size_t given);
void integer_file_remove(integer_file *file, const char *name);
integer_tensor *integer_file_find(integer_file *file, const char *name);

/* value NULL removes the key. */
void integer_file_set(integer_file *file, const char *key, const char *value);

/* The file's bytes; free() them. */
void *integer_file_bytes(const integer_file *file, size_t *size);

/* Loads it, or fails the test. */
mbn_model *integer_file_load(const integer_file *file, const mbn_model_options *options);

#endif
