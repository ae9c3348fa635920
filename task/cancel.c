/* SPDX-License-Identifier: Apache-2.0 */
#include "task/cancel.h"

#include "sched/admission.h"
#include "sched/barrier.h"
#include "sched/os/clock.h"
#include "sched/os/event.h"
#include "task/scope.h"
#include "task/stackless.h"

#include <errno.h>

/* Children told under one lock. */
#define BATCH 32
/* So many that were suspended are woken when the next region begins. */
#define MANY 512

/*
 * Interrupts begun under locks and brought to their end without. Fibers that were suspended, and
 * tasks without a stack, stand still, and so their tasks and runtimes live, until they are queued:
 * they may wait for many others, so that who is woken early does not want the locks of a scope
 * whose children are still being told. For those that were running one heavy barrier will do
 * (fibers.h).
 */
struct interrupts {
    struct filch__runnable *suspended, *last; /* fibers' `resume` and tasks, by next, in order */
    int suspended_count, running_count;
    struct filch__fiber *running[BATCH];
};

/* The runtimes of the fibers that were running live. */
static void finish_running(struct interrupts *in)
{
    if (in->running_count > 0)
        filch__barrier_heavy();
    while (in->running_count > 0)
        filch__interrupt_end(in->running[--in->running_count]);
}

static void wake_suspended(struct interrupts *in)
{
    for (struct filch__runnable *r = in->suspended, *next; r; r = next) {
        next = r->next;
        if (filch__fiber_is_resume(r))
            filch__unpark_claimed(filch__fiber_of_resume(r));
        else
            filch__stackless_queue((struct filch_handle *)(void *)r);
    }
    in->suspended = NULL;
    in->suspended_count = 0;
}

static void add_suspended(struct interrupts *in, struct filch__runnable *r)
{
    filch__runnable_link(r, NULL); /* a survey may look on */
    if (in->suspended)
        filch__runnable_link(in->last, r);
    else
        in->suspended = r;
    in->last = r;
    in->suspended_count++;
}

static void interrupt(struct interrupts *in, struct filch__fiber *fiber)
{
    switch (filch__interrupt_begin(fiber)) {
    case FILCH__INTERRUPT_NOTHING:
        break;
    case FILCH__INTERRUPT_WAKE:
        add_suspended(in, &fiber->resume);
        break;
    case FILCH__INTERRUPT_END:
        if (fiber == filch__fiber_current())
            break; /* the caller looks at its flags before it waits */
        if (in->running_count == BATCH)
            finish_running(in);
        in->running[in->running_count++] = fiber;
        break;
    }
}

/* Under t's lock. */
static void interrupt_waits(struct interrupts *in, struct filch_handle *t)
{
    if (filch__load_relaxed(&t->fiber))
        interrupt(in, t->fiber);
    for (struct filch__strand *strand = t->strands; strand; strand = strand->next)
        interrupt(in, strand->fiber);
    if (filch__task_is_stackless(t) && filch__stackless_claim(t))
        add_suspended(in, &t->runnable);
}

/* Under the holder's lock, whose flag is set. */
static void mark_regions(struct filch__region *r, struct filch__region **list)
{
    for (; r; r = r->next) {
        if (r->frame.kind != FILCH__FRAME_SCOPE)
            continue;
        filch__spin_lock(&r->lock);
        bool marked = filch__region_mark(r, FILCH__CAUSE_OUTER, 0, "");
        filch__spin_unlock(&r->lock);
        if (!marked)
            continue;
        r->told_next = *list;
        *list = r;
    }
}

/* Under the lock of its scope, whose flag is set. */
static void tell_task(struct filch_handle *t, struct interrupts *in, struct filch__region **list)
{
    filch__task_set_cause(t, FILCH__CAUSE_OUTER);
    if (filch__state_abort(&t->state) != FILCH__ABORT_NOTIFY)
        return;
    filch__spin_lock(&t->lock);
    mark_regions(t->regions, list);
    interrupt_waits(in, t);
    filch__spin_unlock(&t->lock);
}

/* False: there was none left. */
static bool tell_some_children(struct filch__scope *s, struct interrupts *in,
                               struct filch__region **list)
{
    filch__spin_lock(&s->region.lock);
    if (s->region.fresh.next == &s->region.fresh) {
        filch__spin_unlock(&s->region.lock);
        return false;
    }
    /* A child lives, so the runtime does; its fibers must do so until the interrupts are over. */
    filch_runtime *rt = s->region.rt;
    filch__visit_begin(rt);
    struct filch_handle *child[BATCH];
    int n = 0;
    while (n < BATCH && s->region.fresh.next != &s->region.fresh) {
        struct filch__link *link = s->region.fresh.next;
        filch__link_remove(link);
        filch__link_add(&s->told, link);
        child[n] = filch__task_of_sibling(link);
        /* It will be looked at soon, and is in no cache if it has waited long. */
        struct filch__fiber *fiber = filch__load_relaxed(&child[n++]->fiber);
        if (fiber)
            __builtin_prefetch(&fiber->waiting, 1);
    }
    for (int i = 0; i < n; i++)
        tell_task(child[i], in, list);
    filch__spin_unlock(&s->region.lock);
    finish_running(in);
    filch__visit_end(rt);
    return true;
}

/* What is to be done once for a scope that is cancelled, beside its children. */
static void announce(struct filch__scope *s)
{
    filch__spin_lock(&s->region.lock);
    int event = s->event;
    int64_t at = s->region.cancelled_at, grace = s->options.grace;
    if (grace && s->region.live > 0)
        filch__region_arm_grace(&s->region, grace < FILCH_NEVER - at ? at + grace : FILCH_NEVER);
    filch__spin_unlock(&s->region.lock);
    if (event >= 0)
        filch__event_raise(event);
}

/* What waits in r looks at r's flag, which was set after those further out. */
static void interrupt_opener(struct filch__region *r, struct interrupts *in)
{
    struct filch_handle *t = r->task;
    if (!t)
        return;
    filch__spin_lock(&t->lock); /* t cannot end while r is held */
    interrupt_waits(in, t);
    filch__spin_unlock(&t->lock);
    finish_running(in);
}

static void tell(struct filch__region *r, struct interrupts *in, struct filch__region **list)
{
    filch__spin_lock(&r->lock);
    mark_regions(r->inner, list);
    struct filch__fiber *opener = filch__region_ring(r);
    filch__spin_unlock(&r->lock);
    if (opener)
        filch__unpark(opener);
    interrupt_opener(r, in);
    if (r->frame.kind == FILCH__FRAME_SCOPE) {
        struct filch__scope *s = (struct filch__scope *)r;
        while (tell_some_children(s, in, list))
            ;
        announce(s);
    }
    filch__region_drop_hold(r);
}

static void tell_list(struct filch__region *list, struct interrupts *in)
{
    while (list) {
        struct filch__region *r = list;
        list = r->told_next;
        tell(r, in, &list);
        if (in->suspended_count >= MANY)
            wake_suspended(in);
    }
    wake_suspended(in);
}

bool filch__region_mark(struct filch__region *r, uint32_t cause, int code, const char *by)
{
    if (filch__load_relaxed(&r->life) != FILCH__REGION_OPEN || filch__load_relaxed(&r->flag))
        return false;
    r->code = code;
    r->cancelled_at = filch__now();
    filch__name_copy(r->by, by);
    if (r->frame.kind == FILCH__FRAME_SCOPE)
        filch__scope_decide((struct filch__scope *)r, cause == FILCH_CAUSE_FAILURE    ? code
                                                      : cause == FILCH_CAUSE_WON      ? 0
                                                      : cause == FILCH_CAUSE_DEADLINE ? -ETIMEDOUT
                                                                                      : -ECANCELED);
    filch__add_acq_rel(&r->holds, 1);
    filch__store_release(&r->flag, cause);
    return true;
}

void filch__region_spread(struct filch__region *r)
{
    struct interrupts in = {.suspended = NULL};
    r->told_next = NULL;
    tell_list(r, &in);
}

int filch__region_cancel(struct filch__region *r, uint32_t cause, int code, const char *by)
{
    uint32_t life = filch__load_relaxed(&r->life);
    if (life != FILCH__REGION_OPEN && life != FILCH__REGION_CLOSED)
        return -EINVAL; /* never opened: there is no lock */
    filch__spin_lock(&r->lock);
    bool open = filch__load_relaxed(&r->life) == FILCH__REGION_OPEN;
    bool marked = filch__region_mark(r, cause, code, by);
    filch__spin_unlock(&r->lock);
    if (marked)
        filch__region_spread(r);
    return open ? 0 : -EINVAL;
}

void filch__cancel_inside(struct filch_handle *t)
{
    struct interrupts in = {.suspended = NULL};
    struct filch__region *list = NULL;
    filch__spin_lock(&t->lock);
    mark_regions(t->regions, &list);
    interrupt_waits(&in, t);
    finish_running(&in); /* under the lock, which keeps t from its end: state.h */
    filch__spin_unlock(&t->lock);
    tell_list(list, &in);
}

const char *filch__cancel_name(void)
{
    struct filch_handle *t = filch__task_current();
    return t ? filch__task_name(t) : "";
}
