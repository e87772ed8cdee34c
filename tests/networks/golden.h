/* Golden values: seeded tensors made alike here and in numpy, and what frameworks computed of them
 * in double. */
#ifndef MBN_TESTS_GOLDEN_H
#define MBN_TESTS_GOLDEN_H

#include <mobilenet.h>
#include <tests/isas.h>

/* Value `index` of the seeded tensor `name`, in [0, 1) (docs/model-format.md, "Seeded weights"). */
double seeded_unit(const char *name, uint64_t seed, uint64_t index);

/* The tensor "input", between -1 and 1; free() it. */
float *seeded_input(uint64_t seed, size_t count);

/* The `count` values of tests/golden/<name>.npy, little-endian float32, version 1, as numpy.save
 * writes it; free() them. */
float *read_golden(const char *name, size_t count);

/* A network with mbn_network_init's weights, or a failed test. */
mbn_model *load_seeded(const mbn_network_options *options, uint64_t seed, mbn_precision precision,
                       uint32_t isa_mask);

/* Expects what the model computed to be within 1e-4 of the golden values' range; in bfloat16,
 * within 0.04 of it, and in nearly their direction. */
void compare_golden(const char *name, const mbn_model *model, const float *values,
                    const float *golden, size_t count);

#endif
