/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside a channel. All of it is under one guard, that of `senders`.
 *
 * A waiter that is its caller's only wait (filch_channel_send, filch_channel_receive) is SOLE: the
 * other side moves its item, and it is GRANTED. Should its wait end otherwise just then, the item
 * wins: it has been sent, or received. One that may be a branch of a select moves its item by its
 * own poll; until then it is promised:
 *     a receiver   one of the items that are there: GRANTED, promised_items + 1
 *     a sender     one of the free slots: GRANTED, promised_slots + 1; of a rendezvous: RUNG, for it
 *                  needs a receiver who waits
 * A promise is kept by its poll, or given back by its drop, and counted until then. It is of any
 * item, or slot: whoever takes an item takes the oldest. What is promised is nobody else's, so
 *     nobody waits for an item while count > promised_items
 *     nobody waits for a slot while room > count + promised_slots, but in a rendezvous
 * at each end of a guarded section, which filch__channel_settle sees to after any step.
 *
 * A rendezvous has a slot too: for the item of a sender who has met a receiver with a promise. There
 * a sender waits for a receiver who waits; two SOLE ones exchange directly.
 *
 * Who has received the last item may free the channel, while its sender is still on its way out; in a
 * rendezvous the sender may as well. So what ends a SOLE wait does not touch the channel:
 *     WAITING -> GRANTED, REFUSED    take, with the guard: of a fiber that was suspended, which
 *                                    nobody else can resume now; else by compare and swap
 *     WAITING -> LEAVING             by the fiber, before it takes the guard, by compare and swap:
 *                                    nothing is moved any more
 *     LEAVING -> NOWHERE             take found it, with the guard, and took it out of the queue
 *     GRANTED -> WAITING             give_back, before it was told
 * After GRANTED and REFUSED its signal is RINGING with the guard, and RUNG without it; where it was
 * suspended it is RUNG with the guard, and woken without it. Once it is RUNG it may go.
 */
#ifndef FILCH_SYNC_CHANNEL_H
#define FILCH_SYNC_CHANNEL_H

#include "sync/items.h"
#include "sync/waiters.h"

#include <errno.h>
#include <stdlib.h>

/* The kinds of a waiter. */
enum { FILCH__BRANCH, FILCH__SOLE };

static inline void filch__channel_lock(filch_channel *c)
{
    filch__spin_lock(&c->senders.guard);
}

static inline void filch__channel_unlock(filch_channel *c)
{
    filch__spin_unlock(&c->senders.guard);
}

static inline filch_send_future *filch__sender_of(filch_waiter *w)
{
    return (filch_send_future *)(void *)((char *)w - offsetof(filch_send_future, waiter));
}

static inline filch_receive_future *filch__receiver_of(filch_waiter *w)
{
    return (filch_receive_future *)(void *)((char *)w - offsetof(filch_receive_future, waiter));
}

static inline bool filch__is_sole(filch_waiter *w)
{
    return filch__node_of(w)->kind == FILCH__SOLE;
}

/* A place of a SOLE one. */
#define FILCH__LEAVING 5u
_Static_assert(FILCH__LEAVING > FILCH__REFUSED, "places");

/* How one was taken out of the queue: it leaves by itself; nobody but who took it can resume it; or
 * it may be running. */
enum filch__taken { FILCH__LEFT, FILCH__ASLEEP, FILCH__AWAKE };

/* With the guard: the first of the queue, which is SOLE. place: GRANTED or REFUSED. If it has not
 * LEFT it is to be told, or given back, before the guard is left. */
static inline enum filch__taken filch__sole_take(filch_wait_queue *q, enum filch__place place)
{
    filch_waiter *first = q->first;
    struct filch__wait_node *node = filch__node_of(first);
    uint32_t waiting = FILCH__WAITING;
    filch__waiters_remove(q, first);
    if (filch__likely(node->signal.waker.ops == &filch__waker_fiber) &&
        filch__likely(filch__unpark_claim_suspended(node->signal.waker.data))) {
        filch__store_relaxed(&node->place, place);
        return FILCH__ASLEEP;
    }
    if (filch__cas_acq_rel(&node->place, &waiting, place))
        return FILCH__AWAKE;
    filch__store_relaxed(&node->place, FILCH__NOWHERE);
    return FILCH__LEFT;
}

void filch__sole_push(void *fiber);
void filch__sole_tell_awake(filch_waiter *w, struct filch__after *after);

/* With the guard, of one that was taken: its item has been moved. It is not touched any more. */
static inline void filch__sole_tell(filch_waiter *w, enum filch__taken taken,
                                    struct filch__wakes *wakes)
{
    struct filch__signal *signal = &filch__node_of(w)->signal;
    struct filch__after *after = &wakes->after[wakes->count++];
    if (filch__unlikely(taken == FILCH__AWAKE)) {
        filch__sole_tell_awake(w, after);
        return;
    }
    *after = (struct filch__after){filch__sole_push, signal->waker.data};
    filch__store_release(&signal->state, FILCH__SIGNAL_RUNG);
}

/* By the poll of a thread's. */
int filch__sole_look(filch_waiter *w);

/* What is owed when the guard has been left. */
struct filch__channel_debt {
    struct filch__wakes wakes;
    void *chunk; /* to be freed, or NULL */
};

static inline void filch__channel_debt_begin(struct filch__channel_debt *debt)
{
    filch__wakes_begin(&debt->wakes);
    debt->chunk = NULL;
}

/* With the guard, which it leaves: brings together those who can go on, until nobody can. */
void filch__channel_settle(filch_channel *c, struct filch__channel_debt *debt);

/* The same where it is known that nobody can go on but whom the debt names. */
static inline void filch__channel_leave(filch_channel *c, const struct filch__channel_debt *debt)
{
    filch__channel_unlock(c);
    filch__wakes_run(&debt->wakes);
    if (filch__unlikely(debt->chunk))
        free(debt->chunk);
}

/*
 * With the guard, which it leaves: a SOLE wait of the caller in `queue`, until it is told. waiter is
 * f's, and not in use; f polls it. me: the calling fiber, or NULL. topic: on the channel, for a dump.
 */
int filch__channel_wait(filch_channel *c, filch_wait_queue *queue, filch_future *f,
                        filch_waiter *waiter, struct filch__fiber *me,
                        const struct filch__topic *topic);

#endif
