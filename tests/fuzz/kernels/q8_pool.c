#include "pool_case.h"

#include <tests/kernels/test_q8_pool.c>

void check_q8_pools(const convolution_case *shape, operands *memory, random_state *r) {
    bool global;
    const convolution_case c = pool_case(shape, &global, r);
    check_tables(&c, global, memory, r);
}
