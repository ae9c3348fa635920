/* SPDX-License-Identifier: Apache-2.0 */
/* Running a task, and its end. */
#include "sched/admission.h"
#include "sched/blocks.h"
#include "sched/os/die.h"
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

/*
 * The common end of a join: the joiner is suspended, nobody else holds a reference. Claiming the
 * joiner first leaves one locked instruction of three. False: nothing was done but, perhaps, to
 * wake a fiber without cause. The joiner's fiber may be read whatever it does by now, for fibers
 * live as long as their runtime.
 */
static bool finish_joined(struct filch_handle *t, struct filch__fiber **next)
{
    struct filch__fiber *fiber = filch__load_relaxed(&t->joiner_fiber);
    if (!filch__state_is_joined(&t->state) || !fiber || !filch__unpark_claim(fiber))
        return false;
    /* A claimed fiber stands still: if it is the joiner now it remains so. */
    if (!filch__state_is_joined(&t->state) || filch__load_relaxed(&t->joiner_fiber) != fiber) {
        filch__submit_ready(fiber->rt, &fiber->resume, fiber->pinned);
        return false;
    }
    filch__state_finish_joined(&t->state);
    filch__retire(filch__worker_current());
    *next = filch__unpark_next(fiber);
    return true;
}

/* Returns the fiber to go on with, or NULL. */
static struct filch__fiber *finish(struct filch_handle *t)
{
    struct filch__fiber *next = NULL;
    if (finish_joined(t, &next))
        return next;
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

/* Runs what was started, to its end. */
static struct filch__fiber *run(struct filch_handle *t, bool started)
{
    struct filch__fiber *fiber = filch__fiber_current();
    fiber->task = t;
    fiber->forks.cancelled = &t->cancelled;
    fiber->pinned = t->extra ? t->extra->pinned : NULL;
    t->result = started && !filch__load_relaxed(&t->rt->closing) ? t->fn(t->arg) : -ECANCELED;
    if (filch__unlikely(!filch__worker_current()))
        filch__die("a task has returned in the child of a fork(2) that it made");
    if (t->extra && t->extra->arg_drop)
        t->extra->arg_drop(t->arg);
    filch__fiber_clear_task(fiber);
    return finish(t);
}

struct filch__fiber *filch__task_run_started(struct filch__runnable *r)
{
    return run((struct filch_handle *)(void *)r, true);
}

struct filch__fiber *filch__task_run(struct filch__runnable *r)
{
    struct filch_handle *t = (struct filch_handle *)(void *)r;
    /* Published by the start, for aborters. */
    filch__store_relaxed(&t->fiber, filch__fiber_current());
    return run(t, filch__state_start(&t->state) == FILCH__START_RUN);
}

struct filch__fiber *filch__task_run_own(struct filch__runnable *r)
{
    struct filch_handle *t = (struct filch_handle *)(void *)r;
    t->runnable.run = filch__task_run;
    filch__worker_current()->handoff = r;
    return t->extra->own_fiber;
}
