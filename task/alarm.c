/* SPDX-License-Identifier: Apache-2.0 */
#include "task/alarm.h"

#include "sched/os/chaos.h"
#include "sched/os/clock.h"
#include "sched/runtime.h"

static void ring(void *signal)
{
    struct filch__signal *s = signal;
    filch_wake(&s->waker);
    filch__chaos_nap();
    filch__store_release(&s->state, FILCH__SIGNAL_RUNG);
}

void filch__signal_fire_other(struct filch__signal *s, struct filch__after *after)
{
    filch__store_release(&s->state, FILCH__SIGNAL_RINGING);
    *after = (struct filch__after){ring, s};
}

void filch__signal_settle(struct filch__signal *s)
{
    while (filch__unlikely(filch__load_acquire(&s->state) == FILCH__SIGNAL_RINGING))
        filch__os_yield();
}

static void fire(struct filch__timer *timer, struct filch__after *after)
{
    filch__signal_fire(&((struct filch__alarm *)(void *)timer)->signal, after);
}

void filch__alarm_arm(filch_runtime *rt, struct filch__alarm *a, const filch_waker *waker,
                      int64_t when)
{
    filch__signal_arm(&a->signal, waker);
    a->timer.fire = fire;
    filch__timer_arm(rt, &a->timer, when);
}

bool filch__alarm_is_lost(const struct filch__alarm *a)
{
    return filch__load_relaxed(&a->timer.in->rt->lost);
}

/* Where it is RUNG who fired it is done with it: no need for the lock, which the clock may be
 * holding nearly all the time, while a crowd of timers moves. */
bool filch__alarm_disarm(struct filch__alarm *a)
{
    if (filch__load_acquire(&a->signal.state) == FILCH__SIGNAL_RUNG)
        return true;
    if (filch__unlikely(filch__alarm_is_lost(a)) || filch__timer_disarm(&a->timer))
        return false;
    filch__signal_settle(&a->signal);
    return filch__signal_rung(&a->signal);
}
