/* Seeded models and inputs for tests of runs. */
#ifndef MBN_TESTS_RUN_MODELS_H
#define MBN_TESTS_RUN_MODELS_H

#include <mobilenet.h>
#include <tests/isas.h>

/* Small enough to be quick, odd and not square, so that no size divides anything. */
enum { HEIGHT = 75, WIDTH = 61, PIXELS = HEIGHT * WIDTH * 3, CLASSES = 10 };

/* A model file's bytes; free() them. */
void *make_file(const mbn_network_options *options, size_t *size);

/* The same file, which is freed, in another format ("mobilenet/2") and with more metadata:
 * "\"probabilities\":\"sigmoid\"," or "". */
void *with_metadata(void *file, size_t *size, const char *format, const char *more);

/* The network by that name at the size above, or a failed test; in the precision or in float32. */
mbn_model *make_model_in(mbn_precision precision, const char *network, uint32_t isa_mask,
                         const mbn_allocator *allocator);
mbn_model *make_model(const char *network, uint32_t isa_mask, const mbn_allocator *allocator);

/* Calls a check with MBN_PRECISION_FLOAT32 and MBN_PRECISION_BFLOAT16. */
void in_every_precision(void (*check)(mbn_precision precision));

mbn_context *make_context(const mbn_model *model, const mbn_context_options *options);

/* `images` images of values between -1 and 1; free() them. */
float *make_images(int32_t images, uint64_t seed);

/* Runs one NHWC image and fails the test if that fails. */
void run_logits(mbn_context *context, const float *image, float *logits);

#endif
