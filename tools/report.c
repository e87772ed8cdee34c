#include "report.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void mbn_report(const char *subject, const char *reason) {
    fflush(stdout);
    if (subject != NULL) {
        fprintf(stderr, "mobilenet: %s: %s\n", subject, reason);
    } else {
        fprintf(stderr, "mobilenet: %s\n", reason);
    }
}

mbn_status(mbn_explain)(mbn_error *error, mbn_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    error->status = status;
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return status;
}

json_t *mbn_json_text(const char *text) {
    json_t *string = json_string(text);
    if (string != NULL) return string;
    char *ascii = strdup(text);
    if (ascii == NULL) return NULL;
    for (char *c = ascii; *c != '\0'; c++) {
        if ((unsigned char)*c >= 0x80) *c = '?';
    }
    string = json_string(ascii);
    free(ascii);
    return string;
}

json_t *mbn_json_real(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

void mbn_json_append(json_t **array, json_t *element) {
    if (json_array_append_new(*array, element) == 0) return;
    json_decref(*array);
    *array = NULL;
}

json_t *mbn_json_with(json_t *object, const char *key, json_t *value) {
    if (json_object_set_new(object, key, value) == 0) return object;
    json_decref(object);
    return NULL;
}

bool mbn_json_print(json_t *value) {
    if (value == NULL) {
        mbn_report("JSON", mbn_status_text(MBN_OUT_OF_MEMORY));
        return false;
    }
    /* Nine digits carry a float exactly. */
    int failed = json_dumpf(value, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(value);
    if (failed) {
        /* main reports what standard output cannot take. */
        if (!ferror(stdout)) mbn_report("JSON", mbn_status_text(MBN_OUT_OF_MEMORY));
        return false;
    }
    putchar('\n');
    return true;
}

void mbn_print_label(const char *label) {
    for (const char *c = label; *c != '\0'; c++) {
        bool control = (unsigned char)*c < 0x20 || *c == 0x7f;
        putchar(control ? '?' : *c);
    }
}

mbn_digits mbn_digits_of(int64_t count) {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRId64, count);
    mbn_digits result;
    int at = 0;
    for (int i = 0; i < length; i++) {
        result.text[at++] = digits[i];
        int left = length - 1 - i;
        if (digits[i] != '-' && left > 0 && left % 3 == 0) result.text[at++] = ',';
    }
    result.text[at] = '\0';
    return result;
}

void mbn_today(char date[16]) {
    const time_t seconds = time(NULL);
    struct tm parts;
    if (gmtime_r(&seconds, &parts) == NULL || strftime(date, 16, "%Y-%m-%d", &parts) == 0) {
        strcpy(date, "unknown date");
    }
}
