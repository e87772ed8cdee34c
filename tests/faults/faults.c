#define _GNU_SOURCE /* RTLD_NEXT */
#include "faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { MEMORY = 1, FILES = 2, THREADS = 4 };

static atomic_bool armed;
static atomic_long calls, live;
static pthread_t armed_by;
static long at;
static faults_extent how_long;
static _Atomic(const char *) struck;
static atomic_int struck_kind;
static char *copy;
static faults_allocation *watched;
static int watched_count, watched_room;
static const void *left_out;

void faults_arm(long nth, faults_extent extent) {
    armed_by = pthread_self();
    at = nth;
    how_long = extent;
    atomic_store(&calls, 0);
    atomic_store(&struck, NULL);
    atomic_store(&struck_kind, 0);
    atomic_store(&armed, true);
}

long faults_disarm(void) {
    atomic_store(&armed, false);
    return atomic_load(&calls);
}

const char *faults_struck(void) {
    const char *name = atomic_load(&struck);
    return name != NULL ? name : "";
}

void faults_write_to(char name[32]) {
    copy = name;
}

void faults_watch(faults_allocation *list, int room) {
    watched_count = 0;
    watched_room = room;
    watched = list;
}

int faults_watched(void) {
    watched = NULL;
    return watched_count;
}

void faults_leave_out(const void *caller) {
    left_out = caller;
}

long faults_live(void) {
    return atomic_load(&live);
}

/* Whether the call that is about to be made fails. */
static bool strikes(const char *name, enum kind kind) {
    if (!atomic_load(&armed)) return false;
#if defined(FAULTS_IN_ONE_THREAD)
    /* The address sanitizer ends a program whose new thread has no memory to look at its stack. */
    if (!pthread_equal(pthread_self(), armed_by)) return false;
#endif
    const long number = atomic_fetch_add(&calls, 1) + 1;
    if (at == 0 || number < at) return false;
    if (number == at) {
        atomic_store(&struck_kind, (int)kind);
        atomic_store(&struck, name);
        if (copy != NULL) memcpy(copy, name, strlen(name) + 1);
        return true;
    }
    return how_long == FAULTS_ONWARD && atomic_load(&struck_kind) == (int)kind;
}

/* Looked up where it is first called.  ISO C converts no pointer of dlsym's to a function's. */
#define REAL(result, name, ...)                                                                    \
    static result (*real_##name)(__VA_ARGS__);                                                     \
    if (real_##name == NULL) {                                                                     \
        void *address = next(#name);                                                               \
        memcpy(&real_##name, &address, sizeof address);                                            \
    }

/* dlsym may allocate, though it is declared as what does not call back: that comes from here, once,
 * and is never freed. */
static _Alignas(64) char early[1 << 14];
static size_t early_used;
static _Thread_local volatile bool looking;

static void *allocate_early(size_t size) {
    void *block = early + early_used;
    early_used += (size + 63) & ~(size_t)63;
    if (early_used > sizeof early) _exit(99);
    return block;
}

static bool is_early(const void *pointer) {
    return (uintptr_t)pointer - (uintptr_t)early < sizeof early;
}

static void *next(const char *name) {
    looking = true;
    void *address = dlsym(RTLD_NEXT, name);
    looking = false;
    if (address == NULL) _exit(98);
    return address;
}

static void *counted(void *block) {
    if (block != NULL) atomic_fetch_add(&live, 1);
    return block;
}

#pragma GCC visibility push(default)

/* ---- Memory ---------------------------------------------------------------------------------- */

void *malloc(size_t size) {
    if (looking) return allocate_early(size);
    REAL(void *, malloc, size_t)
    const void *caller = __builtin_return_address(0);
    if (watched != NULL && watched_count < watched_room)
        watched[watched_count++] = (faults_allocation){size, caller};
    if (caller != left_out && strikes("malloc", MEMORY)) return errno = ENOMEM, NULL;
    return counted(real_malloc(size));
}

void *calloc(size_t count, size_t size) {
    if (looking) return allocate_early(count * size);
    REAL(void *, calloc, size_t, size_t)
    if (strikes("calloc", MEMORY)) return errno = ENOMEM, NULL;
    return counted(real_calloc(count, size));
}

void *realloc(void *pointer, size_t size) {
    REAL(void *, realloc, void *, size_t)
    if (strikes("realloc", MEMORY)) return errno = ENOMEM, NULL;
    void *block = real_realloc(pointer, size);
    return pointer == NULL ? counted(block) : block;
}

int posix_memalign(void **pointer, size_t alignment, size_t size) {
    REAL(int, posix_memalign, void **, size_t, size_t)
    if (strikes("posix_memalign", MEMORY)) return ENOMEM;
    const int status = real_posix_memalign(pointer, alignment, size);
    if (status == 0) counted(*pointer);
    return status;
}

void *aligned_alloc(size_t alignment, size_t size) {
    REAL(void *, aligned_alloc, size_t, size_t)
    if (strikes("aligned_alloc", MEMORY)) return errno = ENOMEM, NULL;
    return counted(real_aligned_alloc(alignment, size));
}

void free(void *pointer) {
    if (pointer == NULL || is_early(pointer) || looking) return;
    REAL(void, free, void *)
    atomic_fetch_sub(&live, 1);
    real_free(pointer);
}

void *mmap(void *wanted, size_t size, int protection, int flags, int file, off_t offset) {
    REAL(void *, mmap, void *, size_t, int, int, int, off_t)
    if (strikes("mmap", MEMORY)) return errno = ENOMEM, MAP_FAILED;
    return counted(real_mmap(wanted, size, protection, flags, file, offset));
}

int munmap(void *pointer, size_t size) {
    REAL(int, munmap, void *, size_t)
    atomic_fetch_sub(&live, 1);
    return real_munmap(pointer, size);
}

/* ---- Files ----------------------------------------------------------------------------------- */

int open(const char *path, int flags, ...) {
    REAL(int, open, const char *, int, ...)
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (strikes("open", FILES)) return errno = EMFILE, -1;
    return real_open(path, flags, mode);
}

int mkstemp(char *path) {
    REAL(int, mkstemp, char *)
    if (strikes("mkstemp", FILES)) return errno = ENOSPC, -1;
    return real_mkstemp(path);
}

ssize_t read(int file, void *bytes, size_t size) {
    REAL(ssize_t, read, int, void *, size_t)
    if (strikes("read", FILES)) return errno = EIO, -1;
    return real_read(file, bytes, size);
}

ssize_t write(int file, const void *bytes, size_t size) {
    REAL(ssize_t, write, int, const void *, size_t)
    if (strikes("write", FILES)) return errno = ENOSPC, -1;
    return real_write(file, bytes, size);
}

/* The file is closed all the same, as Linux does it. */
int close(int file) {
    REAL(int, close, int)
    const bool fails = strikes("close", FILES);
    const int status = real_close(file);
    return fails ? (errno = EIO, -1) : status;
}

int fstat(int file, struct stat *attributes) {
    REAL(int, fstat, int, struct stat *)
    if (strikes("fstat", FILES)) return errno = EIO, -1;
    return real_fstat(file, attributes);
}

int stat(const char *restrict path, struct stat *restrict attributes) {
    REAL(int, stat, const char *, struct stat *)
    if (strikes("stat", FILES)) return errno = EIO, -1;
    return real_stat(path, attributes);
}

int rename(const char *from, const char *to) {
    REAL(int, rename, const char *, const char *)
    if (strikes("rename", FILES)) return errno = EIO, -1;
    return real_rename(from, to);
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, mkdir, const char *, mode_t)
    if (strikes("mkdir", FILES)) return errno = ENOSPC, -1;
    return real_mkdir(path, mode);
}

/* ---- Threads --------------------------------------------------------------------------------- */

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *argument) {
    REAL(int, pthread_create, pthread_t *, const pthread_attr_t *, void *(*)(void *), void *)
    if (strikes("pthread_create", THREADS)) return EAGAIN;
    return real_pthread_create(thread, attributes, run, argument);
}

int pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes) {
    REAL(int, pthread_mutex_init, pthread_mutex_t *, const pthread_mutexattr_t *)
    if (strikes("pthread_mutex_init", THREADS)) return ENOMEM;
    return real_pthread_mutex_init(mutex, attributes);
}

int pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attributes) {
    REAL(int, pthread_cond_init, pthread_cond_t *, const pthread_condattr_t *)
    if (strikes("pthread_cond_init", THREADS)) return ENOMEM;
    return real_pthread_cond_init(condition, attributes);
}

#pragma GCC visibility pop
