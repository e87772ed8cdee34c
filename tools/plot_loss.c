#include "plot_loss.h"

#include "svg.h"

#include <math.h>

/* All in pixels. */
enum { WIDTH = 1000, MARGIN = 28, TOP = 118, ROW = 15, BAR = 10, ROLES = 200, LEFT = 330 };
enum { MOST = 60, TICK = 10 }; /* decibels */

static const double SCALE = (double)(WIDTH - MARGIN - 60 - LEFT) / (double)MOST;

static void draw_axis(FILE *svg, double bottom) {
    for (int tick = 0; tick <= MOST; tick += TICK) {
        const double x = (double)LEFT + SCALE * tick;
        fprintf(svg, "<line class=\"%s\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
                tick == 0 ? "axis" : "grid", x, TOP, x, bottom);
        mbn_svg_text(svg, "tick", x, TOP - 6, "%d", tick);
    }
}

static void draw_layer(FILE *svg, const mbn_layer *layer, const mbn_layer_loss *loss, double top) {
    const double base = top + (double)(ROW - 4);
    /* Nothing is lost where the bar leaves the drawing. */
    const double decibels = fmin(fmax(loss->decibels, 0.0), (double)MOST);
    mbn_svg_text(svg, "name", MARGIN, base, "%s", layer->name);
    mbn_svg_text(svg, "name", ROLES, base, "%s", mbn_layer_role_name(layer->role));
    mbn_svg_bar(svg, LEFT, top + 3, SCALE * decibels, BAR, loss->floats ? "#999999" : "#0046b9", 1);
    const double behind = (double)LEFT + SCALE * decibels + 6.0;
    if (isinf(loss->decibels) && loss->decibels > 0) {
        mbn_svg_text(svg, "note", behind, base, "exact");
    } else {
        mbn_svg_text(svg, "note", behind, base, "%.1f", loss->decibels);
    }
}

typedef struct drawing {
    const mbn_quantized *quantized;
    const mbn_network *network;
    const char *date;
} drawing;

static void draw(FILE *svg, const void *what) {
    const drawing *d = what;
    const mbn_quantized *q = d->quantized;
    const mbn_quantize_trial *kept = &q->trials[q->kept];
    const double bottom = (double)(TOP + q->layer_count * ROW + 6);
    mbn_svg_head(svg, WIDTH, (int)bottom + 48);
    mbn_svg_text(svg, "title", MARGIN, 36, "%s in 8-bit integers: what is left of every layer",
                 d->network->name);
    mbn_svg_text(svg, "note", MARGIN, 58,
                 "Ranges by %s, %sequalised, biases %scorrected. Outputs: %.1f dB, cosine %.5f; "
                 "pooled vector: %.5f.",
                 mbn_range_method_name(kept->method), kept->equalized ? "" : "not ",
                 kept->corrected ? "" : "not ", kept->loss.decibels, kept->loss.cosine,
                 kept->loss.pool_cosine);
    mbn_svg_text(svg, "note", LEFT, 88, "signal to noise, dB (grey: in floats)");
    draw_axis(svg, bottom);
    for (int32_t i = 0; i < q->layer_count; i++) {
        draw_layer(svg, &d->network->layers[i], &q->layers[i], (double)(TOP + i * ROW));
    }
    mbn_svg_text(svg, "note", MARGIN, bottom + 30,
                 "%d images to calibrate with, %d held out. %s. mobilenet %s.", (int)q->calibrated,
                 (int)q->held_out, d->date, mbn_version());
    fputs("</svg>\n", svg);
}

mbn_status mbn_plot_loss(const char *path, const mbn_quantized *quantized,
                         const mbn_network *network, const char *date, mbn_error *error) {
    const drawing what = {quantized, network, date};
    return mbn_svg_write(path, draw, &what, error);
}
