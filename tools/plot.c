#include "plot.h"

#include "file.h"
#include "report.h"

#include <math.h>
#include <stdarg.h>
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

/* ---- Elements -------------------------------------------------------------------------------- */

/* Text from outside may be anything; what is not plain ASCII becomes '?'. */
static void put_escaped(FILE *svg, const char *text) {
    for (const char *c = text; *c != '\0'; c++) {
        switch (*c) {
        case '&': fputs("&amp;", svg); break;
        case '<': fputs("&lt;", svg); break;
        case '>': fputs("&gt;", svg); break;
        default: putc(*c >= ' ' && *c <= '~' ? *c : '?', svg);
        }
    }
}

/* class: of the style sheet below. */
__attribute__((format(printf, 5, 6))) static void put_text(FILE *svg, const char *class, double x,
                                                           double y, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(svg, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y);
    put_escaped(svg, text);
    fputs("</text>\n", svg);
}

static void put_bar(FILE *svg, double x, double y, double width, double height, const char *fill,
                    double opacity) {
    fprintf(svg,
            "<rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\" fill=\"%s\" "
            "fill-opacity=\"%g\"/>\n",
            x, y, width, height, fill, opacity);
}

static void put_head(FILE *svg, int height) {
    fprintf(svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "viewBox=\"0 0 %d %d\">\n"
            "<style>\n"
            "text { font-family: \"DejaVu Sans\", Verdana, sans-serif; font-size: 10px; "
            "fill: #222222; }\n"
            ".title { font-size: 18px; font-weight: bold; }\n"
            ".heading { font-size: 12px; font-weight: bold; }\n"
            ".note { font-size: 11px; fill: #555555; }\n"
            ".legend { font-size: 11px; }\n"
            ".right { text-anchor: end; }\n"
            ".tick { text-anchor: middle; fill: #555555; }\n"
            ".share { font-size: 11px; font-weight: bold; text-anchor: middle; }\n"
            ".light { fill: #ffffff; }\n"
            ".grid { stroke: #dddddd; stroke-width: 1; }\n"
            ".axis { stroke: #777777; stroke-width: 1; }\n"
            "</style>\n"
            "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n",
            WIDTH, height, WIDTH, height, WIDTH, height);
}

/* ---- By kind --------------------------------------------------------------------------------- */

static void put_titles(FILE *svg, const mbn_inspection *inspection,
                       const mbn_measurement *measurement) {
    const mbn_network *network = inspection->network;
    const int32_t threads = mbn_context_threads(inspection->context);
    const double floor = mbn_cost_floor(&measurement->total, measurement);
    put_text(svg, "title", MARGIN, 36, "%s at %dx%d: where %.3g ms go", network->name,
             network->input_height, network->input_width, 1e3 * measurement->total.seconds);
    put_text(svg, "note", MARGIN, 58,
             "%s in %s, %d thread%s. A plain run takes %.3g ms: %.2f times the %.3g ms of its "
             "multiply-adds at the peak, %.1f GFLOP/s a core.",
             inspection->kernels->name, mbn_inspect_precision(inspection), threads,
             threads == 1 ? "" : "s", 1e3 * measurement->run_seconds,
             measurement->run_seconds / floor, 1e3 * floor, 1e-9 * measurement->core_peak);
}

static void put_total(FILE *svg, const mbn_measurement *measurement) {
    const double scale = (WIDTH - 2 * MARGIN) / measurement->total.seconds;
    double x = MARGIN;
    put_text(svg, "heading", MARGIN, TOTAL_TOP - 10, "All steps, by kind");
    put_text(svg, "note", MARGIN + 130, TOTAL_TOP - 10, "%% of the steps' time");
    for (int32_t i = 0; i < measurement->kind_count; i++) {
        const double seconds = measurement->kinds[i].cost.seconds;
        const double width = scale * seconds;
        const char *color = color_of(measurement->kinds[i].name.text);
        /* A gap tells neighbours apart, but never hides a thin one. */
        put_bar(svg, x, TOTAL_TOP, width > 3 ? width - 1 : width, TOTAL_HEIGHT, color, 1);
        if (width >= LEAST_LABELLED) {
            char class[16];
            snprintf(class, sizeof class, "share %s", ink_on(color));
            put_text(svg, class, x + width / 2, TOTAL_TOP + TOTAL_HEIGHT / 2 + 4, "%.1f %%",
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
        const double left = MARGIN + (i / rows) * column;
        const double right = left + column - GUTTER;
        const double base = head + (1 + i % rows) * LEGEND_ROW;
        if (i % rows == 0) {
            put_text(svg, "note", left + 18, head, "layers that run together");
            put_text(svg, "note right", right - 150, head, "steps");
            put_text(svg, "note right", right - 80, head, "ms");
            put_text(svg, "note right", right, head, "%% of time");
        }
        put_bar(svg, left, base - 10, 11, 11, color_of(kind->name.text), 1);
        put_text(svg, "legend", left + 18, base, "%s", kind->name.text);
        put_text(svg, "legend right", right - 150, base, "%d", kind->steps);
        put_text(svg, "legend right", right - 80, base, "%.3f", 1e3 * kind->cost.seconds);
        put_text(svg, "legend right", right, base, "%.1f",
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
        .bottom = top + (double)measurement->step_count * ROW,
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
        put_text(svg, "tick", x, axis->top - 8, "%.*f", decimals, i * distance);
        put_text(svg, "tick", x, axis->bottom + 14, "%.*f", decimals, i * distance);
    }
    fprintf(svg, "<line class=\"axis\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
            axis->left, axis->top - 4, axis->left, axis->bottom + 3);
    put_text(svg, "tick", (axis->left + axis->right) / 2, axis->bottom + 28, "time of a step, ms");
}

static void put_step(FILE *svg, const mbn_inspection *inspection,
                     const mbn_measurement *measurement, const struct axis *axis, int32_t index) {
    const mbn_step_cost *step = &measurement->steps[index];
    const mbn_network *network = inspection->network;
    const char *kind = measurement->kinds[step->kind].name.text;
    const double seconds = step->cost.seconds;
    const double least = fmin(mbn_cost_floor(&step->cost, measurement), seconds);
    const double top = axis->top + (double)index * ROW;
    const double base = top + ROW - 5;
    fputs("<g><title>", svg);
    for (int32_t i = step->info.first_layer; i <= step->info.last_layer; i++) {
        put_escaped(svg, network->layers[i].name);
        fputs(", ", svg);
    }
    put_escaped(svg, kind);
    fputs("</title>\n", svg);
    put_text(svg, "right", MARGIN + 16, base, "%d", index);
    put_text(svg, "name", MARGIN + 24, base, "%s", network->layers[step->info.first_layer].name);
    put_text(svg, "name", axis->kinds, base, "%s", kind);
    put_text(svg, "right", axis->left - 18, base, "%s",
             mbn_inspect_shape(network, &step->info).text);
    put_bar(svg, axis->left, top + 3, axis->scale * least, BAR, color_of(kind), 1);
    put_bar(svg, axis->left + axis->scale * least, top + 3, axis->scale * (seconds - least), BAR,
            color_of(kind), 0.4);
    put_text(svg, "right", WIDTH - MARGIN - 70, base, "%.4f", 1e3 * seconds);
    if (step->cost.multiply_adds > 0) {
        put_text(svg, "right", WIDTH - MARGIN, base, "%.1f",
                 100 * mbn_cost_flops(&step->cost) / measurement->peak);
    }
    fputs("</g>\n", svg);
}

static void put_steps(FILE *svg, const mbn_inspection *inspection,
                      const mbn_measurement *measurement, const struct axis *axis) {
    put_text(svg, "heading", MARGIN, axis->top - 30, "Step by step");
    put_text(svg, "note", axis->left, axis->top - 30,
             "solid: its multiply-adds at the peak; pale: the rest of its time");
    put_text(svg, "note", MARGIN + 24, axis->top - 8, "first layer");
    put_text(svg, "note", axis->kinds, axis->top - 8, "layers");
    put_text(svg, "note right", axis->left - 18, axis->top - 8, "output");
    put_text(svg, "note right", WIDTH - MARGIN - 70, axis->top - 8, "ms");
    put_text(svg, "note right", WIDTH - MARGIN, axis->top - 8, "%% of peak");
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
                                     legend + (double)legend_rows(measurement) * LEGEND_ROW + 66);
    const double caption = axis.bottom + 52;
    put_head(svg, (int)caption + 16);
    put_titles(svg, inspection, measurement);
    put_total(svg, measurement);
    put_legend(svg, measurement, legend);
    put_steps(svg, inspection, measurement, &axis);
    put_text(svg, "note", MARGIN, caption, "Medians of %d rounds on %s, %s. mobilenet %s.",
             measurement->rounds, machine, date, mbn_version());
    fputs("</svg>\n", svg);
}

mbn_status mbn_plot(const char *path, const mbn_inspection *inspection,
                    const mbn_measurement *measurement, const char *machine, const char *date,
                    mbn_error *error) {
    char *text = NULL;
    size_t size = 0;
    FILE *svg = open_memstream(&text, &size);
    bool complete = svg != NULL;
    if (complete) {
        draw(svg, inspection, measurement, machine, date);
        complete = !ferror(svg);
        complete = fclose(svg) == 0 && complete;
    }
    mbn_status status;
    if (complete) {
        const mbn_part part = {text, size};
        status = mbn_file_write(path, &part, 1, error);
    } else {
        status = mbn_explain(error, MBN_OUT_OF_MEMORY, "no memory for the drawing");
    }
    free(text);
    return status;
}
