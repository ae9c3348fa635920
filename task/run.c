/* SPDX-License-Identifier: Apache-2.0 */
/* Running a task, and its end. */
#include "sched/admission.h"
#include "sched/blocks.h"
#include "sched/frames.h"
#include "sched/os/die.h"
#include "sched/os/futex.h"
#include "task/cancel.h"
#include "task/cleanup.h"
#include "task/scope.h"
#include "task/waker.h"

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
    if (t->result >= 0 || t->result == -ECANCELED || t->scope)
        return; /* a scope keeps account of its children */
    filch__add_relaxed(&t->rt->failures, 1);
    if (options->on_failure)
        options->on_failure(options->on_failure_ctx, t->extra ? t->extra->name : "", t->result);
}

static struct filch__fiber *wake_waker(const filch_waker *waker)
{
    if (waker->ops != &filch__waker_fiber) {
        filch_wake(waker);
        return NULL;
    }
    return filch__unpark_claim(waker->data) ? waker->data : NULL;
}

/* After the end of t, of which the caller holds SCHEDULER. Returns the fiber to go on with. */
static struct filch__fiber *wake_joiner(struct filch_handle *t)
{
    uintptr_t joiner = filch__load_relaxed(&t->joiner);
    void *who = (void *)(joiner & ~(uintptr_t)FILCH__JOINER_TAGS);
    switch (joiner & FILCH__JOINER_TAGS) {
    case FILCH__JOINER_THREAD:
        filch__store_release((uint32_t *)who, 1);
        filch__futex_wake((uint32_t *)who, 1);
        return NULL;
    case FILCH__JOINER_WAKER:
        return wake_waker(who);
    default:
        return filch__unpark_claim((struct filch__fiber *)who) ? who : NULL;
    }
}

/*
 * The common end of a join: the joiner is suspended, nobody else holds a reference. Claiming the
 * joiner first leaves one locked instruction of three. False: nothing was done but, perhaps, to
 * wake a fiber without cause. The joiner's fiber may be read whatever it does by now, for fibers
 * live as long as their runtime.
 */
static bool finish_joined(struct filch_handle *t, struct filch__fiber **next)
{
    uintptr_t joiner = filch__load_relaxed(&t->joiner);
    struct filch__fiber *fiber = (struct filch__fiber *)joiner;
    if (!filch__state_is_joined(&t->state) || !joiner || joiner & FILCH__JOINER_TAGS ||
        !filch__unpark_claim(fiber))
        return false;
    /* A claimed fiber stands still: if it is the joiner now it remains so. */
    if (!filch__state_is_joined(&t->state) || filch__load_relaxed(&t->joiner) != joiner) {
        filch__unpark_claimed(fiber);
        return false;
    }
    filch__state_finish_joined(&t->state);
    filch__retire(filch__worker_current());
    *next = filch__unpark_next(fiber);
    return true;
}

static enum filch__finish publish_end(struct filch_handle *t)
{
    enum filch__finish action = filch__state_finish(&t->state, false, t->scope);
    if (filch__likely(action != FILCH__FINISH_ABORTED))
        return action;
    filch__task_forget_fiber(t);
    return filch__state_finish(&t->state, true, t->scope);
}

/* The end of a child of which others know, and not its handle alone, or somebody joins it. */
static struct filch__fiber *finish_shared_child(struct filch_handle *t,
                                                struct filch__child_end *end)
{
    struct filch__fiber *joiner = NULL;
    enum filch__finish action = publish_end(t);
    if (action == FILCH__FINISH_RESULT)
        filch__task_drop_result(t);
    else if (action == FILCH__FINISH_WAKE)
        joiner = wake_joiner(t);
    filch__scope_left(t, end);
    if (filch__state_release(&t->state) == FILCH__LAST_FREE)
        filch__task_free(t);
    return joiner;
}

/* The end of a scope's child. The scope is told last: it may close then. */
static struct filch__fiber *finish_child(struct filch_handle *t)
{
    struct filch__region *scope = &t->scope->region;
    struct filch__child_end end = {.opener = NULL};
    struct filch__fiber *next = NULL;
    bool alone = filch__state_is_alone(&t->state);
    filch__scope_observe(t->scope, t);
    if (alone)
        filch__task_drop_result(t);
    if (filch__unlikely(!filch__scope_leave(t, alone, &end)))
        next = finish_shared_child(t, &end);
    else if (alone)
        filch__task_free(t);
    if (filch__unlikely(end.marked))
        filch__region_spread(scope);
    filch__retire(filch__worker_current());
    if (next && end.opener)
        filch__unpark(end.opener);
    else if (end.opener && filch__unpark_claim(end.opener))
        next = end.opener;
    return next ? filch__unpark_next(next) : NULL;
}

struct filch__fiber *filch__task_finish(struct filch_handle *t)
{
    struct filch__fiber *next = NULL;
    if (t->scope)
        return finish_child(t);
    if (finish_joined(t, &next))
        return next;
    switch (publish_end(t)) {
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

void filch__task_clean_up(struct filch_handle *t, struct filch__fiber *fiber)
{
    if (fiber->frame)
        filch__die_named("a task has returned with a scope, shield or binding open",
                         filch__task_name(t));
    filch__cleanup_run(&fiber->cleanup, &t->lock, t->rt);
    if (fiber->frame)
        filch__die_named("a deferred function has left a scope, shield or binding open",
                         filch__task_name(t));
}

/* Runs what was started, to its end. */
static struct filch__fiber *run(struct filch_handle *t, bool started)
{
    struct filch__fiber *fiber = filch__fiber_here();
    filch__fiber_set_task(fiber, t, &t->cancelled);
    fiber->pinned = filch__task_pinned(t);
    t->result = started && !filch__load_relaxed(&t->rt->closing) ? t->fn(t->arg) : -ECANCELED;
    if (filch__unlikely(!filch__worker_current()))
        filch__die("a task has returned in the child of a fork(2) that it made");
    if (filch__unlikely(fiber->frame || fiber->cleanup))
        filch__task_clean_up(t, fiber);
    if (t->extra && t->extra->arg_drop) {
        t->extra->arg_drop(t->arg);
        if (filch__unlikely(fiber->frame || fiber->cleanup))
            filch__task_clean_up(t, fiber);
    }
    filch__fiber_clear_task(fiber);
    return filch__task_finish(t);
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
    filch__store_relaxed(&t->runnable.run, filch__task_run);
    filch__worker_current()->handoff = r;
    return t->extra->own_fiber;
}
