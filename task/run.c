/* SPDX-License-Identifier: Apache-2.0 */
/* Running a task, and its end. */
#include "sched/admission.h"
#include "sched/blocks.h"
#include "sched/os/futex.h"
#include "task/task.h"

#include <errno.h>

void filch__task_free(struct filch_handle *t)
{
    filch__block_free(t->rt, filch__worker_of(t->rt), t, t->block_size);
}

void filch__task_drop_result(struct filch_handle *t)
{
    if (t->extra && t->extra->result_drop && t->result >= 0)
        t->extra->result_drop(t->extra->result);
}

void filch__task_report(struct filch_handle *t)
{
    const filch_options *options = &t->rt->options;
    if (t->result >= 0 || t->result == -ECANCELED)
        return;
    filch__add_relaxed(&t->rt->failures, 1);
    if (options->on_failure)
        options->on_failure(options->on_failure_ctx, t->extra ? t->extra->name : "", t->result);
}

/* After the end of t, of which the caller holds SCHEDULER. Returns the fiber to go on with. */
static struct filch__fiber *wake_joiner(struct filch_handle *t)
{
    struct filch__joiner *joiner = t->joiner;
    struct filch__fiber *fiber = joiner->fiber;
    if (fiber)
        return filch__unpark_claim(fiber) ? fiber : NULL;
    filch__store_release(&joiner->ended, 1);
    filch__futex_wake(&joiner->ended, 1);
    return NULL;
}

/* Returns the fiber to go on with, or NULL. */
static struct filch__fiber *finish(struct filch_handle *t)
{
    struct filch__fiber *next = NULL;
    enum filch__finish action = filch__state_finish(&t->state, false);
    if (filch__unlikely(action == FILCH__FINISH_ABORTED)) {
        filch__task_forget_fiber(t);
        action = filch__state_finish(&t->state, true);
    }
    switch (action) {
    case FILCH__FINISH_ABORTED: /* not a second time */
    case FILCH__FINISH_LEAVE:
        filch__retire(filch__worker_current());
        return NULL;
    case FILCH__FINISH_RESULT:
        filch__task_report(t);
        filch__task_drop_result(t);
        break;
    case FILCH__FINISH_WAKE:
        next = wake_joiner(t);
        break;
    }
    if (filch__state_release(&t->state) == FILCH__LAST_FREE)
        filch__task_free(t);
    filch__retire(filch__worker_current());
    return next ? filch__unpark_next(next) : NULL;
}

struct filch__fiber *filch__task_run(struct filch__runnable *r)
{
    struct filch_handle *t = (struct filch_handle *)(void *)r;
    struct filch__fiber *fiber = filch__fiber_current();
    t->fiber = fiber; /* published by the start, for aborters */
    fiber->task = t;
    fiber->forks.cancelled = &t->cancelled;
    fiber->pinned = t->extra ? t->extra->pinned : NULL;
    if (filch__state_start(&t->state) == FILCH__START_RUN && !filch__load_relaxed(&t->rt->closing))
        t->result = t->fn(t->arg);
    else
        t->result = -ECANCELED;
    if (t->extra && t->extra->arg_drop)
        t->extra->arg_drop(t->arg);
    filch__fiber_clear_task(fiber);
    return finish(t);
}

struct filch__fiber *filch__task_run_own(struct filch__runnable *r)
{
    struct filch_handle *t = (struct filch_handle *)(void *)r;
    t->runnable.run = filch__task_run;
    filch__worker_current()->handoff = r;
    return t->extra->own_fiber;
}
