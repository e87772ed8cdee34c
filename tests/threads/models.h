/* Models of random weights for programs without Criterion, in every precision. */
#ifndef MBN_TESTS_THREADS_MODELS_H
#define MBN_TESTS_THREADS_MODELS_H

#include <mobilenet.h>

enum { SIDE = 40, IMAGE = SIDE * SIDE * 3, CLASSES = 24, PRECISIONS = 3 };

typedef struct models {
    /* The model files' bytes, from malloc: of floats, and of integers. */
    void *floats, *integers;
    size_t floats_size, integers_size;
} models;

/* Or ends the program. */
void models_make(models *m);
void models_free(models *m);

/* Number `precision`: float32, bfloat16, int8; or ends the program. */
mbn_model *models_load(const models *m, int precision);

/* An image of some kind: the same for the same number. */
void models_draw(int number, float input[IMAGE]);

/* Ends the program with a message unless it is so. */
void insist(int condition, const char *what, const char *why);

#endif
