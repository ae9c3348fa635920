/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wakers of filch: of a fiber, of a thread, of a task without a stack; and wakes in two halves.
 *
 * A fiber's waker is its park token (sched/fibers.h): fibers live as long as their runtime, so a
 * wake that comes late is one without cause to whatever the fiber does by then. A clone holds the
 * memory of the runtime, and each wake by it is a visit (sched/admission.h), for the runtime may
 * end at any time. A thread's waker is a word that the thread sleeps on, and keeps until it ends
 * and no clone is left. A task's waker is its turn (turn.h); a clone is a reference of the task.
 */
#ifndef FILCH_TASK_WAKER_H
#define FILCH_TASK_WAKER_H

#include "sched/after.h"
#include "sched/fibers.h"

#include <filch/waker.h>

extern const filch_waker_ops filch__waker_fiber, filch__waker_fiber_owned;
extern const filch_waker_ops filch__waker_thread, filch__waker_thread_owned;
extern const filch_waker_ops filch__waker_task, filch__waker_task_owned;
extern const filch_waker filch__waker_none;

static inline filch_waker filch__waker_of(struct filch__fiber *fiber)
{
    return (filch_waker){&filch__waker_fiber, fiber};
}

/* What a thread outside sleeps on. */
struct filch__sleeper {
    uint32_t woken; /* futex */
    uint32_t references;
};

/* The calling thread's, to its end. NULL: no memory. */
struct filch__sleeper *filch__sleeper_of_thread(void);

/* Whether a wake of it has two halves. */
static inline bool filch__waker_has_claim(const filch_waker *w)
{
    return w->ops == &filch__waker_fiber || w->ops == &filch__waker_task;
}

/*
 * Of such a one, by who holds the lock under which a future leaves its waker, so that the waker is
 * good: the first half. What is to be done without the lock is left in *after: what that names
 * stands still until then, and need not be known to the future any more.
 */
void filch__waker_claim(const filch_waker *w, struct filch__after *after);

#endif
