/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/waiters.h"

const struct filch__wakes filch__wakes_none;

static void change_waker(uint32_t *guard, struct filch__wait_node *node, const filch_waker *waker)
{
    filch__spin_lock(guard);
    if (filch__load_relaxed(&node->place) == FILCH__WAITING)
        node->signal.waker = *waker;
    filch__spin_unlock(guard);
}

enum filch__place filch__waiter_look_slow(uint32_t *guard, filch_waiter *w,
                                          const filch_waker *waker)
{
    struct filch__wait_node *node = filch__node_of(w);
    if (!filch__signal_rung(&node->signal) && !filch_waker_same(&node->signal.waker, waker))
        change_waker(guard, node, waker);
    if (!filch__signal_rung(&node->signal))
        return FILCH__WAITING;
    filch__signal_settle(&node->signal);
    filch__spin_lock(guard); /* whoever told it has left it, then */
    enum filch__place place = (enum filch__place)filch__load_relaxed(&node->place);
    filch__spin_unlock(guard);
    return place;
}

enum filch__place filch__waiter_leave_under(uint32_t *guard, filch_wait_queue *q, filch_waiter *w)
{
    filch__spin_lock(guard);
    enum filch__place place = filch__waiter_place(w);
    if (place == FILCH__WAITING || place == FILCH__RUNG)
        filch__waiters_remove(q, w);
    filch__waiter_reset(w);
    return place;
}

void filch__waiter_left_under(uint32_t *guard, filch_waiter *w, const struct filch__wakes *wakes)
{
    filch__spin_unlock(guard);
    filch__wakes_run(wakes);
    filch__signal_settle(&filch__node_of(w)->signal);
}
