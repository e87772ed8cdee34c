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
    return mbn_explain(error, MBN_OUT_OF_MEMORY, "list of images: out of memory");
}

/* ---- Classes --------------------------------------------------------------------------------- */

static mbn_status fail_unknown(const mbn_classes *classes, const char *text, mbn_error *error) {
    const char *remedy =
        mbn_is_wordnet_id(text)
            ? "--labels takes a file that has the WordNet IDs"
            : "--labels takes a file of labels, --alphabetical folders in the order "
              "of the classes";
    const char *label = mbn_labels_name(classes->labels, 0);
    if (label == NULL) {
        return mbn_explain(
            error, MBN_INVALID_ARGUMENT,
            "no class '%.100s': the model has no labels, and indices are 0 to %d; %s", text,
            classes->count - 1, remedy);
    }
    return mbn_explain(error, MBN_INVALID_ARGUMENT,
                       "no class '%.100s': labels are such as '%.100s', and indices 0 to %d; %s",
                       text, label, classes->count - 1, remedy);
}

static const char *name_of(const mbn_label *label) {
    return label->name;
}

static const char *wordnet_of(const mbn_label *label) {
    return label->wordnet;
}

/* *found: -1 where there is none. */
static mbn_status find(const mbn_labels *labels, const char *of(const mbn_label *),
                       const char *text, int32_t *found, mbn_error *error) {
    *found = -1;
    for (int32_t i = 0; i < labels->count; i++) {
        if (strcmp(of(&labels->classes[i]), text) != 0) continue;
        if (*found >= 0) {
            return mbn_explain(error, MBN_INVALID_ARGUMENT,
                               "'%.100s' is the label of classes %d and %d: say which by its index",
                               text, *found, i);
        }
        *found = i;
    }
    return MBN_OK;
}

mbn_status mbn_dataset_class(const mbn_classes *classes, const char *text, int32_t *class_index,
                             mbn_error *error) {
    int32_t found;
    mbn_status status = find(classes->labels, name_of, text, &found, error);
    if (status == MBN_OK && found < 0 && mbn_is_wordnet_id(text)) {
        status = find(classes->labels, wordnet_of, text, &found, error);
    }
    if (status != MBN_OK) return status;
    if (found < 0 && isdigit((unsigned char)text[0])) {
        char *end;
        errno = 0;
        const long number = strtol(text, &end, 10);
        if (errno == 0 && *end == '\0' && number < classes->count) found = (int32_t)number;
    }
    if (found < 0) return fail_unknown(classes, text, error);
    *class_index = found;
    return MBN_OK;
}

/* ---- Lists of images ------------------------------------------------------------------------- */

/* FOLDER/NAME, from malloc; NAME alone where it begins at the root. */
static char *join(const char *folder, const char *name) {
    const size_t size = strlen(folder) + 1 + strlen(name) + 1;
    char *path = malloc(size);
    if (path == NULL) return NULL;
    const bool rooted = name[0] == '/';
    snprintf(path, size, "%s%s%s", rooted ? "" : folder, rooted ? "" : "/", name);
    return path;
}

/* Room for one more element behind `count`, which doubles where it is a power of two: full. */
static bool grow(void **array, size_t count, size_t size) {
    if ((count & (count - 1)) != 0) return true;
    void *grown = realloc(*array, (count == 0 ? 1 : 2 * count) * size);
    if (grown == NULL) return false;
    *array = grown;
    return true;
}

static void free_labelled(mbn_labelled *image) {
    free(image->classes);
    free(image->path);
}

/* Takes over the image, whose path may be NULL: out of memory. */
static mbn_status append(mbn_dataset *dataset, mbn_labelled image, mbn_error *error) {
    void *images = dataset->images;
    if (image.path == NULL || !grow(&images, dataset->count, sizeof *dataset->images)) {
        free_labelled(&image);
        return out_of_memory(error);
    }
    dataset->images = images;
    dataset->images[dataset->count++] = image;
    return MBN_OK;
}

/* The same.  why: copied, or NULL. */
static mbn_status leave_out(mbn_dataset *dataset, char *what, mbn_left_reason reason,
                            const char *why, mbn_error *error) {
    void *left_out = dataset->left_out;
    char *copy = why != NULL ? strdup(why) : NULL;
    if (what == NULL || (why != NULL && copy == NULL) ||
        !grow(&left_out, dataset->left_out_count, sizeof *dataset->left_out)) {
        free(copy);
        free(what);
        return out_of_memory(error);
    }
    dataset->left_out = left_out;
    dataset->left_out[dataset->left_out_count++] = (mbn_left_out){what, copy, reason};
    return MBN_OK;
}

/* Fails where there is no image: with what is wrong with the first class, or else as said. */
static mbn_status check_any(const mbn_dataset *dataset, const char *subject, const char *otherwise,
                            mbn_error *error) {
    if (dataset->count > 0) return MBN_OK;
    for (size_t i = 0; i < dataset->left_out_count; i++) {
        const mbn_left_out *left = &dataset->left_out[i];
        if (left->why == NULL) continue;
        return mbn_explain(error, MBN_INVALID_ARGUMENT, "%s: %s", left->what, left->why);
    }
    return mbn_explain(error, MBN_INVALID_ARGUMENT, "%s: %s", subject, otherwise);
}

void mbn_dataset_free(mbn_dataset *dataset) {
    for (size_t i = 0; i < dataset->count; i++) free_labelled(&dataset->images[i]);
    for (size_t i = 0; i < dataset->left_out_count; i++) {
        free(dataset->left_out[i].what);
        free(dataset->left_out[i].why);
    }
    free(dataset->images);
    free(dataset->left_out);
    *dataset = (mbn_dataset){0};
}

/* ---- Folders --------------------------------------------------------------------------------- */

static int visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

/* By bytes, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void free_entries(struct dirent **entries, int count) {
    for (int i = 0; i < count; i++) free(entries[i]);
    free(entries);
}

/* What a path names.  A link to nothing is a file, which cannot be opened. */
enum { A_FILE, A_FOLDER, UNKNOWN /* errno says why */ };

static int kind_of(const char *path) {
    struct stat attributes;
    if (stat(path, &attributes) == 0) return S_ISDIR(attributes.st_mode) ? A_FOLDER : A_FILE;
    return errno == ENOENT || errno == ELOOP ? A_FILE : UNKNOWN;
}

static bool is_image(const char *extension) {
    static const char *const all[] = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp"};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (strcasecmp(extension, all[i]) == 0) return true;
    }
    return false;
}

static mbn_status append_file(mbn_dataset *dataset, const char *folder, const char *name,
                              int32_t class_index, mbn_error *error) {
    char *path = join(folder, name);
    if (path == NULL) return out_of_memory(error);
    const char *extension = strrchr(name, '.');
    if (kind_of(path) == A_FOLDER) return leave_out(dataset, path, MBN_LEFT_FOLDER, NULL, error);
    if (extension == NULL) return leave_out(dataset, path, MBN_LEFT_NO_EXTENSION, NULL, error);
    if (!is_image(extension)) return leave_out(dataset, path, MBN_LEFT_KIND, NULL, error);
    return append(dataset, (mbn_labelled){.path = path, .class_index = class_index}, error);
}

static mbn_status append_class(mbn_dataset *dataset, const char *folder, int32_t class_index,
                               mbn_error *error) {
    struct dirent **entries;
    const int count = scandir(folder, &entries, visible, by_name);
    if (count < 0)
        return leave_out(dataset, strdup(folder), MBN_LEFT_CLASS, strerror(errno), error);
    mbn_status status = MBN_OK;
    for (int i = 0; status == MBN_OK && i < count; i++) {
        status = append_file(dataset, folder, entries[i]->d_name, class_index, error);
    }
    free_entries(entries, count);
    return status;
}

/* A folder of a class.  place: among the folders. */
static mbn_status append_folder(mbn_dataset *dataset, const char *path, const char *name,
                                int32_t place, const mbn_classes *classes, mbn_error *error) {
    if (classes->alphabetical) return append_class(dataset, path, place, error);
    mbn_error reason;
    int32_t class_index;
    const mbn_status status = mbn_dataset_class(classes, name, &class_index, &reason);
    if (status == MBN_OK) return append_class(dataset, path, class_index, error);
    return leave_out(dataset, strdup(path), MBN_LEFT_CLASS, reason.message, error);
}

static mbn_status append_entries(mbn_dataset *dataset, const char *folder, struct dirent **entries,
                                 int count, const mbn_classes *classes, mbn_error *error) {
    int32_t folders = 0;
    mbn_status status = MBN_OK;
    for (int i = 0; status == MBN_OK && i < count; i++) {
        char *path = join(folder, entries[i]->d_name);
        if (path == NULL) return out_of_memory(error);
        const int kind = kind_of(path);
        if (kind == A_FOLDER) {
            status = append_folder(dataset, path, entries[i]->d_name, folders++, classes, error);
            free(path);
        } else if (kind == UNKNOWN) {
            status = leave_out(dataset, path, MBN_LEFT_CLASS, strerror(errno), error);
        } else {
            status = leave_out(dataset, path, MBN_LEFT_BESIDE, NULL, error);
        }
    }
    if (status != MBN_OK || !classes->alphabetical || folders == classes->count) return status;
    return mbn_explain(error, MBN_INVALID_ARGUMENT,
                       "%s: --alphabetical: %d folders, but the model has %d classes", folder,
                       folders, classes->count);
}

mbn_status mbn_dataset_folders(const char *folder, const mbn_classes *classes, mbn_dataset *dataset,
                               mbn_error *error) {
    struct dirent **entries;
    *dataset = (mbn_dataset){0};
    const int count = scandir(folder, &entries, visible, by_name);
    if (count < 0) return mbn_explain(error, MBN_IO, "%s: %s", folder, strerror(errno));
    mbn_status status = append_entries(dataset, folder, entries, count, classes, error);
    free_entries(entries, count);
    if (status == MBN_OK) {
        status = check_any(dataset, folder,
                           "no JPEG, PNG or BMP images in folders named after classes", error);
    }
    if (status != MBN_OK) mbn_dataset_free(dataset);
    return status;
}

mbn_status mbn_dataset_photos(const char *folder, mbn_dataset *dataset, mbn_error *error) {
    struct dirent **entries;
    *dataset = (mbn_dataset){0};
    const int count = scandir(folder, &entries, visible, by_name);
    if (count < 0) return mbn_explain(error, MBN_IO, "%s: %s", folder, strerror(errno));
    mbn_status status = MBN_OK;
    for (int i = 0; status == MBN_OK && i < count; i++) {
        char *path = join(folder, entries[i]->d_name);
        const int kind = path != NULL ? kind_of(path) : UNKNOWN;
        if (path == NULL) {
            status = out_of_memory(error);
        } else if (kind == A_FOLDER) {
            status = append_class(dataset, path, -1, error);
        } else if (kind == UNKNOWN) {
            status = leave_out(dataset, strdup(path), MBN_LEFT_CLASS, strerror(errno), error);
        } else {
            status = append_file(dataset, folder, entries[i]->d_name, -1, error);
        }
        free(path);
    }
    free_entries(entries, count);
    if (status == MBN_OK) {
        status = check_any(dataset, folder, "no JPEG, PNG or BMP images in it", error);
    }
    if (status != MBN_OK) mbn_dataset_free(dataset);
    return status;
}

/* ---- List files ------------------------------------------------------------------------------ */

/* Cuts a line behind its file; NULL where nothing follows. */
static char *behind_file(char *line) {
    char *border = strchr(line, '\t');
    if (border == NULL) border = strchr(line, ' ');
    if (border == NULL) return NULL;
    *border++ = '\0';
    while (isspace((unsigned char)*border)) border++;
    return border;
}

/* Appends the classes of a text that any of the separators part; "" parts nothing. */
static mbn_status add_classes(char *text, const char *separators, const mbn_classes *classes,
                              mbn_labelled *image, mbn_error *reason) {
    while (text != NULL) {
        char *end = text + strcspn(text, separators);
        char *next = *end != '\0' ? end + 1 : NULL;
        while (end > text && isspace((unsigned char)end[-1])) end--;
        *end = '\0';
        while (isspace((unsigned char)*text)) text++;
        if (*text != '\0') {
            void *grown = image->classes;
            if (!grow(&grown, (size_t)image->class_count, sizeof *image->classes)) {
                return out_of_memory(reason);
            }
            image->classes = grown;
            const mbn_status status =
                mbn_dataset_class(classes, text, &image->classes[image->class_count], reason);
            if (status != MBN_OK) return status;
            image->class_count++;
        }
        text = next;
    }
    return MBN_OK;
}

/* Labels may have commas and blanks in them: what is one label as it stands is that. */
static mbn_status parse_classes(const char *text, const mbn_classes *classes, mbn_labelled *image,
                                mbn_error *reason) {
    const char *const separators[] = {strchr(text, '\t') != NULL ? "\t" : "",
                                      strchr(text, ',') != NULL ? "," : " "};
    for (size_t i = 0;; i++) {
        char *copy = strdup(text);
        if (copy == NULL) return out_of_memory(reason);
        image->class_count = 0;
        const mbn_status status = add_classes(copy, separators[i], classes, image, reason);
        free(copy);
        if (status == MBN_OK || status == MBN_OUT_OF_MEMORY || i == 1 || *separators[0] != '\0') {
            return status;
        }
    }
}

/* reason: what is wrong with the line where it has no file and class. */
static mbn_status parse_line(char *line, const mbn_classes *classes, mbn_labelled *image,
                             mbn_error *reason) {
    const char *text = behind_file(line);
    image->class_index = -1;
    if (classes->several) {
        if (text == NULL) return MBN_OK;
        const mbn_status status = parse_classes(text, classes, image, reason);
        if (status == MBN_OK && image->class_count > 0) image->class_index = image->classes[0];
        return status;
    }
    if (text == NULL) {
        return mbn_explain(reason, MBN_MALFORMED, "expected a file and a class in '%.100s'", line);
    }
    return mbn_dataset_class(classes, text, &image->class_index, reason);
}

static mbn_status append_line(mbn_dataset *dataset, const char *folder, const char *list,
                              int64_t number, char *line, const mbn_classes *classes,
                              mbn_error *error) {
    size_t length = strlen(line);
    while (length > 0 && isspace((unsigned char)line[length - 1])) line[--length] = '\0';
    if (length == 0) return MBN_OK;
    mbn_labelled image = {0};
    mbn_error reason;
    if (parse_line(line, classes, &image, &reason) == MBN_OK) {
        image.path = join(folder, line);
        return append(dataset, image, error);
    }
    free_labelled(&image);
    char place[512];
    snprintf(place, sizeof place, "%s, line %" PRId64, list, number);
    return leave_out(dataset, strdup(place), MBN_LEFT_CLASS, reason.message, error);
}

/* By path, then in the order of the list. */
static int by_path(const void *left, const void *right) {
    const mbn_labelled *const *a = left, *const *b = right;
    const int order = strcmp((*a)->path, (*b)->path);
    return order != 0 ? order : *a < *b ? -1 : 1;
}

static mbn_status move_classes(mbn_labelled *from, mbn_labelled *to, mbn_error *error) {
    const size_t count = (size_t)(to->class_count + from->class_count);
    if (from->class_count == 0) return MBN_OK;
    int32_t *classes = realloc(to->classes, count * sizeof *classes);
    if (classes == NULL) return out_of_memory(error);
    memcpy(classes + to->class_count, from->classes, (size_t)from->class_count * sizeof *classes);
    to->classes = classes;
    to->class_count = (int32_t)count;
    to->class_index = classes[0];
    return MBN_OK;
}

/* Lines of the same file are one image, where the first of them is. */
static mbn_status merge_same_files(mbn_dataset *dataset, mbn_error *error) {
    mbn_labelled **sorted = malloc(dataset->count * sizeof(mbn_labelled *));
    if (sorted == NULL) return out_of_memory(error);
    for (size_t i = 0; i < dataset->count; i++) sorted[i] = &dataset->images[i];
    qsort(sorted, dataset->count, sizeof(mbn_labelled *), by_path);
    mbn_status status = MBN_OK;
    mbn_labelled *first = sorted[0];
    for (size_t i = 1; status == MBN_OK && i < dataset->count; i++) {
        if (strcmp(sorted[i]->path, first->path) != 0) {
            first = sorted[i];
            continue;
        }
        status = move_classes(sorted[i], first, error);
        free_labelled(sorted[i]);
        *sorted[i] = (mbn_labelled){0};
    }
    free(sorted);
    size_t kept = 0;
    for (size_t i = 0; i < dataset->count; i++) {
        if (dataset->images[i].path != NULL) dataset->images[kept++] = dataset->images[i];
    }
    dataset->count = kept;
    return status;
}

mbn_status mbn_dataset_list(const char *folder, const char *list, const mbn_classes *classes,
                            mbn_dataset *dataset, mbn_error *error) {
    *dataset = (mbn_dataset){0};
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
        status = append_line(dataset, folder, list, number, line, classes, error);
        line = end != NULL ? end + 1 : NULL;
    }
    free(text);
    if (status == MBN_OK) status = check_any(dataset, list, "no images in it", error);
    if (status == MBN_OK && classes->several) status = merge_same_files(dataset, error);
    if (status != MBN_OK) mbn_dataset_free(dataset);
    return status;
}
