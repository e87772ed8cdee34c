#include "error.h"

#include <stdarg.h>
#include <stdio.h>

mbn_status(mbn_fail)(mbn_error *error, mbn_status status, const char *format, ...) {
    if (error != NULL) {
        error->status = status;
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
        /* Names from a hostile file may hold anything; a message is one printable line. */
        for (char *c = error->message; *c != '\0'; c++) {
            if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?';
        }
    }
    return status;
}

const char *mbn_status_text(mbn_status status) {
    switch (status) {
    case MBN_OK: return "ok";
    case MBN_INVALID_ARGUMENT: return "invalid argument";
    case MBN_IO: return "input or output failed";
    case MBN_MALFORMED: return "malformed file";
    case MBN_UNSUPPORTED: return "unsupported";
    case MBN_OUT_OF_MEMORY: return "out of memory";
    }
    return "unknown status";
}

const char *mbn_version(void) {
    return MBN_VERSION;
}
