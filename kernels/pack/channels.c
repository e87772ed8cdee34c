/* What there is one of per channel: biases, scales, batch norms. */
#include <mobilenet/kernels.h>

#include <math.h>

void mbn_pack_vector(const float *values, int32_t channels, int32_t block, float *packed) {
    int32_t padded_channels = mbn_block_count(channels, block) * block;
    for (int32_t c = 0; c < padded_channels; c++) {
        packed[c] = values != NULL && c < channels ? values[c] : 0.0f;
    }
}

void mbn_fold_batch_norm(int32_t channels, const float *gamma, const float *beta, const float *mean,
                         const float *variance, const float *bias, double epsilon, float *scale,
                         float *shift) {
    for (int32_t c = 0; c < channels; c++) {
        double s = (gamma != NULL ? gamma[c] : 1.0) / sqrt(variance[c] + epsilon);
        double b = (bias != NULL ? bias[c] : 0.0) - mean[c];
        scale[c] = (float)s;
        shift[c] = (float)((beta != NULL ? beta[c] : 0.0) + b * s);
    }
}
