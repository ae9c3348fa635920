/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A semaphore: a number of permits, which are acquired, several at once where that is wanted, and
 * released. They belong to nobody: who releases need not be who acquired. Who must wait suspends
 * its task, or blocks its thread, and is served in the order of arrival: one that wants many is not
 * overtaken by others that want few.
 *
 *     static filch_semaphore megabytes = FILCH_SEMAPHORE(64);
 *     ...
 *     int rc = filch_semaphore_acquire(&megabytes, image->size);
 *     if (rc == 0) {
 *         rc = decode(image);                    // may sleep, read, join ...
 *         filch_semaphore_release(&megabytes, image->size);
 *     }
 *
 * Who acquires the last permit that will ever be released may free its memory at once.
 */
#ifndef FILCH_SEMAPHORE_H
#define FILCH_SEMAPHORE_H

#include <filch/wait_queue.h>

FILCH_BEGIN_DECLS

/* The most that there can be. */
#define FILCH_SEMAPHORE_MAX UINT32_MAX

/* The fields are filch's. Zero is one without permits. Stays in place while anybody uses it. */
typedef struct filch_semaphore {
    uint64_t state;
    filch_wait_queue queue;
    uint64_t promised;
} filch_semaphore;

/* With so many permits. */
#define FILCH_SEMAPHORE(permits)                  \
    {                                             \
        (uint32_t)(permits), FILCH_WAIT_QUEUE, 0, \
    }

/*
 * In a task: suspends until n permits are the caller's; on another thread: blocks it. 0; or without
 * any: -EINVAL: s is NULL, or n is 0; -ECANCELED: the caller was cancelled; -ENOMEM as filch_await.
 * Who wants more than there will ever be waits for ever, and so do those behind it.
 */
FILCH_API int filch_semaphore_acquire(filch_semaphore *s, uint32_t n);

/* Any thread or task; does not suspend. -EAGAIN: there are fewer, or somebody waits; -EINVAL. */
FILCH_API int filch_semaphore_try_acquire(filch_semaphore *s, uint32_t n);

/* Any thread or task; does not suspend. Wakes those who have enough now. -EOVERFLOW: with those
 * that are there it would be more than FILCH_SEMAPHORE_MAX, nothing was done; -EINVAL as above. */
FILCH_API int filch_semaphore_release(filch_semaphore *s, uint32_t n);

/* Permits that are there just now, perhaps too few for the first who waits; -EINVAL: s is NULL. Any
 * thread or task. */
FILCH_API int64_t filch_semaphore_available(const filch_semaphore *s);

/* Optional. -EBUSY: somebody waits, nothing was done. Else it is as FILCH_SEMAPHORE(0). */
FILCH_API int filch_semaphore_destroy(filch_semaphore *s);

/* Acquiring as a future: results as of filch_semaphore_acquire. Permits may be given to one that is
 * pending; dropped before it was ready, it has not taken them, or gives them back. */
typedef struct filch_semaphore_future {
    filch_future future;
    filch_semaphore *semaphore;
    uint32_t permits;
    filch_waiter waiter;
} filch_semaphore_future;

extern FILCH_API const filch_future_ops filch_semaphore_future_ops;

#define FILCH_SEMAPHORE_FUTURE(semaphore, permits)                                                \
    {                                                                                             \
        FILCH_FUTURE(&filch_semaphore_future_ops), (semaphore), (uint32_t)(permits), FILCH_WAITER \
    }

FILCH_END_DECLS

#endif
