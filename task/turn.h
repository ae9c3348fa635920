/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose turn it is in a task without a stack: one word, so that it is in one queue or polled by one
 * worker at a time, and no wake is lost.
 *
 *     IDLE    -> QUEUED    wake, any thread, who then queues it
 *     QUEUED  -> POLLING   begin, the worker that took it out of its queue
 *     POLLING -> AGAIN     wake
 *     POLLING -> IDLE      rest, that worker: it does not touch the task any more
 *     AGAIN   -> QUEUED    rest, who then queues it
 *     POLLING, AGAIN -> OVER   end, that worker
 * A new one is QUEUED. A wake writes the word also where that changes nothing, but for OVER: so the
 * begin that follows (acquire) sees what each waker did before its wake (release).
 */
#ifndef FILCH_TASK_TURN_H
#define FILCH_TASK_TURN_H

#include <filch/atomic.h>
#include <filch/base.h>

enum filch__turn {
    FILCH__TURN_IDLE,
    FILCH__TURN_QUEUED,
    FILCH__TURN_POLLING,
    FILCH__TURN_AGAIN,
    FILCH__TURN_OVER
};

enum filch__turn_action { FILCH__TURN_NOTHING, FILCH__TURN_QUEUE };

/* Any thread that may touch the task. QUEUE: it stays until the caller has queued it. */
__attribute__((warn_unused_result)) static inline enum filch__turn_action
filch__turn_wake(uint32_t *turn)
{
    uint32_t old = filch__load_relaxed(turn), to;
    do {
        if (old == FILCH__TURN_OVER)
            return FILCH__TURN_NOTHING;
        to = old == FILCH__TURN_IDLE      ? FILCH__TURN_QUEUED
             : old == FILCH__TURN_POLLING ? FILCH__TURN_AGAIN
                                          : old;
    } while (!filch__cas_acq_rel(turn, &old, to));
    return old == FILCH__TURN_IDLE ? FILCH__TURN_QUEUE : FILCH__TURN_NOTHING;
}

static inline void filch__turn_begin(uint32_t *turn)
{
    (void)filch__exchange_acquire(turn, FILCH__TURN_POLLING);
}

__attribute__((warn_unused_result)) static inline enum filch__turn_action
filch__turn_rest(uint32_t *turn)
{
    uint32_t polling = FILCH__TURN_POLLING;
    if (filch__likely(filch__cas_acq_rel(turn, &polling, FILCH__TURN_IDLE)))
        return FILCH__TURN_NOTHING;
    (void)filch__exchange_acq_rel(turn, FILCH__TURN_QUEUED);
    return FILCH__TURN_QUEUE;
}

static inline void filch__turn_end(uint32_t *turn)
{
    (void)filch__exchange_acq_rel(turn, FILCH__TURN_OVER);
}

#endif
