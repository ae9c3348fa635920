/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look at what a wait is on, while the waiters go on: memory of those who wait, which stays as
 * long as they do not touch it. So who stirs (polls again, or ends the wait) withdraws first what
 * says that he waits; and where looks are going on passes their lock.
 *
 *     waiter   W: withdraw   light barrier   L: load `going_on`, and if so take and leave the lock
 *     looker   S: going_on = 1   heavy barrier   then, with the lock for each look, see who waits
 * Either L sees S, or the looker sees W. Where L sees S the lock orders the two: the look is over, or
 * comes later and sees W. A looker that comes after the next wait has begun sees that one, whole.
 * (`going_on` is cleared by a release, L acquires: what the looks have read may be written.)
 *
 * What was seen waiting twice, SUSPENDED (acquire) with the same count of parks, has waited all the
 * time in between.
 */
#ifndef FILCH_SCHED_LOOK_H
#define FILCH_SCHED_LOOK_H

#include "sched/barrier.h"
#include "sched/fibers.h"
#include "sched/os/spin.h"

struct filch__looks {
    uint32_t going_on;
    uint32_t lock;
};
extern struct filch__looks filch__looks;

/* Around all looks; one thread at a time. */
void filch__looks_begin(void);
void filch__looks_end(void);

/* Around one. What is done in between does not wait for anybody who may stir, and is short. */
static inline void filch__look_begin(void)
{
    filch__spin_lock(&filch__looks.lock);
}
static inline void filch__look_end(void)
{
    filch__spin_unlock(&filch__looks.lock);
}

void filch__look_pass(void);

/* By a waiter that has withdrawn, with no lock that a look may take. */
static inline void filch__stir(void)
{
    filch__barrier_light();
    if (filch__unlikely(filch__load_acquire(&filch__looks.going_on)))
        filch__look_pass();
}

/* On the fiber, around each poll during its wait; it goes on with what it waits for. */
static inline void filch__fiber_stir(struct filch__fiber *fiber)
{
    filch__fiber_end_wait(fiber);
    filch__stir();
}
static inline void filch__fiber_settle(struct filch__fiber *fiber, const struct filch__topic *topic,
                                       const void *on)
{
    filch__store_relaxed(&fiber->waiting.on, on);
    filch__store_release(&fiber->waiting.topic, topic);
}

#endif
