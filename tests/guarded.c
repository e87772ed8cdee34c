#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include "guarded.h"

#include "check.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char case_text[512];

/* Where the fault came from matters less than during what; the handler before this one (a
 * sanitizer's, Criterion's) gets the fault next, with the stack. */
static struct sigaction previous;

static void on_fault(int signal_number) {
    static const char lead[] = "memory fault during: ";
    ssize_t ignored = write(STDERR_FILENO, lead, sizeof lead - 1);
    ignored = write(STDERR_FILENO, case_text, strlen(case_text));
    ignored = write(STDERR_FILENO, "\n", 1);
    (void)ignored;
    sigaction(signal_number, &previous, NULL);
}

void describe_case(const char *format, ...) {
    if (case_text[0] == '\0') {
        struct sigaction action;
        memset(&action, 0, sizeof action);
        action.sa_handler = on_fault;
        sigaction(SIGSEGV, &action, &previous);
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(case_text, sizeof case_text, format, arguments);
    va_end(arguments);
}

const char *described_case(void) {
    return case_text;
}

const char *guard_name(guard_side side) {
    static const char *const names[GUARD_SIDES] = {"after", "before", "none, misaligned"};
    return names[side];
}

/* `bytes`; where no guard is near, `off` behind the beginning of a page. */
static unsigned char *place(guarded *memory, size_t bytes, size_t off, guard_side side) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (bytes + off > memory->bytes || memory->pages == NULL) {
        guarded_free(memory);
        size_t body = ((bytes + off) / page + 1) * page;
        unsigned char *map =
            mmap(NULL, body + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(map != MAP_FAILED, "cannot map %zu bytes", body);
        CHECK(mprotect(map + page, body, PROT_READ | PROT_WRITE) == 0, "cannot use %zu bytes",
              body);
        memory->pages = map + page;
        memory->bytes = body;
    }
    switch (side) {
    case GUARD_AFTER: return memory->pages + memory->bytes - bytes;
    case GUARD_MISALIGNED: return memory->pages + off;
    default: return memory->pages;
    }
}

void *guarded_elements(guarded *memory, size_t count, size_t element_bytes, guard_side side) {
    return place(memory, count * element_bytes, element_bytes, side);
}

unsigned char *guarded_bytes(guarded *memory, size_t count, guard_side side) {
    return place(memory, count, sizeof(float), side);
}

float *guarded_floats(guarded *memory, size_t count, guard_side side) {
    return guarded_elements(memory, count, sizeof(float), side);
}

void guarded_free(guarded *memory) {
    if (memory->pages == NULL) return;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    munmap(memory->pages - page, memory->bytes + 2 * page);
    *memory = (guarded){0};
}
