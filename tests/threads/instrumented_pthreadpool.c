/* The part of pthreadpool that the library calls, with locks that the thread sanitizer understands.
 * Tasks are handed out one by one in ascending order, to whichever thread asks next: any order and
 * any assignment that real pools produce is possible here, too. */
#include <pthread.h>
#include <pthreadpool.h>
#include <stdbool.h>
#include <stdlib.h>

struct pthreadpool {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthreadpool_task_1d_t task;
    void *argument;
    size_t next, range; /* the next task, and how many there are */
    size_t running;
    bool stop;
    size_t threads;
    pthread_t workers[];
};

/* Runs tasks as long as there are some; called and left with the mutex held. */
static void run_tasks(struct pthreadpool *pool) {
    while (pool->next < pool->range) {
        const size_t index = pool->next++;
        pool->running++;
        pthread_mutex_unlock(&pool->mutex);
        pool->task(pool->argument, index);
        pthread_mutex_lock(&pool->mutex);
        pool->running--;
    }
    if (pool->running == 0) pthread_cond_broadcast(&pool->changed);
}

static void *work(void *argument) {
    struct pthreadpool *pool = argument;
    pthread_mutex_lock(&pool->mutex);
    while (!pool->stop) {
        run_tasks(pool);
        pthread_cond_wait(&pool->changed, &pool->mutex);
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

pthreadpool_t pthreadpool_create(size_t threads) {
    struct pthreadpool *pool = calloc(1, sizeof *pool + threads * sizeof *pool->workers);
    if (pool == NULL) return NULL;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->changed, NULL);
    pool->threads = threads;
    for (size_t i = 1; i < threads; i++) pthread_create(&pool->workers[i], NULL, work, pool);
    return pool;
}

size_t pthreadpool_get_threads_count(pthreadpool_t pool) {
    return pool->threads;
}

void pthreadpool_parallelize_1d(pthreadpool_t pool, pthreadpool_task_1d_t task, void *argument,
                                size_t range, uint32_t flags) {
    (void)flags; /* denormals: none arise in the tests */
    pthread_mutex_lock(&pool->mutex);
    pool->task = task;
    pool->argument = argument;
    pool->range = range;
    pool->next = 0;
    pthread_cond_broadcast(&pool->changed);
    run_tasks(pool);
    while (pool->running > 0) pthread_cond_wait(&pool->changed, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}

void pthreadpool_destroy(pthreadpool_t pool) {
    if (pool == NULL) return;
    pthread_mutex_lock(&pool->mutex);
    pool->stop = true;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->mutex);
    for (size_t i = 1; i < pool->threads; i++) pthread_join(pool->workers[i], NULL);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}
