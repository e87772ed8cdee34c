/* Filling in the caller's mbn_error. */
#ifndef MBN_ARCH_ERROR_H
#define MBN_ARCH_ERROR_H

#include <mobilenet.h>

/* Writes the message (cut to fit, control characters replaced by '?') and returns the status, so
 * that a failing function ends with `return mbn_fail(error, MBN_..., "...")`.  error may be
 * NULL. */
__attribute__((format(printf, 3, 4))) mbn_status mbn_fail(mbn_error *error, mbn_status status,
                                                          const char *format, ...);

/* Analysers see one file at a time: the status is the one that was given. */
#if defined __clang_analyzer__ || defined MBN_ANALYSER /* gcc's has no name of its own */
#define mbn_fail(error, status, ...) ((void)mbn_fail(error, status, __VA_ARGS__), (status))
#endif

#endif
