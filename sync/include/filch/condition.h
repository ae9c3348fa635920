/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A condition variable: who has a mutex and finds that it cannot go on yet gives the mutex up, waits
 * to be notified, and has the mutex again. What is waited for is changed with the mutex, and looked
 * at again after each wait.
 *
 *     filch_mutex_lock(&list.mutex);
 *     while (rc == 0 && !list.first)
 *         rc = filch_condition_wait(&list.filled, &list.mutex);
 *     item = rc == 0 ? pop(&list) : NULL;
 *     filch_mutex_unlock(&list.mutex);
 *     ...
 *     filch_mutex_lock(&list.mutex);
 *     push(&list, item);
 *     filch_mutex_unlock(&list.mutex);
 *     filch_condition_notify_one(&list.filled);
 */
#ifndef FILCH_CONDITION_H
#define FILCH_CONDITION_H

#include <filch/mutex.h>

FILCH_BEGIN_DECLS

/* The fields are filch's. Zero is one that nobody waits for. Stays in place while anybody uses it;
 * once somebody was notified, who notified him does not touch it any more. */
typedef struct filch_condition {
    filch_wait_queue queue;
    uint32_t leaving;
    uint32_t waited;
} filch_condition;

#define FILCH_CONDITION        \
    {                          \
        FILCH_WAIT_QUEUE, 0, 0 \
    }

/*
 * Gives m, which is the caller's, up, waits to be notified, and takes m again, which is not cut
 * short. In a task: suspends; on another thread: blocks it. With m: 0: it was notified. -EOWNERDEAD
 * as filch_mutex_lock, whether or not it was. Not notified: -ECANCELED: the caller was cancelled;
 * -ENOMEM as filch_await. Without m: -ENOTRECOVERABLE; -EPERM: it was not the caller's, nothing was
 * done; -EINVAL: NULL.
 */
FILCH_API int filch_condition_wait(filch_condition *c, filch_mutex *m);

/* The same until a deadline, as filch_await_until: -ETIMEDOUT, -EAGAIN: not notified, with m. One
 * that has passed: m is given up and taken again. */
FILCH_API int filch_condition_wait_until(filch_condition *c, filch_mutex *m, int64_t deadline);

/*
 * Notifies the first who waits, or all who wait now; it is lost where nobody does. Any thread or
 * task, with or without the mutex; does not suspend. If the one who was notified is cancelled
 * before it has the mutex again it goes to the next. 0, or -EINVAL: c is NULL.
 */
FILCH_API int filch_condition_notify_one(filch_condition *c);
FILCH_API int filch_condition_notify_all(filch_condition *c);

/* Optional. -EBUSY: somebody waits, or is about to go on; nothing was done. Else it is as a new
 * one, and nobody who has waited uses it. */
FILCH_API int filch_condition_destroy(filch_condition *c);

/*
 * The wait as a future: waits from its first poll on, which gives the mutex up if it is the
 * poller's (-EPERM); ready when it was notified and the mutex is the poller's again. Results else
 * as filch_condition_wait, and errors of the lock: without the mutex. Dropped before, also by an
 * await that is cancelled or late, it leaves the caller without the mutex, and a notification goes
 * to the next. Dropped unpolled it has done nothing: a select whose other future is ready at once
 * may not have polled it; filch_poll it first to know.
 */
typedef struct filch_condition_future {
    filch_future future;
    filch_condition *condition;
    filch_mutex *mutex;
    filch_waiter waiter;
    filch_lock_future lock; /* filch's */
} filch_condition_future;

extern FILCH_API const filch_future_ops filch_condition_future_ops;

#define FILCH_CONDITION_FUTURE(condition, mutex)                                       \
    {                                                                                  \
        FILCH_FUTURE(&filch_condition_future_ops), (condition), (mutex), FILCH_WAITER, \
            FILCH_LOCK_FUTURE(NULL)                                                    \
    }

FILCH_END_DECLS

#endif
