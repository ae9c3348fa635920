/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who can hold a lock: a fiber, on behalf of the task or stolen job that it runs; a task without a
 * stack, from poll to poll; a thread outside. The address of its holder is what the lock records.
 *
 * A holder has a list of what it holds, which only its own thread of control touches. When that
 * ends, filch__holder_end tells each lock that its owner is dead.
 */
#ifndef FILCH_SCHED_HOLDER_H
#define FILCH_SCHED_HOLDER_H

#include <filch/base.h>

/* In the lock; of its owner alone. */
struct filch__held {
    struct filch__held *next;
    void (*orphan)(struct filch__held *held); /* it was taken out of the list; may wake, not wait */
};

/* Placed so that its address leaves four bits to the state word of a lock. */
struct filch__holder {
    struct filch__held *held;
};
#define FILCH__HOLDER_ALIGN 16

static inline void filch__holder_add(struct filch__holder *h, struct filch__held *held,
                                     void (*orphan)(struct filch__held *))
{
    held->next = h->held;
    held->orphan = orphan;
    h->held = held;
}

static inline void filch__holder_remove(struct filch__holder *h, struct filch__held *held)
{
    struct filch__held **at = &h->held;
    while (*at != held)
        at = &(*at)->next;
    *at = held->next;
}

void filch__holder_orphan_all(struct filch__holder *h);

static inline void filch__holder_end(struct filch__holder *h)
{
    if (filch__unlikely(h->held))
        filch__holder_orphan_all(h);
}

#endif
