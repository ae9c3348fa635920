/* SPDX-License-Identifier: Apache-2.0 */
/* A scope as its opener sees it. */
#include "task/scope.h"

#include "sched/admission.h"
#include "sched/os/clock.h"
#include "sched/os/event.h"
#include "task/cancel.h"
#include "task/cleanup.h"

#include <errno.h>

static bool valid(const filch_scope_options *o)
{
    return (unsigned)o->policy <= FILCH_RACE && o->grace >= 0;
}

/* The runtime of the children. Where that is not the one that waits for the opener's end anyway, it
 * waits for the scope's, like for a task's. */
static int join_runtime(filch_runtime *wanted, struct filch__region *r)
{
    struct filch_handle *task = filch__task_current();
    r->frame.rt = NULL;
    if (filch__likely(task && (!wanted || wanted == task->rt))) {
        r->rt = task->rt;
        return filch__park_prepare();
    }
    int rc = filch__runtime_get(
        !wanted && filch__worker_current() ? filch__worker_current()->rt : wanted, &r->rt);
    if (rc == 0 && filch__fiber_current())
        rc = filch__park_prepare();
    if (rc == 0 && !filch__admit(r->rt, filch__worker_of(r->rt)))
        rc = -ESHUTDOWN;
    if (rc == 0)
        r->frame.rt = r->rt;
    return rc;
}

static void leave_runtime(struct filch__region *r)
{
    if (filch__unlikely(r->frame.rt != NULL))
        filch__unadmit(r->frame.rt);
}

static inline void init(struct filch__scope *s, const filch_scope_options *o)
{
    s->name = o->name ? o->name : "";
    s->policy = o->policy;
    s->collect = o->collect;
    s->grace = o->grace;
    s->on_failure = o->on_failure;
    s->on_overdue = o->on_overdue;
    s->ctx = o->ctx;
    filch__link_init(&s->fresh);
    filch__link_init(&s->told);
    s->decided = false;
    s->result = 0;
    s->succeeded = s->failed = s->cancelled = 0;
    s->overdue = 0;
    s->event = -1;
    s->published = false;
    s->cleanup = NULL;
    s->ended_at = 0;
}

/* Deadlines of which 0 means none. */
static inline int64_t deadline_of(int64_t deadline)
{
    return deadline ? deadline : FILCH_NEVER;
}

static void begin_deadline(struct filch__region *r, int64_t deadline)
{
    bool past = deadline <= filch__now();
    filch__spin_lock(&r->lock);
    if (past)
        past = filch__region_mark(r, FILCH_CAUSE_DEADLINE, 0, "");
    else
        filch__region_set_deadline(r, deadline);
    filch__spin_unlock(&r->lock);
    if (past)
        filch__region_spread(r);
}

int filch_scope_open(filch_scope *storage, const filch_scope_options *o)
{
    static const filch_scope_options defaults;
    o = o ? o : &defaults;
    if (!storage || !valid(o))
        return -EINVAL;
    struct filch__scope *s = filch__scope_of(storage);
    struct filch__region *r = &s->region;
    int64_t deadline = deadline_of(o->deadline);
    int rc = join_runtime(o->runtime, r);
    if (rc < 0)
        return rc;
    if (filch__unlikely(deadline != FILCH_NEVER || o->grace)) {
        rc = filch__timers_start(r->rt);
        if (rc < 0) {
            leave_runtime(r);
            return rc;
        }
    }
    init(s, o);
    filch__region_open(r, FILCH__FRAME_SCOPE);
    if (filch__unlikely(filch__load_relaxed(&r->flag))) {
        filch__spin_lock(&r->lock);
        filch__scope_decide(s, -ECANCELED);
        filch__spin_unlock(&r->lock);
    }
    if (filch__unlikely(deadline != FILCH_NEVER))
        begin_deadline(r, deadline);
    return 0;
}

static struct filch_handle *take_kept(struct filch__region *r)
{
    struct filch__runnable *kept = r->kept;
    if (kept)
        r->kept = kept->next;
    return (struct filch_handle *)(void *)kept;
}

int filch_scope_next(filch_scope *storage, filch_handle **ended)
{
    struct filch__scope *s = filch__scope_of(storage);
    struct filch__region *r = &s->region;
    struct filch__fiber *me = filch__fiber_current();
    struct filch__strand strand;
    if (!storage || !ended)
        return -EINVAL;
    int rc = filch__region_check(r);
    if (rc < 0 || !s->collect)
        return rc < 0 ? rc : -EINVAL;
    if (me)
        filch__wait_begin(&strand, me, "a child of scope", r);
    rc = filch__region_await(r, FILCH__WISH_NEXT, true);
    if (me)
        filch__wait_end(&strand);
    if (rc < 0)
        return rc;
    struct filch_handle *t = take_kept(r);
    filch__spin_unlock(&r->lock);
    if (!t)
        return -ENOENT;
    *ended = t;
    return 0;
}

/* What close returns, if the last child's end was what came first. */
static int result_by_end(const struct filch__scope *s)
{
    if (filch__load_relaxed(s->region.frame.closing))
        return -ECANCELED;
    if (s->failed)
        return s->failures[0].result;
    return s->policy == FILCH_RACE && s->cancelled ? -ECANCELED : 0;
}

int filch_scope_close(filch_scope *storage)
{
    struct filch__scope *s = filch__scope_of(storage);
    struct filch__region *r = &s->region;
    if (!storage)
        return -EINVAL;
    int rc = filch__region_check(r);
    if (rc < 0)
        return rc;
    rc = filch__region_end(r);
    if (filch__likely(rc == 0)) {
        while (r->kept)
            filch_detach(take_kept(r));
        if (s->cleanup)
            filch__cleanup_run(&s->cleanup, &r->lock, r->rt);
        if (s->published)
            filch__scope_unpublish(s);
        if (s->event >= 0)
            filch__event_close(s->event);
        if (filch__unlikely(filch__load_relaxed(&r->flag))) {
            s->cause = (filch_cause){.kind = FILCH_CAUSE_NONE};
            filch__scope_trace(s, &s->cause);
        }
        filch__scope_decide(s, result_by_end(s));
        rc = s->result;
    }
    filch__frame_pop(filch__fiber_current(), &r->frame);
    leave_runtime(r);
    return rc;
}

int filch_scope_cancel(filch_scope *s, int reason)
{
    if (!s)
        return -EINVAL;
    return filch__region_cancel(&filch__scope_of(s)->region, FILCH_CAUSE_CANCEL, reason,
                                filch__cancel_name());
}

int filch_scope_set_deadline(filch_scope *s, int64_t deadline)
{
    struct filch__region *r = &filch__scope_of(s)->region;
    if (!s || filch__load_relaxed(&r->life) != FILCH__REGION_OPEN)
        return -EINVAL;
    int rc = filch__timers_start(r->rt);
    if (rc < 0)
        return rc;
    filch__spin_lock(&r->lock);
    if (filch__load_relaxed(&r->life) != FILCH__REGION_OPEN)
        rc = -EINVAL;
    else if (filch__load_relaxed(&r->flag))
        rc = -EALREADY;
    else
        filch__region_set_deadline(r, deadline_of(deadline));
    filch__spin_unlock(&r->lock);
    return rc;
}

int filch_scope_defer(filch_scope *storage, void (*fn)(void *arg), void *arg)
{
    struct filch__scope *s = filch__scope_of(storage);
    if (!s || !fn || filch__load_relaxed(&s->region.life) != FILCH__REGION_OPEN)
        return -EINVAL;
    return filch__cleanup_push(&s->cleanup, &s->region.lock, s->region.rt, fn, arg);
}
