/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state says whether somebody has the mutex, and whether others wait; who wait are a list under
 * the guard, a spin lock, and so is WAITED.
 *     0 -> LOCKED               lock, any thread
 *     LOCKED -> 0               unlock, of whoever has it
 *     LOCKED -> LOCKED|WAITED   with the guard: who waits enters the list
 *     LOCKED|WAITED -> LOCKED   with the guard: the list became empty
 * While WAITED is there an unlock takes the guard and hands the mutex to the first of the list: the
 * state stays LOCKED. All are acquire when they take it and release when they leave it; a
 * hand-over is ordered by the signal.
 */
#include <filch/mutex.h>

#include "sched/os/spin.h"
#include "task/alarm.h"
#include "task/future.h"

enum { LOCKED = 1, WAITED = 2 };

enum place { NOWHERE, QUEUED, GRANTED };

struct waiter {
    struct filch__signal signal;
    uint32_t place; /* under the guard; once it is GRANTED the future's own */
};

_Static_assert(sizeof(struct waiter) <= sizeof((filch_lock_future *)0)->storage,
               "storage of a waiter");

static struct waiter *waiter_of(filch_lock_future *f)
{
    return (struct waiter *)(void *)f->storage;
}

static bool take(filch_mutex *m)
{
    uint32_t free = 0;
    return filch__cas_acq_rel(&m->state, &free, LOCKED);
}

/* With the guard: true if the mutex could be taken after all; else WAITED is there. */
static bool take_or_announce(filch_mutex *m)
{
    uint32_t state = filch__load_relaxed(&m->state);
    while (!(state & WAITED))
        if (filch__cas_acq_rel(&m->state, &state, state ? state | WAITED : LOCKED))
            return state == 0;
    return false;
}

static void append(filch_mutex *m, filch_lock_future *f)
{
    f->next = NULL;
    f->previous = m->last;
    if (m->last)
        m->last->next = f;
    else
        m->first = f;
    m->last = f;
    waiter_of(f)->place = QUEUED;
}

static void take_out(filch_mutex *m, filch_lock_future *f)
{
    if (f->previous)
        f->previous->next = f->next;
    else
        m->first = f->next;
    if (f->next)
        f->next->previous = f->previous;
    else
        m->last = f->previous;
    if (!m->first)
        (void)filch__and_acq_rel(&m->state, ~(uint32_t)WAITED);
}

static int enqueue(filch_lock_future *f, const filch_waker *waker)
{
    filch_mutex *m = f->mutex;
    filch__spin_lock(&m->guard);
    bool taken = take_or_announce(m);
    if (!taken) {
        filch__signal_arm(&waiter_of(f)->signal, waker);
        append(m, f);
    }
    filch__spin_unlock(&m->guard);
    return taken ? 0 : FILCH_PENDING;
}

/* It keeps its place in the list. */
static void change_waker(filch_lock_future *f, const filch_waker *waker)
{
    filch__spin_lock(&f->mutex->guard);
    if (waiter_of(f)->place == QUEUED)
        waiter_of(f)->signal.waker = *waker;
    filch__spin_unlock(&f->mutex->guard);
}

static int poll_lock(filch_future *self, const filch_waker *waker)
{
    filch_lock_future *f = (filch_lock_future *)(void *)self;
    struct waiter *w = waiter_of(f);
    if (!f->mutex)
        return -EINVAL;
    if (filch__load_relaxed(&w->place) == NOWHERE)
        return take(f->mutex) ? 0 : enqueue(f, waker);
    if (!filch__signal_rung(&w->signal) && !filch_waker_same(&w->signal.waker, waker))
        change_waker(f, waker);
    if (!filch__signal_rung(&w->signal))
        return FILCH_PENDING;
    filch__spin_lock(&f->mutex->guard); /* who granted it is done with the future */
    w->place = NOWHERE;
    filch__spin_unlock(&f->mutex->guard);
    filch__signal_settle(&w->signal);
    return 0;
}

static void drop_lock(filch_future *self)
{
    filch_lock_future *f = (filch_lock_future *)(void *)self;
    struct waiter *w = waiter_of(f);
    if (!f->mutex || filch__load_relaxed(&w->place) == NOWHERE)
        return;
    filch__spin_lock(&f->mutex->guard);
    bool granted = w->place == GRANTED;
    if (!granted)
        take_out(f->mutex, f);
    filch__spin_unlock(&f->mutex->guard);
    filch__signal_settle(&w->signal);
    if (granted)
        (void)filch_mutex_unlock(f->mutex);
}

FILCH_API const filch_future_ops filch_lock_future_ops = {"a mutex", poll_lock, drop_lock};

int filch_mutex_lock(filch_mutex *m)
{
    filch_lock_future f = FILCH_LOCK_FUTURE(m);
    return filch_await(&f.future);
}

int filch_mutex_try_lock(filch_mutex *m)
{
    if (!m)
        return -EINVAL;
    return take(m) ? 0 : -EBUSY;
}

/* To the first who waits. True: it is done; false: nobody waits any more. */
static bool hand_over(filch_mutex *m)
{
    struct filch__after after = {.fn = NULL};
    filch__spin_lock(&m->guard);
    filch_lock_future *first = m->first;
    if (first) {
        take_out(m, first);
        filch__store_relaxed(&waiter_of(first)->place, GRANTED);
        filch__signal_fire(&waiter_of(first)->signal, &after);
    }
    filch__spin_unlock(&m->guard);
    if (after.fn)
        after.fn(after.arg);
    return first;
}

/* The step that leaves it free is the last: the next to have it may free its memory. */
int filch_mutex_unlock(filch_mutex *m)
{
    if (!m)
        return -EINVAL;
    for (;;) {
        uint32_t state = LOCKED;
        if (filch__likely(filch__cas_acq_rel(&m->state, &state, 0)))
            return 0;
        if (!(state & LOCKED))
            return -EPERM;
        if (hand_over(m))
            return 0;
    }
}
