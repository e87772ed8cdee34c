#include "labels_list.h"
#include "report.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A number from 0, in decimal, and nothing else; or -1. */
static int64_t index_of(const char *text) {
    if (text[0] == '\0' || strlen(text) > 9) return -1;
    for (const char *c = text; *c != '\0'; c++) {
        if (!isdigit((unsigned char)*c)) return -1;
    }
    return atoll(text);
}

/* "tabby", ["tabby"], ["n02123045", "tabby"] or {"id": 3, "name": "tabby"}; `key` is the WordNet ID
 * where the object has it. */
static mbn_status append(mbn_label_list *list, const json_t *value, const char *key, int64_t index,
                         mbn_error *error) {
    const char *wordnet = key != NULL && mbn_is_wordnet_id(key) ? key : NULL;
    if (json_is_object(value)) {
        const json_t *id = json_object_get(value, "id"), *name = json_object_get(value, "name");
        if (json_is_integer(id)) index = json_integer_value(id);
        value = name != NULL ? name : json_object_get(value, "label");
    }
    if (json_is_array(value) && json_array_size(value) > 0) {
        const char *first = json_string_value(json_array_get(value, 0));
        if (first != NULL && mbn_is_wordnet_id(first)) wordnet = first;
        value = json_array_get(value, wordnet == first ? json_array_size(value) - 1 : 0);
    }
    if (!json_is_string(value)) {
        return mbn_explain(error, MBN_MALFORMED, "the label of class %" PRId64 " is not a text",
                           index >= 0 ? index : (int64_t)list->count);
    }
    const mbn_status status = mbn_label_list_append(list, json_string_value(value),
                                                    json_string_length(value), index, error);
    if (status != MBN_OK || wordnet == NULL) return status;
    char *known = list->entries[list->count - 1].label.wordnet;
    memcpy(known, wordnet, MBN_WORDNET_ID_LENGTH);
    known[MBN_WORDNET_ID_LENGTH] = '\0';
    return MBN_OK;
}

static mbn_status from_array(const json_t *array, mbn_label_list *list, mbn_error *error) {
    mbn_status status = MBN_OK;
    for (size_t i = 0; status == MBN_OK && i < json_array_size(array); i++) {
        status = append(list, json_array_get(array, i), NULL, -1, error);
    }
    return status;
}

enum form { INDEX_TO_LABEL, LABEL_TO_INDEX, LABEL_TO_DIGITS, WORDNET_TO_LABEL, UNKNOWN };

static enum form form_of(json_t *object) {
    bool indices = true, numbers = true, digits = true, wordnet = true;
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        indices = indices && index_of(key) >= 0;
        numbers = numbers && json_is_integer(value);
        digits = digits && json_is_string(value) && index_of(json_string_value(value)) >= 0;
        wordnet = wordnet && mbn_is_wordnet_id(key);
    }
    if (json_object_size(object) == 0) return UNKNOWN;
    return numbers   ? LABEL_TO_INDEX
           : indices ? INDEX_TO_LABEL
           : digits  ? LABEL_TO_DIGITS
           : wordnet ? WORDNET_TO_LABEL
                     : UNKNOWN;
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* In the order of the sorted keys, which is that of ImageNet's classes. */
static mbn_status from_wordnet(json_t *object, mbn_label_list *list, mbn_error *error) {
    const char **keys = malloc(json_object_size(object) * sizeof *keys);
    if (keys == NULL) return mbn_explain(error, MBN_OUT_OF_MEMORY, "out of memory");
    size_t count = 0;
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) keys[count++] = key;
    qsort(keys, count, sizeof *keys, by_bytes);
    mbn_status status = MBN_OK;
    for (size_t i = 0; status == MBN_OK && i < count; i++) {
        status = append(list, json_object_get(object, keys[i]), keys[i], -1, error);
    }
    free(keys);
    return status;
}

static mbn_status append_member(mbn_label_list *list, enum form form, const char *key,
                                json_t *value, mbn_error *error) {
    if (form == INDEX_TO_LABEL) return append(list, value, NULL, index_of(key), error);
    json_t *name = json_string(key);
    const int64_t index =
        form == LABEL_TO_INDEX ? json_integer_value(value) : index_of(json_string_value(value));
    const mbn_status status = append(list, name, key, index, error);
    json_decref(name);
    return status;
}

static mbn_status from_members(json_t *object, enum form form, mbn_label_list *list,
                               mbn_error *error) {
    mbn_status status = MBN_OK;
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        if (status == MBN_OK) status = append_member(list, form, key, value, error);
    }
    return status;
}

/* The first member of a larger object that holds labels, as in transformers' and timm's
 * config.json. */
static json_t *find_labels(const json_t *object) {
    static const char *const names[] = {"id2label",     "label2id",    "idx_to_class",
                                        "class_to_idx", "label_names", "class_names",
                                        "labels",       "classes",     "names"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        json_t *member = json_object_get(object, names[i]);
        if (json_is_array(member) || json_is_object(member)) return member;
    }
    return NULL;
}

mbn_status mbn_labels_from_json(json_t *value, mbn_label_list *list, mbn_error *error) {
    if (json_is_array(value)) return from_array(value, list, error);
    if (json_is_object(value)) {
        json_t *inner = find_labels(value);
        if (inner != NULL) return mbn_labels_from_json(inner, list, error);
        const enum form form = form_of(value);
        if (form == WORDNET_TO_LABEL) return from_wordnet(value, list, error);
        if (form != UNKNOWN) return from_members(value, form, list, error);
    }
    return mbn_explain(
        error, MBN_MALFORMED,
        "neither a JSON array of labels nor an object {index: label}, {label: index} "
        "or {WordNet ID: label}");
}
