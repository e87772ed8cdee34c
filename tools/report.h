/* What the commands say: errors on stderr, JSON on stdout. */
#ifndef MBN_TOOLS_REPORT_H
#define MBN_TOOLS_REPORT_H

#include <mobilenet.h>

#include <jansson.h>

/* Prints `mobilenet: SUBJECT: REASON`; without the subject if it is NULL, for reasons that begin
 * with it (mbn_model_load's do). */
void mbn_report(const char *subject, const char *reason);

/* Fills in an error and returns its status, so that a failing function ends with
 * `return mbn_explain(error, MBN_..., "...")`. */
__attribute__((format(printf, 3, 4))) mbn_status mbn_explain(mbn_error *error, mbn_status status,
                                                             const char *format, ...);

/* Analysers see one file at a time: the status is the one that was given. */
#if defined __clang_analyzer__ || defined MBN_ANALYSER /* gcc's has no name of its own */
#define mbn_explain(error, status, ...) ((void)mbn_explain(error, status, __VA_ARGS__), (status))
#endif

/* A JSON string of any bytes: where they are not UTF-8, as a file's name need not be, those outside
 * of ASCII become '?'.  NULL when out of memory. */
json_t *mbn_json_text(const char *text);

/* A JSON number, or null for NaN and infinities, which JSON does not have. */
json_t *mbn_json_real(double value);

/* Appends an element, which it takes over.  Where that fails, also for an element of NULL, the
 * array becomes NULL, and stays so: the last of many calls tells. */
void mbn_json_append(json_t **array, json_t *element);

/* Sets a member of an object and returns the object; takes over both.  NULL if either is, or when
 * out of memory. */
json_t *mbn_json_with(json_t *object, const char *key, json_t *value);

/* Prints a value, which it releases; false if it is NULL or could not be printed. */
bool mbn_json_print(json_t *value);

/* Prints a model's label.  It is from a file that anybody may have made, and does not get to steer
 * the terminal: control characters become '?'. */
void mbn_print_label(const char *label);

/* A count in decimal, by thousands: "4,253,864". */
typedef struct mbn_digits {
    char text[32];
} mbn_digits;

mbn_digits mbn_digits_of(int64_t count);

/* "2026-01-31", in UTC. */
void mbn_today(char date[16]);

#endif
