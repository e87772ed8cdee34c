#include "precision.h"

#include "arch/error.h"
#include "model.h"

#include <stdio.h>
#include <stdlib.h>

static const char isa_variable[] = "MOBILENET_ISA";

const char *mbn_precision_name(mbn_precision precision) {
    switch (precision) {
    case MBN_PRECISION_DEFAULT: return "default";
    case MBN_PRECISION_FLOAT32: return "float32";
    case MBN_PRECISION_BFLOAT16: return "bfloat16";
    case MBN_PRECISION_INT8: return "int8";
    case MBN_PRECISION_FASTEST: return "fastest";
    }
    return NULL;
}

mbn_precision mbn_model_precision(const mbn_model *model) {
    static const mbn_precision precisions[MBN_ELEMENT_COUNT] = {
        [MBN_ELEMENT_F32] = MBN_PRECISION_FLOAT32,
        [MBN_ELEMENT_BF16] = MBN_PRECISION_BFLOAT16,
        [MBN_ELEMENT_Q8] = MBN_PRECISION_INT8,
    };
    return precisions[model->kernels->element];
}

/* The names of the instruction sets in a mask. */
typedef struct isa_list {
    char text[128];
} isa_list;

static isa_list list_isas(uint32_t mask) {
    isa_list list = {""};
    size_t length = 0;
    for (unsigned isa = 0; isa < MBN_ISA_COUNT && length < sizeof list.text; isa++) {
        if ((mask >> isa & 1u) == 0) continue;
        length += (size_t)snprintf(list.text + length, sizeof list.text - length, "%s%s",
                                   length == 0 ? "" : ", ", mbn_isa_name((mbn_isa)isa));
    }
    return list;
}

/* An instruction set beyond that of the best float32 table is there for the sake of bfloat16.
 * Where both have the same one, bfloat16 has to be unpacked, and gains nothing. */
static const mbn_kernels *fastest_kernels(uint32_t mask) {
    const mbn_kernels *f32 = mbn_kernels_best(MBN_ELEMENT_F32, mask);
    const mbn_kernels *bf16 = mbn_kernels_best(MBN_ELEMENT_BF16, mask);
    return f32 != NULL && bf16 != NULL && bf16->isa > f32->isa ? bf16 : f32;
}

static const mbn_kernels *kernels_for(mbn_precision precision, bool integers, uint32_t mask) {
    switch (precision) {
    case MBN_PRECISION_BFLOAT16: return mbn_kernels_best(MBN_ELEMENT_BF16, mask);
    case MBN_PRECISION_INT8: return mbn_kernels_best(MBN_ELEMENT_Q8, mask);
    case MBN_PRECISION_FASTEST:
        return integers ? mbn_kernels_best(MBN_ELEMENT_Q8, mask) : fastest_kernels(mask);
    case MBN_PRECISION_DEFAULT:
        if (integers) return mbn_kernels_best(MBN_ELEMENT_Q8, mask);
        break;
    case MBN_PRECISION_FLOAT32: break;
    }
    return mbn_kernels_best(MBN_ELEMENT_F32, mask);
}

mbn_status mbn_check_precision(mbn_precision precision, mbn_error *error) {
    if (mbn_precision_name(precision) != NULL) return MBN_OK;
    return mbn_fail(error, MBN_INVALID_ARGUMENT, "precision: %d is no mbn_precision",
                    (int)precision);
}

mbn_status mbn_choose_kernels(uint32_t mask, mbn_precision precision, bool integers,
                              const mbn_kernels **kernels, mbn_error *error) {
    if (precision == MBN_PRECISION_INT8 && !integers) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT,
                        "precision: int8 is of files of integers, and this one has floats");
    }
    if (mask == 0) mask = MBN_ISA_MASK_ALL;
    const char *names = getenv(isa_variable);
    if (names != NULL && names[0] != '\0') {
        const uint32_t allowed = mbn_isa_parse(names);
        if (allowed == 0) {
            return mbn_fail(error, MBN_INVALID_ARGUMENT,
                            "%s=%.64s: expected names out of %s, separated by commas", isa_variable,
                            names, list_isas(MBN_ISA_MASK_ALL).text);
        }
        mask &= allowed;
    }
    *kernels = kernels_for(precision, integers, mask);
    if (*kernels != NULL) return MBN_OK;
    return mbn_fail(
        error, MBN_UNSUPPORTED,
        "none of the allowed instruction sets can be used; this machine and build have %s",
        list_isas(mbn_isa_usable()).text);
}
