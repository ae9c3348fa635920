/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/os/clock.h"
#include "sched/os/die.h"
#include "sched/os/futex.h"
#include "task/blame.h"
#include "task/cycle.h"
#include "task/holder.h"
#include "task/outside.h"
#include "task/task.h"

#include <filch/fork.h>

#include <errno.h>
#include <string.h>

int filch__task_await_release(const struct filch_handle *t)
{
    for (int looks = 0; filch__load_acquire(&t->state) & FILCH__TASK_SCHEDULER; looks++)
        if (looks < 64)
            filch__cpu_relax();
        else if (filch__load_relaxed(&t->rt->lost))
            return -ESHUTDOWN;
        else
            filch__os_yield();
    return 0;
}

static const char what[] = "the end of task";

static void explain(const void *on, struct filch__blames *blames)
{
    filch__blames_add(blames, (struct filch__blame){FILCH__BLAME_TASK, what, on, on});
}

static const struct filch__topic topic = {what, explain};

/* ended: the finisher may look at it until the release. */
static int await_on_thread(struct filch_handle *t, uint32_t *ended)
{
    struct filch__outside outside;
    filch__store_relaxed(&t->joiner, (uintptr_t)ended | FILCH__JOINER_THREAD);
    if (filch__state_add_joiner(&t->state) == FILCH__JOIN_FINISHED)
        return 0;
    filch__outside_enter(&outside, &topic, t, ended);
    while (!filch__load_acquire(ended))
        filch__futex_wait(ended, 0, FILCH_NEVER);
    filch__outside_leave(&outside);
    return 0;
}

/* Suspends until t has ended. */
static int await_on_fiber(struct filch_handle *t, struct filch__fiber *me, bool cancellable)
{
    struct filch__worker *w = me->worker;
    bool queued = !(filch__load_relaxed(&t->state) & FILCH__TASK_RUNNING);
    filch__store_relaxed(&t->joiner, (uintptr_t)me | (w->rt == t->rt ? 0 : FILCH__JOINER_FOREIGN));
    if (queued && w->rt == t->rt && filch__park_prepare() == 0 &&
        filch__worker_take_back(w, &t->runnable)) {
        bool here = t->runnable.run == filch__task_run; /* else it goes to a stack of its own */
        if (here)
            filch__store_relaxed(&t->fiber, filch__park_next(w)); /* published by the start */
        if (here && filch__state_start_joined(&t->state) == FILCH__START_RUN)
            filch__store_relaxed(&t->runnable.run, filch__task_run_started);
        else if (filch__state_add_joiner(&t->state) == FILCH__JOIN_FINISHED)
            filch__die("a queued task has finished");
        filch__park_for(&t->runnable);
    } else if (filch__state_add_joiner(&t->state) == FILCH__JOIN_FINISHED) {
        return 0;
    }
    int rc = 0;
    while (!(filch__load_acquire(&t->state) & FILCH__TASK_FINISHED)) {
        if (rc == 0 && cancellable && filch_cancelled())
            rc = -ECANCELED;
        if (rc == 0 || !cancellable)
            rc = filch__park();
        else if (filch__state_remove_joiner(&t->state) == FILCH__JOIN_WAIT)
            return rc;
        if (rc < 0 && !cancellable)
            filch__os_yield();
    }
    return 0;
}

int filch__task_await_end(struct filch_handle *t, bool cancellable)
{
    uint32_t ended = 0;
    if (!(filch__load_acquire(&t->state) & FILCH__TASK_FINISHED)) {
        if (filch__load_relaxed(&t->rt->lost))
            return -ESHUTDOWN;
        struct filch__fiber *me = filch__fiber_current();
        struct filch__strand strand;
        struct filch__cycle cycle;
        filch__cycle_init(&cycle);
        if (me)
            filch__wait_begin(&strand, me, &topic, t);
        filch__cycle_enter(&cycle, me ? filch__holder_current() : filch__holder_place(), &topic, t);
        int rc = me ? await_on_fiber(t, me, cancellable) : await_on_thread(t, &ended);
        filch__cycle_leave(&cycle);
        if (me)
            filch__wait_end(&strand);
        if (rc < 0)
            return rc;
    }
    return filch__task_await_release(t);
}

int filch__task_take(struct filch_handle *h, void *out)
{
    int result = h->result;
    if (out && h->extra && result >= 0)
        memcpy(out, h->extra->result, h->extra->result_size);
    else
        filch__task_drop_result(h);
    if (filch__state_drop_handle(&h->state) == FILCH__LAST_FREE)
        filch__task_free(h);
    return result;
}

int filch_join_into(filch_handle *h, int *result, void *out)
{
    if (!h)
        return -EINVAL;
    if (h == filch__task_current())
        return -EDEADLK;
    if (filch_cancelled())
        return -ECANCELED;
    int rc = filch__task_await_end(h, true);
    if (rc < 0)
        return rc;
    int ended = filch__task_take(h, out);
    if (result)
        *result = ended;
    return 0;
}

int filch_join(filch_handle *h, int *result)
{
    return filch_join_into(h, result, NULL);
}

void filch_detach(filch_handle *h)
{
    if (!h)
        return;
    if (h->extra && h->extra->cancel_on_drop)
        filch_abort(h);
    if (filch__state_detach(&h->state) == FILCH__DETACH_DONE)
        return;
    if (filch__task_await_release(h) < 0)
        return;
    if (!filch__load_relaxed(&h->rt->closing))
        filch__task_report(h);
    filch__task_drop_result(h);
    if (filch__state_drop_handle(&h->state) == FILCH__LAST_FREE)
        filch__task_free(h);
}

bool filch_finished(const filch_handle *h)
{
    return h && filch__load_acquire(&h->state) & FILCH__TASK_FINISHED;
}

int filch_run(filch_runtime *rt, filch_fn *fn, void *arg)
{
    filch_handle *h;
    int rc = filch__fiber_current() ? filch__park_prepare() : 0;
    if (rc == 0)
        rc = filch__task_spawn(NULL, &h, &(filch_spawn_options){.runtime = rt}, fn, arg);
    if (rc < 0)
        return rc;
    int result;
    rc = filch_join(h, &result);
    if (rc == 0)
        return result;
    /* arg is the caller's: fn must be over before this returns, whatever happened. */
    filch_abort(h);
    if (filch__task_await_end(h, false) < 0)
        return -ESHUTDOWN;
    result = h->result;
    filch_detach(h);
    return result;
}
