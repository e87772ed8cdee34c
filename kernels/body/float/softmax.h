/* Softmax. */
#include "epilogue.h"

/* e^x for x <= 0, to 2 ulp: x = n ln 2 + r, |r| <= ln 2 / 2, a polynomial of degree 6 in r times
 * 2^n.  Below -87.7 the result is 0; a NaN reaches p. */
MBN_INLINE vec exp_nonpositive(vec x) {
    const vec clamped = vec_max(vec_splat(-88.0F), x);
    const vec n = vec_round(vec_mul(clamped, vec_splat(1.44269504F)));
    /* ln 2 in two parts, the first exact in products with n. */
    vec r = vec_fma(n, vec_splat(-0.693359375F), clamped);
    r = vec_fma(n, vec_splat(2.12194440e-4F), r);
    vec p = vec_splat(1.9875691e-4F);
    p = vec_fma(p, r, vec_splat(1.3981999e-3F));
    p = vec_fma(p, r, vec_splat(8.3334519e-3F));
    p = vec_fma(p, r, vec_splat(4.1665796e-2F));
    p = vec_fma(p, r, vec_splat(1.6666665e-1F));
    p = vec_fma(p, r, vec_splat(5.0000000e-1F));
    p = vec_fma(p, vec_mul(r, r), vec_add(r, vec_splat(1.0F)));
    return vec_mul(p, vec_exp2_whole(n));
}

/* The last, partial vector lives in a padded copy: nothing outside of the arrays is touched. */
MBN_INLINE vec load_some(const float *p, int32_t count, float padding) {
    float lanes[VEC_WIDTH];
    for (int32_t i = 0; i < VEC_WIDTH; i++) lanes[i] = i < count ? p[i] : padding;
    return vec_load(lanes);
}

MBN_INLINE void store_some(float *p, int32_t count, vec a) {
    float lanes[VEC_WIDTH];
    vec_store(lanes, a);
    for (int32_t i = 0; i < count; i++) p[i] = lanes[i];
}

static void softmax(const mbn_softmax_args *args) {
    mbn_assert_softmax(args);
    const int32_t count = args->count, whole = count - count % VEC_WIDTH;
    const int32_t some = count - whole;
    float lanes[VEC_WIDTH];

    vec most = vec_splat(-INFINITY);
    for (int32_t i = 0; i < whole; i += VEC_WIDTH) most = vec_max(most, vec_load(args->input + i));
    if (some > 0) most = vec_max(most, load_some(args->input + whole, some, -INFINITY));
    vec_store(lanes, most);
    float largest = lanes[0];
    for (int32_t i = 1; i < VEC_WIDTH; i++) largest = lanes[i] > largest ? lanes[i] : largest;

    /* A NaN that the maximum lost returns through the exponential of its own lane. */
    vec sum = vec_zero();
    const vec shift = vec_splat(largest);
    for (int32_t i = 0; i < whole; i += VEC_WIDTH) {
        const vec y = exp_nonpositive(vec_sub(vec_load(args->input + i), shift));
        vec_store(args->output + i, y);
        sum = vec_add(sum, y);
    }
    if (some > 0) {
        const vec y =
            exp_nonpositive(vec_sub(load_some(args->input + whole, some, -INFINITY), shift));
        store_some(args->output + whole, some, y);
        vec_store(lanes, y);
        for (int32_t i = some; i < VEC_WIDTH; i++) lanes[i] = 0.0F;
        sum = vec_add(sum, vec_load(lanes));
    }
    vec_store(lanes, sum);
    float total = 0.0F;
    for (int32_t i = 0; i < VEC_WIDTH; i++) total += lanes[i];

    const vec divisor = vec_splat(total);
    for (int32_t i = 0; i < whole; i += VEC_WIDTH) {
        vec_store(args->output + i, vec_div(vec_load(args->output + i), divisor));
    }
    if (some > 0) {
        store_some(args->output + whole, some,
                   vec_div(load_some(args->output + whole, some, 0.0F), divisor));
    }
}
