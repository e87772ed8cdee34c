#include "checks.h"

#include <criterion/criterion.h>

static void check_all(bool to_blocked, uint64_t seed) {
    operands memory = {0};
    random_state r = {seed};
    for (int32_t i = 0; i < 160; i++) {
        convolution_case c = awkward_case(i, 1, 1, &r);
        check_layouts(&c, to_blocked, true, &memory, &r);
    }
    /* What networks convert: an image in, features out. */
    static const int32_t images[][3] = {{3, 224, 224}, {3, 97, 131}, {960, 7, 7}};
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) {
        convolution_case c = awkward_case(0, 1, 1, &r);
        c.channels = images[i][0];
        c.height = images[i][1];
        c.width = images[i][2];
        check_layouts(&c, to_blocked, true, &memory, &r);
    }
    operands_free(&memory);
}

Test(layout, to_blocked) {
    check_all(true, 51);
}

/* An image for tables that do not read floats: all its channels in one block, rounded up to their
 * depth. */
Test(layout, images) {
    operands memory = {0};
    random_state r = {53};
    for (int32_t i = 0; i < 120; i++) {
        convolution_case c = awkward_case(i, 1, 1, &r);
        c.channels = i % 3 == 0 ? 3 : 1 + i % 9;
        c.width = random_int(&r, 1, 150);
        check_image_layouts(&c, true, &memory, &r);
    }
    operands_free(&memory);
}

Test(layout, from_blocked) {
    check_all(false, 52);
}
