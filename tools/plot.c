#include "plot.h"

#include "svg.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All in pixels.  A row is high enough for its text. */
enum {
    WIDTH = 1200,
    MARGIN = 28,
    TOTAL_TOP = 96, /* of the bar by kind */
    TOTAL_HEIGHT = 32,
    LEGEND_HEAD = 40, /* from that bar to the base of the legend's head */
    LEGEND_ROW = 19,
    GUTTER = 40, /* between the columns of the legend */
    ROW = 17,
    BAR = 11,
    SHAPE = 84,         /* width of the column of shapes */
    NUMBERS = 130,      /* of the columns of times and shares of the peak */
    CHARACTER_10 = 59,  /* of a name, in tenths */
    LEAST_LABELLED = 48 /* a part of the bar by kind that has room for its share */
};

/* A kind has the same color in all drawings.  Chosen so that any two that one plan can have (of all
 * networks and of tables in model files, instruction sets, one thread or two, fused or not) are at
 * least 20 apart in CIELAB, also as seen without red or green cones. */
static const struct {
    const char *kind, *color;
} colors[] = {
    {"stem", "#ffb98b"},
    {"stem+depthwise", "#17b95d"},
    {"stem+depthwise+project", "#46b95d"},
    {"stem+depthwise+squeeze pool", "#a2e88b"},
    {"expand", "#462e2e"},
    {"expand+depthwise", "#46e8ff"},
    {"expand+depthwise+project", "#a2e82e"},
    {"expand+depthwise+squeeze pool", "#5d172e"},
    {"depthwise", "#0000b9"},
    {"squeeze pool", "#5d2e00"},
    {"squeeze", "#008bff"},
    {"excite", "#00a2b9"},
    {"scale", "#747446"},
    {"scale+project", "#742e74"},
    {"project", "#5db9ff"},
    {"project+depthwise", "#0000ff"},
    {"project+depthwise+squeeze pool", "#1774b9"},
    {"project+depthwise+project", "#005dff"},
    {"head", "#747474"},
    {"head max pool", "#8bd1b9"},
    {"head global max pool", "#8ba200"},
    {"head pool", "#5d7400"},
    {"hidden", "#0046b9"},
    {"logits", "#460074"},
};

static const char *color_of(const char *kind) {
    for (size_t i = 0; i < sizeof colors / sizeof colors[0]; i++) {
        if (strcmp(colors[i].kind, kind) == 0) return colors[i].color;
    }
    return "#aaaaaa";
}

/* Of text that lies on a color: white where that is dark. */
static const char *ink_on(const char *color) {
    const unsigned long rgb = strtoul(color + 1, NULL, 16);
    const unsigned long red = rgb >> 16, green = rgb >> 8 & 0xff, blue = rgb & 0xff;
    return 299 * red + 587 * green + 114 * blue < 140000 ? "light" : "dark";
}

/* ---- By kind --------------------------------------------------------------------------------- */

static void put_titles(FILE *svg, const mbn_inspection *inspection,
                       const mbn_measurement *measurement) {
    const mbn_network *network = inspection->network;
    const int32_t threads = mbn_context_threads(inspection->context);
    const double floor = mbn_cost_floor(&measurement->total, measurement);
    mbn_svg_text(svg, "title", MARGIN, 36, "%s at %dx%d: where %.3g ms go", network->name,
                 network->input_height, network->input_width, 1e3 * measurement->total.seconds);
    mbn_svg_text(svg, "note", MARGIN, 58,
                 "%s in %s, %d thread%s. A plain run takes %.3g ms: %.2f times the %.3g ms of its "
                 "multiply-adds at the peak, %.1f GFLOP/s a core.",
                 inspection->kernels->name, mbn_inspect_precision(inspection), threads,
                 threads == 1 ? "" : "s", 1e3 * measurement->run_seconds,
                 measurement->run_seconds / floor, 1e3 * floor, 1e-9 * measurement->core_peak);
}

static void put_total(FILE *svg, const mbn_measurement *measurement) {
    const double scale = (WIDTH - 2 * MARGIN) / measurement->total.seconds;
    double x = MARGIN;
    mbn_svg_text(svg, "heading", MARGIN, TOTAL_TOP - 10, "All steps, by kind");
    mbn_svg_text(svg, "note", MARGIN + 130, TOTAL_TOP - 10, "%% of the steps' time");
    for (int32_t i = 0; i < measurement->kind_count; i++) {
        const double seconds = measurement->kinds[i].cost.seconds;
        const double width = scale * seconds;
        const char *color = color_of(measurement->kinds[i].name.text);
        /* A gap tells neighbours apart, but never hides a thin one. */
        mbn_svg_bar(svg, x, TOTAL_TOP, width > 3 ? width - 1 : width, TOTAL_HEIGHT, color, 1);
        if (width >= (double)LEAST_LABELLED) {
            char class[16];
            snprintf(class, sizeof class, "share %s", ink_on(color));
            mbn_svg_text(svg, class, x + width / 2, TOTAL_TOP + TOTAL_HEIGHT / 2 + 4, "%.1f %%",
                         100 * seconds / measurement->total.seconds);
        }
        x += width;
    }
}

static int legend_rows(const mbn_measurement *measurement) {
    return (measurement->kind_count + 1) / 2;
}

/* Two columns, read downwards. */
static void put_legend(FILE *svg, const mbn_measurement *measurement, double head) {
    const int rows = legend_rows(measurement);
    const double column = (WIDTH - 2 * MARGIN + GUTTER) / 2.0;
    for (int32_t i = 0; i < measurement->kind_count; i++) {
        const mbn_kind_cost *kind = &measurement->kinds[i];
        const double left = (double)MARGIN + (i / rows) * column;
        const double right = left + column - (double)GUTTER;
        const double base = head + (1 + i % rows) * LEGEND_ROW;
        if (i % rows == 0) {
            mbn_svg_text(svg, "note", left + 18, head, "layers that run together");
            mbn_svg_text(svg, "note right", right - 150, head, "steps");
            mbn_svg_text(svg, "note right", right - 80, head, "ms");
            mbn_svg_text(svg, "note right", right, head, "%% of time");
        }
        mbn_svg_bar(svg, left, base - 10, 11, 11, color_of(kind->name.text), 1);
        mbn_svg_text(svg, "legend", left + 18, base, "%s", kind->name.text);
        mbn_svg_text(svg, "legend right", right - 150, base, "%d", kind->steps);
        mbn_svg_text(svg, "legend right", right - 80, base, "%.3f", 1e3 * kind->cost.seconds);
        mbn_svg_text(svg, "legend right", right, base, "%.1f",
                     100 * kind->cost.seconds / measurement->total.seconds);
    }
}

/* ---- Step by step ---------------------------------------------------------------------------- */

/* Where the bars of the steps lie, and what a second is in pixels. */
struct axis {
    double kinds; /* where the column of kinds begins */
    double left, right, top, bottom;
    double scale;
    double longest; /* ms */
};

static struct axis axis_of(const mbn_inspection *inspection, const mbn_measurement *measurement,
                           double top) {
    double longest = 0;
    for (int32_t i = 0; i < measurement->step_count; i++) {
        longest = fmax(longest, measurement->steps[i].cost.seconds);
    }
    const int name = mbn_inspect_name_width(inspection, "first layer") * CHARACTER_10 / 10;
    const int kind = mbn_inspect_kind_width(inspection, "layers") * CHARACTER_10 / 10;
    struct axis axis = {
        .kinds = MARGIN + 24 + name + 12,
        .left = MARGIN + 24 + name + 12 + kind + SHAPE + 20,
        .right = WIDTH - MARGIN - NUMBERS,
        .top = top,
        .bottom = top + (double)(measurement->step_count * ROW),
        .longest = 1e3 * longest,
    };
    axis.scale = (axis.right - axis.left) / longest;
    return axis;
}

/* 1, 2 or 5 times a power of ten: some six of them up to `longest`. */
static double tick_distance(double longest) {
    const double rough = longest / 6;
    const double power = pow(10, floor(log10(rough)));
    const double digit = rough / power;
    return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
}

static void put_axis(FILE *svg, const struct axis *axis) {
    const double distance = tick_distance(axis->longest);
    const int decimals = distance < 1 ? (int)ceil(-log10(distance) - 1e-9) : 0;
    for (int i = 0; i * distance <= axis->longest; i++) {
        const double x = axis->left + 1e-3 * axis->scale * i * distance;
        fprintf(svg, "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", x,
                axis->top - 4, x, axis->bottom + 3);
        mbn_svg_text(svg, "tick", x, axis->top - 8, "%.*f", decimals, i * distance);
        mbn_svg_text(svg, "tick", x, axis->bottom + 14, "%.*f", decimals, i * distance);
    }
    fprintf(svg, "<line class=\"axis\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
            axis->left, axis->top - 4, axis->left, axis->bottom + 3);
    mbn_svg_text(svg, "tick", (axis->left + axis->right) / 2, axis->bottom + 28,
                 "time of a step, ms");
}

static void put_step(FILE *svg, const mbn_inspection *inspection,
                     const mbn_measurement *measurement, const struct axis *axis, int32_t index) {
    const mbn_step_cost *step = &measurement->steps[index];
    const mbn_network *network = inspection->network;
    const char *kind = measurement->kinds[step->kind].name.text;
    const double seconds = step->cost.seconds;
    const double least = fmin(mbn_cost_floor(&step->cost, measurement), seconds);
    const double top = axis->top + (double)(index * ROW);
    const double base = top + (double)(ROW - 5);
    fputs("<g><title>", svg);
    for (int32_t i = step->info.first_layer; i <= step->info.last_layer; i++) {
        mbn_svg_escaped(svg, network->layers[i].name);
        fputs(", ", svg);
    }
    mbn_svg_escaped(svg, kind);
    fputs("</title>\n", svg);
    mbn_svg_text(svg, "right", MARGIN + 16, base, "%d", index);
    mbn_svg_text(svg, "name", MARGIN + 24, base, "%s",
                 network->layers[step->info.first_layer].name);
    mbn_svg_text(svg, "name", axis->kinds, base, "%s", kind);
    mbn_svg_text(svg, "right", axis->left - 18, base, "%s",
                 mbn_inspect_shape(network, &step->info).text);
    mbn_svg_bar(svg, axis->left, top + 3, axis->scale * least, BAR, color_of(kind), 1);
    mbn_svg_bar(svg, axis->left + axis->scale * least, top + 3, axis->scale * (seconds - least),
                BAR, color_of(kind), 0.4);
    mbn_svg_text(svg, "right", WIDTH - MARGIN - 70, base, "%.4f", 1e3 * seconds);
    if (step->cost.multiply_adds > 0) {
        mbn_svg_text(svg, "right", WIDTH - MARGIN, base, "%.1f",
                     100 * mbn_cost_flops(&step->cost) / measurement->peak);
    }
    fputs("</g>\n", svg);
}

static void put_steps(FILE *svg, const mbn_inspection *inspection,
                      const mbn_measurement *measurement, const struct axis *axis) {
    mbn_svg_text(svg, "heading", MARGIN, axis->top - 30, "Step by step");
    mbn_svg_text(svg, "note", axis->left, axis->top - 30,
                 "solid: its multiply-adds at the peak; pale: the rest of its time");
    mbn_svg_text(svg, "note", MARGIN + 24, axis->top - 8, "first layer");
    mbn_svg_text(svg, "note", axis->kinds, axis->top - 8, "layers");
    mbn_svg_text(svg, "note right", axis->left - 18, axis->top - 8, "output");
    mbn_svg_text(svg, "note right", WIDTH - MARGIN - 70, axis->top - 8, "ms");
    mbn_svg_text(svg, "note right", WIDTH - MARGIN, axis->top - 8, "%% of peak");
    put_axis(svg, axis);
    for (int32_t i = 0; i < measurement->step_count; i++) {
        put_step(svg, inspection, measurement, axis, i);
    }
}

/* ---- The file -------------------------------------------------------------------------------- */

static void draw(FILE *svg, const mbn_inspection *inspection, const mbn_measurement *measurement,
                 const char *machine, const char *date) {
    const double legend = TOTAL_TOP + TOTAL_HEIGHT + LEGEND_HEAD;
    const struct axis axis = axis_of(inspection, measurement,
                                     legend + (double)(legend_rows(measurement) * LEGEND_ROW + 66));
    const double caption = axis.bottom + 52;
    mbn_svg_head(svg, WIDTH, (int)caption + 16);
    put_titles(svg, inspection, measurement);
    put_total(svg, measurement);
    put_legend(svg, measurement, legend);
    put_steps(svg, inspection, measurement, &axis);
    mbn_svg_text(svg, "note", MARGIN, caption, "Medians of %d rounds on %s, %s. mobilenet %s.",
                 measurement->rounds, machine, date, mbn_version());
    fputs("</svg>\n", svg);
}

/* What is drawn. */
typedef struct drawing {
    const mbn_inspection *inspection;
    const mbn_measurement *measurement;
    const char *machine, *date;
} drawing;

static void draw_all(FILE *svg, const void *what) {
    const drawing *d = what;
    draw(svg, d->inspection, d->measurement, d->machine, d->date);
}

mbn_status mbn_plot(const char *path, const mbn_inspection *inspection,
                    const mbn_measurement *measurement, const char *machine, const char *date,
                    mbn_error *error) {
    const drawing what = {inspection, measurement, machine, date};
    return mbn_svg_write(path, draw_all, &what, error);
}
