/* Makes of a program one that runs as often as it is asked to, each time in a child of its own,
 * with another call failing: loading it anew would take longer than it runs.  Without
 * MOBILENET_FAULTS="IN OUT" in the environment, two open files, it is the program that it was.
 * Reads lines of "NTH EXTENT" from IN, runs, and answers "STATUS CALLS NAME" on OUT: as wait has
 * it, how many calls there were, and which one failed. */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include "../patience.h"
#include "faults.h"
#include "known.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a child finds out, in memory that it shares with its parent. */
static struct {
    long calls;
    char name[32];
} * found;

static void tell(void) {
    found->calls = faults_disarm();
}

static bool read_line(int file, char *line, size_t size) {
    for (size_t length = 0; length < size; length++) {
        if (read(file, line + length, 1) != 1) return false;
        if (line[length] == '\n') {
            line[length] = '\0';
            return true;
        }
    }
    return false;
}

static void answer(int file, int status) {
    char line[96];
    const int length =
        snprintf(line, sizeof line, "%d %ld %s\n", status, found->calls, found->name);
    if (write(file, line, (size_t)length) != length) _exit(97);
}

/* Returns to main in each child, and in none else. */
__attribute__((constructor)) static void serve(void) {
    const char *files = getenv("MOBILENET_FAULTS");
    int in, out;
    if (files == NULL || sscanf(files, "%d %d", &in, &out) != 2) return;
    found = mmap(NULL, sizeof *found, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (found == MAP_FAILED) _exit(97);
    faults_leave_out_known();
    char line[64];
    while (read_line(in, line, sizeof line)) {
        long nth;
        int extent;
        if (sscanf(line, "%ld %d", &nth, &extent) != 2) _exit(97);
        memset(found, 0, sizeof *found);
        const pid_t child = fork();
        if (child == 0) {
            alarm(PATIENCE_SECONDS);
            atexit(tell);
            faults_write_to(found->name);
            faults_arm(nth, (faults_extent)extent);
            return;
        }
        int status;
        if (child < 0 || waitpid(child, &status, 0) != child) _exit(97);
        answer(out, status);
    }
    _exit(0);
}
