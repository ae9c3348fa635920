/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for something under the guard that is there for all: what broadcasts and watches share.
 * Who waits is told in a crowd (crowd.h) that there is news, which needs nobody to hold it for him;
 * he takes note and looks for himself under one and the same hold of the guard.
 */
#ifndef FILCH_SYNC_NEWS_H
#define FILCH_SYNC_NEWS_H

#include "sync/crowd.h"

#include <errno.h>

/* By a poll. False: it waits. Else the caller has the guard, and w is NOWHERE. */
static inline bool filch__news_look(filch_wait_queue *q, uint32_t *leaving, filch_waiter *w,
                                    const filch_waker *waker)
{
    bool waited = !filch__waiter_is_nowhere(w);
    if (waited && filch__waiter_look(q, w, waker) != FILCH__GRANTED)
        return false;
    filch__waiters_lock(q);
    if (waited) {
        --*leaving;
        filch__waiter_reset(w);
    }
    return true;
}

/* With the guard, which it leaves. rc: what there was; -EAGAIN: nothing, it waits. */
static inline int filch__news_answer(filch_wait_queue *q, filch_waiter *w, const filch_waker *waker,
                                     int rc)
{
    if (rc == -EAGAIN) {
        filch__crowd_append(q, w, waker);
        rc = FILCH_PENDING;
    }
    filch__waiters_unlock(q);
    return rc;
}

/* By a drop, of one that is not NOWHERE. *count, unless it is NULL, has counted it, under the guard. */
static inline void filch__news_leave(filch_wait_queue *q, uint32_t *leaving, filch_waiter *w,
                                     uint32_t *count)
{
    (void)filch__crowd_leave(q, leaving, w);
    if (count)
        --*count;
    filch__waiter_left(q, w, &filch__wakes_none);
}

#endif
