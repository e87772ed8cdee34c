/* Threads that share tasks: every task runs once, whoever is held up. */
#include "arch/system/threads.h"

#include <criterion/criterion.h>
#include <stdatomic.h>
#include <time.h>

enum { MOST_TASKS = 300, MOST_THREADS = 9, JOBS = 300 };

static void nap(long milliseconds) {
    nanosleep(&(struct timespec){0, milliseconds * 1000000}, NULL);
}

struct job {
    atomic_int runs[MOST_TASKS];    /* of each task */
    atomic_bool busy[MOST_THREADS]; /* under this number a task runs now */
    int32_t threads;
    atomic_int wrong, done;
};

static void count_run(void *argument, int32_t task, int32_t thread) {
    struct job *job = argument;
    if (thread < 0 || thread >= job->threads || atomic_exchange(&job->busy[thread], true))
        job->wrong++;
    job->runs[task]++;
    atomic_store(&job->busy[thread], false);
    job->done++;
}

/* Threads, and what a body of theirs needs. */
struct crew {
    mbn_threads *threads;
    const char *whose;
};

/* Jobs of many sizes right behind each other: workers meet them late, early and not at all. */
static void check_jobs(void *argument) {
    const struct crew *crew = argument;
    mbn_threads *threads = crew->threads;
    const char *whose = crew->whose;
    struct job job = {.threads = mbn_threads_count(threads)};
    for (int32_t i = 0; i < JOBS; i++) {
        const int32_t tasks = i * 7 % MOST_TASKS + 1;
        job.done = 0;
        for (int32_t t = 0; t < MOST_TASKS; t++) job.runs[t] = 0;
        mbn_threads_run(threads, count_run, &job, tasks);
        cr_assert_eq(job.done, tasks, "%s: %d of %d", whose, job.done, (int)tasks);
        for (int32_t t = 0; t < MOST_TASKS; t++) {
            cr_assert_eq(job.runs[t], t < tasks ? 1 : 0, "%s: task %d of %d", whose, (int)t,
                         (int)tasks);
        }
        if (i % 100 == 99) nap(2); /* they sleep */
    }
    cr_expect_eq(job.wrong, 0);
}

Test(threads, every_task_once) {
    for (int32_t count = 1; count <= MOST_THREADS; count++) {
        mbn_threads *threads = mbn_threads_create(count, NULL);
        cr_assert_not_null(threads);
        cr_expect_eq(mbn_threads_count(threads), count);
        cr_expect(mbn_threads_are_here(threads));
        mbn_threads_gather(threads, check_jobs, &(struct crew){threads, "own"});
        mbn_threads_free(threads);
    }
}

Test(threads, of_a_callers_pool) {
    for (int32_t count = 1; count <= 4; count++) {
        pthreadpool_t pool = pthreadpool_create((size_t)count);
        mbn_threads *threads = mbn_threads_create(count, pool);
        cr_assert_not_null(threads);
        for (int i = 0; i < 3; i++) {
            mbn_threads_gather(threads, check_jobs, &(struct crew){threads, "pool's"});
        }
        mbn_threads_free(threads);
        pthreadpool_destroy(pool);
    }
}

struct queue {
    mbn_threads *threads;
    atomic_int done;
    int32_t tasks, held; /* the one that waits for all others */
    atomic_int thread_of_held;
};

static void wait_for_the_rest(void *argument, int32_t task, int32_t thread) {
    struct queue *queue = argument;
    if (task == queue->held) {
        queue->thread_of_held = thread;
        while (queue->done < queue->tasks - 1) nap(1);
    }
    queue->done++;
}

static void run_queue(void *argument) {
    struct queue *queue = argument;
    mbn_threads_run(queue->threads, wait_for_the_rest, queue, queue->tasks);
}

/* Whoever holds a task up, the others take all the rest, that thread's own part, too. */
Test(threads, who_runs_takes_what_is_left) {
    enum { TASKS = 24 };
    for (int32_t count = 2; count <= 4; count++) {
        mbn_threads *threads = mbn_threads_create(count, NULL);
        for (int32_t held = 0; held < TASKS; held++) {
            struct queue queue = {threads, 0, TASKS, held, -1};
            mbn_threads_gather(threads, run_queue, &queue);
            cr_expect_eq(queue.done, TASKS);
            cr_expect(queue.thread_of_held >= 0 && queue.thread_of_held < count);
        }
        mbn_threads_free(threads);
    }
}

struct meeting {
    mbn_threads *threads;
    int32_t count;
    atomic_int there;
    atomic_int thread_of[MOST_THREADS];
};

static void meet(void *argument, int32_t task, int32_t thread) {
    struct meeting *meeting = argument;
    meeting->thread_of[task] = thread;
    meeting->there++;
    while (meeting->there < meeting->count) nap(1);
}

static void run_meeting(void *argument) {
    struct meeting *meeting = argument;
    mbn_threads_run(meeting->threads, meet, meeting, meeting->count);
}

/* Nobody takes what is another's before its own is done: rows of a plane stay where they are. */
Test(threads, parts_stay_with_their_threads) {
    for (int32_t count = 2; count <= MOST_THREADS; count++) {
        mbn_threads *threads = mbn_threads_create(count, NULL);
        for (int round = 0; round < 20; round++) {
            struct meeting meeting = {.threads = threads, .count = count};
            nap(1);
            mbn_threads_gather(threads, run_meeting, &meeting);
            for (int32_t t = 0; t < count; t++) cr_expect_eq(meeting.thread_of[t], t);
        }
        mbn_threads_free(threads);
    }
}

Test(threads, come_and_go) {
    for (int i = 0; i < 100; i++) {
        mbn_threads *threads = mbn_threads_create(1 + i % 4, NULL);
        cr_assert_not_null(threads);
        struct crew crew = {threads, "short-lived"};
        if (i % 3 == 0) mbn_threads_gather(threads, check_jobs, &crew);
        mbn_threads_free(threads);
    }
    mbn_threads_free(NULL);
}
