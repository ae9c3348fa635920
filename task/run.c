/* SPDX-License-Identifier: Apache-2.0 */
/* Running a task, and its end. */
#include "sched/os/futex.h"
#include "task/task.h"

#include <errno.h>

void filch__task_free(struct filch_handle *t)
{
    filch__block_free(t->rt, t, t->block_size);
}

void filch__task_drop_result(struct filch_handle *t)
{
    if (t->extra && t->extra->result_drop && t->result >= 0)
        t->extra->result_drop(t->extra->result);
}

/* Nobody can join it: the one failure that would be lost is reported to the runtime. */
static void report_failure(struct filch_handle *t)
{
    const filch_options *options = &t->rt->options;
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

static void finish(struct filch_handle *t)
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
        return;
    case FILCH__FINISH_RESULT:
        if (t->result < 0 && t->result != -ECANCELED)
            report_failure(t);
        filch__task_drop_result(t);
        break;
    case FILCH__FINISH_WAKE:
        next = wake_joiner(t);
        break;
    }
    if (filch__state_release(&t->state) == FILCH__LAST_FREE)
        filch__task_free(t);
    filch__retire(filch__worker_current());
    if (next)
        filch__unpark_enter(next);
}

void filch__task_run(struct filch__runnable *r)
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
    finish(t);
}

void filch__task_run_own(struct filch__runnable *r)
{
    struct filch_handle *t = (struct filch_handle *)(void *)r;
    t->runnable.run = filch__task_run;
    filch__fiber_enter_with(t->extra->own_fiber, &t->runnable);
}
