/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wakers: how a future that was pending says that it should be polled again. Whoever polls hands
 * one to the future; the future keeps it where the event that it waits for will find it.
 *
 *     static int poll(filch_future *self, const filch_waker *waker)
 *     {
 *         struct reply *reply = (struct reply *)self;
 *         if (reply->here)
 *             return reply->value;
 *         reply->waker = *waker;         // good until the next poll, or the end of the future
 *         return FILCH_PENDING;
 *     }
 *     ... filch_wake(&reply->waker);     // on any thread
 *
 * What a poll gets is borrowed: it may be copied, and used until the future is polled again, is
 * ready, or its drop has returned. So a future that is left pending ends, or is polled by another,
 * before the task or the thread that polled it is over. A clone is owned: it may be used at any
 * time, from any thread, any number of times, also when the task and its runtime are gone, until it
 * is dropped. A wake of what has ended does nothing; one too many is harmless: the future is polled
 * and says again that it is pending.
 */
#ifndef FILCH_WAKER_H
#define FILCH_WAKER_H

#include <filch/base.h>

FILCH_BEGIN_DECLS

typedef struct filch_waker filch_waker;

/* For wakers of your own, to poll filch's futures from an event loop of yours. All are called from
 * any thread, perhaps under a lock of the future: they must not block, nor poll or drop a future,
 * nor take a lock under which somebody else does. */
typedef struct filch_waker_ops {
    void (*wake)(void *data);
    filch_waker (*clone)(void *data); /* gives an owned one */
    void (*drop)(void *data);         /* of an owned one */
} filch_waker_ops;

struct filch_waker {
    const filch_waker_ops *ops; /* NULL: wakes nobody */
    void *data;
};

/* Any thread, but not in a signal handler. Does not suspend, never fails. */
FILCH_API void filch_wake(const filch_waker *w);

/*
 * The same in a signal handler, for the wakers of filch itself (0). -ENOTSUP: another one.
 */
FILCH_API int filch_wake_from_signal(const filch_waker *w);

/* Any thread. Never fails. The result is the caller's, for filch_waker_drop. */
FILCH_API filch_waker filch_waker_clone(const filch_waker *w);

/* Any thread. Of a clone, once; *w wakes nobody from now on. */
FILCH_API void filch_waker_drop(filch_waker *w);

/* They wake the same; a waker and its clone need not. */
static inline bool filch_waker_same(const filch_waker *a, const filch_waker *b)
{
    return a->ops == b->ops && a->data == b->data;
}

FILCH_END_DECLS

#endif
