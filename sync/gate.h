/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gate: a word that says whether it is open, and a queue of those who wait for that. Events and
 * latches are gates; what the word says beside WAITED is theirs.
 *
 *     closed -> closed | WAITED    with the guard: somebody is in the queue
 *     closed | WAITED -> closed    with the guard: nobody is any more
 *     closed -> open               the last touch of the gate
 *     closed | WAITED -> open      with the guard: all who wait are told
 *     any but WAITED, in either    by the owner of the word
 * So WAITED is set while the queue is not empty, and never while it is open. Each change is a
 * read-modify-write, opening releases, and who goes through without waiting acquires it; for those
 * who wait it is ordered by the waiter's place. Who opens it for a queue leaves the guard last, and
 * those in the queue take note with it: so who is through may free the gate (crowd.h).
 */
#ifndef FILCH_SYNC_GATE_H
#define FILCH_SYNC_GATE_H

#include "sync/crowd.h"

enum { FILCH__GATE_WAITED = 1 };

struct filch__gate {
    uint64_t *state;
    filch_wait_queue *queue;
    uint32_t *leaving;
    uint64_t mask, open; /* it is open where *state & mask == open */
};

static inline bool filch__gate_is_open(const struct filch__gate *g)
{
    return (filch__load_acquire(g->state) & g->mask) == g->open;
}

/* *state -> to, which is open. False: it has changed, see *state. */
bool filch__gate_open(const struct filch__gate *g, uint64_t *state, uint64_t to);

/* Poll and drop of a future. */
int filch__gate_poll(const struct filch__gate *g, filch_waiter *w, const filch_waker *waker);
void filch__gate_drop(const struct filch__gate *g, filch_waiter *w);

/* -EBUSY: somebody waits, or is about to go through. Else *state is as given. */
int filch__gate_destroy(const struct filch__gate *g, uint64_t state);

#endif
