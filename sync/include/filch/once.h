/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Once: something that is done once in all, by whoever comes first, while the others who come wait
 * for that. Where it fails, the first of those who wait tries next. A cell is a once with a value.
 *
 *     static filch_cell table = FILCH_CELL;
 *
 *     static int make(void *size, void **value) { return (*value = build(*(int *)size)) ? 0 : -ENOMEM; }
 *     ...
 *     void *t;
 *     int rc = filch_cell_init(&table, make, &size, &t);       // 0: t is there, made by somebody
 *
 * Who has begun and ends before it has finished, task or thread, has failed.
 */
#ifndef FILCH_ONCE_H
#define FILCH_ONCE_H

#include <filch/wait_queue.h>

FILCH_BEGIN_DECLS

/* The fields are filch's. Zero is one that was not done. Stays in place while anybody uses it. */
typedef struct filch_once {
    uint64_t state;
    filch_wait_queue queue;
    uint32_t leaving;
    void *held[2]; /* the runner's */
} filch_once;

#define FILCH_ONCE              \
    {                           \
        0, FILCH_WAIT_QUEUE, 0, \
        {                       \
            NULL, NULL          \
        }                       \
    }

/*
 * Runs fn(arg), unless it was done; if somebody else runs it now, first waits for him. In a task:
 * suspends; on another thread: blocks it. 0: it is done, by whomever: fn has returned >= 0. Not
 * done: what the caller's fn returned, < 0; or fn was not called: -EDEADLK: the caller is in it;
 * -ECANCELED, -ENOMEM as filch_await; -EINVAL: NULL. A cancelled fn that returns >= 0 has done it.
 */
FILCH_API int filch_once_call(filch_once *o, filch_fn *fn, void *arg);

/* Any thread or task. What it has done is seen then. */
FILCH_API bool filch_once_done(const filch_once *o);

/* Optional. -EBUSY: somebody runs it, waits, or is about to go on; nothing was done. Else it is as a
 * new one, and nobody who has waited uses it. */
FILCH_API int filch_once_destroy(filch_once *o);

/*
 * Beginning as a future. 0: it is done. 1: it is for the poller to do now, and to call
 * filch_once_finish: the task, forked job or thread that polled. -EDEADLK: it is at it already;
 * -EINVAL: NULL; -ENOMEM, on a thread: no memory. It may be for one that is pending, so poll or drop
 * it soon when it wakes; dropped, it is for the next to do.
 */
typedef struct filch_once_future {
    filch_future future;
    filch_once *once;
    filch_waiter waiter;
} filch_once_future;

extern FILCH_API const filch_future_ops filch_once_future_ops;

#define FILCH_ONCE_FUTURE(once)                                    \
    {                                                              \
        FILCH_FUTURE(&filch_once_future_ops), (once), FILCH_WAITER \
    }

/* result >= 0: it is done; < 0: it failed, and is for the next to do. By whom a future has given 1;
 * does not suspend. 0; -EPERM: the caller has not begun; -EINVAL: o is NULL. */
FILCH_API int filch_once_finish(filch_once *o, int result);

/* ---- with a value ---- */

typedef struct filch_cell {
    filch_once once;
    void *value;
} filch_cell;

#define FILCH_CELL       \
    {                    \
        FILCH_ONCE, NULL \
    }

/* The value, or NULL: it is not there. Any thread or task; one load. */
FILCH_API void *filch_cell_get(const filch_cell *c);

/*
 * Where there is no value: init(arg, &v), which sets v, not to NULL, and returns >= 0, or fails
 * with < 0. As filch_once_call. 0: *value is the cell's. *value stays as it is else; -EINVAL also:
 * init gave NULL.
 */
FILCH_API int filch_cell_init(filch_cell *c, int (*init)(void *arg, void **value), void *arg,
                              void **value);

/* Optional. As filch_once_destroy; the value is the caller's to free, before. */
FILCH_API int filch_cell_destroy(filch_cell *c);

FILCH_END_DECLS

#endif
