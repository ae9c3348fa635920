/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A watchdog for test programs: a hang is a failure, and says where everything stood.
 *
 * A thread of its own waits until the deadline of the current case has passed; then it writes the
 * case's name, the counts of the watched runtime and everything that lives to standard error, and
 * aborts. The environment variable FILCH_TEST_PATIENCE multiplies all deadlines, for slow builds.
 */
#ifndef FILCH_TESTS_WATCHDOG_H
#define FILCH_TESTS_WATCHDOG_H

#include <filch/atomic.h>
#include <filch/dump.h>
#include <filch/runtime.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock;
    /* Under lock. */
    const char *name;
    int64_t deadline; /* ns of CLOCK_MONOTONIC */
    filch_runtime *rt;
} watchdog = {.lock = PTHREAD_MUTEX_INITIALIZER};

static inline int64_t watchdog_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Under the lock. */
static inline void watchdog_counts(void)
{
    fprintf(stderr, "watchdog: '%s' hangs\n", watchdog.name);
    filch_runtime *rt = watchdog.rt;
    filch_totals totals;
    if (!rt || filch_runtime_totals(rt, &totals) < 0)
        return;
    fprintf(stderr, "  live tasks %" PRId64 ", failures %" PRIu64 ", bytes %zu, fibers %zu\n",
            totals.tasks_live, totals.failures, totals.bytes, totals.fibers);
    filch_stats s;
    for (int i = 0; filch_runtime_stats(rt, i, &s) == 0; i++)
        fprintf(stderr,
                "  worker %d: spawns %" PRIu64 ", tasks %" PRIu64 ", forks stolen %" PRIu64
                ", steals %" PRIu64 ", failed %" PRIu64 ", parks %" PRIu64 ", wakes %" PRIu64
                ", switches %" PRIu64 "\n",
                i, s.spawns, s.tasks, s.forks_stolen, s.steals, s.failed_steals, s.parks, s.wakes,
                s.switches);
}

/* Under the lock. What hangs may hold a lock that a dump needs: then the alarm ends the process. */
static inline void watchdog_dump(void)
{
    watchdog_counts();
    signal(SIGALRM, SIG_DFL);
    alarm(30);
    filch_dump(stderr);
}

static inline void *watchdog_main(void *arg)
{
    (void)arg;
    for (;;) {
        pthread_mutex_lock(&watchdog.lock);
        int64_t left = watchdog.deadline - watchdog_now();
        if (left <= 0) {
            watchdog_dump();
            abort();
        }
        pthread_mutex_unlock(&watchdog.lock);
        struct timespec nap = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
        nanosleep(&nap, NULL);
    }
    return NULL;
}

static inline int watchdog_patience(void)
{
    const char *patience = getenv("FILCH_TEST_PATIENCE");
    int n = patience ? atoi(patience) : 1;
    return n > 0 ? n : 1;
}

/* The case `name` begins, and must end within so many seconds. One thread. */
static inline void watchdog_begin(const char *name, int seconds)
{
    static bool running;
    pthread_mutex_lock(&watchdog.lock);
    watchdog.name = name;
    watchdog.deadline = watchdog_now() + (int64_t)seconds * watchdog_patience() * 1000000000;
    watchdog.rt = NULL;
    pthread_mutex_unlock(&watchdog.lock);
    pthread_t thread;
    if (!running && pthread_create(&thread, NULL, watchdog_main, NULL) == 0) {
        pthread_detach(thread);
        running = true;
    }
}

/* The runtime whose counts tell most if the case hangs; NULL before it is destroyed. */
static inline void watchdog_watch(filch_runtime *rt)
{
    pthread_mutex_lock(&watchdog.lock);
    watchdog.rt = rt;
    pthread_mutex_unlock(&watchdog.lock);
}

#endif
