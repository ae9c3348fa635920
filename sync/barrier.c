/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All of it is under the guard, which orders the rounds too: who comes leaves it before the last
 * takes it, and who goes on has taken it after the last. `arrived` counts those in the queue; a
 * waiter's `count` is the round for which it came, which is another one than the barrier's once it
 * is complete.
 */
#include <filch/barrier.h>

#include "sync/crowd.h"
#include "task/blame.h"

#include <errno.h>

static int arrive(filch_barrier *b, filch_waiter *w, const filch_waker *waker)
{
    filch__waiters_lock(&b->queue);
    if (b->arrived + 1 == b->parties) {
        b->arrived = 0;
        b->round++;
        filch__crowd_tell_all(&b->queue, &b->leaving);
        return 1;
    }
    b->arrived++;
    filch__node_of(w)->count = b->round;
    filch__crowd_append(&b->queue, w, waker);
    filch__waiters_unlock(&b->queue);
    return FILCH_PENDING;
}

int filch_barrier_wait(filch_barrier *b)
{
    filch_barrier_future f = FILCH_BARRIER_FUTURE(b);
    return filch_await(&f.future);
}

int filch_barrier_destroy(filch_barrier *b)
{
    if (!b)
        return -EINVAL;
    filch__waiters_lock(&b->queue);
    bool gone = filch__crowd_gone(&b->queue, &b->leaving);
    filch__waiters_unlock(&b->queue);
    return gone ? 0 : -EBUSY;
}

static int poll_barrier(filch_future *self, const filch_waker *waker)
{
    filch_barrier_future *f = (filch_barrier_future *)(void *)self;
    filch_barrier *b = f->barrier;
    if (!b || b->parties == 0)
        return -EINVAL;
    if (filch__waiter_is_nowhere(&f->waiter))
        return arrive(b, &f->waiter, waker);
    return filch__crowd_look(&b->queue, &b->leaving, &f->waiter, waker) ? 0 : FILCH_PENDING;
}

static void drop_barrier(filch_future *self)
{
    filch_barrier_future *f = (filch_barrier_future *)(void *)self;
    filch_barrier *b = f->barrier;
    if (!b || filch__waiter_is_nowhere(&f->waiter))
        return;
    if (!filch__crowd_leave(&b->queue, &b->leaving, &f->waiter) &&
        filch__node_of(&f->waiter)->count == b->round)
        b->arrived--;
    filch__waiter_left(&b->queue, &f->waiter, &filch__wakes_none);
}

FILCH_API const filch_future_ops filch_barrier_future_ops = {"a barrier", poll_barrier,
                                                             drop_barrier};
FILCH__EXPLAIN_ANYBODY(filch_barrier_future_ops, filch_barrier_future, barrier)
