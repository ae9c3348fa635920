/* SPDX-License-Identifier: Apache-2.0 */
/* Times as futures. */
#include <filch/time.h>

#include "sched/os/clock.h"
#include "sched/runtime.h"
#include "task/alarm.h"

#include <errno.h>
#include <string.h>

_Static_assert(sizeof(struct filch__alarm) <= sizeof((filch_sleep_future *)0)->storage,
               "storage of a sleep");

static filch_sleep_future *sleep_of(filch_future *f)
{
    return (filch_sleep_future *)(void *)f;
}

static struct filch__alarm *alarm_of(filch_sleep_future *s)
{
    return (struct filch__alarm *)(void *)s->storage;
}

/* Zero before its first arm. */
static bool was_armed(const struct filch__alarm *a)
{
    return a->timer.fire != NULL;
}

static int arm(filch_sleep_future *s, const filch_waker *waker)
{
    filch_runtime *rt = NULL;
    int rc = filch__runtime_choose(NULL, &rt);
    if (rc == 0)
        rc = filch__timers_start(rt);
    if (rc < 0)
        return rc;
    filch__alarm_arm(rt, alarm_of(s), waker, s->deadline);
    return FILCH_PENDING;
}

static int poll_sleep(filch_future *self, const filch_waker *waker)
{
    filch_sleep_future *s = sleep_of(self);
    struct filch__alarm *a = alarm_of(s);
    if (!was_armed(a))
        return s->deadline <= filch__now() ? 0 : arm(s, waker);
    if (filch__signal_rung(&a->signal))
        return 0;
    if (filch__unlikely(filch__alarm_is_lost(a)))
        return -ESHUTDOWN;
    if (filch_waker_same(&a->signal.waker, waker))
        return FILCH_PENDING;
    return filch__alarm_disarm(a) ? 0 : arm(s, waker);
}

static void drop_sleep(filch_future *self)
{
    struct filch__alarm *a = alarm_of(sleep_of(self));
    if (was_armed(a))
        (void)filch__alarm_disarm(a);
}

FILCH_API const filch_future_ops filch_sleep_future_ops = {"a time", poll_sleep, drop_sleep};

/* ---- ticks ---- */

static int poll_tick(filch_future *self, const filch_waker *waker)
{
    filch_interval *i = (filch_interval *)(void *)self;
    int rc = poll_sleep(self, waker);
    if (rc != 0)
        return rc;
    int64_t late = filch__now() - i->next;
    int64_t missed = i->policy == FILCH_TICK_SKIP ? late / i->period : 0;
    i->next += i->policy == FILCH_TICK_DELAY ? late + i->period : (missed + 1) * i->period;
    return missed < INT_MAX ? (int)missed : INT_MAX;
}

static const filch_future_ops tick_ops = {"a tick", poll_tick, drop_sleep};

int filch_interval_init(filch_interval *i, int64_t period, filch_tick_policy policy)
{
    int64_t now = filch__now();
    if (!i || period <= 0 || period > FILCH_NEVER - now || policy < FILCH_TICK_BURST ||
        policy > FILCH_TICK_DELAY)
        return -EINVAL;
    *i = (filch_interval){.period = period, .next = now + period, .policy = policy};
    i->tick = (filch_sleep_future){FILCH_FUTURE(&tick_ops), i->next, {0}};
    return 0;
}

filch_future *filch_interval_tick(filch_interval *i)
{
    if (filch_future_ended(&i->tick.future))
        i->tick = (filch_sleep_future){FILCH_FUTURE(&tick_ops), i->next, {0}};
    return &i->tick.future;
}
