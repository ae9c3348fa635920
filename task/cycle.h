/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cycles of waits, found when they close. Who waits for what somebody has (a lock), or for the end
 * of a task, and for nothing else beside, enters his wait; if from there on, from owner to owner,
 * the way leads back to him, nobody on it can go on unless he is cancelled. Debug builds say so on
 * standard error, once, and let them wait; release builds do not look.
 *
 * A cycle closes by a wait that begins: who becomes an owner runs. Entries are compared by holder;
 * what they are on is followed under one lock, which who stirs takes first.
 */
#ifndef FILCH_TASK_CYCLE_H
#define FILCH_TASK_CYCLE_H

#include "task/task.h"

#ifndef NDEBUG

/* On the waiter's stack. */
struct filch__cycle {
    struct filch__cycle *next; /* under the lock, as is `reported` */
    bool reported;
    bool entered; /* owner-only */
    const struct filch__holder *holder;
    const struct filch__topic *topic;
    const void *on;
    const struct filch_handle *task; /* NULL: a thread */
    int thread;
    const uint32_t *cancelled, *closing; /* NULL, on a thread */
};

static inline void filch__cycle_init(struct filch__cycle *c)
{
    c->entered = c->reported = false;
}

/* By the waiter, on which holder acts; before it sleeps, after it has looked in vain. Whether it is
 * a wait of the kind above is found out here. */
void filch__cycle_enter(struct filch__cycle *c, const struct filch__holder *holder,
                        const struct filch__topic *topic, const void *on);
/* Whether it was entered or not. */
void filch__cycle_leave(struct filch__cycle *c);

/* In the child of a fork(2). */
void filch__cycle_forget(void);

#else

struct filch__cycle {
    char nothing;
};

static inline void filch__cycle_init(struct filch__cycle *c)
{
    (void)c;
}

static inline void filch__cycle_enter(struct filch__cycle *c, const struct filch__holder *holder,
                                      const struct filch__topic *topic, const void *on)
{
    (void)c, (void)holder, (void)topic, (void)on;
}

static inline void filch__cycle_leave(struct filch__cycle *c)
{
    (void)c;
}

static inline void filch__cycle_forget(void) {}

#endif

#endif
