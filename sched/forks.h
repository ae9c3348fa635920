/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fork stacks: slow paths of fork and sync, and what a thief does with a job.
 *
 * A slot's fn is the job's code until whoever stole the job stores FILCH__DONE there, with the
 * result in arg. The owner that needs a stolen job's end stores where it waits, then looks at the
 * slot (A, B); the thief stores DONE, then looks whether the owner waits there (C, D):
 *     owner   A: awaited = slot   fence   B: load slot->fn
 *     thief   C: slot->fn = DONE (exchange)   D: load awaited
 * One of them sees the other. If both do, the fiber gets a token too many, which parks bear. The
 * thief may touch the fiber after C because fibers live as long as the runtime, whose worker the
 * thief is.
 *
 * Forks that find no room all have the position `end`: its slot is written by each of them and never
 * read, such a job exists in its frame alone, is not seen by thieves and runs at its sync. That is
 * so beyond the stack's room, which holds more jobs than frames on the fiber's stack can, and where
 * there is no fork stack: base == end then, at a slot in the structure. Threads outside of any
 * runtime fork on filch__forks_foreign, which is always so.
 */
#ifndef FILCH_SCHED_FORKS_H
#define FILCH_SCHED_FORKS_H

#include "sched/fibers.h"
#include "sched/split.h"

#define FILCH__DONE ((filch_fn *)1)

/* A fiber's wait for a thief; it is on the slot. */
extern const struct filch__topic filch__topic_stolen_job;

void filch__forks_init(struct filch__forks *forks, const uint32_t *closing);
/* Gives the slots back. Nothing is forked there. */
void filch__forks_reset(struct filch__forks *forks);

/* A stolen job. */
struct filch__loot {
    struct filch__fiber *victim; /* whose fork stack... */
    struct filch__slot *slot;    /* ...held it */
    struct filch__fiber *stage;  /* NULL, or on which it must run: see below */
};

/*
 * On thief w's thread: takes the oldest job of the fiber. A job counts on as much stack as the task
 * has that forked it; where that is more than the runtime's fibers have, the thief makes a fiber
 * for it, before it takes the job. BUSY also when there is no memory for that.
 */
__attribute__((warn_unused_result)) enum filch__steal
filch__forks_steal(struct filch__fiber *victim, struct filch__worker *w, struct filch__loot *loot);

/*
 * By a worker's loop: runs a stolen job and reports its end to the victim. Returns the fiber to go
 * on with, or NULL.
 */
struct filch__fiber *filch__forks_run(const struct filch__loot *loot);

/* Run function of a fiber's `play`. */
struct filch__fiber *filch__forks_run_play(struct filch__runnable *play);

/* Any thread: jobs that could be stolen there, by a racy look. */
static inline uint32_t filch__forks_count(const struct filch__fiber *fiber)
{
    return filch__split_count(&fiber->forks.split, FILCH__UNIT_SLOT);
}

/* On the worker that left the suspended fiber: its jobs can be stolen while nobody runs it. */
void filch__forks_offer_now(struct filch__fiber *fiber);
static inline void filch__forks_offer(struct filch__fiber *fiber)
{
    if (filch__unlikely(fiber->forks.split.tail != fiber->forks.split.base))
        filch__forks_offer_now(fiber);
}

/* See switch.h. */
void filch__forks_enter_far(struct filch__forks *forks);

/* Run function of a fiber's offer. */
struct filch__fiber *filch__forks_run_offer(struct filch__runnable *offer);

#endif
