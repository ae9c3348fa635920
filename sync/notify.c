/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state:
 *
 *     0 -> KEPT         notify_one, nobody waits
 *     KEPT -> 0         a poll takes it
 *     0 -> WAITED       with the guard: somebody is in the queue
 *     WAITED -> 0       with the guard: nobody is any more
 * Each notification is a read-modify-write of it, or finds WAITED and takes the guard; so is each
 * poll that begins to wait. So of the two one comes first, and who waits sees what was done before
 * a notification that did not find it (release and acquire, both). Who notifies touches it last
 * with that step, or with the guard, which the notified one takes afterwards (crowd.h).
 */
#include <filch/notify.h>

#include "sync/crowd.h"
#include "task/blame.h"

#include <errno.h>
#include <filch/fork.h>

enum { KEPT = 1, WAITED = 2 };

static bool take(filch_notify *n)
{
    uint32_t state = KEPT;
    return filch__load_relaxed(&n->state) == KEPT && filch__cas_acq_rel(&n->state, &state, 0);
}

/* With the guard: to the first, or it is kept. */
static void give(filch_notify *n, struct filch__wakes *wakes)
{
    if (!n->queue.first) {
        (void)filch__exchange_acq_rel(&n->state, KEPT);
        return;
    }
    filch__crowd_tell_one(&n->queue, &n->leaving, wakes);
    if (!n->queue.first)
        (void)filch__exchange_acq_rel(&n->state, 0);
}

int filch_notify_one(filch_notify *n)
{
    if (!n)
        return -EINVAL;
    uint32_t state = filch__load_relaxed(&n->state);
    for (;;) {
        if (!(state & WAITED)) {
            if (filch__cas_acq_rel(&n->state, &state, KEPT))
                return 0;
            continue;
        }
        struct filch__wakes wakes;
        filch__wakes_begin(&wakes);
        filch__waiters_lock(&n->queue);
        bool waited = n->queue.first;
        if (waited)
            give(n, &wakes);
        filch__waiters_unlock(&n->queue);
        filch__wakes_run(&wakes);
        if (waited)
            return 0;
        state = filch__load_relaxed(&n->state);
    }
}

int filch_notify_all(filch_notify *n)
{
    if (!n)
        return -EINVAL;
    if (!(filch__or_acq_rel(&n->state, 0) & WAITED))
        return 0;
    filch__waiters_lock(&n->queue);
    if (n->queue.first)
        (void)filch__exchange_acq_rel(&n->state, 0);
    filch__crowd_tell_all(&n->queue, &n->leaving);
    return 0;
}

int filch_notify_wait(filch_notify *n)
{
    if (!n)
        return -EINVAL;
    if (filch__unlikely(filch_cancelled()))
        return -ECANCELED;
    if (take(n))
        return 0;
    filch_notify_future f = FILCH_NOTIFY_FUTURE(n);
    return filch_await(&f.future);
}

int filch_notify_destroy(filch_notify *n)
{
    if (!n)
        return -EINVAL;
    filch__waiters_lock(&n->queue);
    bool gone = filch__crowd_gone(&n->queue, &n->leaving);
    if (gone)
        filch__store_relaxed(&n->state, 0);
    filch__waiters_unlock(&n->queue);
    return gone ? 0 : -EBUSY;
}

static int enqueue(filch_notify_future *f, const filch_waker *waker)
{
    filch_notify *n = f->notify;
    filch__waiters_lock(&n->queue);
    uint32_t state = filch__load_relaxed(&n->state);
    while (!filch__cas_acq_rel(&n->state, &state, state == KEPT ? 0 : WAITED))
        ;
    if (state != KEPT)
        filch__crowd_append(&n->queue, &f->waiter, waker);
    filch__waiters_unlock(&n->queue);
    return state == KEPT ? 0 : FILCH_PENDING;
}

static int poll_notify(filch_future *self, const filch_waker *waker)
{
    filch_notify_future *f = (filch_notify_future *)(void *)self;
    if (!f->notify)
        return -EINVAL;
    if (filch__waiter_is_nowhere(&f->waiter))
        return take(f->notify) ? 0 : enqueue(f, waker);
    return filch__crowd_look(&f->notify->queue, &f->notify->leaving, &f->waiter, waker)
               ? 0
               : FILCH_PENDING;
}

static void drop_notify(filch_future *self)
{
    filch_notify_future *f = (filch_notify_future *)(void *)self;
    filch_notify *n = f->notify;
    struct filch__wakes wakes;
    filch__wakes_begin(&wakes);
    if (!n || filch__waiter_is_nowhere(&f->waiter))
        return;
    bool told = filch__crowd_leave(&n->queue, &n->leaving, &f->waiter);
    if (told && filch__crowd_alone(&f->waiter))
        give(n, &wakes);
    else if (!n->queue.first && filch__load_relaxed(&n->state) == WAITED)
        (void)filch__exchange_acq_rel(&n->state, 0);
    filch__waiter_left(&n->queue, &f->waiter, &wakes);
}

FILCH_API const filch_future_ops filch_notify_future_ops = {"a notification", poll_notify,
                                                            drop_notify};
FILCH__EXPLAIN_ANYBODY(filch_notify_future_ops, filch_notify_future, notify)
