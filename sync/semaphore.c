/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state: how many permits there are, and WAITED: somebody is in the queue.
 *
 *     p -> p - n          acquire, p + n  release: by anybody while it is not WAITED
 *     p -> p, WAITED      with the guard: the first who waits
 * While it is WAITED it changes only with the guard, under which that is: while there is a queue.
 * So nobody overtakes. Outside of the guard p is less than what the first wants then, unless who
 * serves the queue has left it to wake those whom it has served.
 *
 * All changes without the guard are acquire and release, each being the pair of all others: who
 * takes permits sees what was done before those were released. With the guard they are ordered by
 * it, and the last, which leaves no queue, is a release, for those who take without it.
 *
 * A release that has to serve keeps what it has not given away to itself while it is out of the
 * guard, and adds what is left as its last touch, unless to a queue, for which the guard is needed.
 * Who was granted permits passes the guard before they are his. So who has all may free the memory.
 */
#include <filch/semaphore.h>

#include "sync/waiters.h"
#include "task/blame.h"
#include "task/future.h"

#include <filch/fork.h>

/* Leaves room above the most permits for what is given back by futures that are dropped, and for
 * releases at the same time that each serve a queue. */
#define WAITED (UINT64_C(1) << 63)

/* *state: what was found. */
static bool take(filch_semaphore *s, uint32_t n, uint64_t *state)
{
    *state = filch__load_relaxed(&s->state);
    while (!(*state & WAITED) && *state >= n)
        if (filch__likely(filch__cas_acq_rel(&s->state, state, *state - n)))
            return true;
    return false;
}

static uint64_t wanted(filch_waiter *w)
{
    return filch__node_of(w)->count;
}

/*
 * With the guard, while it is WAITED: gives those who wait in order of what is there, and then of
 * *rest. *rest is what remains of that, 0 where there is a queue that has to wait on. True: wakes
 * is full, and the first has enough; then *rest was 0 before, or is not 0 now.
 */
static bool serve(filch_semaphore *s, uint64_t *rest, struct filch__wakes *wakes)
{
    uint64_t all = (filch__load_relaxed(&s->state) & ~WAITED) + *rest;
    filch_waiter *first;
    while ((first = s->queue.first) && wanted(first) <= all && !filch__wakes_full(wakes)) {
        all -= wanted(first);
        s->promised++;
        filch__waiters_tell_first(&s->queue, FILCH__GRANTED, wakes);
    }
    bool more = first && wanted(first) <= all;
    *rest = first && !more ? 0 : *rest < all ? *rest : all;
    filch__store_release(&s->state, (all - *rest) | (first ? WAITED : 0));
    return more;
}

/* Serves, if there is a queue, as many as can be woken at once. */
static bool serve_some(filch_semaphore *s, uint64_t *rest)
{
    struct filch__wakes wakes;
    filch__wakes_begin(&wakes);
    filch__waiters_lock(&s->queue);
    bool more = s->queue.first && serve(s, rest, &wakes);
    filch__waiters_unlock(&s->queue);
    filch__wakes_run(&wakes);
    return more;
}

static void give(filch_semaphore *s, uint64_t n)
{
    while (n) {
        uint64_t state = filch__load_relaxed(&s->state);
        while (!(state & WAITED))
            if (filch__cas_acq_rel(&s->state, &state, state + n))
                return;
        (void)serve_some(s, &n);
    }
}

/* ---- the future ---- */

static int enqueue(filch_semaphore_future *f, const filch_waker *waker)
{
    filch_semaphore *s = f->semaphore;
    uint64_t state;
    bool taken;
    filch__waiters_lock(&s->queue);
    do
        taken = take(s, f->permits, &state);
    while (!taken && !(state & WAITED) && !filch__cas_acq_rel(&s->state, &state, state | WAITED));
    if (!taken) {
        filch__node_of(&f->waiter)->count = f->permits;
        filch__waiters_append(&s->queue, &f->waiter, waker);
    }
    filch__waiters_unlock(&s->queue);
    return taken ? 0 : FILCH_PENDING;
}

static int accept(filch_semaphore_future *f)
{
    filch_semaphore *s = f->semaphore;
    filch__waiters_lock(&s->queue);
    s->promised--;
    filch__waiter_reset(&f->waiter);
    filch__waiters_unlock(&s->queue);
    return 0;
}

static int poll_semaphore(filch_future *self, const filch_waker *waker)
{
    filch_semaphore_future *f = (filch_semaphore_future *)(void *)self;
    filch_semaphore *s = f->semaphore;
    uint64_t state;
    if (!s || !f->permits)
        return -EINVAL;
    if (filch__waiter_is_nowhere(&f->waiter))
        return take(s, f->permits, &state) ? 0 : enqueue(f, waker);
    if (filch__waiter_look(&s->queue, &f->waiter, waker) == FILCH__GRANTED)
        return accept(f);
    return FILCH_PENDING;
}

static void drop_semaphore(filch_future *self)
{
    filch_semaphore_future *f = (filch_semaphore_future *)(void *)self;
    filch_semaphore *s = f->semaphore;
    struct filch__wakes wakes;
    uint64_t none = 0;
    bool more = false;
    if (!s || filch__waiter_is_nowhere(&f->waiter))
        return;
    filch__wakes_begin(&wakes);
    bool granted = filch__waiter_leave(&s->queue, &f->waiter) == FILCH__GRANTED;
    if (granted) {
        s->promised--;
        (void)filch__add_acq_rel(&s->state, wanted(&f->waiter));
    }
    if (!granted || s->queue.first) /* those behind may have enough, or want less */
        more = serve(s, &none, &wakes);
    filch__waiter_left(&s->queue, &f->waiter, &wakes);
    while (more)
        more = serve_some(s, &none);
}

FILCH_API const filch_future_ops filch_semaphore_future_ops = {"a semaphore", poll_semaphore,
                                                               drop_semaphore};
FILCH__EXPLAIN_ANYBODY(filch_semaphore_future_ops, filch_semaphore_future, semaphore)

/* ---- calls ---- */

int filch_semaphore_acquire(filch_semaphore *s, uint32_t n)
{
    uint64_t state;
    if (filch__unlikely(!s || n == 0))
        return -EINVAL;
    if (filch__unlikely(filch_cancelled()))
        return -ECANCELED;
    if (filch__likely(take(s, n, &state)))
        return 0;
    filch_semaphore_future f = FILCH_SEMAPHORE_FUTURE(s, n);
    return filch_await(&f.future);
}

int filch_semaphore_try_acquire(filch_semaphore *s, uint32_t n)
{
    uint64_t state;
    if (!s || n == 0)
        return -EINVAL;
    return take(s, n, &state) ? 0 : -EAGAIN;
}

int filch_semaphore_release(filch_semaphore *s, uint32_t n)
{
    if (filch__unlikely(!s || n == 0))
        return -EINVAL;
    uint64_t state = filch__load_relaxed(&s->state);
    do {
        if (filch__unlikely((state & ~WAITED) + n > FILCH_SEMAPHORE_MAX))
            return -EOVERFLOW;
        if (filch__unlikely(state & WAITED)) {
            give(s, n);
            return 0;
        }
    } while (filch__unlikely(!filch__cas_acq_rel(&s->state, &state, state + n)));
    return 0;
}

int64_t filch_semaphore_available(const filch_semaphore *s)
{
    return s ? (int64_t)(filch__load_relaxed(&s->state) & ~WAITED) : -EINVAL;
}

int filch_semaphore_destroy(filch_semaphore *s)
{
    if (!s)
        return -EINVAL;
    filch__waiters_lock(&s->queue);
    bool idle = !s->queue.first && s->promised == 0;
    if (idle)
        (void)filch__exchange_acq_rel(&s->state, 0);
    filch__waiters_unlock(&s->queue);
    return idle ? 0 : -EBUSY;
}
