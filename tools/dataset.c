#include "dataset.h"

#include "file.h"
#include "report.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { MAX_LIST_SIZE = 1 << 30 };

static mbn_status out_of_memory(mbn_error *error) {
    return mbn_explain(error, MBN_OUT_OF_MEMORY, "out of memory");
}

/* ---- Classes ------------------------------------------------------------------------------------ */

static mbn_status fail_unknown(const mbn_model *model, const char *text, mbn_error *error) {
    const int32_t last = mbn_model_network(model)->classes - 1;
    const char *label = mbn_model_label(model, 0);
    if (label == NULL) {
        return mbn_explain(error, MBN_INVALID_ARGUMENT,
                           "no class '%.100s': the model has no labels, and indices are 0 to %d",
                           text, last);
    }
    return mbn_explain(error, MBN_INVALID_ARGUMENT,
                       "no class '%.100s': labels are such as '%.100s', and indices 0 to %d", text,
                       label, last);
}

mbn_status mbn_dataset_class(const mbn_model *model, const char *text, int32_t *class_index,
                             mbn_error *error) {
    const int32_t classes = mbn_model_network(model)->classes;
    int32_t found = -1;
    for (int32_t i = 0; i < classes && mbn_model_label(model, i) != NULL; i++) {
        if (strcmp(mbn_model_label(model, i), text) != 0) continue;
        if (found >= 0) {
            return mbn_explain(error, MBN_INVALID_ARGUMENT,
                               "'%.100s' is the label of classes %d and %d: say which by its index",
                               text, found, i);
        }
        found = i;
    }
    if (found < 0 && isdigit((unsigned char)text[0])) {
        char *end;
        errno = 0;
        const long number = strtol(text, &end, 10);
        if (errno == 0 && *end == '\0' && number < classes) found = (int32_t)number;
    }
    if (found < 0) return fail_unknown(model, text, error);
    *class_index = found;
    return MBN_OK;
}

/* ---- Lists of images ---------------------------------------------------------------------------- */

/* FOLDER/NAME, from malloc; NAME alone where it begins at the root. */
static char *join(const char *folder, const char *name) {
    const size_t size = strlen(folder) + 1 + strlen(name) + 1;
    char *path = malloc(size);
    if (path == NULL) return NULL;
    const bool rooted = name[0] == '/';
    snprintf(path, size, "%s%s%s", rooted ? "" : folder, rooted ? "" : "/", name);
    return path;
}

static mbn_status append(mbn_dataset *dataset, const char *folder, const char *name,
                         int32_t class_index, mbn_error *error) {
    if ((dataset->count & (dataset->count - 1)) == 0) { /* a power of two: full */
        const size_t room = dataset->count == 0 ? 1 : 2 * dataset->count;
        mbn_labelled *images = realloc(dataset->images, room * sizeof *images);
        if (images == NULL) return out_of_memory(error);
        dataset->images = images;
    }
    char *path = join(folder, name);
    if (path == NULL) return out_of_memory(error);
    dataset->images[dataset->count++] = (mbn_labelled){path, class_index};
    return MBN_OK;
}

void mbn_dataset_free(mbn_dataset *dataset) {
    for (size_t i = 0; i < dataset->count; i++) free(dataset->images[i].path);
    free(dataset->images);
    *dataset = (mbn_dataset){NULL, 0};
}

/* ---- Folders ------------------------------------------------------------------------------------ */

static int visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static int image(const struct dirent *entry) {
    static const char *const endings[] = {".jpg", ".jpeg", ".png", ".bmp"};
    const char *ending = strrchr(entry->d_name, '.');
    if (ending == NULL || !visible(entry)) return 0;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        if (strcasecmp(ending, endings[i]) == 0) return 1;
    }
    return 0;
}

/* By bytes, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void free_entries(struct dirent **entries, int count) {
    for (int i = 0; i < count; i++) free(entries[i]);
    free(entries);
}

static mbn_status append_class(mbn_dataset *dataset, const char *folder, int32_t class_index,
                               mbn_error *error) {
    struct dirent **entries;
    const int count = scandir(folder, &entries, image, by_name);
    if (count < 0) return mbn_explain(error, MBN_IO, "%s: %s", folder, strerror(errno));
    mbn_status status = MBN_OK;
    for (int i = 0; status == MBN_OK && i < count; i++) {
        status = append(dataset, folder, entries[i]->d_name, class_index, error);
    }
    free_entries(entries, count);
    return status;
}

/* A folder named after its class; other files beside the folders are not looked at. */
static mbn_status append_entry(mbn_dataset *dataset, const char *folder, const char *name,
                               const mbn_model *model, mbn_error *error) {
    char *path = join(folder, name);
    if (path == NULL) return out_of_memory(error);
    struct stat attributes;
    mbn_status status = MBN_OK;
    if (stat(path, &attributes) == 0 && S_ISDIR(attributes.st_mode)) {
        mbn_error reason;
        int32_t class_index;
        status = mbn_dataset_class(model, name, &class_index, &reason);
        if (status == MBN_OK) {
            status = append_class(dataset, path, class_index, error);
        } else {
            mbn_explain(error, status, "%s: %s", path, reason.message);
        }
    }
    free(path);
    return status;
}

mbn_status mbn_dataset_folders(const char *folder, const mbn_model *model, mbn_dataset *dataset,
                               mbn_error *error) {
    struct dirent **entries;
    *dataset = (mbn_dataset){NULL, 0};
    const int count = scandir(folder, &entries, visible, by_name);
    if (count < 0) return mbn_explain(error, MBN_IO, "%s: %s", folder, strerror(errno));
    mbn_status status = MBN_OK;
    for (int i = 0; status == MBN_OK && i < count; i++) {
        status = append_entry(dataset, folder, entries[i]->d_name, model, error);
    }
    free_entries(entries, count);
    if (status == MBN_OK && dataset->count == 0) {
        status =
            mbn_explain(error, MBN_INVALID_ARGUMENT,
                        "%s: no JPEG, PNG or BMP images in folders named after classes", folder);
    }
    if (status != MBN_OK) mbn_dataset_free(dataset);
    return status;
}

/* ---- List files --------------------------------------------------------------------------------- */

static mbn_status append_line(mbn_dataset *dataset, const char *folder, char *line,
                              const mbn_model *model, mbn_error *error) {
    size_t length = strlen(line);
    while (length > 0 && isspace((unsigned char)line[length - 1])) line[--length] = '\0';
    if (length == 0) return MBN_OK;
    char *border = strchr(line, '\t');
    if (border == NULL) border = strchr(line, ' ');
    if (border == NULL) {
        return mbn_explain(error, MBN_MALFORMED, "expected a file and a class in '%.100s'", line);
    }
    *border = '\0';
    const char *name = border + 1;
    while (isspace((unsigned char)*name)) name++;
    int32_t class_index;
    const mbn_status status = mbn_dataset_class(model, name, &class_index, error);
    return status == MBN_OK ? append(dataset, folder, line, class_index, error) : status;
}

mbn_status mbn_dataset_list(const char *folder, const char *list, const mbn_model *model,
                            mbn_dataset *dataset, mbn_error *error) {
    *dataset = (mbn_dataset){NULL, 0};
    mbn_bytes file;
    mbn_error reason;
    mbn_status status = mbn_file_read(list, MAX_LIST_SIZE, &file, &reason);
    if (status != MBN_OK) return mbn_explain(error, status, "%s: %s", list, reason.message);
    char *text = malloc(file.size + 1);
    if (text != NULL) {
        memcpy(text, file.data, file.size);
        text[file.size] = '\0';
    }
    free(file.data);
    if (text == NULL) return out_of_memory(error);
    int64_t number = 1;
    for (char *line = text; status == MBN_OK && line != NULL; number++) {
        char *end = strchr(line, '\n');
        if (end != NULL) *end = '\0';
        status = append_line(dataset, folder, line, model, &reason);
        line = end != NULL ? end + 1 : NULL;
    }
    free(text);
    if (status != MBN_OK) {
        mbn_explain(error, status, "%s, line %" PRId64 ": %s", list, number - 1, reason.message);
    } else if (dataset->count == 0) {
        status = mbn_explain(error, MBN_INVALID_ARGUMENT, "%s: no images in it", list);
    }
    if (status != MBN_OK) mbn_dataset_free(dataset);
    return status;
}
