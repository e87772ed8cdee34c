/* How the tests keep numbers in each element type. */
#ifndef MBN_TESTS_KERNELS_ELEMENT_H
#define MBN_TESTS_KERNELS_ELEMENT_H

#include <mobilenet/kernels.h>

/* The first that is not of floats. */
#define FLOAT_ELEMENTS MBN_ELEMENT_Q8

typedef struct element_type {
    size_t bytes;
    float (*load)(const void *at);
    void (*store)(void *at, float value); /* the nearest that the type has */
    double rounding; /* what storing a float may change it by, as a part of it, ... */
    double smallest; /* ... and where it is smaller than this, by as much */
    const void
        *canary; /* an element that tests put where no kernel has to write: of floats a NaN */
} element_type;

const element_type *element_type_of(mbn_element element);

/* The value that is left of a float when it has been stored. */
float element_round(const element_type *type, float value);

#endif
