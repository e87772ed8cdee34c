/* Tasks are claimed one by one, so that whoever runs takes what is left; who finds none spins for a
 * moment, since the next job is usually near, and then sleeps, since else it would keep those from
 * running that it waits for.  The threads of a caller's pool do so for as long as a run takes.
 * pthreadpool by itself (Debian's is of 2021) spins for a million rounds first: its slowest runs
 * take ten times as long where the CPUs have other things to do, too. */
#include "threads.h"

#include "clock.h"
#include "cpus.h"
#include "fork.h"
#include "wait.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* How long to spin: more than the steps that one thread runs alone take, and than waking takes. */
static const double spin_seconds = 100e-6;
enum { PAUSES_PER_LOOK = 32 };

/* Two lines, which some processors fetch together. */
enum { APART = 128 };

/* What is left of one thread's part: generation of the job << 32 | end << 16 | begin, of tasks that
 * nobody has claimed.  It is claimed from by compare and exchange, so a thread that was put aside
 * between reading a job and claiming of it claims nothing of a later one. */
typedef struct part {
    _Alignas(APART) _Atomic uint64_t left;
} part;

typedef struct worker {
    pthread_t thread;
    struct mbn_threads *threads;
    int32_t number;
} worker;

struct mbn_threads {
    /* The job.  Written while nobody can claim, and read before a claim that succeeds: so its
     * reader has what belongs together. */
    _Atomic(mbn_task_fn *) task;
    _Atomic(void *) argument;
    uint32_t generation;
    /* What workers look at while they have nothing to do: changes with each job, and at the end. */
    _Alignas(APART) atomic_uint news;
    atomic_uint sleeping; /* workers */
    atomic_bool stop;
    _Alignas(APART) atomic_uint pending; /* tasks that are not done */
    atomic_bool caller_sleeps;
    _Alignas(APART) int32_t count;
    bool spins;
    int32_t started;    /* workers */
    pthreadpool_t pool; /* NULL: own workers */
    mbn_fork_mark *mark;
    worker *workers; /* [count - 1] */
    part *parts;     /* [count] */
};

/* ---- Claiming -------------------------------------------------------------------------------- */

static uint64_t pack(uint32_t generation, int32_t begin, int32_t end) {
    return (uint64_t)generation << 32 | (uint64_t)end << 16 | (uint64_t)begin;
}

static int32_t begin_of(uint64_t left) {
    return (int32_t)(left & 0xFFFF);
}

static int32_t end_of(uint64_t left) {
    return (int32_t)(left >> 16 & 0xFFFF);
}

static void finish_task(mbn_threads *threads) {
    if (atomic_fetch_sub(&threads->pending, 1) == 1 && atomic_load(&threads->caller_sleeps)) {
        mbn_wake(&threads->pending, 1);
    }
}

/* Runs what is left of a part: its owner from the front, others from the back. */
static void run_part(mbn_threads *threads, int32_t owner, int32_t thread) {
    part *p = &threads->parts[owner];
    uint64_t left = atomic_load(&p->left);
    while (begin_of(left) < end_of(left)) {
        mbn_task_fn *task = atomic_load_explicit(&threads->task, memory_order_relaxed);
        void *argument = atomic_load_explicit(&threads->argument, memory_order_relaxed);
        const bool front = owner == thread;
        const uint64_t rest = front ? left + 1 : left - (1 << 16);
        if (!atomic_compare_exchange_weak(&p->left, &left, rest)) continue;
        task(argument, front ? begin_of(left) : end_of(left) - 1, thread);
        finish_task(threads);
        left = atomic_load(&p->left);
    }
}

static void run_parts(mbn_threads *threads, int32_t thread) {
    for (int32_t i = 0; i < threads->count; i++) {
        run_part(threads, (thread + i) % threads->count, thread);
    }
}

/* ---- Waiting --------------------------------------------------------------------------------- */

/* Whether *number has become another one before it is time to sleep: at once where there are more
 * threads than CPUs. */
static bool spin(const mbn_threads *threads, const atomic_uint *number, unsigned value) {
    const double begin = mbn_seconds();
    do {
        for (int i = 0; i < PAUSES_PER_LOOK; i++) {
            if (atomic_load_explicit(number, memory_order_relaxed) != value) return true;
            mbn_pause();
        }
    } while (threads->spins && mbn_seconds() - begin < spin_seconds);
    return false;
}

static void work(mbn_threads *threads, int32_t number) {
    for (;;) {
        const unsigned news = atomic_load(&threads->news);
        if (atomic_load(&threads->stop)) return;
        run_parts(threads, number);
        if (spin(threads, &threads->news, news)) continue;
        atomic_fetch_add(&threads->sleeping, 1);
        while (atomic_load(&threads->news) == news) mbn_wait(&threads->news, news);
        atomic_fetch_sub(&threads->sleeping, 1);
    }
}

static void wait_for_others(mbn_threads *threads) {
    unsigned pending;
    while ((pending = atomic_load(&threads->pending)) > 0 &&
           spin(threads, &threads->pending, pending))
        continue;
    if (pending == 0) return;
    atomic_store(&threads->caller_sleeps, true);
    while ((pending = atomic_load(&threads->pending)) > 0) mbn_wait(&threads->pending, pending);
    atomic_store(&threads->caller_sleeps, false);
}

/* Workers read `news` before they look for tasks, and count themselves as sleeping before the
 * system looks at it once more: so either they see the change, or are seen here. */
static void tell_workers(mbn_threads *threads, int32_t wanted) {
    atomic_fetch_add(&threads->news, 1);
    const unsigned sleeping = atomic_load(&threads->sleeping);
    if (sleeping > 0) mbn_wake(&threads->news, wanted);
}

static void tell_to_stop(mbn_threads *threads) {
    atomic_store(&threads->stop, true);
    tell_workers(threads, threads->count);
}

/* ---- Starting and stopping ------------------------------------------------------------------- */

static void *work_always(void *argument) {
    const worker *self = argument;
    work(self->threads, self->number);
    return NULL;
}

static void start_workers(mbn_threads *threads) {
    while (threads->started < threads->count - 1) {
        worker *w = &threads->workers[threads->started];
        *w = (worker){.threads = threads, .number = threads->started + 1};
        if (pthread_create(&w->thread, NULL, work_always, w) != 0) return;
        threads->started++;
    }
}

static void stop_workers(mbn_threads *threads) {
    tell_to_stop(threads);
    for (int32_t i = 0; i < threads->started; i++) pthread_join(threads->workers[i].thread, NULL);
}

/* In a fork, which has none of the workers, and where the fork may have come in the middle of a
 * job. With fewer than there should be, the others take their parts. */
static void start_again(mbn_threads *threads) {
    for (int32_t i = 0; i < threads->count; i++) atomic_store(&threads->parts[i].left, 0);
    atomic_store(&threads->pending, 0);
    atomic_store(&threads->sleeping, 0);
    atomic_store(&threads->caller_sleeps, false);
    threads->started = 0;
    mbn_fork_mark_set(threads->mark);
    start_workers(threads);
}

mbn_threads *mbn_threads_create(int32_t count, pthreadpool_t pool) {
    const size_t parts_at = sizeof(mbn_threads);
    const size_t workers_at = parts_at + (size_t)count * sizeof(part);
    void *memory = NULL;
    if (posix_memalign(&memory, APART, workers_at + (size_t)count * sizeof(worker)) != 0)
        return NULL;
    mbn_threads *threads = memory;
    *threads = (mbn_threads){
        .count = count,
        .pool = pool,
        .mark = mbn_fork_mark_create(),
        .parts = (part *)(void *)((char *)memory + parts_at),
        .workers = (worker *)(void *)((char *)memory + workers_at),
    };
    for (int32_t i = 0; i < count; i++) threads->parts[i] = (part){0};
    mbn_cpus cpus;
    mbn_usable_cpus(&cpus);
    threads->spins = count <= cpus.affinity;
    if (pool == NULL && threads->mark != NULL) start_workers(threads);
    if (threads->mark == NULL || (pool == NULL && threads->started < count - 1)) {
        mbn_threads_free(threads);
        return NULL;
    }
    return threads;
}

void mbn_threads_free(mbn_threads *threads) {
    if (threads == NULL) return;
    if (threads->started > 0 && mbn_fork_mark_is_own(threads->mark)) stop_workers(threads);
    mbn_fork_mark_free(threads->mark);
    free(threads);
}

int32_t mbn_threads_count(const mbn_threads *threads) {
    return threads->count;
}

bool mbn_threads_are_here(const mbn_threads *threads) {
    return threads->pool == NULL || threads->count == 1 || mbn_fork_mark_is_own(threads->mark);
}

/* ---- Running --------------------------------------------------------------------------------- */

/* Where thread `index`'s part begins. */
static int32_t cut(int32_t tasks, int32_t index, int32_t count) {
    return (int32_t)((int64_t)tasks * index / count);
}

static void publish(mbn_threads *threads, mbn_task_fn *task, void *argument, int32_t tasks) {
    const int32_t cuts = tasks < threads->count ? tasks : threads->count;
    atomic_store_explicit(&threads->task, task, memory_order_relaxed);
    atomic_store_explicit(&threads->argument, argument, memory_order_relaxed);
    atomic_store(&threads->pending, (unsigned)tasks);
    threads->generation++;
    for (int32_t i = 0; i < cuts; i++) {
        const int32_t begin = cut(tasks, i, cuts), end = cut(tasks, i + 1, cuts);
        atomic_store(&threads->parts[i].left, pack(threads->generation, begin, end));
    }
}

void mbn_threads_run(mbn_threads *threads, mbn_task_fn *task, void *argument, int32_t tasks) {
    publish(threads, task, argument, tasks);
    tell_workers(threads, tasks - 1);
    run_parts(threads, 0);
    wait_for_others(threads);
}

typedef struct gathering {
    mbn_threads *threads;
    void (*body)(void *argument);
    void *argument;
} gathering;

/* The first thread of a pool is its caller.  One that comes when all is over finds that it may
 * stop. */
static void join(void *argument, size_t thread) {
    const gathering *g = argument;
    if (thread > 0) {
        work(g->threads, (int32_t)thread);
    } else {
        g->body(g->argument);
        tell_to_stop(g->threads);
    }
}

void mbn_threads_gather(mbn_threads *threads, void (*body)(void *argument), void *argument) {
    if (threads->pool != NULL) {
        gathering g = {threads, body, argument};
        atomic_store(&threads->stop, false);
        pthreadpool_parallelize_1d(threads->pool, join, &g, (size_t)threads->count,
                                   threads->spins ? 0 : PTHREADPOOL_FLAG_YIELD_WORKERS);
    } else {
        if (!mbn_fork_mark_is_own(threads->mark)) start_again(threads);
        body(argument);
    }
}
