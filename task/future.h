/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A future's life, as its one user at a time sees it.
 *
 *     NEW -> PENDING    its first poll
 *     NEW, PENDING -> READY or DROPPED, and then its drop runs: the last that touches it
 * BUSY beside NEW or PENDING: it is being polled or awaited. The word is no lock: it catches a
 * second user where it can.
 */
#ifndef FILCH_TASK_FUTURE_H
#define FILCH_TASK_FUTURE_H

#include <filch/atomic.h>
#include <filch/future.h>

#include <errno.h>

enum {
    FILCH__FUTURE_NEW,
    FILCH__FUTURE_PENDING,
    FILCH__FUTURE_READY,
    FILCH__FUTURE_DROPPED,
    FILCH__FUTURE_BUSY = 4,
};

/* 0 if it may be polled, else what to say. */
static inline int filch__future_check(const filch_future *f)
{
    if (filch__unlikely(!f))
        return -EINVAL;
    uint32_t state = filch__load_relaxed(&f->state);
    if (filch__likely(state <= FILCH__FUTURE_PENDING))
        return 0;
    return state & FILCH__FUTURE_BUSY ? -EBUSY : -EALREADY;
}

/* Checked: the caller is its user until it leaves, or ends it. */
static inline void filch__future_enter(filch_future *f)
{
    filch__store_relaxed(&f->state, f->state | FILCH__FUTURE_BUSY);
}

static inline void filch__future_leave(filch_future *f)
{
    filch__store_relaxed(&f->state, f->state & ~(uint32_t)FILCH__FUTURE_BUSY);
}

/* Entered. True: it was ready, and has ended; the result is there, and in *result. */
static inline bool filch__future_poll(filch_future *f, const filch_waker *waker, int *result)
{
    filch__store_relaxed(&f->state, FILCH__FUTURE_PENDING | FILCH__FUTURE_BUSY);
    int polled = f->ops->poll(f, waker);
    if (polled == FILCH_PENDING)
        return false;
    *result = f->result = polled;
    filch__store_relaxed(&f->state, FILCH__FUTURE_READY);
    if (f->ops->drop)
        f->ops->drop(f);
    return true;
}

/* It has not ended. */
static inline void filch__future_abandon(filch_future *f)
{
    filch__store_relaxed(&f->state, FILCH__FUTURE_DROPPED);
    if (f->ops->drop)
        f->ops->drop(f);
}

#endif
