/* Which tables tests go through. */
#ifndef MBN_TESTS_ISAS_H
#define MBN_TESTS_ISAS_H

#include "brief.h"

#include <criterion/criterion.h>
#include <mobilenet.h>
#include <stdlib.h>

/* The usable instruction sets that have a table of their own for a precision, restricted by
 * MOBILENET_ISA as the library is. */
static inline uint32_t isas_to_test(mbn_precision precision) {
    const mbn_element element = precision == MBN_PRECISION_BFLOAT16 ? MBN_ELEMENT_BF16
                                : precision == MBN_PRECISION_INT8   ? MBN_ELEMENT_Q8
                                                                    : MBN_ELEMENT_F32;
    uint32_t mask = mbn_isa_usable();
    const char *allowed = getenv("MOBILENET_ISA");
    if (allowed != NULL && allowed[0] != '\0') mask &= mbn_isa_parse(allowed);
    for (unsigned isa = 0; isa < MBN_ISA_COUNT; isa++) {
        if (mbn_kernels_for(element, (mbn_isa)isa) == NULL) mask &= ~(1U << isa);
    }
    cr_assert_neq(mask, 0);
    return mask;
}

/* Those of a mask that subject number `turn` of many runs with: all, in brief tests one. */
static inline uint32_t isas_in_turn(uint32_t mask, int32_t turn) {
    if (!tests_are_brief()) return mask;
    int32_t count = 0;
    for (unsigned isa = 0; isa < MBN_ISA_COUNT; isa++) count += (mask >> isa & 1U) != 0;
    for (int32_t i = 0; i < turn % count; i++) mask &= mask - 1;
    return mask & (~mask + 1);
}

#endif
