/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A watch: a value of any size, its bytes, and those who want to know when it changes. Only the
 * latest counts: who looks late, or sleeps through ten changes, sees one.
 *
 *     static struct config config = {.level = 1};
 *     static filch_watch configs = FILCH_WATCH(config);
 *     ...
 *     filch_watch_set(&configs, &fresh);              // any thread or task
 *     ...
 *     filch_watch_reader r = FILCH_WATCH_READER(&configs);
 *     while (filch_watch_changed(&r) == 0) {          // a task, or a thread
 *         filch_watch_read(&r, &mine);
 *         apply(&mine);
 *     }
 *
 * The value is copied under a spin lock: give a large one by its address. What was done before a
 * set is seen by those who have found the change, in whichever way.
 */
#ifndef FILCH_WATCH_H
#define FILCH_WATCH_H

#include <filch/wait_queue.h>

FILCH_BEGIN_DECLS

/* The fields are filch's. Stays in place while anybody uses it. */
typedef struct filch_watch {
    filch_wait_queue queue;
    uint64_t version; /* sets so far */
    void *value;
    size_t size;
    uint32_t leaving;
    uint32_t closed;
} filch_watch;

/* Over a variable, with the value that it has. The variable is filch's, then. */
#define FILCH_WATCH(object)                                   \
    {                                                         \
        FILCH_WAIT_QUEUE, 0, &(object), sizeof(object), 0, 0, \
    }

/* The same over `size` bytes at value, which last as long as it. -EINVAL: w is NULL, or value is,
 * and size is not 0. */
FILCH_API int filch_watch_init(filch_watch *w, void *value, size_t size);

/* Optional. -EBUSY: somebody waits, or is about to go on, or a set or close is still at work;
 * nothing was done. Else it is open, with the value that it has. */
FILCH_API int filch_watch_destroy(filch_watch *w);

/* *value is the value from now on, and a change even if it is the same. Any thread or task; does
 * not suspend. 0; -EPIPE: closed; -EINVAL: NULL, but for size 0. */
FILCH_API int filch_watch_set(filch_watch *w, const void *value);

/* Copies the value, also once it is closed. Any thread or task; does not suspend. 0; -EINVAL: NULL,
 * but for size 0. */
FILCH_API int filch_watch_get(filch_watch *w, void *value);

/* It will not change any more. Any thread or task, any number of times; does not suspend. 0;
 * -EINVAL: NULL. */
FILCH_API int filch_watch_close(filch_watch *w);

/* Used by one task or thread at a time. The fields are filch's. */
typedef struct filch_watch_reader {
    filch_watch *watch;
    uint64_t seen; /* version */
} filch_watch_reader;

/* One that has seen the value with which the watch began, and no change. Read first to wait for
 * those that are to come. */
#define FILCH_WATCH_READER(watch) \
    {                             \
        (watch), 0                \
    }

/* There is a change that r has not seen; false for NULL. In what uses r; does not suspend. One
 * load. */
FILCH_API bool filch_watch_has_changed(const filch_watch_reader *r);

/* Copies the value, and r has seen it. value may be NULL, for the latter alone. In what uses r;
 * does not suspend. 0; -EINVAL: r is NULL, or its watch. */
FILCH_API int filch_watch_read(filch_watch_reader *r, void *value);

/* Suspends its task, or blocks its thread, until there is a change that r has not seen: 0; it is
 * not seen by that. -EPIPE: there is none, and it is closed; -EINVAL: r is NULL, or its watch;
 * -ECANCELED, -ENOMEM as filch_await. In what uses r. */
FILCH_API int filch_watch_changed(filch_watch_reader *r);

/* The same as a future. */
typedef struct filch_watch_changed_future {
    filch_future future;
    filch_watch_reader *reader;
    filch_waiter waiter;
} filch_watch_changed_future;

extern FILCH_API const filch_future_ops filch_watch_changed_future_ops;

#define FILCH_WATCH_CHANGED_FUTURE(reader)                                    \
    {                                                                         \
        FILCH_FUTURE(&filch_watch_changed_future_ops), (reader), FILCH_WAITER \
    }

FILCH_END_DECLS

#endif
