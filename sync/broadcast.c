/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All under the guard, but `receivers`, which may be read without it and orders nothing. Of the
 * items the newest are kept: one that was sent as the last but k is k slots before the next, k <
 * capacity. A receiver has received, or missed, the first `received` of those that were sent; so a
 * receiver that was told and goes away holds nothing for itself.
 */
#include <filch/broadcast.h>

#include "sched/os/fault.h"
#include "sync/items.h"
#include "sync/news.h"
#include "task/blame.h"

#include <stdlib.h>

static bool is_bad(const filch_broadcast *b, const void *item)
{
    return !b || (!item && b->size > 0);
}

/* ---- sending ---- */

/* With the guard. Nobody will ever receive what is sent while nobody is subscribed. */
static void push(filch_broadcast *b, const void *item)
{
    if (b->receivers == 0)
        return;
    filch__item_move(b->slots + b->next * b->size, item, b->size);
    b->next = b->next + 1 < b->capacity ? b->next + 1 : 0;
    b->sent++;
}

int filch_broadcast_send(filch_broadcast *b, const void *item)
{
    if (is_bad(b, item))
        return -EINVAL;
    filch__waiters_lock(&b->queue);
    bool closed = b->closed;
    if (!closed)
        push(b, item);
    filch__crowd_tell_all(&b->queue, &b->leaving);
    return closed ? -EPIPE : 0;
}

int filch_broadcast_close(filch_broadcast *b)
{
    if (!b)
        return -EINVAL;
    filch__waiters_lock(&b->queue);
    b->closed = true;
    filch__crowd_tell_all(&b->queue, &b->leaving);
    return 0;
}

/* ---- receiving ---- */

/* With the guard. */
static int take(filch_broadcast_receiver *r, void *item, uint64_t *missed)
{
    filch_broadcast *b = r->broadcast;
    uint64_t left = b->sent - r->received;
    if (left == 0)
        return b->closed ? -EPIPE : -EAGAIN;
    size_t back = left < b->capacity ? (size_t)left : b->capacity;
    size_t slot = back <= b->next ? b->next - back : b->next + (b->capacity - back);
    filch__item_move(item, b->slots + slot * b->size, b->size);
    if (missed)
        *missed = left - back;
    r->received = b->sent - back + 1;
    return 0;
}

int filch_broadcast_try_receive(filch_broadcast_receiver *r, void *item, uint64_t *missed)
{
    if (!r || is_bad(r->broadcast, item))
        return -EINVAL;
    filch_wait_queue *q = &r->broadcast->queue;
    filch__waiters_lock(q);
    int rc = take(r, item, missed);
    filch__waiters_unlock(q);
    return rc;
}

int filch_broadcast_receive(filch_broadcast_receiver *r, void *item, uint64_t *missed)
{
    filch_broadcast_receive_future f = FILCH_BROADCAST_RECEIVE_FUTURE(r, item, missed);
    return filch_await(&f.future);
}

static int poll_receive(filch_future *self, const filch_waker *waker)
{
    filch_broadcast_receive_future *f = (filch_broadcast_receive_future *)(void *)self;
    filch_broadcast_receiver *r = f->receiver;
    if (!r || is_bad(r->broadcast, f->item))
        return -EINVAL;
    filch_broadcast *b = r->broadcast;
    bool waited = !filch__waiter_is_nowhere(&f->waiter);
    if (!filch__news_look(&b->queue, &b->leaving, &f->waiter, waker))
        return FILCH_PENDING;
    int rc = take(r, f->item, f->missed);
    r->waiting += (rc == -EAGAIN) - (uint32_t)waited;
    return filch__news_answer(&b->queue, &f->waiter, waker, rc);
}

static void drop_receive(filch_future *self)
{
    filch_broadcast_receive_future *f = (filch_broadcast_receive_future *)(void *)self;
    if (filch__waiter_is_nowhere(&f->waiter))
        return;
    filch_broadcast *b = f->receiver->broadcast;
    filch__news_leave(&b->queue, &b->leaving, &f->waiter, &f->receiver->waiting);
}

FILCH_API const filch_future_ops filch_broadcast_receive_future_ops = {"a broadcast, to receive",
                                                                       poll_receive, drop_receive};
FILCH__EXPLAIN_ANYBODY(filch_broadcast_receive_future_ops, filch_broadcast_receive_future, receiver)

/* ---- receivers ---- */

static void count_receivers(filch_broadcast *b, size_t change)
{
    filch__store_relaxed(&b->receivers, b->receivers + change);
}

int filch_broadcast_subscribe(filch_broadcast_receiver *r, filch_broadcast *b)
{
    if (!r || !b)
        return -EINVAL;
    if (r->broadcast)
        return -EBUSY;
    filch__waiters_lock(&b->queue);
    *r = (filch_broadcast_receiver){.broadcast = b, .received = b->sent};
    count_receivers(b, 1);
    filch__waiters_unlock(&b->queue);
    return 0;
}

int filch_broadcast_unsubscribe(filch_broadcast_receiver *r)
{
    if (!r || !r->broadcast)
        return -EINVAL;
    filch_broadcast *b = r->broadcast;
    filch__waiters_lock(&b->queue);
    bool busy = r->waiting > 0;
    if (!busy) {
        count_receivers(b, SIZE_MAX);
        r->broadcast = NULL;
    }
    filch__waiters_unlock(&b->queue);
    return busy ? -EBUSY : 0;
}

size_t filch_broadcast_receivers(const filch_broadcast *b)
{
    return b ? filch__load_relaxed(&b->receivers) : 0;
}

/* ---- beginning and end ---- */

static unsigned char no_slots;

int filch_broadcast_create(filch_broadcast *b, const filch_broadcast_options *o)
{
    size_t bytes;
    if (!b || !o || o->capacity == 0)
        return -EINVAL;
    if (__builtin_mul_overflow(o->capacity, o->item_size, &bytes) || bytes > PTRDIFF_MAX)
        return -EOVERFLOW;
    unsigned char *slots = &no_slots;
    if (bytes > 0)
        slots = filch__fault_alloc() ? NULL : malloc(bytes);
    if (!slots)
        return -ENOMEM;
    *b = (filch_broadcast){
        .slots = slots, .capacity = o->capacity, .size = o->item_size, .owns_slots = bytes > 0};
    return 0;
}

int filch_broadcast_destroy(filch_broadcast *b)
{
    if (!b)
        return -EINVAL;
    filch__waiters_lock(&b->queue);
    bool busy = b->receivers > 0 || !filch__crowd_gone(&b->queue, &b->leaving);
    unsigned char *slots = NULL;
    if (!busy && b->owns_slots) {
        slots = b->slots;
        b->slots = NULL;
        b->owns_slots = false;
        b->closed = true;
    } else if (!busy && b->slots) {
        b->closed = false;
    }
    filch__waiters_unlock(&b->queue);
    free(slots);
    return busy ? -EBUSY : 0;
}
