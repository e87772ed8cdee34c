/* Draws what quantising has lost: a bar for each layer. */
#ifndef MBN_TOOLS_PLOT_LOSS_H
#define MBN_TOOLS_PLOT_LOSS_H

#include <mobilenet/quantize.h>

/* Writes an SVG file. */
mbn_status mbn_plot_loss(const char *path, const mbn_quantized *quantized,
                         const mbn_network *network, const char *date, mbn_error *error);

#endif
