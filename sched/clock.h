/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clock of a runtime: the thread that fires its timers, and their wheels.
 *
 * It is made with the first timer. It sleeps until the least of what the wheels publish as their
 * `next`, without a timeout where that is FILCH_NEVER, and is woken only by an arm that is earlier.
 *
 * No lost wake-up. Armer A publishes, then looks at what the clock C sleeps for; C says what it
 * sleeps for, then looks at what is published. One must see the other:
 *     A:  store next          light barrier   load sleeps_until; if it is later, wake
 *     C:  store sleeps_until  heavy barrier   load every next; if one is earlier, do not sleep
 * A's load that missed C's store came before C's barrier, and so did A's store, or the one that A
 * found under the wheel's lock and left as it was because it was early enough. C pays, for it goes
 * to sleep more rarely than timers are armed.
 *
 * A wake is in two steps: sleeps_until becomes FILCH__CLOCK_AWAKE, so that one armer of several
 * makes the system call, then `bell` changes. C read the bell before it looked at anything, so it
 * does not fall asleep over a wake. An armer whose exchange fails need do nothing: sleeps_until was
 * written since A loaded it, so its store is seen before C sleeps again.
 */
#ifndef FILCH_SCHED_CLOCK_H
#define FILCH_SCHED_CLOCK_H

#include "sched/barrier.h"
#include "sched/os/thread.h"
#include "sched/timers.h"

#define FILCH__CLOCK_AWAKE INT64_MIN

struct filch__clock {
    /* Shared. */
    int64_t sleeps_until; /* a time, or FILCH__CLOCK_AWAKE */
    uint32_t bell;        /* futex */
    uint32_t stop;
    /* Immutable. */
    filch__thread thread __attribute__((aligned(64)));
    uint32_t count;                /* of wheels */
    struct filch__timers timers[]; /* of each worker, then of all other threads */
};

/* Any thread; blocks while another one starts it. Makes rt->clock. -ENOMEM, -EAGAIN. */
int filch__clock_start(struct filch_runtime *rt);

/* The closer, no worker runs, no timer of rt is armed: joins the thread, frees what rt->clock is. */
void filch__clock_end(struct filch_runtime *rt);

/* Any thread. The clock slept for `sleeps`, and there is something earlier. */
void filch__clock_wake(struct filch__clock *clock, int64_t sleeps);

/* Any thread, after a wheel's next is published that is not later than `when`. */
static inline void filch__clock_notify(struct filch__clock *clock, int64_t when)
{
    filch__barrier_light();
    int64_t sleeps = filch__load_relaxed(&clock->sleeps_until);
    if (filch__unlikely(when < sleeps))
        filch__clock_wake(clock, sleeps);
}

#endif
