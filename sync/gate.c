/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/gate.h"

#include <errno.h>

bool filch__gate_open(const struct filch__gate *g, uint64_t *state, uint64_t to)
{
    to &= ~(uint64_t)FILCH__GATE_WAITED;
    if (filch__likely(!(*state & FILCH__GATE_WAITED)))
        return filch__cas_acq_rel(g->state, state, to);
    filch__waiters_lock(g->queue);
    bool opened = filch__cas_acq_rel(g->state, state, to);
    if (opened)
        filch__crowd_tell_all(g->queue, g->leaving);
    else
        filch__waiters_unlock(g->queue);
    return opened;
}

static int enqueue(const struct filch__gate *g, filch_waiter *w, const filch_waker *waker)
{
    filch__waiters_lock(g->queue);
    uint64_t state = filch__load_acquire(g->state);
    bool closed;
    while ((closed = (state & g->mask) != g->open) &&
           !filch__cas_acq_rel(g->state, &state, state | FILCH__GATE_WAITED))
        ;
    if (closed)
        filch__crowd_append(g->queue, w, waker);
    filch__waiters_unlock(g->queue);
    return closed ? FILCH_PENDING : 0;
}

int filch__gate_poll(const struct filch__gate *g, filch_waiter *w, const filch_waker *waker)
{
    if (!filch__waiter_is_nowhere(w))
        return filch__crowd_look(g->queue, g->leaving, w, waker) ? 0 : FILCH_PENDING;
    return filch__gate_is_open(g) ? 0 : enqueue(g, w, waker);
}

void filch__gate_drop(const struct filch__gate *g, filch_waiter *w)
{
    if (filch__waiter_is_nowhere(w))
        return;
    if (!filch__crowd_leave(g->queue, g->leaving, w) && !g->queue->first)
        (void)filch__and_acq_rel(g->state, ~(uint64_t)FILCH__GATE_WAITED);
    filch__waiter_left(g->queue, w, &filch__wakes_none);
}

int filch__gate_destroy(const struct filch__gate *g, uint64_t state)
{
    filch__waiters_lock(g->queue);
    bool gone = filch__crowd_gone(g->queue, g->leaving);
    if (gone)
        filch__store_relaxed(g->state, state);
    filch__waiters_unlock(g->queue);
    return gone ? 0 : -EBUSY;
}
