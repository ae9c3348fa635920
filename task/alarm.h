/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signal: what an event leaves for the one future that waits for it, and how it wakes the
 * future's waker. An alarm is one that comes at a time.
 *
 *     ARMED -> RINGING   under a lock of the event's, before the wake: who is woken sees it
 *     RINGING -> RUNG    a fiber's or a task's waker: once it was claimed, under the same lock;
 *                        another one: once it was woken, without the lock
 * A future may take RINGING for the event. Before its memory goes it finds RUNG (acquire): after that
 * store (release) who fired touches neither the signal nor, unless it was claimed, whom it wakes.
 * Where it finds less it takes the lock, and then waits for RUNG, which is short: a waker does not
 * block.
 */
#ifndef FILCH_TASK_ALARM_H
#define FILCH_TASK_ALARM_H

#include "sched/os/chaos.h"
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

void filch__signal_fire_other(struct filch__signal *s, struct filch__after *after);

/* Under the event's lock, once. */
static inline void filch__signal_fire(struct filch__signal *s, struct filch__after *after)
{
    if (filch__unlikely(!filch__waker_has_claim(&s->waker))) {
        filch__signal_fire_other(s, after);
        return;
    }
    filch__store_release(&s->state, FILCH__SIGNAL_RINGING);
    filch__waker_claim(&s->waker, after);
    filch__chaos_pause();
    filch__store_release(&s->state, FILCH__SIGNAL_RUNG);
}

/* By the future. */
static inline bool filch__signal_rung(const struct filch__signal *s)
{
    return filch__load_acquire(&s->state) != FILCH__SIGNAL_ARMED;
}

/* By the future: who fired it does not touch it any more. */
static inline bool filch__signal_at_rest(const struct filch__signal *s)
{
    return filch__load_acquire(&s->state) == FILCH__SIGNAL_RUNG;
}

/* By the future, after it has held the lock since the firing: waits for RUNG. */
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
