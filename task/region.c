/* SPDX-License-Identifier: Apache-2.0 */
#include "task/region.h"

#include "sched/os/clock.h"
#include "sched/os/futex.h"
#include "task/blame.h"
#include "task/cancel.h"
#include "task/outside.h"
#include "task/scope.h"

#include <string.h>

uint32_t filch__roots_lock;
struct filch__region *filch__roots;

/* In the child of a fork(2): they are of other threads, or belong to runtimes that are lost. */
void filch__roots_forget(void)
{
    filch__roots = NULL;
    filch__store_relaxed(&filch__roots_lock, 0);
}

static const uint32_t never;

/* What the opener is enclosed by. */
struct holder {
    uint32_t *lock;
    struct filch__region **regions;
    const uint32_t *flag;
};

static inline struct holder holder_of(struct filch__region *outer, struct filch_handle *task)
{
    if (outer)
        return (struct holder){&outer->lock, &outer->inner, &outer->flag};
    if (filch__likely(task != NULL))
        return (struct holder){&task->lock, &task->regions, &task->cancelled};
    return (struct holder){&filch__roots_lock, &filch__roots, &never};
}

static struct filch__region *region_of_timer(struct filch__timer *timer)
{
    return (struct filch__region *)(void *)((char *)timer - offsetof(struct filch__region, timer));
}

/* With the hold that fire took. */
static void fire_later(void *arg)
{
    struct filch__region *r = arg;
    filch__spin_lock(&r->lock);
    /* Between `fire` and this the deadline may have been moved, or a cancel have come. */
    bool due = r->deadline <= filch__now();
    bool overdue = due && r->grace;
    bool marked = due && !r->grace && filch__region_mark(r, FILCH_CAUSE_DEADLINE, 0, "");
    filch__spin_unlock(&r->lock);
    if (overdue)
        filch__scope_report_overdue((struct filch__scope *)r);
    if (marked)
        filch__region_spread(r);
    filch__region_drop_hold(r);
}

static void fire(struct filch__timer *timer, struct filch__after *after)
{
    struct filch__region *r = region_of_timer(timer);
    filch__add_acq_rel(&r->holds, 1);
    *after = (struct filch__after){fire_later, r};
}

#define ZERO_FROM offsetof(struct filch__region, lock)
#define ZERO_TO   offsetof(struct filch__region, deadline)

static inline void init(struct filch__region *r, struct filch_handle *task)
{
    r->task = task;
    memset((char *)r + ZERO_FROM, 0, ZERO_TO - ZERO_FROM);
    filch__link_init(&r->fresh);
    r->deadline = FILCH_NEVER;
    filch__store_relaxed(&r->life, FILCH__REGION_OPEN);
}

void filch__region_open(struct filch__region *r, struct filch__fiber *me,
                        enum filch__frame_kind kind)
{
    struct filch_handle *task = me ? me->task : NULL;
    struct filch__frame *outer = *filch__frames_home(me);
    init(r, task);
    r->frame.outer = outer;
    r->frame.kind = kind;
    r->frame.cancelled = &r->flag;
    r->frame.closing = kind == FILCH__FRAME_SHIELD ? &never
                       : outer                     ? outer->closing
                       : me                        ? &me->rt->closing
                                                   : &never;
    struct holder h = holder_of(filch__region_around(outer), task);
    r->holder_lock = h.lock;
    filch__spin_lock(h.lock);
    r->next = *h.regions;
    r->at = h.regions;
    if (r->next)
        r->next->at = &r->next;
    *h.regions = r;
    if (filch__unlikely(filch__load_acquire(h.flag)) && kind == FILCH__FRAME_SCOPE) {
        r->flag = FILCH__CAUSE_OUTER;
        r->cancelled_at = filch__now();
    }
    filch__spin_unlock(h.lock);
    filch__frame_push(me, &r->frame);
}

/* What encloses it was cancelled. */
static bool is_cut(const struct filch__region *r)
{
    return filch__load_relaxed(&r->flag) == FILCH__CAUSE_OUTER ||
           filch__load_relaxed(r->frame.closing);
}

/* Under the lock. */
static bool wish_is_true(const struct filch__region *r, enum filch__region_wish wish)
{
    if (wish == FILCH__WISH_END)
        return r->live == 0 && filch__load_acquire(&r->holds) == 0;
    return wish == FILCH__WISH_NEXT && (r->kept || r->live == 0 || is_cut(r));
}

struct filch__fiber *filch__region_ring(struct filch__region *r)
{
    if (filch__likely(!wish_is_true(r, r->wish)))
        return NULL;
    if (r->wish == FILCH__WISH_END)
        filch__store_relaxed(&r->life, FILCH__REGION_CLOSED);
    r->wish = FILCH__WISH_NONE;
    struct filch__fiber *fiber = r->waiter;
    struct filch__worker *w = filch__worker_current();
    r->waiter = NULL;
    /* The opener takes the lock before it goes on, so it is there until the lock is left; after
     * that its fiber is, where this thread is a worker of its runtime. */
    if (filch__likely(fiber && w && w->rt == fiber->rt))
        return fiber;
    if (fiber) {
        filch__unpark(fiber);
    } else {
        filch__store_release(&r->rung, 1);
        filch__futex_wake(&r->rung, 1);
    }
    return NULL;
}

static const char end_of_scope[] = "the end of scope", child_of_scope[] = "a child of scope";

static void explain_end(const void *on, struct filch__blames *blames)
{
    filch__blames_add(blames, (struct filch__blame){FILCH__BLAME_SCOPE, end_of_scope, on, on});
}

static void explain_next(const void *on, struct filch__blames *blames)
{
    filch__blames_add(blames, (struct filch__blame){FILCH__BLAME_CHILD, child_of_scope, on, on});
}

const struct filch__topic filch__topic_region_end = {end_of_scope, explain_end};
const struct filch__topic filch__topic_region_next = {child_of_scope, explain_next};

static void wait_for_ring(struct filch__region *r, struct filch__fiber *me,
                          enum filch__region_wish wish)
{
    if (!me) {
        struct filch__outside outside;
        filch__outside_enter(&outside,
                             wish == FILCH__WISH_END ? &filch__topic_region_end
                                                     : &filch__topic_region_next,
                             r, &r->rung);
        while (!filch__load_acquire(&r->rung))
            filch__futex_wait(&r->rung, 0, FILCH_NEVER);
        filch__outside_leave(&outside);
    } else if (filch__park() < 0) {
        filch__os_yield(); /* no fiber to go on with, which the open has made unlikely */
    }
}

int filch__region_await(struct filch__region *r, struct filch__fiber *me,
                        enum filch__region_wish wish, bool cancellable)
{
    for (;;) {
        filch__spin_lock(&r->lock);
        r->wish = FILCH__WISH_NONE;
        r->waiter = NULL;
        if (cancellable && is_cut(r)) {
            filch__spin_unlock(&r->lock);
            return -ECANCELED;
        }
        if (wish_is_true(r, wish))
            return 0;
        r->wish = wish;
        r->waiter = me;
        filch__store_relaxed(&r->rung, 0);
        filch__spin_unlock(&r->lock);
        wait_for_ring(r, me, wish);
    }
}

/* The lock is held, and still or again when it returns. */
__attribute__((noinline)) static void await_end(struct filch__region *r, struct filch__fiber *me)
{
    filch__spin_unlock(&r->lock);
    if (me) {
        filch__fiber_begin_wait(me, &filch__topic_region_end, r);
        filch__fiber_set_deaf(me);
    }
    (void)filch__region_await(r, me, FILCH__WISH_END, false);
    if (me) {
        filch__fiber_clear_deaf(me);
        filch__fiber_end_wait(me);
    }
}

/* Returns when nobody lives in it or holds it, with the lock held. */
static inline void lock_ended(struct filch__region *r, struct filch__fiber *me)
{
    filch__spin_lock(&r->lock);
    if (filch__unlikely(!wish_is_true(r, FILCH__WISH_END)))
        await_end(r, me);
    filch__store_relaxed(&r->life, FILCH__REGION_CLOSED);
}

/* Under the lock of the roots, which are forgotten in the child of a fork(2). */
static bool is_root(const struct filch__region *r)
{
    const struct filch__region *root = filch__roots;
    while (root && root != r)
        root = root->next;
    return root;
}

int filch__region_end(struct filch__region *r, struct filch__fiber *me)
{
    if (filch__unlikely(r->rt && filch__load_relaxed(&r->rt->lost))) {
        filch__store_relaxed(&r->life, FILCH__REGION_CLOSED);
        return -ESHUTDOWN; /* its holder is lost too, or the list of roots, which is empty now */
    }
    lock_ended(r, me);
    bool timed = r->timed;
    filch__spin_unlock(&r->lock);
    if (filch__unlikely(timed)) {
        filch__timer_disarm(&r->timer);
        lock_ended(r, me); /* it may have fired before */
        filch__spin_unlock(&r->lock);
    }
    filch__spin_lock(r->holder_lock);
    if (filch__likely(r->holder_lock != &filch__roots_lock) || is_root(r)) {
        *r->at = r->next;
        if (r->next)
            r->next->at = r->at;
    }
    filch__spin_unlock(r->holder_lock);
    return 0;
}

void filch__region_drop_hold(struct filch__region *r)
{
    filch__spin_lock(&r->lock);
    filch__sub_acq_rel(&r->holds, 1);
    struct filch__fiber *fiber = filch__region_ring(r);
    filch__spin_unlock(&r->lock);
    if (fiber)
        filch__unpark(fiber);
}

static void arm(struct filch__region *r, int64_t when)
{
    if (r->timed)
        filch__timer_disarm(&r->timer);
    else
        r->timer = (struct filch__timer){.fire = fire};
    r->timed = true;
    filch__timer_arm(r->rt, &r->timer, when);
}

void filch__region_set_deadline(struct filch__region *r, int64_t deadline)
{
    filch__store_relaxed(&r->deadline, deadline);
    if (deadline != FILCH_NEVER)
        arm(r, deadline);
    else if (r->timed)
        filch__timer_disarm(&r->timer);
}

void filch__region_arm_grace(struct filch__region *r, int64_t when)
{
    r->grace = true;
    filch__region_set_deadline(r, when);
}
