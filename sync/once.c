/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state: the address of the runner's holder, or 0, and flags; or DONE.
 *
 *     WAITED  somebody is in the queue; only beside a runner
 *     HANDED  it was handed over, and the runner has not polled since
 *
 *     0 -> me                       begin
 *     me -> DONE                    the last touch; beside WAITED, with the guard: all are told
 *     me -> 0                       the same, it failed: not beside WAITED
 *     me, WAITED -> its holder, HANDED    with the guard: the first of the queue is told, alone
 *     HANDED: -> me                 its poll
 * WAITED changes only with the guard, with the queue. Beginning is acquire and ending is release; for
 * those who wait it is ordered by the waiter's place. Who ends it for a queue leaves the guard last,
 * and those in the queue take note with it (crowd.h): so who is through may free it.
 */
#include <filch/once.h>

#include "sync/crowd.h"
#include "task/blame.h"
#include "task/holder.h"

#include <errno.h>
#include <filch/fork.h>

enum { WAITED = 1, DONE = 2, HANDED = 4, FLAGS = 15 };

_Static_assert(sizeof(struct filch__held) <= sizeof((filch_once *)0)->held, "held");
_Static_assert(FILCH__HOLDER_ALIGN > FLAGS, "flags");

static uint64_t owner_of(uint64_t state)
{
    return state & ~(uint64_t)FLAGS;
}

static uint64_t id_of(const struct filch__holder *h)
{
    return (uint64_t)(uintptr_t)h;
}

static struct filch__held *held_of(filch_once *o)
{
    return (struct filch__held *)(void *)o->held;
}

/* ---- ending ---- */

/* With the guard; somebody is in the queue. Leaves it. */
static void end_waited(filch_once *o, bool done)
{
    struct filch__wakes wakes;
    filch__wakes_begin(&wakes);
    filch_waiter *first = o->queue.first;
    if (done) {
        (void)filch__exchange_acq_rel(&o->state, DONE);
        filch__crowd_tell_all(&o->queue, &o->leaving);
        return;
    }
    (void)filch__exchange_acq_rel(&o->state, filch__node_of(first)->count | HANDED |
                                                 (first->next ? WAITED : 0));
    filch__crowd_tell_one(&o->queue, &o->leaving, &wakes);
    filch__waiters_unlock(&o->queue);
    filch__wakes_run(&wakes);
}

/* By the runner, or for it. */
static void end(filch_once *o, bool done)
{
    uint64_t state = filch__load_relaxed(&o->state);
    for (;;) {
        if (!(state & WAITED)) {
            if (filch__cas_acq_rel(&o->state, &state, done ? DONE : 0))
                return;
            continue;
        }
        filch__waiters_lock(&o->queue);
        if (o->queue.first) {
            end_waited(o, done);
            return;
        }
        filch__waiters_unlock(&o->queue);
        state = filch__load_relaxed(&o->state);
    }
}

static void orphan(struct filch__held *held)
{
    end((filch_once *)(void *)((char *)held - offsetof(filch_once, held)), false);
}

int filch_once_finish(filch_once *o, int result)
{
    if (!o)
        return -EINVAL;
    struct filch__holder *me = filch__holder_current();
    uint64_t state = filch__load_relaxed(&o->state);
    if (!me || owner_of(state) != id_of(me) || state & HANDED)
        return -EPERM;
    filch__holder_remove(me, held_of(o));
    end(o, result >= 0);
    return 0;
}

/* ---- beginning ---- */

/* It is the caller's. */
static int run(filch_once *o, struct filch__holder *me)
{
    filch__holder_add(me, held_of(o), orphan);
    return 1;
}

/* 1: it is the caller's; 0, -EDEADLK; FILCH_PENDING: somebody else is at it, and, with the guard,
 * WAITED. */
static int try(filch_once *o, uint64_t id, bool wait)
{
    uint64_t state = filch__load_acquire(&o->state);
    for (;;) {
        if (state == DONE)
            return 0;
        if (owner_of(state) == id && !(state & HANDED))
            return -EDEADLK;
        if (state && (!wait || state & WAITED))
            return FILCH_PENDING;
        if (filch__cas_acq_rel(&o->state, &state, state ? state | WAITED : id))
            return state ? FILCH_PENDING : 1;
    }
}

static int begin(filch_once_future *f, struct filch__holder *me, const filch_waker *waker)
{
    filch_once *o = f->once;
    int rc = try(o, id_of(me), false);
    if (rc == FILCH_PENDING) {
        filch__waiters_lock(&o->queue);
        rc = try(o, id_of(me), true);
        if (rc == FILCH_PENDING) {
            filch__node_of(&f->waiter)->count = id_of(me);
            filch__crowd_append(&o->queue, &f->waiter, waker);
        }
        filch__waiters_unlock(&o->queue);
    }
    return rc == 1 ? run(o, me) : rc;
}

/* It was handed over to whoever polled before. */
static int accept(filch_once *o, struct filch__holder *me)
{
    uint64_t state = filch__load_relaxed(&o->state);
    while (!filch__cas_acq_rel(&o->state, &state, id_of(me) | (state & WAITED)))
        ;
    return run(o, me);
}

static int poll_once(filch_future *self, const filch_waker *waker)
{
    filch_once_future *f = (filch_once_future *)(void *)self;
    filch_once *o = f->once;
    if (!o)
        return -EINVAL;
    struct filch__holder *me = filch__holder_current();
    if (!me)
        return -ENOMEM;
    if (filch__waiter_is_nowhere(&f->waiter))
        return begin(f, me, waker);
    if (!filch__crowd_look(&o->queue, &o->leaving, &f->waiter, waker))
        return FILCH_PENDING;
    return filch__crowd_alone(&f->waiter) ? accept(o, me) : 0;
}

static void drop_once(filch_future *self)
{
    filch_once_future *f = (filch_once_future *)(void *)self;
    filch_once *o = f->once;
    if (!o || filch__waiter_is_nowhere(&f->waiter))
        return;
    bool told = filch__crowd_leave(&o->queue, &o->leaving, &f->waiter);
    if (!told && !o->queue.first)
        (void)filch__and_acq_rel(&o->state, ~(uint64_t)WAITED);
    filch__waiter_left(&o->queue, &f->waiter, &filch__wakes_none);
    if (told && filch__crowd_alone(&f->waiter))
        end(o, false);
}

FILCH_API const filch_future_ops filch_once_future_ops = {"a once", poll_once, drop_once};

static void explain(const filch_future *self, struct filch__blame *blame)
{
    const filch_once_future *f = (const filch_once_future *)(const void *)self;
    if (filch__waiter_waits(&f->waiter))
        filch__blame_holder(blame, f->once, owner_of(filch__load_acquire(&f->once->state)));
}
FILCH__EXPLAIN(filch_once_future_ops, explain)

/* ---- calls ---- */

bool filch_once_done(const filch_once *o)
{
    return o && filch__load_acquire(&o->state) == DONE;
}

static int await_turn(filch_once *o)
{
    filch_once_future f = FILCH_ONCE_FUTURE(o);
    return filch_await(&f.future);
}

int filch_once_call(filch_once *o, filch_fn *fn, void *arg)
{
    if (!o || !fn)
        return -EINVAL;
    if (filch__unlikely(filch_cancelled()))
        return -ECANCELED;
    if (filch__likely(filch_once_done(o)))
        return 0;
    int rc = await_turn(o);
    if (rc != 1)
        return rc;
    rc = fn(arg);
    (void)filch_once_finish(o, rc);
    return rc < 0 ? rc : 0;
}

int filch_once_destroy(filch_once *o)
{
    if (!o)
        return -EINVAL;
    filch__waiters_lock(&o->queue);
    uint64_t state = filch__load_acquire(&o->state);
    bool gone = filch__crowd_gone(&o->queue, &o->leaving) && !owner_of(state) &&
                filch__cas_acq_rel(&o->state, &state, 0);
    filch__waiters_unlock(&o->queue);
    return gone ? 0 : -EBUSY;
}

void *filch_cell_get(const filch_cell *c)
{
    return c ? filch__load_acquire(&c->value) : NULL;
}

/* The caller's turn. */
static int fill(filch_cell *c, int (*init)(void *arg, void **value), void *arg, void **value)
{
    void *made = NULL;
    int rc = init(arg, &made);
    if (rc >= 0 && !made)
        rc = -EINVAL;
    if (rc >= 0)
        filch__store_release(&c->value, made);
    (void)filch_once_finish(&c->once, rc);
    if (rc < 0)
        return rc;
    *value = made;
    return 0;
}

int filch_cell_init(filch_cell *c, int (*init)(void *arg, void **value), void *arg, void **value)
{
    if (!c || !init || !value)
        return -EINVAL;
    if (filch__unlikely(filch_cancelled()))
        return -ECANCELED;
    void *there = filch_cell_get(c);
    if (!there) {
        int rc = await_turn(&c->once);
        if (rc == 1)
            return fill(c, init, arg, value);
        if (rc < 0)
            return rc;
        there = filch_cell_get(c);
    }
    *value = there;
    return 0;
}

int filch_cell_destroy(filch_cell *c)
{
    if (!c)
        return -EINVAL;
    int rc = filch_once_destroy(&c->once);
    if (rc == 0)
        filch__store_relaxed(&c->value, NULL);
    return rc;
}
