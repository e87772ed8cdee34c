/* Elements of drawings, and their files. */
#ifndef MBN_TOOLS_SVG_H
#define MBN_TOOLS_SVG_H

#include <mobilenet.h>

#include <stdio.h>

/* The head, with a white ground and the style sheet; all in pixels. */
void mbn_svg_head(FILE *svg, int width, int height);

/* Text from outside may be anything; what is not plain ASCII becomes '?'. */
void mbn_svg_escaped(FILE *svg, const char *text);

/* class: of the style sheet. */
__attribute__((format(printf, 5, 6))) void mbn_svg_text(FILE *svg, const char *class, double x,
                                                        double y, const char *format, ...);

void mbn_svg_bar(FILE *svg, double x, double y, double width, double height, const char *fill,
                 double opacity);

/* Writes what `draw` draws. */
mbn_status mbn_svg_write(const char *path, void (*draw)(FILE *svg, const void *what),
                         const void *what, mbn_error *error);

#endif
