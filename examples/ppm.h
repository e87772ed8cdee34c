/* Binary PPM, the simplest file with colours in it: `djpeg photo.jpg > photo.ppm`. */
#ifndef PPM_H
#define PPM_H

#include <mobilenet.h>

/* Reads an image whose pixels are from malloc; false if the file is none, said on stderr. */
bool ppm_read(const char *path, mbn_image *image);

#endif
