/* Which way up an image is to be shown, as EXIF says it. */
#ifndef MBN_TOOLS_ORIENTATION_H
#define MBN_TOOLS_ORIENTATION_H

#include "image.h"

enum { MBN_UPRIGHT = 1 };

/* EXIF's orientation, 1 to 8, from the TIFF structure that EXIF data is ("II" or "MM" and on).
 * MBN_UPRIGHT where it is absent or the data makes no sense: it is no reason not to show an
 * image. */
int mbn_exif_orientation(const uint8_t *tiff, size_t size);

/* Turns and mirrors an image so that it is upright; its pixels move to new memory. */
mbn_status mbn_rgb_turn(mbn_rgb *image, int orientation, mbn_error *error);

#endif
