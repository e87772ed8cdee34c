/* How long one CPU takes to see what another wrote: what threads pay for every piece of work that
 * they hand to each other.  Virtual CPUs move between physical ones, so this differs from minute to
 * minute. */
#ifdef __linux__
#define _GNU_SOURCE /* CPU affinity */
#endif

#include "runner.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { TRIALS = 9, EXCHANGES = 5000 };

typedef struct exchange {
    _Alignas(128) atomic_int ball;
    cpu_set_t cpus[2];
} exchange;

static void *answer(void *argument) {
    exchange *e = argument;
    pthread_setaffinity_np(pthread_self(), sizeof e->cpus[1], &e->cpus[1]);
    for (int i = 0; i < EXCHANGES; i++) {
        while (atomic_load(&e->ball) != 2 * i + 1) continue;
        atomic_store(&e->ball, 2 * i + 2);
    }
    return NULL;
}

/* Seconds one way, or 0 where the second thread does not start. */
static double trial(exchange *e) {
    pthread_t thread;
    atomic_store(&e->ball, 0);
    if (pthread_create(&thread, NULL, answer, e) != 0) return 0;
    double start = 0;
    for (int i = 0; i < EXCHANGES; i++) {
        atomic_store(&e->ball, 2 * i + 1);
        while (atomic_load(&e->ball) != 2 * i + 2) continue;
        if (i == 0) start = runner_seconds(); /* the thread is there */
    }
    const double seconds = runner_seconds() - start;
    pthread_join(thread, NULL);
    return seconds / (2 * (EXCHANGES - 1));
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double runner_handover(void) {
    cpu_set_t mine;
    exchange e;
    int found = 0;
    if (sched_getaffinity(0, sizeof mine, &mine) != 0) return 0;
    for (int cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++) {
        if (!CPU_ISSET(cpu, &mine)) continue;
        CPU_ZERO(&e.cpus[found]);
        CPU_SET(cpu, &e.cpus[found]);
        found++;
    }
    if (found < 2) return 0;
    double seconds[TRIALS];
    sched_setaffinity(0, sizeof e.cpus[0], &e.cpus[0]);
    for (int t = 0; t < TRIALS; t++) seconds[t] = trial(&e);
    sched_setaffinity(0, sizeof mine, &mine);
    qsort(seconds, TRIALS, sizeof seconds[0], compare);
    return seconds[TRIALS / 2];
}
