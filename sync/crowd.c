/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/crowd.h"

static void take_off(filch_wait_queue *q, filch_waiter *head, filch_waiter *tail)
{
    filch__node_of(head)->kind = filch__node_of(tail)->kind = FILCH__CROWD_END;
    head->next = q->first;
    tail->previous = q->last;
    q->first->previous = head;
    q->last->next = tail;
    q->first = q->last = NULL;
}

void filch__crowd_tell_all(filch_wait_queue *q, uint32_t *leaving)
{
    filch_waiter head, tail;
    if (!q->first) {
        filch__waiters_unlock(q);
        return;
    }
    take_off(q, &head, &tail);
    ++*leaving;
    for (bool more = true; more;) {
        struct filch__wakes wakes;
        filch__wakes_begin(&wakes);
        while ((more = head.next != &tail) && !filch__wakes_full(&wakes)) {
            filch_waiter *w = head.next;
            filch__waiters_remove(q, w);
            ++*leaving;
            filch__waiters_tell(w, FILCH__GRANTED, &wakes);
        }
        *leaving -= !more;
        filch__waiters_unlock(q);
        filch__wakes_run(&wakes);
        if (more)
            filch__waiters_lock(q);
    }
}

bool filch__crowd_look(filch_wait_queue *q, uint32_t *leaving, filch_waiter *w,
                       const filch_waker *waker)
{
    if (filch__waiter_look(q, w, waker) != FILCH__GRANTED)
        return false;
    filch__waiters_lock(q);
    --*leaving;
    filch__waiters_unlock(q);
    filch__waiter_reset(w);
    return true;
}

static bool is_end(filch_waiter *w)
{
    return w && filch__node_of(w)->kind == FILCH__CROWD_END;
}

/* With the guard: the only one that is left of a round. */
static bool is_last(filch_waiter *w)
{
    return filch__waiter_place(w) == FILCH__WAITING && is_end(w->previous) && is_end(w->next);
}

bool filch__crowd_leave(filch_wait_queue *q, uint32_t *leaving, filch_waiter *w)
{
    filch__waiters_lock(q);
    while (filch__unlikely(is_last(w))) {
        filch__waiters_unlock(q);
        filch__os_yield();
        filch__waiters_lock(q);
    }
    bool told = filch__waiter_place(w) == FILCH__GRANTED;
    if (told)
        --*leaving;
    else
        filch__waiters_remove(q, w);
    filch__waiter_reset(w);
    return told;
}
