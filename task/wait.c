/* SPDX-License-Identifier: Apache-2.0 */
/* Which fibers wait in a task, so that an abort reaches them (cancel.c). */
#include "sched/os/spin.h"
#include "task/task.h"

/*
 * An aborter sets ABORT, then takes the lock and wakes what it finds. A fiber that begins a wait
 * enters itself under the lock, then looks for the abort; a task that ends with ABORT set takes the
 * lock once, so the aborter's look at its fiber is over before the end is published. The main
 * fiber needs no entry: it is written before the start that publishes the task as running.
 */

void filch__wait_enter(struct filch_handle *t, struct filch__strand *strand)
{
    filch__spin_lock(&t->lock);
    strand->next = t->strands;
    t->strands = strand;
    filch__spin_unlock(&t->lock);
}

void filch__wait_leave(struct filch_handle *t, struct filch__strand *strand)
{
    filch__spin_lock(&t->lock);
    struct filch__strand **at = &t->strands;
    while (*at != strand)
        at = &(*at)->next;
    *at = strand->next;
    filch__spin_unlock(&t->lock);
}

void filch__task_forget_fiber(struct filch_handle *t)
{
    filch__spin_lock(&t->lock);
    filch__store_relaxed(&t->fiber, NULL);
    filch__spin_unlock(&t->lock);
}
