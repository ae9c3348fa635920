/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for a mutex. */
#include "sync/mutex.h"

#include "sched/os/clock.h"
#include "task/blame.h"
#include "task/future.h"

/* The first waits that long, in ns, before it is handed over. */
#define PATIENCE 1000000

static filch_lock_future *future_of(filch_waiter *w)
{
    return (filch_lock_future *)(void *)((char *)w - offsetof(filch_lock_future, waiter));
}

bool filch__mutex_is_late(filch_waiter *w)
{
    return filch__now() - future_of(w)->since > PATIENCE;
}

/* With the guard. 0 or -EOWNERDEAD, *state: taken; FILCH_PENDING: it waits; -EAGAIN: it is biased. */
static int take_or_wait(filch_lock_future *f, uint64_t id, const filch_waker *waker,
                        uint64_t *state)
{
    filch_mutex *m = f->mutex;
    while (!filch__mutex_take(m, id, state)) {
        if (*state & FILCH__BIASED)
            return -EAGAIN;
        int rc = filch__mutex_refusal(m, *state, id);
        if (rc < 0)
            return rc;
        if (filch__cas_acq_rel(&m->state, state, *state | FILCH__MUTEX_WAITED)) {
            filch__waiters_append(&m->queue, &f->waiter, waker);
            return FILCH_PENDING;
        }
    }
    return 0;
}

static int enqueue(filch_lock_future *f, struct filch__holder *me, const filch_waker *waker)
{
    filch_mutex *m = f->mutex;
    uint64_t state;
    int rc;
    f->since = filch__now();
    if (filch__bias_has(m, filch__mutex_id(me)))
        return -EDEADLK;
    do {
        filch__mutex_end_bias(m, filch__load_acquire(&m->state));
        filch__waiters_lock(&m->queue);
        rc = take_or_wait(f, filch__mutex_id(me), waker, &state);
        filch__waiters_unlock(&m->queue);
    } while (rc == -EAGAIN);
    return rc == 0 ? filch__mutex_enter(m, me, state) : rc;
}

/* One that was waited for is no one's alone. */
static int enter_waited(filch_mutex *m, struct filch__holder *me, uint64_t state)
{
    filch__store_relaxed(&m->bias, FILCH__BIAS_OVER);
    return filch__mutex_enter(m, me, state);
}

/* With the guard, by a RUNG one. True: it has it; *state: what was found. */
static bool look_again(filch_lock_future *f, uint64_t id, const filch_waker *waker, uint64_t *state)
{
    filch_mutex *m = f->mutex;
    uint64_t rest = f->waiter.next ? FILCH__MUTEX_WAITED : 0,
             fair = filch__mutex_is_late(&f->waiter) ? FILCH__MUTEX_FAIR : 0, to;
    bool stays;
    *state = filch__load_acquire(&m->state);
    do {
        stays = filch__mutex_owner(*state);
        to = stays ? (*state & ~(uint64_t)FILCH__MUTEX_RUNG) | fair
                   : (*state & FILCH__MUTEX_BROKEN) | rest | id;
    } while (!filch__cas_acq_rel(&m->state, state, to));
    if (stays) {
        filch__waiters_rearm(&f->waiter, waker);
        return false;
    }
    filch__waiters_remove(&m->queue, &f->waiter);
    filch__waiter_reset(&f->waiter);
    return true;
}

/* It was handed over. */
static int accept(filch_lock_future *f, struct filch__holder *me)
{
    uint64_t state = filch__load_relaxed(&f->mutex->state);
    filch__waiter_reset(&f->waiter);
    while (!filch__cas_acq_rel(&f->mutex->state, &state,
                               (state & FILCH__MUTEX_FLAGS) | filch__mutex_id(me)))
        ;
    return enter_waited(f->mutex, me, state);
}

/* Of one that is not NOWHERE. */
static void leave_queue(filch_lock_future *f)
{
    filch_mutex *m = f->mutex;
    struct filch__wakes wakes;
    filch__wakes_begin(&wakes);
    enum filch__place place = filch__waiter_leave(&m->queue, &f->waiter);
    if (place == FILCH__WAITING || place == FILCH__RUNG) {
        uint64_t gone = (place == FILCH__RUNG ? FILCH__MUTEX_RUNG : 0) |
                        (m->queue.first ? 0 : FILCH__MUTEX_WAITED | FILCH__MUTEX_FAIR);
        uint64_t state = filch__load_relaxed(&m->state), next;
        do /* where it was RUNG in vain, the next one is told */
            next = place == FILCH__RUNG && m->queue.first && !filch__mutex_owner(state)
                       ? FILCH__MUTEX_RUNG
                       : 0;
        while (!filch__cas_acq_rel(&m->state, &state, (state & ~gone) | next));
        if (next)
            filch__waiters_tell(m->queue.first, FILCH__RUNG, &wakes);
    }
    filch__waiter_left(&m->queue, &f->waiter, &wakes);
    if (place == FILCH__GRANTED)
        filch__mutex_release(m, FILCH__MUTEX_HANDED);
}

static int poll_waiting(filch_lock_future *f, struct filch__holder *me, const filch_waker *waker)
{
    filch_wait_queue *q = &f->mutex->queue;
    if (filch__unlikely(filch__mutex_owner(filch__load_relaxed(&f->mutex->state)) ==
                        filch__mutex_id(me))) {
        leave_queue(f);
        return -EDEADLK;
    }
    enum filch__place place = filch__waiter_look(q, &f->waiter, waker);
    if (place == FILCH__RUNG) {
        uint64_t state;
        filch__waiters_lock(q);
        place = filch__waiter_place(&f->waiter);
        bool out = place == FILCH__RUNG && look_again(f, filch__mutex_id(me), waker, &state);
        filch__waiters_unlock(q);
        if (out)
            return enter_waited(f->mutex, me, state);
    }
    if (place == FILCH__GRANTED)
        return accept(f, me);
    if (place != FILCH__REFUSED)
        return FILCH_PENDING;
    filch__waiter_reset(&f->waiter);
    return -ENOTRECOVERABLE;
}

static int poll_lock(filch_future *self, const filch_waker *waker)
{
    filch_lock_future *f = (filch_lock_future *)(void *)self;
    uint64_t state;
    if (!f->mutex)
        return -EINVAL;
    struct filch__holder *me = filch__holder_current();
    if (!me)
        return -ENOMEM;
    if (!filch__waiter_is_nowhere(&f->waiter))
        return poll_waiting(f, me, waker);
    if (filch__mutex_take_biased(f->mutex, me, &state))
        return filch__mutex_enter(f->mutex, me, state);
    return enqueue(f, me, waker);
}

static void drop_lock(filch_future *self)
{
    filch_lock_future *f = (filch_lock_future *)(void *)self;
    if (f->mutex && !filch__waiter_is_nowhere(&f->waiter))
        leave_queue(f);
}

FILCH_API const filch_future_ops filch_lock_future_ops = {"a mutex", poll_lock, drop_lock};

/* Also where it has a bias, or had. */
static uint64_t owner_in_truth(const filch_mutex *m)
{
    uint64_t owner = filch__mutex_owner(filch__load_acquire(&m->state));
    bool biased = owner & FILCH__BIASED || owner == FILCH__BIAS_ENDING;
    return biased ? filch__load_relaxed(&m->bias) : owner;
}

static void explain(const filch_future *self, struct filch__blame *blame)
{
    const filch_lock_future *f = (const filch_lock_future *)(const void *)self;
    if (filch__waiter_waits(&f->waiter))
        filch__blame_holder(blame, f->mutex, owner_in_truth(f->mutex));
}
FILCH__EXPLAIN(filch_lock_future_ops, explain)
