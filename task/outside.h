/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads outside of runtimes that are blocked: for a dump, which finds no fiber of theirs. A thread
 * enters itself before it sleeps and leaves when it wakes, under one lock: so while that is held,
 * what an entry is on stays in memory.
 */
#ifndef FILCH_TASK_OUTSIDE_H
#define FILCH_TASK_OUTSIDE_H

#include "sched/fibers.h"
#include "sched/link.h"

/* On the thread's stack. Immutable while it is entered. */
struct filch__outside {
    struct filch__link link;
    const struct filch__topic *topic;
    const void *on;
    const uint32_t *word; /* it sleeps while this is 0 */
    const struct filch__holder *holder;
    uint64_t serial; /* ascending in the list */
    int64_t since;
    int thread;
};

/* By a thread outside, around a sleep on `word`. */
void filch__outside_enter(struct filch__outside *o, const struct filch__topic *topic,
                          const void *on, const uint32_t *word);
void filch__outside_leave(struct filch__outside *o);

/* Any thread: takes the lock, and returns the first entry with a serial above that one, or NULL; to
 * be followed by unlock. */
const struct filch__outside *filch__outside_lock_next(uint64_t serial);
void filch__outside_unlock(void);

/* In the child of a fork(2). */
void filch__outside_forget(void);

#endif
