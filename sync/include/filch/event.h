/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event: something that has happened or has not. Who waits for it goes on once it is set, and
 * nobody waits while it is; it stays set until it is reset. What was done before a set is seen by
 * whom it lets go on.
 *
 *     static filch_event ready = FILCH_EVENT;
 *     ...
 *     load(&tables);
 *     filch_event_set(&ready);                // by one task
 *     ...
 *     if (filch_event_wait(&ready) == 0)      // by any number of others, before or after
 *         use(&tables);
 */
#ifndef FILCH_EVENT_H
#define FILCH_EVENT_H

#include <filch/wait_queue.h>

FILCH_BEGIN_DECLS

/* The fields are filch's. Zero is one that is not set. Stays in place while anybody uses it; once a
 * set has let somebody go on, that set does not touch it any more. */
typedef struct filch_event {
    uint64_t state;
    filch_wait_queue queue;
    uint32_t leaving;
} filch_event;

#define FILCH_EVENT            \
    {                          \
        0, FILCH_WAIT_QUEUE, 0 \
    }

/* Any thread or task; do not suspend. Who waits when it is set has been let go, also where a reset
 * follows at once. 0, or -EINVAL: e is NULL. */
FILCH_API int filch_event_set(filch_event *e);
FILCH_API int filch_event_reset(filch_event *e);

/* Any thread or task. */
FILCH_API bool filch_event_is_set(const filch_event *e);

/* In a task: suspends until it is set; on another thread: blocks it. 0; -EINVAL: e is NULL;
 * -ECANCELED, -ENOMEM as filch_await. */
FILCH_API int filch_event_wait(filch_event *e);

/* Optional. -EBUSY: somebody waits, or is about to go on; nothing was done. Else it is as a new
 * one, and nobody who has waited uses it. */
FILCH_API int filch_event_destroy(filch_event *e);

/* The wait as a future: 0, or -EINVAL. */
typedef struct filch_event_future {
    filch_future future;
    filch_event *event;
    filch_waiter waiter;
} filch_event_future;

extern FILCH_API const filch_future_ops filch_event_future_ops;

#define FILCH_EVENT_FUTURE(event)                                    \
    {                                                                \
        FILCH_FUTURE(&filch_event_future_ops), (event), FILCH_WAITER \
    }

FILCH_END_DECLS

#endif
