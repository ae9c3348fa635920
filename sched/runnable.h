/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A runnable: the intrusive node that the scheduler queues and runs.
 *
 * Whoever queues one keeps it alive until its run function is called; from then on it belongs to
 * that function. It is in at most one queue at a time.
 *
 * A survey (survey.h) reads queues while they are in use: what links and unlinks does so by
 * filch__runnable_link, whose release publishes what it links to.
 *
 * Run functions are called by a worker's loop, on a fiber that has nothing else on it, and return
 * the fiber to which the loop shall switch, or NULL to go on. So the loop itself makes the switch,
 * with no call of its own open: the return predictor depends on it (fiber/switch_x86_64.h).
 */
#ifndef FILCH_SCHED_RUNNABLE_H
#define FILCH_SCHED_RUNNABLE_H

#include <filch/atomic.h>
#include <filch/base.h>

struct filch__fiber;

struct filch__runnable {
    struct filch__fiber *(*run)(struct filch__runnable *self); /* immutable while queued */
    struct filch__runnable *next;                              /* of the queue that it is in */
};

static inline void filch__runnable_link(struct filch__runnable *r, struct filch__runnable *next)
{
    filch__store_release(&r->next, next);
}

/*
 * A queue that any thread may push to, without allocation, and one or many may empty at once.
 * A stack by compare and swap; taking all at once leaves no room for ABA.
 */
struct filch__injector {
    struct filch__runnable *top;
};

/* Any thread. Release: pairs with the acquire of the take. Returns true if it was empty. */
static inline bool filch__injector_push(struct filch__injector *q, struct filch__runnable *r)
{
    struct filch__runnable *top = filch__load_relaxed(&q->top);
    do
        filch__runnable_link(r, top);
    while (!filch__cas_seq_cst(&q->top, &top, r));
    return !top;
}

static inline bool filch__injector_empty(const struct filch__injector *q)
{
    return !filch__load_relaxed(&q->top);
}

/* Any thread. All that was pushed, oldest first, linked by next. */
static inline struct filch__runnable *filch__injector_take_all(struct filch__injector *q)
{
    if (filch__injector_empty(q))
        return NULL;
    struct filch__runnable *r = filch__exchange_acquire(&q->top, NULL);
    struct filch__runnable *oldest_first = NULL;
    while (r) {
        struct filch__runnable *next = r->next;
        filch__runnable_link(r, oldest_first);
        oldest_first = r;
        r = next;
    }
    return oldest_first;
}

#endif
