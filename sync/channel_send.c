/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/channel.h"

#include "task/blame.h"
#include "task/task.h"

#include <filch/fork.h>

/* With the guard, by one who has waited longest, or nobody waits: the item to who waits for one, or
 * to a free slot. False: neither is there. */
static bool hand_over(filch_channel *c, const void *item, struct filch__channel_debt *debt)
{
    filch_waiter *receiver;
    while ((receiver = c->receivers.first) && filch__is_sole(receiver)) {
        enum filch__taken taken = filch__sole_take(&c->receivers, FILCH__GRANTED);
        if (filch__unlikely(taken == FILCH__LEFT))
            continue;
        debt->chunk = filch__items_exchange(&c->items, filch__receiver_of(receiver)->item, item);
        filch__sole_tell(receiver, taken, &debt->wakes);
        return true;
    }
    bool free = filch__items_free(&c->items) > c->promised_slots;
    if (!free || (c->rendezvous && !receiver))
        return false;
    filch__items_push(&c->items, item);
    if (receiver) {
        c->promised_items++;
        filch__waiters_tell_first(&c->receivers, FILCH__GRANTED, &debt->wakes);
    }
    return true;
}

/* With the guard, which is left for a moment if memory is wanted. */
static int prepare(filch_channel *c)
{
    while (!c->no_sending && filch__unlikely(c->items.room == FILCH_UNBOUNDED) &&
           filch__items_want_chunk(&c->items)) {
        filch__channel_unlock(c);
        void *chunk = filch__items_chunk(c->items.size);
        filch__channel_lock(c);
        if (!chunk)
            return -ENOMEM;
        free(filch__items_give_chunk(&c->items, chunk));
    }
    return c->no_sending ? -EPIPE : 0;
}

/* Takes the guard. 0; -EAGAIN: it must wait, and the guard is kept; or what else prevents it. */
static int try_or_keep(filch_channel *c, const void *item)
{
    struct filch__channel_debt debt;
    filch__channel_debt_begin(&debt);
    filch__channel_lock(c);
    int rc = prepare(c);
    if (rc == 0 && (c->senders.first || !hand_over(c, item, &debt)))
        return -EAGAIN;
    filch__channel_leave(c, &debt);
    return rc;
}

static int begin(filch_send_future *f, const filch_waker *waker, uint32_t kind)
{
    int rc = try_or_keep(f->channel, f->item);
    if (rc != -EAGAIN)
        return rc;
    filch__node_of(&f->waiter)->kind = kind;
    filch__waiters_append(&f->channel->senders, &f->waiter, waker);
    filch__channel_unlock(f->channel);
    return FILCH_PENDING;
}

/* A branch's, to which a slot was promised. */
static int keep_promise(filch_send_future *f)
{
    filch_channel *c = f->channel;
    struct filch__channel_debt debt;
    filch__channel_debt_begin(&debt);
    filch__waiter_reset(&f->waiter);
    filch__channel_lock(c);
    c->promised_slots--;
    int rc = c->no_sending ? -EPIPE : 0;
    if (rc == 0)
        filch__items_push(&c->items, f->item);
    filch__channel_settle(c, &debt);
    return rc;
}

/* A branch's, of a rendezvous. */
static int look_again(filch_send_future *f, const filch_waker *waker)
{
    filch_channel *c = f->channel;
    struct filch__channel_debt debt;
    filch__channel_debt_begin(&debt);
    filch__channel_lock(c);
    int rc = filch__waiter_place(&f->waiter) == FILCH__REFUSED ? -EPIPE : 0;
    if (rc == 0 && !(c->receivers.first && hand_over(c, f->item, &debt))) {
        filch__waiters_rearm(&f->waiter, waker);
        filch__channel_unlock(c);
        return FILCH_PENDING;
    }
    if (rc == 0)
        filch__waiters_remove(&c->senders, &f->waiter);
    filch__waiter_reset(&f->waiter);
    filch__channel_settle(c, &debt);
    return rc;
}

static int poll_branch(filch_future *self, const filch_waker *waker)
{
    filch_send_future *f = (filch_send_future *)(void *)self;
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
    case FILCH__RUNG:
        return look_again(f, waker);
    default:
        return FILCH_PENDING;
    }
}

static void drop_branch(filch_future *self)
{
    filch_send_future *f = (filch_send_future *)(void *)self;
    filch_channel *c = f->channel;
    struct filch__channel_debt debt;
    if (!c || filch__waiter_is_nowhere(&f->waiter))
        return;
    filch__channel_debt_begin(&debt);
    if (filch__waiter_leave_under(&c->senders.guard, &c->senders, &f->waiter) == FILCH__GRANTED)
        c->promised_slots--;
    filch__channel_settle(c, &debt);
    filch__signal_settle(&filch__node_of(&f->waiter)->signal);
}

static const char what[] = "a channel, to send";

FILCH_API const filch_future_ops filch_send_future_ops = {what, poll_branch, drop_branch};
FILCH__EXPLAIN_ANYBODY(filch_send_future_ops, filch_send_future, channel)

/* A thread's. */
static int poll_sole(filch_future *self, const filch_waker *waker)
{
    filch_send_future *f = (filch_send_future *)(void *)self;
    return filch__waiter_is_nowhere(&f->waiter) ? begin(f, waker, FILCH__SOLE)
                                                : filch__sole_look(&f->waiter);
}

static const filch_future_ops sole_ops = {what, poll_sole, NULL};
FILCH__EXPLAIN_ANYBODY(sole_ops, filch_send_future, channel)
FILCH__TOPIC_ANYBODY(topic, what)

int filch_channel_send(filch_channel *c, const void *item)
{
    struct filch__fiber *me = filch__fiber_current();
    filch_send_future f;
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
    return filch__channel_wait(c, &c->senders, &f.future, &f.waiter, me, &topic);
}

int filch_channel_try_send(filch_channel *c, const void *item)
{
    if (!c || (!item && c->items.size > 0))
        return -EINVAL;
    int rc = try_or_keep(c, item);
    if (rc == -EAGAIN)
        filch__channel_unlock(c);
    return rc;
}
