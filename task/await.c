/* SPDX-License-Identifier: Apache-2.0 */
#include "task/await.h"

#include "sched/look.h"
#include "sched/os/clock.h"
#include "sched/os/futex.h"
#include "sched/os/spin.h"
#include "task/alarm.h"
#include "task/blame.h"
#include "task/cycle.h"
#include "task/future.h"
#include "task/holder.h"
#include "task/outside.h"
#include "task/task.h"

#include <filch/fork.h>

/* ---- a fiber ---- */

/* It stands still until it stirs; before each poll it does. */
static void stand(struct filch__watch *watch, struct filch__fiber *me, struct filch__cycle *cycle)
{
    filch__fiber_settle(me, watch->topic, watch);
    if (!watch->timed)
        filch__cycle_enter(cycle, filch__holder_current(), watch->topic, watch);
}

static void stir(struct filch__watch *watch, struct filch__fiber *me, struct filch__cycle *cycle)
{
    filch__fiber_stir(me);
    if (!watch->timed)
        filch__cycle_leave(cycle);
}

/*
 * A poll that suspends takes the wakes that come meanwhile for its own, so after one that has
 * parked it is not known whether there was a wake: poll again. What wakes itself goes to the end of
 * the queue. polled: the count of parks before the last poll. alarm may be NULL; after it has rung
 * there is one poll more.
 */
static int suspend(struct filch__watch *watch, const filch_waker *waker, struct filch__fiber *me,
                   uint32_t polled, const struct filch__alarm *alarm)
{
    struct filch__cycle cycle;
    filch__cycle_init(&cycle);
    for (;;) {
        bool late = alarm && filch__signal_rung(&alarm->signal);
        if (filch_cancelled())
            return -ECANCELED;
        if (filch__likely(!late && me->parks == polled)) {
            stand(watch, me, &cycle);
            if (filch__park_is_over(me))
                (void)filch__fiber_yield();
            int rc = filch__park();
            stir(watch, me, &cycle);
            if (rc < 0)
                return rc;
            if (filch_cancelled())
                return -ECANCELED;
        }
        polled = me->parks;
        if (watch->ready(watch, waker))
            return 0;
        if (late)
            return -ETIMEDOUT;
    }
}

static int suspend_until(struct filch__watch *watch, const filch_waker *waker,
                         struct filch__fiber *me, uint32_t polled, int64_t deadline)
{
    struct filch__alarm alarm = {.timer = {.fire = NULL}};
    int rc = filch__timers_start(me->rt);
    if (rc < 0)
        return rc;
    filch__alarm_arm(me->rt, &alarm, waker, deadline);
    rc = suspend(watch, waker, me, polled, &alarm);
    (void)filch__alarm_disarm(&alarm);
    return rc;
}

int filch__await_suspended(struct filch__watch *watch, struct filch__fiber *me, uint32_t polled,
                           int64_t deadline)
{
    filch_waker waker = filch__waker_of(me);
    struct filch__strand strand;
    watch->timed = deadline != FILCH_NEVER;
    filch__wait_begin(&strand, me, watch->topic, watch);
    int rc = watch->timed ? suspend_until(watch, &waker, me, polled, deadline)
                          : suspend(watch, &waker, me, polled, NULL);
    filch__wait_end(&strand);
    filch__stir();
    return rc;
}

/* The waits of one that has begun. */
static inline int park_until_rung(const struct filch__signal *signal)
{
    int rc = 0;
    while (rc == 0 && !filch__signal_rung(signal))
        rc = filch__unlikely(filch_cancelled()) ? -ECANCELED : filch__park();
    return rc;
}

int filch__await_signal(struct filch__fiber *me, const struct filch__signal *signal,
                        const struct filch__topic *topic, const void *on)
{
    struct filch__strand strand;
    filch__wait_begin(&strand, me, topic, on);
    int rc = park_until_rung(signal);
    filch__wait_end(&strand);
    return rc;
}

/* A strand enters its task, for which there is a lock too: not with the other one. */
int filch__await_signal_leaving(struct filch__fiber *me, uint32_t *lock,
                                const struct filch__signal *signal,
                                const struct filch__topic *topic, const void *on)
{
    const struct filch_handle *t = me->task;
    if (filch__unlikely(t && filch__load_relaxed(&t->fiber) != me)) {
        filch__spin_unlock(lock);
        return filch__await_signal(me, signal, topic, on);
    }
    filch__fiber_begin_wait(me, topic, on);
    if (filch__unlikely(filch_cancelled() || !filch__park_leaving(lock)))
        filch__spin_unlock(lock);
    int rc = park_until_rung(signal);
    filch__fiber_end_wait(me);
    return rc;
}

/* ---- a thread ---- */

static void sleep_for(struct filch__watch *watch, struct filch__sleeper *sleeper, int64_t deadline)
{
    struct filch__outside outside;
    struct filch__cycle cycle;
    filch__cycle_init(&cycle);
    filch__outside_enter(&outside, watch->topic, watch, &sleeper->woken);
    if (!watch->timed)
        filch__cycle_enter(&cycle, filch__holder_place(), watch->topic, watch);
    (void)filch__futex_wait(&sleeper->woken, 0, deadline);
    if (!watch->timed)
        filch__cycle_leave(&cycle);
    filch__outside_leave(&outside);
}

static int block(struct filch__watch *watch, struct filch__sleeper *sleeper, int64_t deadline)
{
    filch_waker waker = {&filch__waker_thread, sleeper};
    watch->timed = deadline != FILCH_NEVER;
    for (;;) {
        /* Before the poll, so that a wake after the poll's look at its event is seen below. */
        (void)filch__exchange_acq_rel(&sleeper->woken, 0);
        bool late = deadline != FILCH_NEVER && deadline <= filch__now();
        if (watch->ready(watch, &waker))
            return 0;
        if (late)
            return -ETIMEDOUT;
        sleep_for(watch, sleeper, deadline);
    }
}

static int await_on_thread(struct filch__watch *watch, int64_t deadline)
{
    struct filch__sleeper *sleeper = filch__sleeper_of_thread();
    if (!sleeper)
        return -ENOMEM;
    int rc = block(watch, sleeper, deadline);
    /* This may have been called by a poll, and have taken a wake of the wait around it. */
    filch__store_release(&sleeper->woken, 1);
    return rc;
}

/* ---- either ---- */

int filch__await(struct filch__watch *watch, struct filch__fiber *me, int64_t deadline)
{
    if (!me)
        return await_on_thread(watch, deadline);
    if (filch_cancelled())
        return -ECANCELED;
    filch_waker waker = filch__waker_of(me);
    uint32_t polled = me->parks;
    bool late = deadline != FILCH_NEVER && deadline <= filch__now();
    if (watch->ready(watch, &waker))
        return 0;
    return late ? -ETIMEDOUT : filch__await_suspended(watch, me, polled, deadline);
}

/* ---- one future ---- */

struct one {
    struct filch__watch watch; /* first */
    filch_future *future;
    int result;
};

static bool one_ready(struct filch__watch *watch, const filch_waker *waker)
{
    struct one *one = (struct one *)(void *)watch;
    return filch__future_poll(one->future, waker, &one->result);
}

static void explain_one(const void *on, struct filch__blames *blames)
{
    const struct one *one = on;
    blames->timed = one->watch.timed;
    filch__blames_add_future(blames, one->future);
}

static const struct filch__topic topic_one = {"a future", explain_one};

static struct one one_of(filch_future *f)
{
    return (struct one){{one_ready, &topic_one, false}, f, 0};
}

static int end_of(const struct one *one, int rc)
{
    if (rc == 0)
        return one->result;
    filch__future_abandon(one->future);
    return rc;
}

int filch_await(filch_future *f)
{
    int rc = filch__future_check(f);
    if (filch__unlikely(rc < 0))
        return rc;
    struct filch__fiber *me = filch__fiber_current();
    filch__future_enter(f);
    if (filch__unlikely(!me)) {
        struct one one = one_of(f);
        return end_of(&one, await_on_thread(&one.watch, FILCH_NEVER));
    }
    if (filch__unlikely(filch_cancelled())) {
        filch__future_abandon(f);
        return -ECANCELED;
    }
    filch_waker waker = filch__waker_of(me);
    uint32_t polled = me->parks;
    int result;
    if (filch__likely(filch__future_poll(f, &waker, &result)))
        return result;
    struct one one = one_of(f);
    return end_of(&one, filch__await_suspended(&one.watch, me, polled, FILCH_NEVER));
}

int filch_await_until(filch_future *f, int64_t deadline)
{
    int rc = filch__future_check(f);
    if (rc < 0)
        return rc;
    filch__future_enter(f);
    struct one one = one_of(f);
    return end_of(&one, filch__await(&one.watch, filch__fiber_current(), deadline));
}

int filch_poll(filch_future *f, const filch_waker *waker)
{
    int rc = filch__future_check(f);
    if (rc < 0)
        return rc;
    int result;
    filch__future_enter(f);
    if (filch__future_poll(f, waker && waker->ops ? waker : &filch__waker_none, &result))
        return result;
    filch__future_leave(f);
    return FILCH_PENDING;
}

int filch_future_drop(filch_future *f)
{
    int rc = f ? filch__future_check(f) : 0;
    if (rc == -EBUSY)
        return rc;
    if (f && rc == 0)
        filch__future_abandon(f);
    return 0;
}

void filch_future_drop_all(filch_future *const futures[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)filch_future_drop(futures[i]);
}

bool filch_future_ended(const filch_future *f)
{
    return f && filch__future_check(f) == -EALREADY;
}
