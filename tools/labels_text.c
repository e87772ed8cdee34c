/* A label per line, with an index, a WordNet ID or both in front of it, or nothing. */
#include "labels_list.h"
#include "report.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DIGITS = 9 };

/* ---- What is in front of a label ------------------------------------------------------------- */

/* Where the label begins behind an index and what parts them; NULL without an index. */
static const char *behind_index(const char *text) {
    const size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > MAX_DIGITS) return NULL;
    const char *separator = text + digits;
    const size_t blanks = strspn(separator, " \t");
    const char *label = separator + blanks;
    if (*label != '\0' && strchr(":,;=", *label) != NULL) {
        label++;
    } else if (blanks == 0) {
        return NULL;
    }
    label += strspn(label, " \t");
    return *label != '\0' ? label : NULL;
}

static const char *behind_wordnet_id(const char *text) {
    if (!mbn_is_wordnet_id(text)) return NULL;
    const char *label = text + MBN_WORDNET_ID_LENGTH;
    label += strspn(label, " \t,");
    return *label != '\0' ? label : text; /* alone, it is the label */
}

typedef const char *skip(const char *text);

/* Whether all lines from the first one on begin so.  One line is too few to tell. */
static bool all_begin_with(const mbn_label_list *list, size_t first, skip *behind) {
    for (size_t i = first; i < list->count; i++) {
        if (behind(list->entries[i].label.name) == NULL) return false;
    }
    return list->count > first + 1;
}

/* Whether they begin with indices.  Numbers that do not begin with 0 or 1, or go far beyond the
 * lines, are parts of the labels. */
static bool all_have_indices(const mbn_label_list *list, size_t first) {
    if (!all_begin_with(list, first, behind_index)) return false;
    bool begins = false;
    for (size_t i = first; i < list->count; i++) {
        const long index = atol(list->entries[i].label.name);
        if ((size_t)index >= 2 * (list->count - first)) return false;
        begins = begins || index <= 1;
    }
    return begins;
}

static void cut(char *name, const char *from) {
    assert(from != NULL);
    memmove(name, from, strlen(from) + 1);
}

/* Without quotes around it and a comma behind, as tables have them. */
static void strip_quotes(char *name) {
    size_t length = strlen(name);
    if (length > 0 && name[length - 1] == ',') length--;
    if (length < 2 || strchr("'\"", name[0]) == NULL || name[length - 1] != name[0]) return;
    name[length - 1] = '\0';
    cut(name, name + 1);
}

static bool take_indices(mbn_label_list *list) {
    if (!all_have_indices(list, 0)) return false;
    for (size_t i = 0; i < list->count; i++) {
        char *name = list->entries[i].label.name;
        list->entries[i].index = atol(name);
        cut(name, behind_index(name));
        strip_quotes(name);
    }
    return true;
}

/* The head of a table is no label. */
static void drop_head(mbn_label_list *list) {
    if (!all_have_indices(list, 1) || behind_index(list->entries[0].label.name) != NULL) return;
    free(list->entries[0].label.name);
    memmove(list->entries, list->entries + 1, --list->count * sizeof *list->entries);
}

static void take_wordnet_ids(mbn_label_list *list) {
    if (!all_begin_with(list, 0, behind_wordnet_id)) return;
    for (size_t i = 0; i < list->count; i++) {
        mbn_label *label = &list->entries[i].label;
        memcpy(label->wordnet, label->name, MBN_WORDNET_ID_LENGTH);
        cut(label->name, behind_wordnet_id(label->name));
    }
}

/* ---- Python's dictionaries ------------------------------------------------------------------- */

/* "{0: 'cat'," -> "0: cat".  False for another line. */
static bool unquote(char *line) {
    char *start = line + strspn(line, "{ \t");
    const char *label = behind_index(start);
    if (label == NULL || (*label != '\'' && *label != '"')) return false;
    size_t length = strlen(start);
    while (length > 0 && strchr("}, \t", start[length - 1]) != NULL) length--;
    char *open = start + (label - start);
    char *close = start + length - 1;
    if (close <= open || *close != *open) return false;
    *close = '\0';
    cut(open, open + 1);
    cut(line, start);
    return true;
}

/* ---- Lines ----------------------------------------------------------------------------------- */

mbn_status mbn_labels_from_text(char *text, mbn_label_list *list, mbn_error *error) {
    const bool dictionary = text[strspn(text, " \t\r\n")] == '{';
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1])) text[--length] = '\0';
    mbn_status status = MBN_OK;
    int number = 0;
    for (char *line = text; status == MBN_OK && line != NULL;) {
        char *end = strchr(line, '\n');
        if (end != NULL) *end = '\0';
        number++;
        if (line[strspn(line, " \t\r")] == '\0') {
            return mbn_explain(error, MBN_MALFORMED, "line %d is empty", number);
        }
        line[strcspn(line, "\r")] = '\0';
        const bool brace = dictionary && strspn(line, "{}\t ") == strlen(line);
        if (dictionary && !brace && !unquote(line)) {
            return mbn_explain(error, MBN_MALFORMED, "line %d is neither JSON nor \"0: 'label',\"",
                               number);
        }
        if (!brace) status = mbn_label_list_append(list, line, strlen(line), -1, error);
        line = end != NULL ? end + 1 : NULL;
    }
    if (status != MBN_OK) return status;
    drop_head(list);
    const bool numbered = take_indices(list);
    take_wordnet_ids(list);
    if (!numbered) take_indices(list); /* ILSVRC's "n02119789 1 kit_fox" */
    for (size_t i = 0; i < list->count; i++) {
        const char *name = list->entries[i].label.name;
        if (name[strspn(name, " \t")] == '\0') { /* in quotes */
            return mbn_explain(error, MBN_MALFORMED, "label %zu is empty", i);
        }
    }
    return MBN_OK;
}
