/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state, under the guard, as is all of it:
 *
 *     OPEN -> SENT     send: the item is in the slot
 *     OPEN -> ENDED    close, close_receiving
 *     SENT -> ENDED    received, or dropped by close_receiving
 * Who waits, the one receiver and the one watcher, waits for OPEN to be over, is RUNG by that step,
 * and takes note with the guard, which takes him out of the queue: so he comes after the one who
 * made the step has left the guard, its last touch, and the item needs nobody to hold it for him.
 */
#include <filch/oneshot.h>

#include "sync/items.h"
#include "sync/waiters.h"
#include "task/blame.h"

#include <errno.h>

enum { OPEN, SENT, ENDED };

static void lock(filch_oneshot *o)
{
    filch__spin_lock(&o->receiver.guard);
}

static void unlock(filch_oneshot *o)
{
    filch__spin_unlock(&o->receiver.guard);
}

static bool is_bad(const filch_oneshot *o, const void *item)
{
    return !o || (!item && o->size > 0);
}

/* ---- steps ---- */

/* With the guard, which it leaves: OPEN is over. The last touch of it. */
static void end_open(filch_oneshot *o, uint32_t state)
{
    struct filch__wakes wakes;
    filch__wakes_begin(&wakes);
    o->state = state;
    if (o->receiver.first)
        filch__waiters_tell(o->receiver.first, FILCH__RUNG, &wakes);
    if (o->watcher.first)
        filch__waiters_tell(o->watcher.first, FILCH__RUNG, &wakes);
    unlock(o);
    filch__wakes_run(&wakes);
}

/* With the guard. */
static int take(filch_oneshot *o, void *item)
{
    if (o->state != SENT)
        return o->state == OPEN ? -EAGAIN : -EPIPE;
    filch__item_move(item, o->slot, o->size);
    o->state = ENDED;
    return 0;
}

static void drop_item(filch_oneshot *o)
{
    if (o->item_drop)
        o->item_drop(o->slot);
}

int filch_oneshot_send(filch_oneshot *o, const void *item)
{
    if (is_bad(o, item))
        return -EINVAL;
    lock(o);
    if (o->state != OPEN) {
        unlock(o);
        return -EPIPE;
    }
    filch__item_move(o->slot, item, o->size);
    end_open(o, SENT);
    return 0;
}

int filch_oneshot_close(filch_oneshot *o)
{
    if (!o)
        return -EINVAL;
    lock(o);
    if (o->state == OPEN) {
        end_open(o, ENDED);
        return 0;
    }
    unlock(o);
    return 1;
}

int filch_oneshot_close_receiving(filch_oneshot *o)
{
    if (!o)
        return -EINVAL;
    lock(o);
    uint32_t state = o->state;
    if (state == OPEN) {
        end_open(o, ENDED);
        return 0;
    }
    o->state = ENDED;
    unlock(o);
    if (state == SENT)
        drop_item(o); /* the sender has no business with it any more */
    return 1;
}

int filch_oneshot_try_receive(filch_oneshot *o, void *item)
{
    if (is_bad(o, item))
        return -EINVAL;
    lock(o);
    int rc = take(o, item);
    unlock(o);
    return rc;
}

int filch_oneshot_receive(filch_oneshot *o, void *item)
{
    filch_oneshot_receive_future f = FILCH_ONESHOT_RECEIVE_FUTURE(o, item);
    return filch_await(&f.future);
}

bool filch_oneshot_is_closed(filch_oneshot *o)
{
    if (!o)
        return true;
    lock(o);
    bool closed = o->state != OPEN;
    unlock(o);
    return closed;
}

/* ---- beginning and end ---- */

int filch_oneshot_init(filch_oneshot *o, void *slot, size_t size, void (*item_drop)(void *item))
{
    if (!o || (!slot && size > 0))
        return -EINVAL;
    *o = (filch_oneshot){.slot = slot, .size = size, .item_drop = item_drop};
    return 0;
}

int filch_oneshot_destroy(filch_oneshot *o)
{
    if (!o)
        return -EINVAL;
    lock(o);
    bool busy = o->receiver.first || o->watcher.first;
    uint32_t state = o->state;
    if (!busy)
        o->state = OPEN;
    unlock(o);
    if (!busy && state == SENT)
        drop_item(o);
    return busy ? -EBUSY : 0;
}

/* ---- futures ---- */

/* By a poll. False: it waits. Else the caller has the guard, and w is NOWHERE. */
static bool look(filch_oneshot *o, filch_wait_queue *q, filch_waiter *w, const filch_waker *waker)
{
    bool waited = !filch__waiter_is_nowhere(w);
    if (waited && filch__waiter_look_under(&o->receiver.guard, w, waker) == FILCH__WAITING)
        return false;
    lock(o);
    if (waited) {
        filch__waiters_remove(q, w);
        filch__waiter_reset(w);
    }
    return true;
}

/* With the guard, which it leaves. rc: what there was; -EAGAIN: nothing, it waits. */
static int answer(filch_oneshot *o, filch_wait_queue *q, filch_waiter *w, const filch_waker *waker,
                  int rc)
{
    if (rc == -EAGAIN && q->first) {
        rc = -EBUSY;
    } else if (rc == -EAGAIN) {
        filch__waiters_append(q, w, waker);
        rc = FILCH_PENDING;
    }
    unlock(o);
    return rc;
}

static void leave(filch_oneshot *o, filch_wait_queue *q, filch_waiter *w)
{
    if (filch__waiter_is_nowhere(w))
        return;
    (void)filch__waiter_leave_under(&o->receiver.guard, q, w);
    filch__waiter_left_under(&o->receiver.guard, w, &filch__wakes_none);
}

static int poll_receive(filch_future *self, const filch_waker *waker)
{
    filch_oneshot_receive_future *f = (filch_oneshot_receive_future *)(void *)self;
    filch_oneshot *o = f->oneshot;
    if (is_bad(o, f->item))
        return -EINVAL;
    if (!look(o, &o->receiver, &f->waiter, waker))
        return FILCH_PENDING;
    return answer(o, &o->receiver, &f->waiter, waker, take(o, f->item));
}

static void drop_receive(filch_future *self)
{
    filch_oneshot_receive_future *f = (filch_oneshot_receive_future *)(void *)self;
    if (f->oneshot)
        leave(f->oneshot, &f->oneshot->receiver, &f->waiter);
}

FILCH_API const filch_future_ops filch_oneshot_receive_future_ops = {"a oneshot", poll_receive,
                                                                     drop_receive};
FILCH__EXPLAIN_ANYBODY(filch_oneshot_receive_future_ops, filch_oneshot_receive_future, oneshot)

static int poll_closed(filch_future *self, const filch_waker *waker)
{
    filch_oneshot_closed_future *f = (filch_oneshot_closed_future *)(void *)self;
    filch_oneshot *o = f->oneshot;
    if (!o)
        return -EINVAL;
    if (!look(o, &o->watcher, &f->waiter, waker))
        return FILCH_PENDING;
    return answer(o, &o->watcher, &f->waiter, waker, o->state == OPEN ? -EAGAIN : 0);
}

static void drop_closed(filch_future *self)
{
    filch_oneshot_closed_future *f = (filch_oneshot_closed_future *)(void *)self;
    if (f->oneshot)
        leave(f->oneshot, &f->oneshot->watcher, &f->waiter);
}

FILCH_API const filch_future_ops filch_oneshot_closed_future_ops = {"the end of a oneshot",
                                                                    poll_closed, drop_closed};
FILCH__EXPLAIN_ANYBODY(filch_oneshot_closed_future_ops, filch_oneshot_closed_future, oneshot)
