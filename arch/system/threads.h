/* Threads that share work: a context's own, or those of its caller's pool. */
#ifndef MBN_ARCH_THREADS_H
#define MBN_ARCH_THREADS_H

#include <pthreadpool.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct mbn_threads mbn_threads;

/* thread: number of the one that runs the task, below mbn_threads_count; no other runs under that
 * number at the same time. */
typedef void mbn_task_fn(void *argument, int32_t task, int32_t thread);

enum { MBN_TASKS_MOST = 0xFFFF };

/* Starts `count` - 1 threads; the one that calls mbn_threads_gather is the first.  pool: use its
 * threads instead.  NULL where they cannot be started. */
mbn_threads *mbn_threads_create(int32_t count, pthreadpool_t pool);

int32_t mbn_threads_count(const mbn_threads *threads);

/* False after a fork, of a pool's threads: the child has none of them, and cannot make them.  Own
 * ones are made anew by the child's first run. */
bool mbn_threads_are_here(const mbn_threads *threads);

/* Calls body(argument), which may call mbn_threads_run: meanwhile, the threads are there for it. */
void mbn_threads_gather(mbn_threads *threads, void (*body)(void *argument), void *argument);

/* Runs tasks 0 to `tasks` - 1, of which there are MBN_TASKS_MOST at most, and returns when all are
 * done.  Every thread begins with a part of its own, the same one for the same number of tasks, and
 * then takes what is left of others'. */
void mbn_threads_run(mbn_threads *threads, mbn_task_fn *task, void *argument, int32_t tasks);

/* NULL is allowed. */
void mbn_threads_free(mbn_threads *threads);

#endif
