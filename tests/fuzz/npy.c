/* .npy files: parsed, and what was read written and read again. */
#include "input.h"
#include "memory.h"

#include <criterion/criterion.h>
#include <npy.h>
#include <stdlib.h>

int fuzz_input(const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size + (size == 0));
    if (copy == NULL) return 0;
    if (size > 0) memcpy(copy, data, size);
    mbn_npy array = {0};
    mbn_error error = {MBN_OK, ""};
    memory_watch();
    const mbn_status status = mbn_npy_parse(copy, size, &array, &error);
    memory_bound(size, 2, 1024);
    if (status != MBN_OK) {
        cr_assert(error.status == status && error.message[0] != '\0' && array.values == NULL);
        return 0;
    }
    int64_t count = 1;
    for (int32_t i = 0; i < array.rank; i++) count *= array.shape[i];
    cr_assert_eq(count, array.count);
    cr_assert_leq((size_t)count * sizeof(float), size);
    float sum = 0.0F;
    for (int64_t i = 0; i < count; i++) sum += array.values[i];
    (void)sum;
    cr_assert_lt(strlen(mbn_npy_shape_text(&array).text), sizeof(mbn_npy_shape));
    free(array.values);
    return 0;
}
