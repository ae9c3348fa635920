/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Admission: what keeps a runtime alive until its work has ended.
 *
 * Each task is admitted when it is spawned and retired when it has ended. A closing runtime admits
 * nothing more, and is over when as much has retired as was admitted. Workers count in words of
 * their own, so that a spawn needs no locked instruction:
 *     worker  admitted + 1   light barrier   load closing; if closing, take it back
 *     closer  closing = 1    heavy barrier   load the counts
 * An admission that did not see `closing` is in the counts.
 */
#ifndef FILCH_SCHED_ADMISSION_H
#define FILCH_SCHED_ADMISSION_H

#include "sched/barrier.h"
#include "sched/runtime.h"

/* The calling thread's worker if it is one of rt's, else NULL. */
static inline struct filch__worker *filch__worker_of(const filch_runtime *rt)
{
    struct filch__worker *w = filch__worker_current();
    return w && w->rt == rt ? w : NULL;
}

__attribute__((warn_unused_result)) bool filch__admit_outside(filch_runtime *rt);
/* Takes an admission back: nothing was queued. Any thread. */
void filch__unadmit(filch_runtime *rt);

/* w is filch__worker_of(rt). False: the runtime is closing. */
__attribute__((warn_unused_result)) static inline bool filch__admit(filch_runtime *rt,
                                                                    struct filch__worker *w)
{
    if (!w)
        return filch__admit_outside(rt);
    FILCH__COUNT(w, admitted);
    filch__barrier_light();
    if (filch__likely(!filch__load_relaxed(&rt->closing)))
        return true;
    filch__unadmit(rt);
    return false;
}

/* Wakes the closer to look at the counts again. */
void filch__admission_disturb(filch_runtime *rt);

/* On w's thread: something that was admitted has ended. */
static inline void filch__retire(struct filch__worker *w)
{
    filch__store_release(&w->counters.retired, w->counters.retired + 1);
    filch__barrier_light();
    if (filch__unlikely(filch__load_relaxed(&w->rt->closing)))
        filch__admission_disturb(w->rt);
}

/* What was admitted and has not retired; racy while the runtime runs, never below the truth. */
int64_t filch__admission_live(const filch_runtime *rt);
/* The closer, after `closing` was set and a heavy barrier: blocks until nothing lives. */
void filch__admission_await_end(filch_runtime *rt);

/*
 * Around what a thread that is not one of rt's workers does after the step that lets the end of rt
 * come (a push, an admission taken back): rt stays until visit_end, which touches it last. The
 * caller's work is admitted when the visit begins. Pairs with filch__admission_await_end.
 */
static inline void filch__visit_begin(filch_runtime *rt)
{
    filch__add_acq_rel(&rt->visitors, 1);
}

/*
 * The same for a caller who knows only that rt's memory is held. False: rt has ended, or is lost to
 * a fork(2); there is no visit. Dekker's pair: visitors + 1, then `ended` here; `ended`, then
 * visitors in filch__admission_await_end.
 */
__attribute__((warn_unused_result)) static inline bool filch__visit_try(filch_runtime *rt)
{
    if (filch__unlikely(
            filch__load_relaxed(&rt->ended))) /* so that the closer gets to see no visitors */
        return false;
    filch__add_seq_cst(&rt->visitors, 1);
    if (filch__likely(!filch__load_seq_cst(&rt->ended) && !filch__load_relaxed(&rt->lost)))
        return true;
    filch__sub_acq_rel(&rt->visitors, 1);
    return false;
}

static inline void filch__visit_end(filch_runtime *rt)
{
    filch__sub_acq_rel(&rt->visitors, 1);
}

#endif
