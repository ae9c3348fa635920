/* SPDX-License-Identifier: Apache-2.0 */
/* Which fibers wait in a task, and how an abort reaches them. */
#include "sched/os/spin.h"
#include "task/task.h"

/*
 * An aborter sets ABORT, then takes the lock and wakes what it finds. A fiber that begins a wait
 * enters itself under the lock, then looks for the abort; a task that ends with ABORT set takes the
 * lock once, so the aborter's look at its fiber is over before the end is published. The main
 * fiber needs no entry: it stands in the task from start to end.
 */

void filch__wait_begin(struct filch__strand *strand)
{
    struct filch__fiber *fiber = filch__fiber_current();
    struct filch_handle *t = fiber->task;
    strand->fiber = fiber;
    if (!t || t->fiber == fiber)
        return;
    filch__spin_lock(&t->lock);
    strand->next = t->strands;
    t->strands = strand;
    filch__spin_unlock(&t->lock);
}

void filch__wait_end(struct filch__strand *strand)
{
    struct filch_handle *t = strand->fiber->task;
    if (!t || t->fiber == strand->fiber)
        return;
    filch__spin_lock(&t->lock);
    struct filch__strand **at = &t->strands;
    while (*at != strand)
        at = &(*at)->next;
    *at = strand->next;
    filch__spin_unlock(&t->lock);
}

void filch__task_wake_waits(struct filch_handle *t)
{
    filch__spin_lock(&t->lock);
    if (t->fiber)
        filch__unpark(t->fiber);
    for (struct filch__strand *strand = t->strands; strand; strand = strand->next)
        filch__unpark(strand->fiber);
    filch__spin_unlock(&t->lock);
}

void filch__task_forget_fiber(struct filch_handle *t)
{
    filch__spin_lock(&t->lock);
    t->fiber = NULL;
    filch__spin_unlock(&t->lock);
}
