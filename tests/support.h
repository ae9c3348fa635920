/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of tasks share: runtimes of several sizes, workers that are kept busy, threads.
 */
#ifndef FILCH_TESTS_SUPPORT_H
#define FILCH_TESTS_SUPPORT_H

#include "tests/check.h"

#include <errno.h>
#include <filch/filch.h>
#include <sched.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const int worker_counts[] = {1, 2, 8};

/* Runs a case and names it after its function. */
#define RUN(test) run_case(#test, test)

/* Until the condition holds; the watchdog bounds it. The processor goes to others, not the worker.
 */
#define SPIN_UNTIL(condition) \
    while (!(condition))      \
    sched_yield()

static inline void raise_flag(uint32_t *flag)
{
    filch__store_release(flag, 1u);
}

static inline bool flag_up(const uint32_t *flag)
{
    return filch__load_acquire(flag) != 0;
}

static inline void tally(uint32_t *count)
{
    filch__add_acq_rel(count, 1u);
}

static inline filch_runtime *runtime_open(int workers)
{
    filch_runtime *rt;
    REQUIRE(filch_runtime_create(&rt, &(filch_options){.workers = workers}) == 0);
    watchdog_watch(rt);
    return rt;
}

static inline void runtime_close(filch_runtime *rt)
{
    watchdog_watch(NULL);
    CHECK(filch_runtime_destroy(rt) == 0);
}

static inline filch_totals totals_of(filch_runtime *rt)
{
    filch_totals totals = {0};
    CHECK(filch_runtime_totals(rt, &totals) == 0);
    return totals;
}

/* Over all workers. */
static inline filch_stats stats_of(filch_runtime *rt)
{
    filch_stats sum = {0}, s;
    for (int i = 0; filch_runtime_stats(rt, i, &s) == 0; i++) {
        sum.spawns += s.spawns;
        sum.tasks += s.tasks;
        sum.forks += s.forks;
        sum.forks_stolen += s.forks_stolen;
        sum.steals += s.steals;
        sum.failed_steals += s.failed_steals;
        sum.parks += s.parks;
        sum.wakes += s.wakes;
        sum.switches += s.switches;
    }
    return sum;
}

/* Until all tasks of rt have ended. The count falls a moment after a task's end is reported. */
static inline void drain(filch_runtime *rt)
{
    SPIN_UNTIL(totals_of(rt).tasks_live == 0);
}

/* fn(rt) in a task of runtimes of each size; nothing is left. */
static inline void in_task_of_each(filch_fn *fn)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        CHECK(filch_run(rt, fn, rt) == 0);
        drain(rt);
        runtime_close(rt);
    }
}

/* Spawn on rt, off its workers; must succeed. h may be NULL. */
static inline void spawn_on(filch_runtime *rt, filch_handle **h, filch_fn *fn, void *arg)
{
    REQUIRE(filch_spawn_with(h, &(filch_spawn_options){.runtime = rt}, fn, arg) == 0);
}

/* Must join; what the task returned. */
static inline int join(filch_handle *h)
{
    int result = INT32_MIN;
    CHECK(filch_join(h, &result) == 0);
    return result;
}

/* Tasks that keep workers busy, without ever waiting, until released or cancelled. */
struct blockers {
    uint32_t running;
    uint32_t released;
};

static inline int blocker(void *arg)
{
    struct blockers *b = arg;
    tally(&b->running);
    SPIN_UNTIL(flag_up(&b->released) || filch_cancelled());
    return 0;
}

/* Returns when the workers first, first + 1, ... last (from 1) are busy. b outlives the tasks. */
static inline void block_workers(struct blockers *b, filch_runtime *rt, int first, int last)
{
    *b = (struct blockers){0};
    for (int i = first; i <= last; i++) {
        filch_spawn_options o = {.runtime = rt, .worker = i};
        REQUIRE(filch_spawn_with(NULL, &o, blocker, b) == 0);
    }
    SPIN_UNTIL(filch__load_acquire(&b->running) == (uint32_t)(last - first + 1));
}

static inline pthread_t thread_start(void *(*fn)(void *), void *arg)
{
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, fn, arg) == 0);
    return thread;
}

static inline void thread_join(pthread_t thread)
{
    REQUIRE(pthread_join(thread, NULL) == 0);
}

/* A task that yields until the flag is up or it is cancelled. */
static inline int wait_for_flag(void *flag)
{
    int rc = 0;
    while (rc == 0 && !flag_up(flag))
        rc = filch_yield();
    return rc;
}

#endif
