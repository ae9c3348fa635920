/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lock that many may hold for reading, or one for writing, over any wait. Who must wait suspends
 * its task, or blocks its thread. It is handed on in the order of arrival, readers that follow each
 * other together, so nobody starves. Where there are few writers, readers of it do not meet in any
 * line of the caches.
 *
 *     static filch_rwlock lock = FILCH_RWLOCK;
 *     ...
 *     int rc = filch_rwlock_read_lock(&lock);
 *     if (rc == 0) {
 *         route = find(&table, address);
 *         filch_rwlock_read_unlock(&lock);
 *     }
 *
 * For writing it belongs to the task, forked job or thread that locked it; if that ends without
 * unlocking it, all that lock it are told so, until one of them that writes has put right what it
 * protects. Who reads is not recorded. So who ends without unlocking what it locked for reading
 * holds it for ever, and it may never be freed; who locks it for writing while it reads waits for
 * itself; and so does who locks it twice for reading, if a writer comes in between.
 */
#ifndef FILCH_RWLOCK_H
#define FILCH_RWLOCK_H

#include <filch/wait_queue.h>

FILCH_BEGIN_DECLS

/* The fields are filch's. Zero is a free one. Stays in place while anybody uses it. */
typedef struct filch_rwlock {
    uint32_t biased, broken;
    void *owner;
    uint32_t readers, passing;
    int32_t calm;
    filch_wait_queue queue;
    void *held[2]; /* the owner's */
} filch_rwlock;

#define FILCH_RWLOCK                           \
    {                                          \
        0, 0, NULL, 0, 0, 0, FILCH_WAIT_QUEUE, \
        {                                      \
            NULL, NULL                         \
        }                                      \
    }

/*
 * In a task: suspends until the lock is the caller's, for reading; on another thread: blocks it. 0,
 * or -EOWNERDEAD: it is the caller's, but who had it for writing ended without unlocking it: what
 * it protects may be in any state, and stays so, for a reader cannot put it right. Without the
 * lock: -EINVAL: l is NULL; -EDEADLK: it is the caller's for writing; -ENOTRECOVERABLE: it was
 * unlocked after an -EOWNERDEAD to a writer as it was; -ECANCELED: the caller was cancelled;
 * -ENOMEM as filch_await.
 */
FILCH_API int filch_rwlock_read_lock(filch_rwlock *l);

/* The same for writing, alone; see filch_rwlock_consistent for -EOWNERDEAD. */
FILCH_API int filch_rwlock_write_lock(filch_rwlock *l);

/* Any thread or task; do not suspend. 0 or -EOWNERDEAD as above; -EBUSY: somebody has it, perhaps
 * the caller, or waits for it; -EINVAL, -ENOTRECOVERABLE, -ENOMEM. */
FILCH_API int filch_rwlock_try_read_lock(filch_rwlock *l);
FILCH_API int filch_rwlock_try_write_lock(filch_rwlock *l);

/* By who has it for reading, or on behalf of that one, which is slower; does not suspend. -EPERM:
 * nobody has it for reading; -EINVAL. */
FILCH_API int filch_rwlock_read_unlock(filch_rwlock *l);

/* By who has it for writing; does not suspend. -EPERM: the caller has it not; -EINVAL. */
FILCH_API int filch_rwlock_write_unlock(filch_rwlock *l);

/* By who got -EOWNERDEAD for writing and has put right what it protects: it is as any other from
 * now on. If this is left out the unlock makes it unusable for ever. -EINVAL: it is consistent;
 * -EPERM: the caller has it not for writing. */
FILCH_API int filch_rwlock_consistent(filch_rwlock *l);

/* Optional. -EBUSY: somebody has it or waits for it, nothing was done. Else it is as a new one. */
FILCH_API int filch_rwlock_destroy(filch_rwlock *l);

/* Locking as a future: results as of filch_rwlock_read_lock and filch_rwlock_write_lock. It may be
 * given to one that is pending, so poll or drop it soon when it wakes; it is the poller's. Dropped
 * before, it has not taken it, or gives it back. */
typedef struct filch_rwlock_future {
    filch_future future;
    filch_rwlock *lock;
    uint32_t writes; /* else it reads */
    filch_waiter waiter;
} filch_rwlock_future;

extern FILCH_API const filch_future_ops filch_rwlock_future_ops;

#define FILCH_RWLOCK_READ_FUTURE(lock)                                  \
    {                                                                   \
        FILCH_FUTURE(&filch_rwlock_future_ops), (lock), 0, FILCH_WAITER \
    }
#define FILCH_RWLOCK_WRITE_FUTURE(lock)                                 \
    {                                                                   \
        FILCH_FUTURE(&filch_rwlock_future_ops), (lock), 1, FILCH_WAITER \
    }

FILCH_END_DECLS

#endif
