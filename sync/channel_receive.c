/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/channel.h"

#include "task/blame.h"
#include "task/task.h"

#include <filch/fork.h>

/* Takes the guard. 0; -EAGAIN: it must wait, and the guard is kept; or what else prevents it. */
static int try_or_keep(filch_channel *c, void *item)
{
    struct filch__channel_debt debt;
    filch__channel_debt_begin(&debt);
    filch__channel_lock(c);
    filch_waiter *sender = c->senders.first;
    if (c->items.count > c->promised_items) {
        debt.chunk = filch__items_pop(&c->items, item);
        if (filch__unlikely(sender || c->receivers.first))
            filch__channel_settle(c, &debt);
        else
            filch__channel_leave(c, &debt);
        return 0;
    }
    while (c->rendezvous && !c->receivers.first && (sender = c->senders.first) &&
           filch__is_sole(sender)) {
        enum filch__taken taken = filch__sole_take(&c->senders, FILCH__GRANTED);
        if (filch__unlikely(taken == FILCH__LEFT))
            continue;
        debt.chunk = filch__items_exchange(&c->items, item, filch__sender_of(sender)->item);
        filch__sole_tell(sender, taken, &debt.wakes);
        filch__channel_leave(c, &debt);
        return 0;
    }
    if (!c->no_receiving && !(c->no_sending && c->items.count == 0))
        return -EAGAIN;
    filch__channel_unlock(c);
    return -EPIPE;
}

static int begin(filch_receive_future *f, const filch_waker *waker, uint32_t kind)
{
    filch_channel *c = f->channel;
    struct filch__channel_debt debt;
    filch__channel_debt_begin(&debt);
    int rc = try_or_keep(c, f->item);
    if (rc != -EAGAIN)
        return rc;
    filch__node_of(&f->waiter)->kind = kind;
    filch__waiters_append(&c->receivers, &f->waiter, waker);
    if (c->rendezvous)
        filch__channel_settle(c, &debt);
    else
        filch__channel_unlock(c);
    return FILCH_PENDING;
}

/* A branch's, to which an item was promised. */
static int keep_promise(filch_receive_future *f)
{
    filch_channel *c = f->channel;
    struct filch__channel_debt debt;
    filch__channel_debt_begin(&debt);
    filch__waiter_reset(&f->waiter);
    filch__channel_lock(c);
    c->promised_items--;
    int rc = c->no_receiving ? -EPIPE : 0;
    if (rc == 0)
        debt.chunk = filch__items_pop(&c->items, f->item);
    filch__channel_settle(c, &debt);
    return rc;
}

static int poll_branch(filch_future *self, const filch_waker *waker)
{
    filch_receive_future *f = (filch_receive_future *)(void *)self;
    filch_channel *c = f->channel;
    if (!c || (!f->item && c->items.size > 0))
        return -EINVAL;
    if (filch__waiter_is_nowhere(&f->waiter))
        return begin(f, waker, FILCH__BRANCH);
    switch (filch__waiter_look_under(&c->senders.guard, &f->waiter, waker)) {
    case FILCH__GRANTED:
        return keep_promise(f);
    case FILCH__REFUSED:
        filch__waiter_reset(&f->waiter);
        return -EPIPE;
    default:
        return FILCH_PENDING;
    }
}

static void drop_branch(filch_future *self)
{
    filch_receive_future *f = (filch_receive_future *)(void *)self;
    filch_channel *c = f->channel;
    struct filch__channel_debt debt;
    if (!c || filch__waiter_is_nowhere(&f->waiter))
        return;
    filch__channel_debt_begin(&debt);
    if (filch__waiter_leave_under(&c->senders.guard, &c->receivers, &f->waiter) == FILCH__GRANTED)
        c->promised_items--;
    filch__channel_settle(c, &debt);
    filch__signal_settle(&filch__node_of(&f->waiter)->signal);
}

static const char what[] = "a channel, to receive";

FILCH_API const filch_future_ops filch_receive_future_ops = {what, poll_branch, drop_branch};
FILCH__EXPLAIN_ANYBODY(filch_receive_future_ops, filch_receive_future, channel)

/* A thread's. */
static int poll_sole(filch_future *self, const filch_waker *waker)
{
    filch_receive_future *f = (filch_receive_future *)(void *)self;
    return filch__waiter_is_nowhere(&f->waiter) ? begin(f, waker, FILCH__SOLE)
                                                : filch__sole_look(&f->waiter);
}

static const filch_future_ops sole_ops = {what, poll_sole, NULL};
FILCH__EXPLAIN_ANYBODY(sole_ops, filch_receive_future, channel)
FILCH__TOPIC_ANYBODY(topic, what)

int filch_channel_receive(filch_channel *c, void *item)
{
    struct filch__fiber *me = filch__fiber_current();
    filch_receive_future f;
    if (!c || (!item && c->items.size > 0))
        return -EINVAL;
    if (filch_cancelled())
        return -ECANCELED;
    int rc = try_or_keep(c, item);
    if (rc != -EAGAIN)
        return rc;
    f.channel = c;
    f.item = item;
    f.future = (filch_future)FILCH_FUTURE(&sole_ops);
    return filch__channel_wait(c, &c->receivers, &f.future, &f.waiter, me, &topic);
}

int filch_channel_try_receive(filch_channel *c, void *item)
{
    if (!c || (!item && c->items.size > 0))
        return -EINVAL;
    int rc = try_or_keep(c, item);
    if (rc == -EAGAIN)
        filch__channel_unlock(c);
    return rc;
}

/* ---- closed ---- */

static int poll_closed(filch_future *self, const filch_waker *waker)
{
    filch_channel_closed_future *f = (filch_channel_closed_future *)(void *)self;
    filch_channel *c = f->channel;
    if (!c)
        return -EINVAL;
    if (!filch__waiter_is_nowhere(&f->waiter)) {
        if (filch__waiter_look_under(&c->senders.guard, &f->waiter, waker) == FILCH__WAITING)
            return FILCH_PENDING;
        filch__waiter_reset(&f->waiter);
        return 0;
    }
    filch__channel_lock(c);
    bool closed = c->no_sending;
    if (!closed)
        filch__waiters_append(&c->watchers, &f->waiter, waker);
    filch__channel_unlock(c);
    return closed ? 0 : FILCH_PENDING;
}

static void drop_closed(filch_future *self)
{
    filch_channel_closed_future *f = (filch_channel_closed_future *)(void *)self;
    if (!f->channel || filch__waiter_is_nowhere(&f->waiter))
        return;
    uint32_t *guard = &f->channel->senders.guard;
    (void)filch__waiter_leave_under(guard, &f->channel->watchers, &f->waiter);
    filch__waiter_left_under(guard, &f->waiter, &filch__wakes_none);
}

FILCH_API const filch_future_ops filch_channel_closed_future_ops = {"the end of a channel",
                                                                    poll_closed, drop_closed};
FILCH__EXPLAIN_ANYBODY(filch_channel_closed_future_ops, filch_channel_closed_future, channel)
