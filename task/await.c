/* SPDX-License-Identifier: Apache-2.0 */
#include "task/await.h"

#include "sched/os/clock.h"
#include "sched/os/futex.h"
#include "task/alarm.h"
#include "task/future.h"
#include "task/task.h"

#include <filch/fork.h>

/*
 * A poll that suspends takes the wakes that come meanwhile for its own, so after one that has
 * parked it is not known whether there was a wake: poll again. What wakes itself goes to the end of
 * the queue. polled: the count of parks before the last poll. alarm may be NULL; after it has rung
 * there is one poll more.
 */
static int suspend(struct filch__watch *watch, const filch_waker *waker, struct filch__fiber *me,
                   uint32_t polled, const struct filch__alarm *alarm)
{
    for (;;) {
        bool late = alarm && filch__signal_rung(&alarm->signal);
        if (filch_cancelled())
            return -ECANCELED;
        if (filch__likely(!late && me->parks == polled)) {
            if (filch__park_is_over(me))
                (void)filch__fiber_yield();
            int rc = filch__park();
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
    filch__wait_begin(&strand, me, watch->what, watch->on);
    int rc = deadline == FILCH_NEVER ? suspend(watch, &waker, me, polled, NULL)
                                     : suspend_until(watch, &waker, me, polled, deadline);
    filch__wait_end(&strand);
    return rc;
}

static int block(struct filch__watch *watch, struct filch__sleeper *sleeper, int64_t deadline)
{
    filch_waker waker = {&filch__waker_thread, sleeper};
    for (;;) {
        /* Before the poll, so that a wake after the poll's look at its event is seen below. */
        (void)filch__exchange_acq_rel(&sleeper->woken, 0);
        bool late = deadline != FILCH_NEVER && deadline <= filch__now();
        if (watch->ready(watch, &waker))
            return 0;
        if (late)
            return -ETIMEDOUT;
        (void)filch__futex_wait(&sleeper->woken, 0, deadline);
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

static struct one one_of(filch_future *f)
{
    return (struct one){{one_ready, f->ops->name ? f->ops->name : "a future", f}, f, 0};
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
