#include "preprocessing.h"

#include "arch/error.h"

#include <math.h>

const char *mbn_interpolation_name(mbn_interpolation interpolation) {
    switch (interpolation) {
    case MBN_INTERPOLATION_BILINEAR: return "bilinear";
    case MBN_INTERPOLATION_BICUBIC: return "bicubic";
    case MBN_INTERPOLATION_NEAREST: return "nearest";
    case MBN_INTERPOLATION_AREA: return "area";
    }
    return NULL;
}

const char *mbn_resampling_name(mbn_resampling resampling) {
    switch (resampling) {
    case MBN_RESAMPLING_PILLOW: return "pillow";
    case MBN_RESAMPLING_TENSORFLOW: return "tensorflow";
    }
    return NULL;
}

const char *mbn_fit_name(mbn_fit fit) {
    switch (fit) {
    case MBN_FIT_CROP: return "crop";
    case MBN_FIT_SQUASH: return "squash";
    case MBN_FIT_LETTERBOX: return "letterbox";
    case MBN_FIT_COVER: return "cover";
    }
    return NULL;
}

static mbn_status check_choice(const char *field, const char *name, int value, mbn_error *error) {
    if (name != NULL) return MBN_OK;
    return mbn_fail(error, MBN_INVALID_ARGUMENT, "preprocessing.%s: %d is no mbn_%s", field, value,
                    field);
}

mbn_status mbn_preprocessing_check(const mbn_preprocessing *p, int32_t height, int32_t width,
                                   int32_t channels, mbn_error *error) {
    if (p->resize < 0 || p->resize > MBN_MAX_IMAGE_SIDE) {
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "preprocessing.resize: %d: not 0 to %d",
                        (int)p->resize, MBN_MAX_IMAGE_SIDE);
    }
    for (int32_t c = 0; c < channels; c++) {
        const char *field = !isfinite(p->mean[c]) ? "mean"
                            : !isnormal(p->standard_deviation[c]) || p->standard_deviation[c] < 0
                                ? "standard_deviation"
                            : !(p->fill[c] >= 0 && p->fill[c] <= 255) ? "fill"
                                                                      : NULL;
        if (field == NULL) continue;
        const float value = *field == 'm'   ? p->mean[c]
                            : *field == 's' ? p->standard_deviation[c]
                                            : p->fill[c];
        return mbn_fail(error, MBN_INVALID_ARGUMENT, "preprocessing.%s[%d]: %g is out of range",
                        field, (int)c, (double)value);
    }
    const char *interpolation = mbn_interpolation_name(p->interpolation);
    const char *resampling = mbn_resampling_name(p->resampling);
    mbn_status status = check_choice("interpolation", interpolation, (int)p->interpolation, error);
    if (status == MBN_OK) {
        status = check_choice("resampling", resampling, (int)p->resampling, error);
    }
    if (status == MBN_OK) status = check_choice("fit", mbn_fit_name(p->fit), (int)p->fit, error);
    if (status != MBN_OK || p->resampling == MBN_RESAMPLING_PILLOW || p->resize == 0) return status;
    const int32_t shorter = height < width ? height : width;
    if (p->resize >= shorter) return MBN_OK;
    return mbn_fail(error, MBN_INVALID_ARGUMENT,
                    "preprocessing.resize: %d: less than the input's %d, which Keras's CenterCrop "
                    "would enlarge to",
                    (int)p->resize, (int)shorter);
}
