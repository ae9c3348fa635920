/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mutex that may be held over any wait: who must wait for it suspends its task, or blocks its
 * thread, and leaves the worker to others. Those who wait get it in the order in which they came.
 *
 *     static filch_mutex mutex = FILCH_MUTEX;
 *     ...
 *     int rc = filch_mutex_lock(&mutex);
 *     if (rc == 0) {
 *         rc = save(&state);             // may sleep, read, join ...
 *         filch_mutex_unlock(&mutex);
 *     }
 */
#ifndef FILCH_MUTEX_H
#define FILCH_MUTEX_H

#include <filch/future.h>

FILCH_BEGIN_DECLS

struct filch_lock_future;

/* The fields are filch's. Needs no destruction; stays in place while anybody uses it. */
typedef struct filch_mutex {
    uint32_t state;
    uint32_t guard;
    struct filch_lock_future *first, *last;
} filch_mutex;

#define FILCH_MUTEX      \
    {                    \
        0, 0, NULL, NULL \
    }

/*
 * In a task: suspends until the mutex is the caller's; on another thread: blocks it. 0. Without the
 * mutex: -EINVAL: m is NULL; -ECANCELED: the caller was cancelled; -ENOMEM as filch_await.
 */
FILCH_API int filch_mutex_lock(filch_mutex *m);

/* Any thread or task; does not suspend. -EBUSY: somebody has it. */
FILCH_API int filch_mutex_try_lock(filch_mutex *m);

/* Any thread or task, for whoever has it; does not suspend. -EPERM: nobody has it. */
FILCH_API int filch_mutex_unlock(filch_mutex *m);

/* Locking as a future: 0 once the mutex is the caller's. It may be given to one that is pending, so
 * poll or drop it soon when it wakes. Dropped before, it has not taken it, or
 * gives it back. */
typedef struct filch_lock_future {
    filch_future future;
    filch_mutex *mutex;
    struct filch_lock_future *next, *previous;
    uint64_t storage[4];
} filch_lock_future;

extern FILCH_API const filch_future_ops filch_lock_future_ops;

#define FILCH_LOCK_FUTURE(mutex)                                   \
    {                                                              \
        FILCH_FUTURE(&filch_lock_future_ops), (mutex), NULL, NULL, \
        {                                                          \
            0                                                      \
        }                                                          \
    }

FILCH_END_DECLS

#endif
