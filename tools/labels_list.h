/* Labels as they are read, before their order is known. */
#ifndef MBN_TOOLS_LABELS_LIST_H
#define MBN_TOOLS_LABELS_LIST_H

#include "labels.h"

#include <jansson.h>

typedef struct mbn_listed {
    mbn_label label;
    int64_t index; /* as in the file; -1: its place is its index */
} mbn_listed;

typedef struct mbn_label_list {
    mbn_listed *entries; /* from malloc */
    size_t count;
} mbn_label_list;

/* Appends an entry with a copy of the name, without the blanks around it; `length` bytes. */
mbn_status mbn_label_list_append(mbn_label_list *list, const char *name, size_t length,
                                 int64_t index, mbn_error *error);

/* Both append what they find.  Messages do not name the file. */
mbn_status mbn_labels_from_text(char *text, mbn_label_list *list, mbn_error *error);
mbn_status mbn_labels_from_json(json_t *value, mbn_label_list *list, mbn_error *error);

#endif
