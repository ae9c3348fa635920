/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A latch counts what is still to be done, and lets all go on who wait for it when the count comes
 * to zero: a countdown, made with its count, or a wait group, which is added to as work comes up.
 * At zero nobody waits; it may be added to and waited for again. What was done before a
 * filch_latch_done is seen by whom it lets go on.
 *
 *     filch_latch left = FILCH_LATCH(0);
 *     for (int i = 0; i < n; i++) {
 *         filch_latch_add(&left, 1);               // before the work can end
 *         filch_spawn(NULL, work, &part[i]);       // ends in filch_latch_done(part->left, 1)
 *     }
 *     int rc = filch_latch_wait(&left);
 */
#ifndef FILCH_LATCH_H
#define FILCH_LATCH_H

#include <filch/wait_queue.h>

FILCH_BEGIN_DECLS

/* The fields are filch's. Zero is one at zero. Stays in place while anybody uses it; the last
 * filch_latch_done does not touch it any more once it has let somebody go on. */
typedef struct filch_latch {
    uint64_t state;
    filch_wait_queue queue;
    uint32_t leaving;
} filch_latch;

/* count: 0 to UINT32_MAX. */
#define FILCH_LATCH(count)                                    \
    {                                                         \
        (uint64_t)(uint32_t)(count) << 1, FILCH_WAIT_QUEUE, 0 \
    }

/* Any thread or task; do not suspend. 0; or nothing was changed: -EINVAL: l is NULL, or more done
 * than there is; -EOVERFLOW: more than UINT32_MAX would be left. */
FILCH_API int filch_latch_add(filch_latch *l, uint32_t n);
FILCH_API int filch_latch_done(filch_latch *l, uint32_t n);

/* What is left to be done just now. Any thread or task. */
FILCH_API uint32_t filch_latch_count(const filch_latch *l);

/* In a task: suspends until the count is zero; on another thread: blocks it. Who waits when it
 * comes to zero has been let go, also where it is added to at once. 0; -EINVAL: l is NULL;
 * -ECANCELED, -ENOMEM as filch_await. */
FILCH_API int filch_latch_wait(filch_latch *l);

/* Optional. -EBUSY: somebody waits, or is about to go on; nothing was done. Else its count is zero,
 * and nobody who has waited uses it. */
FILCH_API int filch_latch_destroy(filch_latch *l);

/* The wait as a future: 0, or -EINVAL. */
typedef struct filch_latch_future {
    filch_future future;
    filch_latch *latch;
    filch_waiter waiter;
} filch_latch_future;

extern FILCH_API const filch_future_ops filch_latch_future_ops;

#define FILCH_LATCH_FUTURE(latch)                                    \
    {                                                                \
        FILCH_FUTURE(&filch_latch_future_ops), (latch), FILCH_WAITER \
    }

FILCH_END_DECLS

#endif
