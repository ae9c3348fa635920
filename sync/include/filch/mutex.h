/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mutex that may be held over any wait: who must wait for it suspends its task, or blocks its
 * thread, and leaves the worker to others. It belongs to the task or thread that locked it, where a
 * stolen job is one of its own. If that ends without unlocking it, the next one is told so.
 *
 *     static filch_mutex mutex = FILCH_MUTEX;
 *     ...
 *     int rc = filch_mutex_lock(&mutex);
 *     if (rc == 0) {
 *         rc = save(&state);             // may sleep, read, join ...
 *         filch_mutex_unlock(&mutex);
 *     }
 *
 * Who finds it free takes it, also before those who wait, which saves a switch for each of many
 * short sections; but once the first has waited for a millisecond, it is handed over in the order of
 * arrival, until those who wait have waited less. (After Go's sync.Mutex.) One that a single thread
 * takes again and again becomes its own, and costs it no locked instruction, until another comes.
 */
#ifndef FILCH_MUTEX_H
#define FILCH_MUTEX_H

#include <filch/wait_queue.h>

FILCH_BEGIN_DECLS

/* The fields are filch's. Zero is a free one. Stays in place while anybody uses it. */
typedef struct filch_mutex {
    uint64_t state, bias;
    struct filch_mutex *ending_next;
    filch_wait_queue queue;
    void *held[2]; /* the owner's */
} filch_mutex;

#define FILCH_MUTEX                   \
    {                                 \
        0, 0, NULL, FILCH_WAIT_QUEUE, \
        {                             \
            NULL, NULL                \
        }                             \
    }

/*
 * In a task: suspends until the mutex is the caller's; on another thread: blocks it. 0, or
 * -EOWNERDEAD: it is the caller's, but who had it ended without unlocking it: what it protects may
 * be in any state; see filch_mutex_consistent. Without the mutex: -EINVAL: m is NULL; -EDEADLK: it is the
 * caller's already; -ENOTRECOVERABLE: it was unlocked after an -EOWNERDEAD as it was; -ECANCELED:
 * the caller was cancelled; -ENOMEM as filch_await.
 */
FILCH_API int filch_mutex_lock(filch_mutex *m);

/* Any thread or task; does not suspend. 0 or -EOWNERDEAD as above; -EBUSY: somebody has it, perhaps
 * the caller, or it is about to be handed over; -EINVAL, -ENOTRECOVERABLE, -ENOMEM. */
FILCH_API int filch_mutex_try_lock(filch_mutex *m);

/* By who has it; does not suspend. -EPERM: the caller has it not. */
FILCH_API int filch_mutex_unlock(filch_mutex *m);

/* By who got -EOWNERDEAD and has put right what it protects: it is as any other from now on. If
 * this is left out the unlock makes it unusable for ever. -EINVAL: it is consistent; -EPERM. */
FILCH_API int filch_mutex_consistent(filch_mutex *m);

/* Optional. -EBUSY: somebody has it or waits for it, nothing was done. Else it is as a new one. */
FILCH_API int filch_mutex_destroy(filch_mutex *m);

/* Locking as a future: results as of filch_mutex_lock. It may be given to one that is pending, so
 * poll or drop it soon when it wakes; it is the poller's. Dropped before, it has not taken it, or
 * gives it back. */
typedef struct filch_lock_future {
    filch_future future;
    filch_mutex *mutex;
    filch_waiter waiter;
    int64_t since; /* filch's */
} filch_lock_future;

extern FILCH_API const filch_future_ops filch_lock_future_ops;

#define FILCH_LOCK_FUTURE(mutex)                                       \
    {                                                                  \
        FILCH_FUTURE(&filch_lock_future_ops), (mutex), FILCH_WAITER, 0 \
    }

FILCH_END_DECLS

#endif
