/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue of those who wait for something, first come first. What is waited for has a guard, the
 * queue's spin lock, and under it says to a waiter what has come:
 *
 *     NOWHERE -> WAITING    append, by the waiter's poll
 *     WAITING -> RUNG       it should look again, and keeps its place in the queue meanwhile
 *     RUNG    -> WAITING    it looked, and there was nothing: rearm, by its poll
 *     RUNG    -> GRANTED, REFUSED    as below, before it has looked
 *     WAITING -> GRANTED    it has been given what it waits for, and is out of the queue
 *     WAITING -> REFUSED    it never will be (closed ...), and is out of the queue
 *     any     -> NOWHERE    its poll or drop, out of the queue
 * A WAITING one is told by firing its signal, the last touch of it by others but that from RUNG to
 * GRANTED or REFUSED only `place` is stored (release), last too. So who finds the signal rung reads
 * `place` (acquire) without the guard, and GRANTED and REFUSED are final; for RUNG it takes the
 * guard and looks again. A drop that finds GRANTED gives back what was granted.
 */
#ifndef FILCH_SYNC_WAITERS_H
#define FILCH_SYNC_WAITERS_H

#include "sched/os/spin.h"
#include "task/alarm.h"

#include <filch/wait_queue.h>

enum filch__place { FILCH__NOWHERE, FILCH__WAITING, FILCH__RUNG, FILCH__GRANTED, FILCH__REFUSED };

/* In the storage of a filch_waiter. */
struct filch__wait_node {
    struct filch__signal signal;
    uint32_t place; /* under the guard, but see above */
    /* Of what is waited for: what this one wants. */
    uint32_t kind;
    uint64_t count;
};

_Static_assert(sizeof(struct filch__wait_node) <= sizeof((filch_waiter *)0)->storage,
               "storage of a waiter");

static inline struct filch__wait_node *filch__node_of(filch_waiter *w)
{
    return (struct filch__wait_node *)(void *)w->storage;
}

static inline void filch__waiters_lock(filch_wait_queue *q)
{
    filch__spin_lock(&q->guard);
}

static inline void filch__waiters_unlock(filch_wait_queue *q)
{
    filch__spin_unlock(&q->guard);
}

/* Whose wakes are owed when the guard has been left. */
#define FILCH__WAKES 16
struct filch__wakes {
    uint32_t count;
    struct filch__after after[FILCH__WAKES];
};

extern const struct filch__wakes filch__wakes_none;

/* None so far. The array stays as it is: it is larger than most need. */
static inline void filch__wakes_begin(struct filch__wakes *wakes)
{
    wakes->count = 0;
}

static inline bool filch__wakes_full(const struct filch__wakes *wakes)
{
    return wakes->count == FILCH__WAKES;
}

static inline void filch__wakes_run(const struct filch__wakes *wakes)
{
    for (uint32_t i = 0; i < wakes->count; i++)
        wakes->after[i].fn(wakes->after[i].arg);
}

/* With the guard, by the poll of a waiter that is NOWHERE: it becomes the last. */
static inline void filch__waiters_append(filch_wait_queue *q, filch_waiter *w,
                                         const filch_waker *waker)
{
    struct filch__wait_node *node = filch__node_of(w);
    filch__signal_arm(&node->signal, waker);
    filch__store_relaxed(&node->place, FILCH__WAITING);
    w->next = NULL;
    w->previous = q->last;
    if (q->last)
        q->last->next = w;
    else
        q->first = w;
    q->last = w;
    q->arrivals++;
}

/* With the guard: out of the queue. */
static inline void filch__waiters_remove(filch_wait_queue *q, filch_waiter *w)
{
    if (w->previous)
        w->previous->next = w->next;
    else
        q->first = w->next;
    if (w->next)
        w->next->previous = w->previous;
    else
        q->last = w->previous;
}

/* With the guard, of a WAITING or RUNG one that was taken out of the queue, or for RUNG of a
 * WAITING one that stays in it. It is not touched any more. wakes is not full. */
static inline void filch__waiters_tell(filch_waiter *w, enum filch__place place,
                                       struct filch__wakes *wakes)
{
    struct filch__wait_node *node = filch__node_of(w);
    struct filch__after after = {.fn = NULL};
    if (filch__load_relaxed(&node->place) == FILCH__RUNG) {
        filch__store_release(&node->place, place);
        return;
    }
    filch__store_release(&node->place, place);
    filch__signal_fire(&node->signal, &after);
    if (after.fn)
        wakes->after[wakes->count++] = after;
}

/* With the guard: tells the first, and takes it out. */
static inline void filch__waiters_tell_first(filch_wait_queue *q, enum filch__place place,
                                             struct filch__wakes *wakes)
{
    filch_waiter *first = q->first;
    filch__waiters_remove(q, first);
    filch__waiters_tell(first, place, wakes);
}

/* The same of as many as can be woken at once. True: there are more. */
static inline bool filch__waiters_tell_some(filch_wait_queue *q, enum filch__place place,
                                            struct filch__wakes *wakes)
{
    while (q->first && !filch__wakes_full(wakes))
        filch__waiters_tell_first(q, place, wakes);
    return q->first;
}

/* With the guard, by the poll of a RUNG one for which there was nothing. */
static inline void filch__waiters_rearm(filch_waiter *w, const filch_waker *waker)
{
    struct filch__wait_node *node = filch__node_of(w);
    filch__signal_arm(&node->signal, waker);
    filch__store_relaxed(&node->place, FILCH__WAITING);
}

/* By the future: it never waited, or was told and has taken note. */
static inline bool filch__waiter_is_nowhere(filch_waiter *w)
{
    return filch__load_relaxed(&filch__node_of(w)->place) == FILCH__NOWHERE;
}

/* With the guard, where `place` stands still. */
static inline enum filch__place filch__waiter_place(filch_waiter *w)
{
    return (enum filch__place)filch__load_relaxed(&filch__node_of(w)->place);
}

/* In a look (task/blame.h): it has not been told anything. */
static inline bool filch__waiter_waits(const filch_waiter *w)
{
    return filch__load_acquire(
               &((const struct filch__wait_node *)(const void *)w->storage)->place) ==
           FILCH__WAITING;
}

/* By the future, of one that was granted or refused, or that it has just taken out. */
static inline void filch__waiter_reset(filch_waiter *w)
{
    filch__store_relaxed(&filch__node_of(w)->place, FILCH__NOWHERE);
}

enum filch__place filch__waiter_look_slow(uint32_t *guard, filch_waiter *w,
                                          const filch_waker *waker);

/* By the poll of one that is not NOWHERE. WAITING: nothing yet, and the waker is the present one.
 * Else what it was told; the signal is at rest, and who told that has left the guard: it was told
 * (release) after the guard was taken, so a guard that looks free afterwards has been left. */
static inline enum filch__place filch__waiter_look_under(uint32_t *guard, filch_waiter *w,
                                                         const filch_waker *waker)
{
    struct filch__wait_node *node = filch__node_of(w);
    if (filch__likely(filch__signal_at_rest(&node->signal))) {
        enum filch__place place = (enum filch__place)filch__load_acquire(&node->place);
        if (filch__likely(!filch__load_acquire(guard)))
            return place;
    }
    return filch__waiter_look_slow(guard, w, waker);
}

/* By the drop, of one that is not NOWHERE: takes the guard, and out of the queue what is in it.
 * Returns where it was, with the guard; it is NOWHERE. Leave the guard by filch__waiter_left. */
enum filch__place filch__waiter_leave_under(uint32_t *guard, filch_wait_queue *q, filch_waiter *w);
void filch__waiter_left_under(uint32_t *guard, filch_waiter *w, const struct filch__wakes *wakes);

/* The same for a queue that has a guard of its own. */
static inline enum filch__place filch__waiter_look(filch_wait_queue *q, filch_waiter *w,
                                                   const filch_waker *waker)
{
    return filch__waiter_look_under(&q->guard, w, waker);
}

static inline enum filch__place filch__waiter_leave(filch_wait_queue *q, filch_waiter *w)
{
    return filch__waiter_leave_under(&q->guard, q, w);
}

static inline void filch__waiter_left(filch_wait_queue *q, filch_waiter *w,
                                      const struct filch__wakes *wakes)
{
    filch__waiter_left_under(&q->guard, w, wakes);
}

#endif
