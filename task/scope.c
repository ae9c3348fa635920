/* SPDX-License-Identifier: Apache-2.0 */
/* A scope as its opener sees it. */
#include "task/scope.h"

#include "sched/admission.h"
#include "sched/os/clock.h"
#include "sched/os/die.h"
#include "sched/os/event.h"
#include "task/cancel.h"
#include "task/cleanup.h"

#include <errno.h>
#include <string.h>

static bool valid(const filch_scope_options *o)
{
    return (unsigned)o->policy <= FILCH_RACE && o->grace >= 0;
}

/* The runtime of the children. Where that is not the one that waits for the opener's end anyway, it
 * waits for the scope's, like for a task's. */
static int join_runtime(struct filch__region *r, struct filch__fiber *me, filch_runtime *wanted)
{
    struct filch_handle *task = me ? me->task : NULL;
    r->frame.rt = NULL;
    if (filch__likely(task && (!wanted || wanted == task->rt))) {
        r->rt = task->rt;
        return filch__likely(me->worker->free != NULL) ? 0 : filch__park_prepare();
    }
    int rc = filch__runtime_choose(wanted, &r->rt);
    if (rc == 0 && me)
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

#define ZERO_FROM offsetof(struct filch__scope, decided)
#define ZERO_TO   offsetof(struct filch__scope, published_next)

static inline void init(struct filch__scope *s, const filch_scope_options *o)
{
    s->options = *o;
    memset((char *)s + ZERO_FROM, 0, ZERO_TO - ZERO_FROM);
    filch__link_init(&s->told);
    s->event = -1;
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
    struct filch__fiber *me = filch__fiber_current();
    if (filch__unlikely(me && !me->task))
        return -EINVAL;
    if (filch__unlikely(*filch__frames_home(me) == &r->frame))
        return -EBUSY;
    int rc = join_runtime(r, me, o->runtime);
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
    filch__region_open(r, me, FILCH__FRAME_SCOPE);
    if (filch__unlikely(filch__load_relaxed(&r->flag))) {
        filch__spin_lock(&r->lock);
        filch__scope_decide(s, -ECANCELED);
        filch__spin_unlock(&r->lock);
    }
    /* The end of the opener's runtime reaches children of another only through the scope. */
    if (filch__unlikely(r->task && r->task->rt != r->rt))
        filch__scope_publish(s);
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
    if (!storage || !ended)
        return -EINVAL;
    struct filch__scope *s = filch__scope_of(storage);
    struct filch__region *r = &s->region;
    struct filch__fiber *me = filch__fiber_current();
    struct filch__strand strand;
    int rc = filch__region_check(r, me);
    if (rc < 0 || !s->options.collect)
        return rc < 0 ? rc : -EINVAL;
    if (filch__load_relaxed(&r->rt->lost))
        return -ESHUTDOWN;
    if (me)
        filch__wait_begin(&strand, me, &filch__topic_region_next, r);
    rc = filch__region_await(r, me, FILCH__WISH_NEXT, true);
    struct filch_handle *t = rc == 0 ? take_kept(r) : NULL;
    if (rc == 0)
        filch__spin_unlock(&r->lock); /* the end of a wait locks the task, which holds r */
    if (me)
        filch__wait_end(&strand);
    if (rc < 0)
        return rc;
    if (!t)
        return -ENOENT;
    *ended = t;
    return 0;
}

/* What close returns, if the last child's end was what came first. */
static int result_by_end(struct filch__scope *s)
{
    const struct filch__region *r = &s->region;
    s->shut_down = filch__load_relaxed(r->frame.closing) ||
                   (s->cancelled && filch__load_relaxed(&r->rt->closing));
    if (s->shut_down)
        return -ECANCELED;
    if (s->failed)
        return s->failures[0].result;
    return s->options.policy == FILCH_RACE && s->cancelled ? -ECANCELED : 0;
}

/* Of a scope that has ended and was used for more than children: what it still has. */
static void clear(struct filch__scope *s)
{
    struct filch__region *r = &s->region;
    while (r->kept)
        filch_detach(take_kept(r));
    if (s->published)
        filch__scope_unpublish(s);
    if (s->event >= 0)
        filch__event_close(s->event);
    filch__cleanup_run(&s->cleanup, &r->lock, r->rt);
    if (*r->frame.home != r->frame.outer)
        filch__die_named("what a scope deferred has left a scope, shield or binding open",
                         filch__scope_name(s));
}

int filch_scope_close(filch_scope *storage)
{
    if (!storage)
        return -EINVAL;
    struct filch__scope *s = filch__scope_of(storage);
    struct filch__region *r = &s->region;
    struct filch__fiber *me = filch__fiber_current();
    int rc = filch__region_check(r, me);
    if (rc < 0)
        return rc;
    rc = filch__region_end(r, me);
    if (filch__likely(!s->decided))
        filch__scope_decide(s, result_by_end(s));
    if (filch__unlikely(filch__load_relaxed(&r->flag)))
        filch__scope_trace(s, &s->cause);
    /* What is deferred belongs to what encloses the scope: nobody would tell the scope any more. */
    filch__frame_pop(me, &r->frame);
    if (filch__unlikely(r->kept || s->published || s->cleanup) && rc == 0)
        clear(s);
    leave_runtime(r);
    return rc < 0 ? rc : s->result;
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
    struct filch__region *r = (struct filch__region *)(void *)s;
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
