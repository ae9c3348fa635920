/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A barrier: a number of tasks or threads wait for each other, round after round. When the last of
 * them has come all go on; what each did before is seen by all.
 *
 *     static filch_barrier step = FILCH_BARRIER(4);
 *     ...
 *     for (int i = 0; i < steps; i++) {            // in each of four tasks
 *         compute(part, i);
 *         if (filch_barrier_wait(&step) < 0)
 *             break;
 *     }
 *
 * Who waits suspends, and leaves its worker to others: there may be more parties than workers.
 */
#ifndef FILCH_BARRIER_H
#define FILCH_BARRIER_H

#include <filch/wait_queue.h>

FILCH_BEGIN_DECLS

/* The fields are filch's. Stays in place while anybody uses it; once somebody has gone on, who came
 * last does not touch it any more for that round. */
typedef struct filch_barrier {
    uint32_t parties, arrived, round, leaving;
    filch_wait_queue queue;
} filch_barrier;

/* parties > 0. */
#define FILCH_BARRIER(parties)               \
    {                                        \
        (parties), 0, 0, 0, FILCH_WAIT_QUEUE \
    }

/*
 * In a task: suspends until all have come; on another thread: blocks it. 1 to the last who came, 0
 * to the others. -EINVAL: b is NULL, or of no parties; -ECANCELED, -ENOMEM as filch_await: if the
 * round was not complete by then the caller has not come; else it has.
 */
FILCH_API int filch_barrier_wait(filch_barrier *b);

/* Optional. -EBUSY: somebody waits, or is about to go on; nothing was done. Else it is as a new
 * one, and nobody who has waited uses it. Any thread or task; does not suspend. */
FILCH_API int filch_barrier_destroy(filch_barrier *b);

/* The wait as a future: 1, 0 or -EINVAL. It has come with its first poll; dropped before the round
 * is complete it has not. */
typedef struct filch_barrier_future {
    filch_future future;
    filch_barrier *barrier;
    filch_waiter waiter;
} filch_barrier_future;

extern FILCH_API const filch_future_ops filch_barrier_future_ops;

#define FILCH_BARRIER_FUTURE(barrier)                                    \
    {                                                                    \
        FILCH_FUTURE(&filch_barrier_future_ops), (barrier), FILCH_WAITER \
    }

FILCH_END_DECLS

#endif
