/* Reading a whole file. */
#ifndef MBN_ARCH_FILE_H
#define MBN_ARCH_FILE_H

#include <mobilenet.h>

typedef struct mbn_file {
    const void *data;
    size_t size;
} mbn_file;

/* Maps a file that has something in it; MBN_IO names it and says why not.  mbn_file_unmap ends
 * it. */
mbn_status mbn_file_map(const char *path, mbn_file *file, mbn_error *error);
void mbn_file_unmap(mbn_file *file);

/* The beginning of a file as a string; false if there is none. */
bool mbn_read_text(const char *path, char *text, size_t size);

/* Whether the path is a folder with something of that name in it. */
bool mbn_folder_has(const char *path, const char *name);

#endif
