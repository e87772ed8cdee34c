/* Where a layer reads another form than the one that was written: planes of another element type or
 * blocking, or an image that its table does not read as floats. */
#include "plan.h"

/* What a layer reads, and in which form. */
typedef struct reading {
    int32_t source; /* a layer; -1: the image, or nothing */
    const mbn_kernels *form;
} reading;

static const mbn_kernels *vectors_of(const mbn_kernels *kernels) {
    return kernels->vectors != NULL ? kernels->vectors : kernels;
}

static bool writes_vector(const mbn_layer *layer) {
    return layer->kind == MBN_LAYER_GLOBAL_POOL || layer->kind == MBN_LAYER_FULLY_CONNECTED;
}

static const mbn_kernels *written_form(const mbn_network *network, const mbn_packed_layer *packed,
                                       int32_t layer) {
    const mbn_kernels *kernels = packed[layer].kernels;
    return writes_vector(&network->layers[layer]) ? vectors_of(kernels) : kernels;
}

static bool same_form(const mbn_kernels *a, const mbn_kernels *b) {
    return a->element == b->element && a->blocking.block == b->blocking.block;
}

/* Fills in a reading; false if it takes no conversion. */
static bool converted_reading(const mbn_network *network, const mbn_packed_layer *packed,
                              int32_t index, mbn_reading which, reading *r) {
    const mbn_layer *layer = &network->layers[index];
    const mbn_kernels *kernels = packed[index].kernels;
    const int32_t sources[MBN_READINGS] = {layer->input, layer->gate, layer->residual};
    const bool vector = which == MBN_READS_GATE || layer->kind == MBN_LAYER_FULLY_CONNECTED;
    *r = (reading){sources[which], vector ? vectors_of(kernels) : kernels};
    if (r->source >= 0) return !same_form(written_form(network, packed, r->source), r->form);
    return which == MBN_READS_INPUT && !kernels->reads_floats;
}

/* Whether an earlier reading wants the same conversion. */
static bool is_repeated(const mbn_network *network, const mbn_packed_layer *packed, int32_t index,
                        mbn_reading which, const reading *r) {
    for (int32_t i = 0; i <= index; i++) {
        for (unsigned w = 0; w < (i == index ? which : MBN_READINGS); w++) {
            reading other;
            if (converted_reading(network, packed, i, (mbn_reading)w, &other) &&
                other.source == r->source && same_form(other.form, r->form)) {
                return true;
            }
        }
    }
    return false;
}

int32_t mbn_plan_conversions(const mbn_network *network, const mbn_packed_layer *packed,
                             mbn_conversion *conversions) {
    int32_t count = 0;
    for (int32_t i = 0; i < network->layer_count; i++) {
        for (unsigned w = 0; w < MBN_READINGS; w++) {
            const mbn_reading which = (mbn_reading)w;
            reading r;
            if (!converted_reading(network, packed, i, which, &r) ||
                is_repeated(network, packed, i, which, &r)) {
                continue;
            }
            if (conversions != NULL) conversions[count] = (mbn_conversion){r.source, i, r.form};
            count++;
        }
    }
    return count;
}

const mbn_kernels *mbn_written_form(const mbn_plan *plan, int32_t layer) {
    return written_form(plan->network, plan->packed, layer);
}

int32_t mbn_read_value(const mbn_plan *plan, int32_t layer, mbn_reading which) {
    reading r;
    if (!converted_reading(plan->network, plan->packed, layer, which, &r)) return r.source;
    for (int32_t c = 0;; c++) {
        const mbn_conversion *conversion = &plan->conversions[c];
        if (conversion->source == r.source && same_form(conversion->form, r.form)) {
            return plan->network->layer_count + c;
        }
    }
}
