/* SPDX-License-Identifier: Apache-2.0 */
/* Who meets whom in a channel, its beginning and its ends. */
#include "sync/channel.h"

#include "sched/os/clock.h"
#include "sched/os/fault.h"
#include "task/await.h"
#include "task/task.h"

/* ---- settling ---- */

/* The first of the queue. */
static void tell_first(filch_wait_queue *q, enum filch__place place,
                       struct filch__channel_debt *debt)
{
    filch_waiter *first = q->first;
    if (!filch__is_sole(first)) {
        filch__waiters_tell_first(q, place, &debt->wakes);
        return;
    }
    enum filch__taken taken = filch__sole_take(q, place);
    if (taken != FILCH__LEFT)
        filch__sole_tell(first, taken, &debt->wakes);
}

/* The oldest item, which is nobody's, to the first who waits for one, unless that leaves. */
static void serve_receiver(filch_channel *c, struct filch__channel_debt *debt)
{
    filch_waiter *first = c->receivers.first;
    if (!filch__is_sole(first)) {
        c->promised_items++;
        filch__waiters_tell_first(&c->receivers, FILCH__GRANTED, &debt->wakes);
        return;
    }
    enum filch__taken taken = filch__sole_take(&c->receivers, FILCH__GRANTED);
    if (taken == FILCH__LEFT)
        return;
    debt->chunk = filch__items_pop(&c->items, filch__receiver_of(first)->item);
    filch__sole_tell(first, taken, &debt->wakes);
}

/* A free slot to the first who waits for one, unless that leaves. */
static void serve_sender(filch_channel *c, struct filch__channel_debt *debt)
{
    filch_waiter *first = c->senders.first;
    if (!filch__is_sole(first)) {
        c->promised_slots++;
        filch__waiters_tell_first(&c->senders, FILCH__GRANTED, &debt->wakes);
        return;
    }
    enum filch__taken taken = filch__sole_take(&c->senders, FILCH__GRANTED);
    if (taken == FILCH__LEFT)
        return;
    filch__items_push(&c->items, filch__sender_of(first)->item);
    filch__sole_tell(first, taken, &debt->wakes);
}

static size_t free_slots(const filch_channel *c)
{
    return filch__items_free(&c->items) - c->promised_slots;
}

/* One that was taken is the first again, as if nothing had been. */
static void give_back(filch_wait_queue *q, filch_waiter *w, enum filch__taken taken,
                      struct filch__wakes *wakes)
{
    struct filch__wait_node *node = filch__node_of(w);
    w->previous = NULL;
    w->next = q->first;
    if (q->first)
        q->first->previous = w;
    else
        q->last = w;
    q->first = w;
    filch__store_release(&node->place, FILCH__WAITING);
    if (taken == FILCH__ASLEEP) /* in vain */
        wakes->after[wakes->count++] =
            (struct filch__after){filch__sole_push, node->signal.waker.data};
}

/* The first two who wait in a rendezvous, both SOLE, unless one leaves. */
static void pair(filch_channel *c, struct filch__channel_debt *debt)
{
    filch_waiter *sender = c->senders.first, *receiver = c->receivers.first;
    enum filch__taken from, to = filch__sole_take(&c->receivers, FILCH__GRANTED);
    if (to == FILCH__LEFT)
        return;
    from = filch__sole_take(&c->senders, FILCH__GRANTED);
    if (from == FILCH__LEFT) {
        give_back(&c->receivers, receiver, to, &debt->wakes);
        return;
    }
    debt->chunk = filch__items_exchange(&c->items, filch__receiver_of(receiver)->item,
                                        filch__sender_of(sender)->item);
    filch__sole_tell(receiver, to, &debt->wakes);
    filch__sole_tell(sender, from, &debt->wakes);
}

/* The first two who wait in a rendezvous. False: they cannot go on. */
static bool introduce(filch_channel *c, struct filch__channel_debt *debt)
{
    filch_waiter *sender = c->senders.first;
    if (!filch__is_sole(sender)) {
        if (filch__waiter_place(sender) == FILCH__WAITING)
            filch__waiters_tell(sender, FILCH__RUNG, &debt->wakes);
        return false;
    }
    if (filch__is_sole(c->receivers.first)) {
        pair(c, debt);
    } else if (free_slots(c) > 0) {
        enum filch__taken taken = filch__sole_take(&c->senders, FILCH__GRANTED);
        if (taken == FILCH__LEFT)
            return true;
        filch__items_push(&c->items, filch__sender_of(sender)->item);
        serve_receiver(c, debt);
        filch__sole_tell(sender, taken, &debt->wakes);
    } else {
        return false;
    }
    return true;
}

/* Of a channel that is closed: one who waits for what cannot come any more. */
static bool refuse(filch_channel *c, struct filch__channel_debt *debt)
{
    if (c->senders.first)
        tell_first(&c->senders, FILCH__REFUSED, debt);
    else if (c->watchers.first)
        filch__waiters_tell_first(&c->watchers, FILCH__GRANTED, &debt->wakes);
    else if (c->receivers.first && (c->no_receiving || c->items.count == 0))
        tell_first(&c->receivers, FILCH__REFUSED, debt);
    else
        return false;
    return true;
}

/* One step; false: there is none. */
static bool step(filch_channel *c, struct filch__channel_debt *debt)
{
    if (c->no_sending && refuse(c, debt))
        return true;
    if (c->receivers.first && c->items.count > c->promised_items)
        serve_receiver(c, debt);
    else if (!c->senders.first)
        return false;
    else if (c->rendezvous)
        return c->receivers.first && introduce(c, debt);
    else if (free_slots(c) > 0)
        serve_sender(c, debt);
    else
        return false;
    return true;
}

/* Whether there may be a step. */
static bool is_settled(const filch_channel *c)
{
    if (c->no_sending && (c->senders.first || c->watchers.first ||
                          (c->receivers.first && (c->no_receiving || c->items.count == 0))))
        return false;
    if (c->receivers.first && c->items.count > c->promised_items)
        return false;
    return !c->senders.first || (c->rendezvous ? !c->receivers.first : free_slots(c) == 0);
}

/* A step wakes two at most, and frees one chunk. */
static bool is_full(const struct filch__channel_debt *debt)
{
    return debt->chunk || debt->wakes.count + 2 > FILCH__WAKES;
}

void filch__channel_settle(filch_channel *c, struct filch__channel_debt *debt)
{
    bool more = true;
    while (more) {
        while (!is_full(debt) && step(c, debt))
            ;
        more = is_full(debt) && !is_settled(c);
        filch__channel_leave(c, debt);
        filch__channel_debt_begin(debt);
        if (more)
            filch__channel_lock(c);
    }
}

/* ---- a SOLE wait ---- */

void filch__sole_push(void *fiber)
{
    filch__unpark_claimed(fiber);
}

/* Without the guard. After RUNG the waiter may be gone, and unless it was claimed its fiber. */
static void ring(void *signal)
{
    struct filch__signal *s = signal;
    struct filch__fiber *fiber = s->waker.data;
    bool claimed = filch__unpark_claim(fiber);
    filch__chaos_nap();
    filch__store_release(&s->state, FILCH__SIGNAL_RUNG);
    if (claimed)
        filch__unpark_claimed(fiber);
}

void filch__sole_tell_awake(filch_waiter *w, struct filch__after *after)
{
    struct filch__signal *s = &filch__node_of(w)->signal;
    filch__signal_fire_other(s, after);
    if (s->waker.ops == &filch__waker_fiber)
        after->fn = ring;
}

/* It was told. */
static enum filch__place note(filch_waiter *w)
{
    struct filch__wait_node *node = filch__node_of(w);
    filch__signal_settle(&node->signal);
    enum filch__place place = filch__waiter_place(w);
    filch__waiter_reset(w);
    return place;
}

int filch__sole_look(filch_waiter *w)
{
    if (!filch__signal_rung(&filch__node_of(w)->signal))
        return FILCH_PENDING;
    return note(w) == FILCH__GRANTED ? 0 : -EPIPE;
}

/* By a fiber, whose wait has failed. False: it has been told. */
static bool leave(filch_channel *c, filch_wait_queue *q, filch_waiter *w)
{
    struct filch__wait_node *node = filch__node_of(w);
    struct filch__channel_debt debt;
    filch__channel_debt_begin(&debt);
    for (uint32_t place = FILCH__WAITING; !filch__cas_acq_rel(&node->place, &place, FILCH__LEAVING);
         place = FILCH__WAITING) {
        if (filch__signal_rung(&node->signal))
            return false;
        filch__os_yield(); /* it was taken, and will be told, or given back */
    }
    filch__channel_lock(c);
    if (filch__load_relaxed(&node->place) == FILCH__LEAVING)
        filch__waiters_remove(q, w);
    filch__channel_settle(c, &debt);
    return true;
}

/* A thread makes its way by the future; a fiber, which is in more of a hurry, without it. */
static int wait_on_thread(filch_channel *c, filch_future *f, filch_waiter *waiter)
{
    filch__channel_unlock(c);
    filch__waiter_reset(waiter);
    return filch_await(f);
}

static void settle_now(filch_channel *c)
{
    struct filch__channel_debt debt;
    filch__channel_debt_begin(&debt);
    filch__channel_settle(c, &debt);
}

int filch__channel_wait(filch_channel *c, filch_wait_queue *queue, filch_future *f,
                        filch_waiter *waiter, struct filch__fiber *me,
                        const struct filch__topic *topic)
{
    struct filch__wait_node *node = filch__node_of(waiter);
    node->kind = FILCH__SOLE;
    if (filch__unlikely(!me))
        return wait_on_thread(c, f, waiter);
    filch_waker waker = filch__waker_of(me);
    filch__waiters_append(queue, waiter, &waker);
    int rc;
    if (filch__likely(!c->rendezvous)) {
        rc = filch__await_signal_leaving(me, &c->senders.guard, &node->signal, topic, c);
    } else {
        settle_now(c);
        rc = filch__await_signal(me, &node->signal, topic, c);
    }
    if (filch__unlikely(rc < 0) && leave(c, queue, waiter))
        return rc;
    return filch__likely(note(waiter) == FILCH__GRANTED) ? 0 : rc < 0 ? rc : -EPIPE;
}

/* ---- beginning and end ---- */

static unsigned char no_slots;

int filch_channel_create(filch_channel *c, const filch_channel_options *o)
{
    if (!c || !o)
        return -EINVAL;
    filch_channel_items items = {.room = o->capacity ? o->capacity : 1, .size = o->item_size};
    size_t bytes;
    if (items.size == 0) {
        items.slots = &no_slots;
        items.room = items.room == FILCH_UNBOUNDED ? FILCH_UNBOUNDED - 1 : items.room;
    } else if (items.room != FILCH_UNBOUNDED) {
        if (__builtin_mul_overflow(items.room, items.size, &bytes) || bytes > PTRDIFF_MAX)
            return -EOVERFLOW;
        items.slots = filch__fault_alloc() ? NULL : malloc(bytes);
        if (!items.slots)
            return -ENOMEM;
    }
    *c = (filch_channel){.items = items,
                         .item_drop = o->item_drop,
                         .rendezvous = o->capacity == 0,
                         .owns_slots = items.size > 0};
    return 0;
}

/* Without the guard: nobody else has the items any more. */
static void drop_items(filch_channel_items *items, void (*drop)(void *item))
{
    while (items->count > 0) {
        if (drop)
            drop(filch__items_oldest(items));
        free(filch__items_forget(items));
    }
    filch__items_free_chunks(items);
}

static filch_channel_items take_items(filch_channel *c)
{
    filch_channel_items items = c->items;
    c->items.first = c->items.count = 0;
    memset(c->items.chunks, 0, sizeof c->items.chunks);
    return items;
}

int filch_channel_close(filch_channel *c)
{
    struct filch__channel_debt debt;
    filch__channel_debt_begin(&debt);
    if (!c)
        return -EINVAL;
    filch__channel_lock(c);
    c->no_sending = true;
    filch__channel_settle(c, &debt);
    return 0;
}

/* What is woken may destroy the channel, so the items go first. */
int filch_channel_close_receiving(filch_channel *c)
{
    struct filch__channel_debt debt;
    filch__channel_debt_begin(&debt);
    if (!c)
        return -EINVAL;
    filch__channel_lock(c);
    c->no_sending = c->no_receiving = true;
    filch_channel_items items = take_items(c);
    filch__channel_unlock(c);
    drop_items(&items, c->item_drop);
    filch__channel_lock(c);
    filch__channel_settle(c, &debt);
    return 0;
}

int filch_channel_destroy(filch_channel *c)
{
    if (!c)
        return -EINVAL;
    filch__channel_lock(c);
    bool busy = c->senders.first || c->receivers.first || c->watchers.first ||
                c->promised_slots > 0 || c->promised_items > 0;
    if (busy) {
        filch__channel_unlock(c);
        return -EBUSY;
    }
    c->no_sending = c->no_receiving = true;
    filch_channel_items items = take_items(c);
    filch__channel_unlock(c);
    drop_items(&items, c->item_drop);
    if (c->owns_slots)
        free(c->items.slots);
    c->items.slots = NULL;
    c->owns_slots = false;
    return 0;
}

size_t filch_channel_length(filch_channel *c)
{
    if (!c)
        return 0;
    filch__channel_lock(c);
    size_t length = c->no_receiving ? 0 : c->items.count - c->promised_items;
    filch__channel_unlock(c);
    return length;
}
