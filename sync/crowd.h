/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiters that are let go together, and memory that may go with them: what events, latches,
 * barriers ... share beyond waiters.h. RUNG and REFUSED do not occur here.
 *
 * Who is told takes note with the guard, in its poll or its drop; so it comes after who told it has
 * left the guard, and may free what was waited for. `leaving`, under the guard, counts those that
 * were told and have not taken note, and rounds in progress: where it is 0 and the queue is empty
 * nobody who waited has the queue in use.
 *
 * A round, to tell all who wait, takes the whole queue off at once: whatever is done to the queue
 * afterwards concerns who comes afterwards. What was taken off stands between two ends on the
 * teller's stack, under the guard still, which is given up now and then to run wakes. A waiter that
 * leaves early takes itself out from there; but the last one waits until it is told, since the
 * teller comes back to the guard: that is short, for wakers do not block.
 */
#ifndef FILCH_SYNC_CROWD_H
#define FILCH_SYNC_CROWD_H

#include "sync/waiters.h"

/* `kind` of a waiter: as it was told in a round, told alone, or an end of a round. */
enum { FILCH__CROWD_ALL, FILCH__CROWD_ONE, FILCH__CROWD_END };

/* With the guard, which it leaves: tells all, FILCH__GRANTED. */
void filch__crowd_tell_all(filch_wait_queue *q, uint32_t *leaving);

/* With the guard: tells the first, and takes it out. */
static inline void filch__crowd_tell_one(filch_wait_queue *q, uint32_t *leaving,
                                         struct filch__wakes *wakes)
{
    ++*leaving;
    filch__node_of(q->first)->kind = FILCH__CROWD_ONE;
    filch__waiters_tell_first(q, FILCH__GRANTED, wakes);
}

/* With the guard, by the poll of a waiter that is NOWHERE. */
static inline void filch__crowd_append(filch_wait_queue *q, filch_waiter *w,
                                       const filch_waker *waker)
{
    filch__node_of(w)->kind = FILCH__CROWD_ALL;
    filch__waiters_append(q, w, waker);
}

/* By the poll of one that is not NOWHERE. True: it was told, has taken note, and is NOWHERE. */
bool filch__crowd_look(filch_wait_queue *q, uint32_t *leaving, filch_waiter *w,
                       const filch_waker *waker);

/* Of one that was told: how. */
static inline bool filch__crowd_alone(filch_waiter *w)
{
    return filch__node_of(w)->kind == FILCH__CROWD_ONE;
}

/* By the drop, of one that is not NOWHERE, which it is now: takes the guard. True: it was told. To be
 * followed by filch__waiter_left. */
bool filch__crowd_leave(filch_wait_queue *q, uint32_t *leaving, filch_waiter *w);

/* With the guard. */
static inline bool filch__crowd_gone(const filch_wait_queue *q, const uint32_t *leaving)
{
    return !q->first && !*leaving;
}

#endif
