#include "svg.h"

#include "file.h"
#include "report.h"
#include "text.h"

#include <stdarg.h>
#include <stdlib.h>

void mbn_svg_escaped(FILE *svg, const char *text) {
    for (const char *c = text; *c != '\0'; c++) {
        switch (*c) {
        case '&': fputs("&amp;", svg); break;
        case '<': fputs("&lt;", svg); break;
        case '>': fputs("&gt;", svg); break;
        default: putc(*c >= ' ' && *c <= '~' ? *c : '?', svg);
        }
    }
}

void mbn_svg_text(FILE *svg, const char *class, double x, double y, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(svg, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y);
    mbn_svg_escaped(svg, text);
    fputs("</text>\n", svg);
}

void mbn_svg_bar(FILE *svg, double x, double y, double width, double height, const char *fill,
                 double opacity) {
    fprintf(svg,
            "<rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\" fill=\"%s\" "
            "fill-opacity=\"%g\"/>\n",
            x, y, width, height, fill, opacity);
}

void mbn_svg_head(FILE *svg, int width, int height) {
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
            width, height, width, height, width, height);
}

mbn_status mbn_svg_write(const char *path, void (*draw)(FILE *svg, const void *what),
                         const void *what, mbn_error *error) {
    mbn_text text;
    mbn_text_begin(&text);
    if (text.stream != NULL) draw(text.stream, what);
    if (!mbn_text_end(&text)) {
        return mbn_explain(error, MBN_OUT_OF_MEMORY, "no memory for the drawing");
    }
    const mbn_part part = {text.bytes, text.size};
    const mbn_status status = mbn_file_write(path, &part, 1, error);
    free(text.bytes);
    return status;
}
