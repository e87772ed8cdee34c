/* Standalone batch norm, channel scale and addition: bound by memory, one vector at a time. */
#include "epilogue.h"

enum elementwise_kind { BATCH_NORM, CHANNEL_SCALE, ADD };

/* What the pixels of a channel block share. */
typedef struct elementwise_block {
    epilogue e;
    vec scale, shift;
} elementwise_block;

MBN_INLINE elementwise_block elementwise_block_of(const mbn_elementwise_args *args,
                                                  enum elementwise_kind kind, int32_t b) {
    const ptrdiff_t channels = (ptrdiff_t)b * VECTOR_BYTES;
    return (elementwise_block){
        epilogue_of(kind == CHANNEL_SCALE ? &(mbn_finish){.activation = {0}} : &args->finish),
        kind == ADD ? vec_zero() : vec_load((const char *)args->scale + channels),
        kind == BATCH_NORM ? vec_load((const char *)args->shift + channels) : vec_zero(),
    };
}

/* kind is a constant; other is not read but by ADD. */
MBN_INLINE void elementwise_pixel(const elementwise_block *block, enum elementwise_kind kind,
                                  const char *input, const char *other, char *output) {
    const vec a = element_load(input);
    switch (kind) {
    case BATCH_NORM:
        element_store(output, epilogue_apply(&block->e, vec_fma(a, block->scale, block->shift)));
        break;
    case CHANNEL_SCALE: element_store(output, vec_mul(a, block->scale)); break;
    case ADD:
        element_store(output, epilogue_apply(&block->e, vec_add(a, element_load(other))));
        break;
    }
}

#include "kernels/walk/elementwise.h"
