/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Idling: who searches, who sleeps, and why no work is left waiting while a worker sleeps.
 *
 * A worker with nothing of its own searches: it tries to steal from the others. At most half of
 * the workers that are awake search. When it found nothing it sleeps on its event count. Who makes
 * work wakes one sleeper, unless somebody searches already; a searcher that finds something and is
 * the last one to search wakes the next. So wake-ups go out one at a time, as long as there is
 * something to find.
 *
 * A worker that searches on the CPU of another that is awake keeps that from making work. So workers
 * show on which CPU they are, and search but one round beside another, or after they have answered a
 * call that was posted on their CPU.
 *
 * Who answers a call (calls.h) as the last searcher wakes the next only if something is in sight: a
 * call wakes whom it wants itself, and a worker that is woken for nothing takes the CPU from one that
 * computes. It looks after it has left the searchers, and after a barrier: who saw it search has
 * pushed before.
 *
 * No lost wake-up. Producer P pushes, then looks at `sleepers`; sleeper S counts itself, then looks
 * at all queues. One must see the other:
 *     P:  store tail (release)   compiler fence   load sleepers, searchers
 *     S:  searchers - 1, idle = 1, sleepers + 1   MEMBARRIER   load every tail; sleep
 * P's load that missed S came before the barrier on P's CPU, so its store is visible to S. The
 * membarrier is S's, who has time, so P pays two loads. Without membarrier both sides fence.
 *
 * A fork looks at nothing but its stack's `limit`, so S stores limit = 0 in the fork stack that
 * each worker runs on, before its barrier: the next fork goes the slow way, restores the limit and
 * does what P does. A worker that moves to another fiber does so by
 *     store current   compiler fence   load sleepers; if any, limit = 0 there
 * so either S finds the new fiber after its barrier, or the worker saw S; S looks for such fibers, and
 * if there are any repeats the barrier and its second look. A fork stores its tail before it loads
 * the limit. A limit is raised only in the slow way, which looks at `sleepers` after a fence: it is
 * raised before S's store, or it sees S. Without membarrier it is never raised: a fork's fast way has no
 * fence between its tail and the limit, so each fork goes the slow way.
 */
#ifndef FILCH_SCHED_IDLE_H
#define FILCH_SCHED_IDLE_H

#include "sched/barrier.h"
#include "sched/forks.h"
#include "sched/runtime.h"

/* What a worker found for itself. */
struct filch__work {
    struct filch__runnable *runnable; /* or NULL, and then: */
    struct filch__loot loot;
};

/* On w's thread, nothing of its own to run. Blocks until there is work; false: the runtime ends. */
bool filch__idle_find(struct filch__worker *w, struct filch__work *work);

/* Wakes one sleeper, unless somebody searches. Any thread. */
void filch__idle_wake_one(struct filch_runtime *rt);

/* Any thread, after it made something that any worker of rt could run. */
static inline void filch__idle_notify(struct filch_runtime *rt)
{
    filch__barrier_light();
    if (filch__unlikely(filch__load_relaxed(&rt->sleepers)) && !filch__load_relaxed(&rt->searching))
        filch__idle_wake_one(rt);
}

/* On w's thread: queues new work of this runtime, newest first. Never fails. */
static inline void filch__submit_spawn_here(struct filch__worker *w, struct filch__runnable *r)
{
    filch__worker_push(w, &w->spawned, r);
    filch__idle_notify(w->rt);
}

/* Any thread, after it made something that only w can run. */
void filch__idle_wake(struct filch__worker *w);

/* On w's thread: w->current has changed. */
static inline void filch__idle_attend(struct filch__worker *w)
{
    filch__barrier_light();
    if (filch__unlikely(filch__load_relaxed(&w->rt->sleepers)))
        filch__store_relaxed(&w->current->forks.split.limit, 0);
}

#endif
