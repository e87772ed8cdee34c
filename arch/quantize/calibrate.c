/* What values a network's layers write for the calibration's images. */
#include "arch/error.h"
#include "quantizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Statistics ------------------------------------------------------------------------------ */

static int32_t channels_of(const mbn_network *network, int32_t value) {
    return value == 0 ? network->input_channels : network->layers[value - 1].output_channels;
}

/* Of value number `value`. */
static const float *values_of(const mbn_view *view, int32_t value) {
    return value == 0 ? view->image : view->maps[0][value - 1];
}

static int64_t pixels_of(const mbn_network *network, int32_t value) {
    if (value == 0) return (int64_t)network->input_height * network->input_width;
    const mbn_layer *layer = &network->layers[value - 1];
    return (int64_t)layer->output_height * layer->output_width;
}

/* Means that a layer's weights meet. */
static size_t count_means(const mbn_layer *layer) {
    if (layer->weights == 0) return 0;
    const size_t of_all = (size_t)mbn_window(layer);
    return layer->kind == MBN_LAYER_DEPTHWISE ? of_all * (size_t)layer->output_channels : of_all;
}

static int32_t most_channels(const mbn_network *network) {
    int32_t most = 0;
    for (int32_t v = 0; v <= network->layer_count; v++) {
        if (channels_of(network, v) > most) most = channels_of(network, v);
    }
    return most;
}

static size_t statistics_bytes(const mbn_network *network) {
    size_t bytes = sizeof(mbn_statistics) +
                   (size_t)(network->layer_count + 1) * sizeof(mbn_value_statistics) +
                   (size_t)most_channels(network) * (sizeof(double) + sizeof(float));
    for (int32_t v = 0; v <= network->layer_count; v++) {
        bytes += 2 * (size_t)channels_of(network, v) * sizeof(float);
        if (v > 0) bytes += count_means(&network->layers[v - 1]) * sizeof(double);
    }
    return bytes;
}

/* Nothing yet. */
static void clear(mbn_statistics *s) {
    const mbn_network *network = s->network;
    s->images = 0;
    for (int32_t v = 0; v <= network->layer_count; v++) {
        mbn_value_statistics *of = &s->values[v];
        of->own_low = INFINITY;
        of->own_high = -INFINITY;
        of->finite = true;
        for (int32_t c = 0; c < of->channels; c++) {
            of->low[c] = INFINITY;
            of->high[c] = -INFINITY;
        }
        const size_t means = v == 0 ? 0 : count_means(&network->layers[v - 1]);
        for (size_t i = 0; i < means; i++) of->means[i] = 0.0;
    }
}

static mbn_statistics *create(const mbn_network *network) {
    mbn_statistics *s = calloc(1, statistics_bytes(network));
    if (s == NULL) return NULL;
    s->network = network;
    /* Doubles before floats, for their alignment. */
    s->sums = (double *)(void *)(s->values + network->layer_count + 1);
    double *means = s->sums + most_channels(network);
    for (int32_t v = 1; v <= network->layer_count; v++) {
        const size_t count = count_means(&network->layers[v - 1]);
        if (count > 0) s->values[v].means = means;
        means += count;
    }
    s->row = (float *)(void *)means;
    float *next = s->row + most_channels(network);
    for (int32_t v = 0; v <= network->layer_count; v++) {
        mbn_value_statistics *of = &s->values[v];
        of->channels = channels_of(network, v);
        of->low = next;
        of->high = next + of->channels;
        next += 2 * of->channels;
    }
    clear(s);
    return s;
}

/* ---- Of one image ---------------------------------------------------------------------------- */

static void find_extents(const float *values, int64_t pixels, int32_t channels, float *low,
                         float *high) {
    for (int64_t p = 0; p < pixels; p++) {
        const float *pixel = values + p * channels;
        for (int32_t c = 0; c < channels; c++) {
            low[c] = pixel[c] < low[c] ? pixel[c] : low[c];
            high[c] = pixel[c] > high[c] ? pixel[c] : high[c];
        }
    }
}

/* By their bits, since comparisons pass over NaN. */
static bool are_finite(const float *values, int64_t count) {
    int32_t most = 0;
    for (int64_t i = 0; i < count; i++) {
        int32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        bits &= INT32_MAX;
        most = bits > most ? bits : most;
    }
    return most < 0x7f800000; /* infinity */
}

/* Without the residual. */
static void find_own_extent(const float *values, const float *residual, int64_t count, float *low,
                            float *high) {
    for (int64_t i = 0; i < count; i++) {
        const float own = values[i] - residual[i];
        *low = own < *low ? own : *low;
        *high = own > *high ? own : *high;
    }
}

/* The outputs that a tap reaches along one axis: those whose input is inside. */
typedef struct span {
    int32_t begin, end;
} span;

static span reach(int32_t tap, int32_t pad, int32_t stride, int32_t inputs, int32_t outputs) {
    const int32_t before = pad - tap; /* the input of output 0 is -before */
    span s = {before > 0 ? (before + stride - 1) / stride : 0, (inputs - 1 + before) / stride + 1};
    if (s.end > outputs) s.end = outputs;
    return s;
}

/* Adds the inputs of one row that a tap meets: `count` pixels, `stride` floats apart. */
static void add_row(const float *pixel, ptrdiff_t stride, int32_t count, int32_t channels,
                    float *row, double *sums) {
    for (int32_t c = 0; c < channels; c++) row[c] = 0.0F;
    for (int32_t q = 0; q < count; q++) {
        for (int32_t c = 0; c < channels; c++) row[c] += pixel[c];
        pixel += stride;
    }
    for (int32_t c = 0; c < channels; c++) sums[c] += (double)row[c];
}

/* means[c * rows * columns + tap]: the sum of channel c's inputs that a tap meets, over the
 * outputs, divided by their number. */
static void find_means(const mbn_layer *layer, const float *input, float *row, double *sums,
                       double *means) {
    const int32_t channels = layer->input_channels;
    const int32_t rows = layer->kernel_height, columns = layer->kernel_width;
    const double outputs = (double)layer->output_height * layer->output_width;
    const ptrdiff_t stride = (ptrdiff_t)layer->stride_horizontal * channels;
    for (int32_t x = 0; x < columns; x++) {
        const span across = reach(x, layer->pad_left, layer->stride_horizontal, layer->input_width,
                                  layer->output_width);
        const ptrdiff_t first = across.begin * layer->stride_horizontal + x - layer->pad_left;
        for (int32_t y = 0; y < rows; y++) {
            const span down = reach(y, layer->pad_top, layer->stride_vertical, layer->input_height,
                                    layer->output_height);
            for (int32_t c = 0; c < channels; c++) sums[c] = 0.0;
            for (int32_t r = down.begin; r < down.end && across.begin < across.end; r++) {
                const ptrdiff_t at = r * layer->stride_vertical + y - layer->pad_top;
                add_row(input + (at * layer->input_width + first) * channels, stride,
                        across.end - across.begin, channels, row, sums);
            }
            for (int32_t c = 0; c < channels; c++) {
                means[(c * rows + y) * columns + x] = sums[c] / outputs;
            }
        }
    }
}

static void look_at_extents(const mbn_pass *pass, const mbn_view *view, void *result) {
    (void)pass;
    mbn_statistics *s = result;
    const mbn_network *network = s->network;
    clear(s);
    s->images = 1;
    for (int32_t v = 0; v <= network->layer_count; v++) {
        mbn_value_statistics *of = &s->values[v];
        const float *values = values_of(view, v);
        const int64_t pixels = pixels_of(network, v);
        find_extents(values, pixels, of->channels, of->low, of->high);
        of->finite = are_finite(values, pixels * of->channels);
        if (v == 0) continue;
        const mbn_layer *layer = &network->layers[v - 1];
        if (layer->residual >= 0) {
            find_own_extent(values, view->maps[0][layer->residual], pixels * of->channels,
                            &of->own_low, &of->own_high);
        }
        if (of->means != NULL) {
            find_means(layer, values_of(view, layer->input + 1), s->row, s->sums, of->means);
        }
    }
}

static void merge_extents(const mbn_pass *pass, const void *result) {
    const mbn_statistics *one = result;
    mbn_statistics *all = pass->user;
    all->images++;
    for (int32_t v = 0; v <= all->network->layer_count; v++) {
        const mbn_value_statistics *from = &one->values[v];
        mbn_value_statistics *to = &all->values[v];
        to->own_low = fminf(to->own_low, from->own_low);
        to->own_high = fmaxf(to->own_high, from->own_high);
        to->finite = to->finite && from->finite;
        for (int32_t c = 0; c < to->channels; c++) {
            to->low[c] = fminf(to->low[c], from->low[c]);
            to->high[c] = fmaxf(to->high[c], from->high[c]);
        }
        const size_t means = v == 0 ? 0 : count_means(&all->network->layers[v - 1]);
        for (size_t i = 0; i < means; i++) to->means[i] += from->means[i];
    }
}

static mbn_status check(const mbn_statistics *s, mbn_error *error) {
    for (int32_t v = 0; v <= s->network->layer_count; v++) {
        const mbn_value_statistics *of = &s->values[v];
        const char *name = v == 0 ? "the images" : s->network->layers[v - 1].name;
        bool empty = true;
        for (int32_t c = 0; c < of->channels; c++) {
            empty = empty && of->low[c] == 0.0F && of->high[c] == 0.0F;
        }
        if (!of->finite) {
            return mbn_fail(error, MBN_INVALID_ARGUMENT,
                            "%s: there are values that are NaN or infinite, which no range holds",
                            name);
        }
        if (empty) {
            return mbn_fail(error, MBN_INVALID_ARGUMENT,
                            "%s: all values are 0 on the calibration's images, which is no range",
                            name);
        }
    }
    return MBN_OK;
}

/* A pass over one model, all of whose layers are looked at. */
static mbn_pass whole_pass(mbn_model *const *model) {
    static const bool whole[] = {true};
    return (mbn_pass){.models = model, .whole = whole, .model_count = 1};
}

static mbn_status out_of_memory(mbn_error *error) {
    return mbn_fail(error, MBN_OUT_OF_MEMORY, "no memory to calibrate with");
}

static void free_all(void **results, int32_t count) {
    for (int32_t i = 0; results != NULL && i < count; i++) free(results[i]);
    free(results);
}

mbn_status mbn_calibrate(mbn_reader *reader, mbn_model *model, mbn_statistics **statistics,
                         mbn_error *error) {
    const mbn_network *network = mbn_model_network(model);
    const int32_t threads = mbn_reader_threads(reader);
    mbn_pass pass = whole_pass(&model);
    mbn_statistics *total = create(network);
    pass.user = total;
    pass.look = look_at_extents;
    pass.merge = merge_extents;
    pass.results = calloc((size_t)threads, sizeof *pass.results);
    bool made = total != NULL && pass.results != NULL;
    for (int32_t i = 0; made && i < threads; i++) {
        pass.results[i] = create(network);
        made = pass.results[i] != NULL;
    }
    mbn_status status = made ? mbn_pass_run(reader, &pass, error) : out_of_memory(error);
    free_all(pass.results, threads);
    if (status == MBN_OK) status = check(total, error);
    if (status == MBN_OK) {
        for (int32_t v = 1; v <= network->layer_count; v++) {
            const size_t means = count_means(&network->layers[v - 1]);
            for (size_t i = 0; i < means; i++) total->values[v].means[i] /= total->images;
        }
        *statistics = total;
    } else {
        free(total);
    }
    return status;
}

/* ---- Histograms ------------------------------------------------------------------------------ */

typedef struct histograms_job {
    const mbn_network *network;
    const mbn_folded *const *folded;
    int32_t count;
} histograms_job;

static inline void count_value(mbn_histogram *h, float value, float bins_per_unit) {
    const int32_t bin = (int32_t)((value - h->low) * bins_per_unit);
    h->counts[bin < 0 ? 0 : bin < MBN_BINS ? bin : MBN_BINS - 1]++;
}

static float bins_per_unit(const mbn_histogram *h) {
    return h->high > h->low ? (float)MBN_BINS / (h->high - h->low) : 0.0F;
}

static void count_values(const mbn_view *view, const mbn_folded *folded, int32_t v,
                         mbn_value_histograms *h) {
    const mbn_network *network = folded->network;
    const int32_t channels = channels_of(network, v);
    const int64_t pixels = pixels_of(network, v);
    const float *values = values_of(view, v);
    const float *factors = v == 0 ? NULL : folded->layers[v - 1].factors;
    const float *residual = NULL;
    if (v > 0 && network->layers[v - 1].residual >= 0) {
        residual = view->maps[0][network->layers[v - 1].residual];
    }
    const float per_unit = bins_per_unit(&h->all), own_per_unit = bins_per_unit(&h->own);
    for (int64_t p = 0; p < pixels; p++) {
        for (int32_t c = 0; c < channels; c++) {
            const float value = values[p * channels + c];
            count_value(&h->all, factors != NULL ? value * factors[c] : value, per_unit);
            if (residual != NULL) {
                count_value(&h->own, value - residual[p * channels + c], own_per_unit);
            }
        }
    }
}

static void look_at_values(const mbn_pass *pass, const mbn_view *view, void *result) {
    const histograms_job *job = pass->user;
    const int32_t values = job->network->layer_count + 1;
    mbn_value_histograms *histograms = result;
    for (int32_t f = 0; f < job->count; f++) {
        for (int32_t v = 0; v < values; v++) {
            count_values(view, job->folded[f], v, &histograms[f * values + v]);
        }
    }
}

static void add_counts(mbn_histogram *to, const mbn_histogram *from) {
    for (int i = 0; i < MBN_BINS; i++) to->counts[i] += from->counts[i];
}

mbn_status mbn_count_values(mbn_reader *reader, mbn_model *model, const mbn_folded *const *folded,
                            int32_t count, mbn_value_histograms *const *histograms,
                            mbn_error *error) {
    const mbn_network *network = mbn_model_network(model);
    const int32_t threads = mbn_reader_threads(reader), values = network->layer_count + 1;
    const size_t bytes = (size_t)(count * values) * sizeof(mbn_value_histograms);
    histograms_job job = {network, folded, count};
    mbn_pass pass = whole_pass(&model);
    pass.user = &job;
    pass.look = look_at_values;
    pass.results = calloc((size_t)threads, sizeof *pass.results);
    bool made = pass.results != NULL;
    for (int32_t i = 0; made && i < threads; i++) {
        mbn_value_histograms *own = malloc(bytes);
        pass.results[i] = own;
        made = own != NULL;
        for (int32_t f = 0; made && f < count; f++) {
            memcpy(own + f * values, histograms[f], (size_t)values * sizeof *own);
        }
    }
    const mbn_status status = made ? mbn_pass_run(reader, &pass, error) : out_of_memory(error);
    for (int32_t i = 0; status == MBN_OK && i < threads; i++) {
        const mbn_value_histograms *own = pass.results[i];
        for (int32_t f = 0; f < count; f++) {
            for (int32_t v = 0; v < values; v++) {
                add_counts(&histograms[f][v].all, &own[f * values + v].all);
                add_counts(&histograms[f][v].own, &own[f * values + v].own);
            }
        }
    }
    free_all(pass.results, threads);
    return status;
}
