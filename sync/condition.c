/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue is under its guard; `waited` says, also without, whether anybody is in it. Who waits
 * enters it before it gives the mutex up, and who notifies has had the mutex since, where it has
 * changed anything for this waiter: so it finds `waited`, without more order than the mutex gives.
 *
 * A wait has two parts, which the future's `lock` tells apart: its mutex is NULL in the first, in
 * which the waiter is in the queue or was told.
 */
#include <filch/condition.h>

#include "sync/crowd.h"
#include "task/blame.h"

#include <errno.h>
#include <filch/fork.h>
#include <filch/shield.h>

/* With the guard, after each change of the queue. */
static void update(filch_condition *c)
{
    filch__store_relaxed(&c->waited, (uint32_t)(c->queue.first != NULL));
}

/* With the guard. */
static void tell_one(filch_condition *c, struct filch__wakes *wakes)
{
    if (c->queue.first)
        filch__crowd_tell_one(&c->queue, &c->leaving, wakes);
    update(c);
}

int filch_condition_notify_one(filch_condition *c)
{
    struct filch__wakes wakes;
    filch__wakes_begin(&wakes);
    if (!c)
        return -EINVAL;
    if (!filch__load_relaxed(&c->waited))
        return 0;
    filch__waiters_lock(&c->queue);
    tell_one(c, &wakes);
    filch__waiters_unlock(&c->queue);
    filch__wakes_run(&wakes);
    return 0;
}

int filch_condition_notify_all(filch_condition *c)
{
    if (!c)
        return -EINVAL;
    if (!filch__load_relaxed(&c->waited))
        return 0;
    filch__waiters_lock(&c->queue);
    filch__store_relaxed(&c->waited, 0);
    filch__crowd_tell_all(&c->queue, &c->leaving);
    return 0;
}

int filch_condition_destroy(filch_condition *c)
{
    if (!c)
        return -EINVAL;
    filch__waiters_lock(&c->queue);
    bool gone = filch__crowd_gone(&c->queue, &c->leaving);
    filch__waiters_unlock(&c->queue);
    return gone ? 0 : -EBUSY;
}

/* ---- the first part ---- */

static void leave(filch_condition_future *f)
{
    filch_condition *c = f->condition;
    struct filch__wakes wakes;
    filch__wakes_begin(&wakes);
    bool told = filch__crowd_leave(&c->queue, &c->leaving, &f->waiter);
    if (told && filch__crowd_alone(&f->waiter))
        tell_one(c, &wakes);
    update(c);
    filch__waiter_left(&c->queue, &f->waiter, &wakes);
}

static int begin(filch_condition_future *f, const filch_waker *waker)
{
    filch_condition *c = f->condition;
    filch__waiters_lock(&c->queue);
    filch__crowd_append(&c->queue, &f->waiter, waker);
    update(c);
    filch__waiters_unlock(&c->queue);
    int rc = filch_mutex_unlock(f->mutex);
    if (rc == 0)
        return FILCH_PENDING;
    leave(f);
    return rc;
}

/* True: it was told, and has taken note, but for one told alone, who may have to pass that on. */
static bool look(filch_condition_future *f, const filch_waker *waker)
{
    filch_condition *c = f->condition;
    if (filch__waiter_look(&c->queue, &f->waiter, waker) != FILCH__GRANTED)
        return false;
    filch__waiter_reset(&f->waiter);
    if (filch__crowd_alone(&f->waiter))
        return true;
    filch__waiters_lock(&c->queue);
    --c->leaving;
    filch__waiters_unlock(&c->queue);
    return true;
}

static int poll_first(filch_condition_future *f, const filch_waker *waker)
{
    if (!f->condition || !f->mutex)
        return -EINVAL;
    if (filch__waiter_is_nowhere(&f->waiter))
        return begin(f, waker);
    return look(f, waker) ? 0 : FILCH_PENDING;
}

/* ---- the second ---- */

/* The result of a lock. The notification is used up where the mutex was taken. */
static int end(filch_condition_future *f, int locked)
{
    filch_condition *c = f->condition;
    struct filch__wakes wakes;
    filch__wakes_begin(&wakes);
    if (!filch__crowd_alone(&f->waiter))
        return locked;
    filch__waiters_lock(&c->queue);
    --c->leaving;
    if (locked != 0 && locked != -EOWNERDEAD)
        tell_one(c, &wakes);
    filch__waiters_unlock(&c->queue);
    filch__wakes_run(&wakes);
    return locked;
}

static int poll_condition(filch_future *self, const filch_waker *waker)
{
    filch_condition_future *f = (filch_condition_future *)(void *)self;
    int rc;
    if (!f->lock.mutex) {
        if ((rc = poll_first(f, waker)) != 0)
            return rc;
        f->lock = (filch_lock_future)FILCH_LOCK_FUTURE(f->mutex);
    }
    if ((rc = filch_poll(&f->lock.future, waker)) == FILCH_PENDING)
        return rc;
    f->lock.mutex = NULL;
    return end(f, rc);
}

static void drop_condition(filch_future *self)
{
    filch_condition_future *f = (filch_condition_future *)(void *)self;
    if (f->lock.mutex) {
        (void)filch_future_drop(&f->lock.future);
        (void)end(f, -ECANCELED);
    } else if (!filch__waiter_is_nowhere(&f->waiter)) {
        leave(f);
    }
}

FILCH_API const filch_future_ops filch_condition_future_ops = {"a condition", poll_condition,
                                                               drop_condition};
FILCH__EXPLAIN_ANYBODY(filch_condition_future_ops, filch_condition_future, condition)

/* ---- the call: the first part as a future, the second whatever happens ---- */

/* Its lock's mutex says that it was given up. */
static int poll_notified(filch_future *self, const filch_waker *waker)
{
    filch_condition_future *f = (filch_condition_future *)(void *)self;
    int rc = poll_first(f, waker);
    if (rc == FILCH_PENDING)
        f->lock.mutex = f->mutex;
    return rc;
}

static void drop_notified(filch_future *self)
{
    filch_condition_future *f = (filch_condition_future *)(void *)self;
    if (!filch__waiter_is_nowhere(&f->waiter))
        leave(f);
}

static const filch_future_ops notified_ops = {"a condition", poll_notified, drop_notified};
FILCH__EXPLAIN_ANYBODY(notified_ops, filch_condition_future, condition)

static int lock_again(filch_mutex *m)
{
    filch_shield shield;
    int rc = filch_mutex_try_lock(m);
    if (filch__likely(rc != -EBUSY))
        return rc;
    rc = filch_shield_begin(&shield, FILCH_NEVER);
    if (rc < 0)
        return rc;
    while ((rc = filch_mutex_lock(m)) == -ENOMEM)
        filch__os_yield(); /* no fiber to go on with */
    (void)filch_shield_end(&shield);
    return rc;
}

int filch_condition_wait_until(filch_condition *c, filch_mutex *m, int64_t deadline)
{
    filch_condition_future f = FILCH_CONDITION_FUTURE(c, m);
    f.future.ops = &notified_ops;
    int rc = filch_await_until(&f.future, deadline);
    if (!f.lock.mutex)
        return rc;
    int locked = lock_again(m);
    if (rc == 0)
        (void)end(&f, locked);
    return locked == 0 ? rc : locked;
}

int filch_condition_wait(filch_condition *c, filch_mutex *m)
{
    return filch_condition_wait_until(c, m, FILCH_NEVER);
}
