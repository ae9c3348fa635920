/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/timers.h"

#include "sched/admission.h"
#include "sched/clock.h"
#include "sched/os/chaos.h"
#include "sched/os/spin.h"

#include <errno.h>

/* Most timers that fire, or move down the wheel, in one hold of a lock. */
#define BATCH 64

_Static_assert(offsetof(struct filch__timer, entry) == 0, "an entry is where its timer is");

int filch__timers_start(struct filch_runtime *rt)
{
    if (filch__unlikely(filch__load_relaxed(&rt->lost)))
        return -ESHUTDOWN;
    /* Pairs with the end of filch__clock_start: who sees the clock sees what it points to. */
    return filch__likely(filch__load_acquire(&rt->clock)) ? 0 : filch__clock_start(rt);
}

void filch__timers_init(struct filch__timers *timers, struct filch_runtime *rt, int64_t now)
{
    timers->rt = rt;
    timers->lock = 0;
    timers->next = FILCH_NEVER;
    filch__wheel_init(&timers->wheel, now);
}

void filch__timer_arm(struct filch_runtime *rt, struct filch__timer *timer, int64_t when)
{
    /* Relaxed: the caller comes after filch__timers_start. */
    struct filch__clock *clock = filch__load_relaxed(&rt->clock);
    struct filch__worker *w = filch__worker_of(rt);
    struct filch__timers *in = &clock->timers[w ? w->index : rt->worker_count];
    timer->in = in;
    filch__spin_lock(&in->lock);
    int64_t due = filch__wheel_insert(&in->wheel, &timer->entry, when);
    if (due < in->next)
        filch__store_relaxed(&in->next, due);
    filch__spin_unlock(&in->lock);
    filch__clock_notify(clock, due);
}

/* `next` may stay too early: the clock looks once in vain, which arm need not wake it for. */
bool filch__timer_disarm(struct filch__timer *timer)
{
    struct filch__timers *in = timer->in;
    if (!in)
        return false;
    filch__spin_lock(&in->lock);
    bool armed = filch__wheel_has(&timer->entry);
    if (armed)
        filch__wheel_remove(&in->wheel, &timer->entry);
    filch__spin_unlock(&in->lock);
    return armed;
}

void filch__timers_fire(struct filch__timers *timers, int64_t now)
{
    struct filch__wheel_entry *due[BATCH];
    struct filch__after after[BATCH];
    unsigned left = 0;
    filch__spin_lock(&timers->lock);
    unsigned n = filch__wheel_advance(&timers->wheel, now, due, BATCH);
    for (unsigned i = 0; i < n; i++) {
        struct filch__timer *timer = (struct filch__timer *)due[i];
        after[left].fn = NULL;
        timer->fire(timer, &after[left]);
        left += after[left].fn != NULL;
    }
    filch__store_relaxed(&timers->next, filch__wheel_next(&timers->wheel));
    filch__spin_unlock(&timers->lock);
    for (unsigned i = 0; i < left; i++) {
        filch__chaos_nap();
        after[i].fn(after[i].arg);
    }
}
