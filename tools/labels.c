#include "labels.h"

#include "file.h"
#include "labels_list.h"
#include "report.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE_SIZE = 1 << 28 };

static mbn_status out_of_memory(mbn_error *error) {
    return mbn_explain(error, MBN_OUT_OF_MEMORY, "labels: out of memory");
}

bool mbn_is_wordnet_id(const char *text) {
    if (text[0] != 'n') return false;
    for (int i = 1; i < MBN_WORDNET_ID_LENGTH; i++) {
        if (!isdigit((unsigned char)text[i])) return false;
    }
    const char behind = text[MBN_WORDNET_ID_LENGTH];
    return behind == '\0' || behind == ',' || isspace((unsigned char)behind);
}

/* ---- Labels in the order of the classes ------------------------------------------------------ */

const char *mbn_labels_name(const mbn_labels *labels, int32_t index) {
    return index < labels->count ? labels->classes[index].name : NULL;
}

void mbn_labels_free(mbn_labels *labels) {
    for (int32_t i = 0; i < labels->count; i++) free(labels->classes[i].name);
    free(labels->classes);
    *labels = (mbn_labels){NULL, 0};
}

mbn_status mbn_labels_of_model(const mbn_model *model, mbn_labels *labels, mbn_error *error) {
    int32_t count = 0;
    while (mbn_model_label(model, count) != NULL) count++;
    *labels = (mbn_labels){NULL, 0};
    if (count == 0) return MBN_OK;
    labels->classes = calloc((size_t)count, sizeof *labels->classes);
    if (labels->classes == NULL) return out_of_memory(error);
    for (; labels->count < count; labels->count++) {
        mbn_label *label = &labels->classes[labels->count];
        const char *name = mbn_model_label(model, labels->count);
        label->name = strdup(name);
        if (label->name == NULL) {
            mbn_labels_free(labels);
            return out_of_memory(error);
        }
        /* Models of people whose folders are named so have them for labels. */
        if (mbn_is_wordnet_id(name)) memcpy(label->wordnet, name, MBN_WORDNET_ID_LENGTH);
    }
    return MBN_OK;
}

/* ---- Lists ----------------------------------------------------------------------------------- */

mbn_status mbn_label_list_append(mbn_label_list *list, const char *name, size_t length,
                                 int64_t index, mbn_error *error) {
    while (length > 0 && isspace((unsigned char)name[length - 1])) length--;
    while (length > 0 && isspace((unsigned char)*name)) name++, length--;
    if (length == 0 || memchr(name, '\0', length) != NULL) {
        return mbn_explain(error, MBN_MALFORMED, "label %zu is %s", list->count,
                           length == 0 ? "empty" : "cut off by a zero byte");
    }
    if ((list->count & (list->count - 1)) == 0) { /* a power of two: full */
        const size_t room = list->count == 0 ? 1 : 2 * list->count;
        mbn_listed *grown = realloc(list->entries, room * sizeof *grown);
        if (grown == NULL) return out_of_memory(error);
        list->entries = grown;
    }
    char *copy = malloc(length + 1);
    if (copy == NULL) return out_of_memory(error);
    memcpy(copy, name, length);
    copy[length] = '\0';
    list->entries[list->count++] = (mbn_listed){{copy, ""}, index};
    return MBN_OK;
}

static void free_list(mbn_label_list *list) {
    for (size_t i = 0; i < list->count; i++) free(list->entries[i].label.name);
    free(list->entries);
}

static mbn_status check_count(const mbn_label_list *list, int32_t count, mbn_error *error) {
    if (list->count == (size_t)count) return MBN_OK;
    if (list->count == (size_t)count + 1) {
        return mbn_explain(error, MBN_MALFORMED,
                           "%zu labels for %d classes (the first is '%.100s': remove it if it is a "
                           "background class)",
                           list->count, count, list->entries[0].label.name);
    }
    return mbn_explain(error, MBN_MALFORMED, "%zu labels for %d classes", list->count, count);
}

/* The index that the numbering begins with: 0, or 1 where nothing is number 0. */
static int64_t first_index(const mbn_label_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        if (list->entries[i].index <= 0) return 0;
    }
    return 1;
}

/* Moves the names into the places of their classes. */
static mbn_status arrange(mbn_label_list *list, mbn_labels *labels, mbn_error *error) {
    const int64_t first = first_index(list), count = (int64_t)list->count;
    for (int64_t i = 0; i < count; i++) {
        mbn_listed *entry = &list->entries[i];
        const int64_t place = entry->index < 0 ? i : entry->index - first;
        if (place < 0 || place >= count) {
            return mbn_explain(
                error, MBN_MALFORMED,
                "'%.100s' has the index %lld, but there are %lld labels (where a number "
                "is part of a label, write a JSON array)",
                entry->label.name, (long long)entry->index, (long long)count);
        }
        if (labels->classes[place].name != NULL) {
            return mbn_explain(
                error, MBN_MALFORMED, "'%.100s' and '%.100s' have both the index %lld",
                labels->classes[place].name, entry->label.name, (long long)entry->index);
        }
        labels->classes[place] = entry->label;
        entry->label.name = NULL;
    }
    return MBN_OK;
}

/* ---- Files ----------------------------------------------------------------------------------- */

static mbn_status read_json(const char *text, mbn_label_list *list, mbn_error *error) {
    json_error_t detail;
    json_t *value = json_loads(text, JSON_REJECT_DUPLICATES, &detail);
    /* The second time it says whether it was memory that was lacking (arch/json.c). */
    if (value == NULL) value = json_loads(text, JSON_REJECT_DUPLICATES, &detail);
    if (value == NULL && detail.text[0] == '\0') return out_of_memory(error);
    if (value == NULL) {
        return mbn_explain(error, MBN_MALFORMED, "not JSON: line %d: %s", detail.line, detail.text);
    }
    const mbn_status status = mbn_labels_from_json(value, list, error);
    json_decref(value);
    return status;
}

/* A dictionary as Python prints it, {0: 'cat', ...}, is text. */
static bool looks_like_json(const char *text) {
    text += strspn(text, " \t\r\n");
    if (text[0] == '[') return true;
    if (text[0] != '{') return false;
    text++;
    text += strspn(text, " \t\r\n");
    return text[0] == '"' || text[0] == '}';
}

static mbn_status read_list(char *text, mbn_label_list *list, mbn_error *error) {
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    if (strncmp(text, byte_order_mark, 3) == 0) text += 3;
    return looks_like_json(text) ? read_json(text, list, error)
                                 : mbn_labels_from_text(text, list, error);
}

static mbn_status read_file(const char *path, char **text, mbn_error *error) {
    mbn_bytes file;
    const mbn_status status = mbn_file_read(path, MAX_FILE_SIZE, &file, error);
    if (status != MBN_OK) return status;
    *text = realloc(file.data, file.size + 1);
    if (*text == NULL) {
        free(file.data);
        return out_of_memory(error);
    }
    (*text)[file.size] = '\0';
    if (memchr(*text, '\0', file.size) == NULL) return MBN_OK;
    free(*text);
    return mbn_explain(error, MBN_MALFORMED, "not a text file");
}

mbn_status mbn_labels_read(const char *path, int32_t count, mbn_labels *labels, mbn_error *error) {
    char *text;
    mbn_error reason;
    mbn_label_list list = {NULL, 0};
    *labels = (mbn_labels){NULL, 0};
    mbn_status status = read_file(path, &text, &reason);
    if (status == MBN_OK) {
        status = read_list(text, &list, &reason);
        free(text);
    }
    if (status == MBN_OK) status = check_count(&list, count, &reason);
    if (status == MBN_OK) {
        labels->classes = calloc(list.count, sizeof *labels->classes);
        if (labels->classes == NULL) status = out_of_memory(&reason);
    }
    if (status == MBN_OK) {
        labels->count = count;
        status = arrange(&list, labels, &reason);
    }
    free_list(&list);
    if (status == MBN_OK) return MBN_OK;
    mbn_labels_free(labels);
    return mbn_explain(error, status, "%s: %s", path, reason.message);
}
