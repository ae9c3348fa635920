/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A notification: tells one who waits, or all, that there may be something to do. One that comes
 * when nobody waits is kept for the next to wait; a second one then adds nothing. (After tokio's
 * Notify.)
 *
 *     static filch_notify work = FILCH_NOTIFY;
 *     ...
 *     push(&list, item);
 *     filch_notify_one(&work);                     // any thread or task
 *     ...
 *     while (filch_notify_wait(&work) == 0)        // a task that serves the list
 *         while ((item = pop(&list)))
 *             serve(item);
 */
#ifndef FILCH_NOTIFY_H
#define FILCH_NOTIFY_H

#include <filch/wait_queue.h>

FILCH_BEGIN_DECLS

/* The fields are filch's. Zero is one with nothing kept. Stays in place while anybody uses it; once
 * somebody was notified, who notified him does not touch it any more. */
typedef struct filch_notify {
    uint32_t state;
    uint32_t leaving;
    filch_wait_queue queue;
} filch_notify;

#define FILCH_NOTIFY           \
    {                          \
        0, 0, FILCH_WAIT_QUEUE \
    }

/* Notifies the first who waits; if nobody does, the next to wait need not. Any thread or task; does
 * not suspend. If the one who was notified is dropped before it is ready, it goes to the next. 0,
 * or -EINVAL: n is NULL. */
FILCH_API int filch_notify_one(filch_notify *n);

/* Notifies all who wait now; keeps nothing for others. Any thread or task; does not suspend. 0, or
 * -EINVAL: n is NULL. */
FILCH_API int filch_notify_all(filch_notify *n);

/* In a task: suspends until it is notified; on another thread: blocks it. 0, and the notification
 * is used up; -EINVAL: n is NULL; -ECANCELED, -ENOMEM as filch_await: none was used up. */
FILCH_API int filch_notify_wait(filch_notify *n);

/* Optional. -EBUSY: somebody waits, or is about to go on; nothing was done. Else it is as a new
 * one, and nobody who has waited uses it. */
FILCH_API int filch_notify_destroy(filch_notify *n);

/* The wait as a future: 0, or -EINVAL. It waits from its first poll on. */
typedef struct filch_notify_future {
    filch_future future;
    filch_notify *notify;
    filch_waiter waiter;
} filch_notify_future;

extern FILCH_API const filch_future_ops filch_notify_future_ops;

#define FILCH_NOTIFY_FUTURE(notify)                                    \
    {                                                                  \
        FILCH_FUTURE(&filch_notify_future_ops), (notify), FILCH_WAITER \
    }

FILCH_END_DECLS

#endif
