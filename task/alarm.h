/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signal: what an event leaves for the one future that waits for it, and how it wakes the
 * future's waker. An alarm is one that comes at a time.
 *
 *     ARMED -> RUNG               the waker is a fiber's or a task's, claimed under the event's lock
 *     ARMED -> RINGING -> RUNG    another waker, which is woken without the lock in between
 * Who fires does so under a lock of the event's, that the future takes too before its memory goes;
 * after that a signal that is RINGING is waited for, which is short: a waker does not block. What
 * was written before RUNG (release) is seen by who finds it (acquire).
 */
#ifndef FILCH_TASK_ALARM_H
#define FILCH_TASK_ALARM_H

#include "sched/timers.h"
#include "task/waker.h"

enum { FILCH__SIGNAL_ARMED, FILCH__SIGNAL_RINGING, FILCH__SIGNAL_RUNG };

struct filch__signal {
    filch_waker waker; /* immutable while armed */
    uint32_t state;
};

static inline void filch__signal_arm(struct filch__signal *s, const filch_waker *waker)
{
    s->waker = *waker;
    filch__store_relaxed(&s->state, FILCH__SIGNAL_ARMED);
}

/* Under the event's lock, once. */
void filch__signal_fire(struct filch__signal *s, struct filch__after *after);

/* By the future. */
static inline bool filch__signal_rung(const struct filch__signal *s)
{
    return filch__load_acquire(&s->state) != FILCH__SIGNAL_ARMED;
}

/* By the future, after it has held the lock since the firing: nobody touches the signal any more.
 * */
void filch__signal_settle(struct filch__signal *s);

struct filch__alarm {
    struct filch__timer timer; /* first; zero before the first arm */
    struct filch__signal signal;
};

/* Any thread, after filch__timers_start(rt); rt lasts until the disarm. FILCH_NEVER will do. In a
 * child of fork(2) it never rings, and its disarm does nothing. */
void filch__alarm_arm(filch_runtime *rt, struct filch__alarm *a, const filch_waker *waker,
                      int64_t when);

/* Of one that was armed: its runtime was lost to a fork(2). */
bool filch__alarm_is_lost(const struct filch__alarm *a);

/* By who armed it: afterwards nobody knows it. True: it has rung. */
bool filch__alarm_disarm(struct filch__alarm *a);

#endif
