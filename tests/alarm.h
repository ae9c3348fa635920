/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of timers share: a timer that counts, runtimes of several sizes with a clock.
 */
#ifndef FILCH_TESTS_ALARM_H
#define FILCH_TESTS_ALARM_H

#include "sched/clock.h"
#include "sched/os/clock.h"
#include "sched/runtime.h"
#include "tests/support.h"

#define MS   INT64_C(1000000)
#define HOUR (3600 * 1000 * MS)

/* A timer that counts. */
struct alarm {
    struct filch__timer timer;
    int64_t when;
    uint32_t fired, after; /* times */
    uint32_t repeats;      /* how often `after` arms it again */
    filch_runtime *rt;
    void (*later)(void *alarm); /* without the lock, or NULL */
};

static inline void count_fire(struct filch__timer *timer, struct filch__after *after)
{
    struct alarm *a = (struct alarm *)timer;
    CHECK(filch__now() >= a->when);
    if (a->later)
        *after = (struct filch__after){a->later, a};
    tally(&a->fired); /* afterwards a may be gone, unless it goes on */
}

static inline void arm_at(struct alarm *a, filch_runtime *rt, int64_t when)
{
    a->timer.fire = count_fire;
    a->when = when;
    a->rt = rt;
    filch__timer_arm(rt, &a->timer, when);
}

static inline void await_fire(struct alarm *a)
{
    SPIN_UNTIL(filch__load_acquire(&a->fired));
}

static inline filch_runtime *open_with_clock(int workers)
{
    filch_runtime *rt = runtime_open(workers);
    REQUIRE(filch__timers_start(rt) == 0);
    return rt;
}

/* Runs it on runtimes of each size, with a clock. */
static inline void on_each_size(void (*scene)(filch_runtime *rt, int workers))
{
    for (size_t i = 0; i < COUNT(worker_counts); i++) {
        filch_runtime *rt = open_with_clock(worker_counts[i]);
        scene(rt, worker_counts[i]);
        runtime_close(rt);
    }
}

#endif
