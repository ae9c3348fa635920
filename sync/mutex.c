/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/mutex.h"

#include "sched/runtime.h"

#include <filch/fork.h>

/* Looks at a mutex that is held, before waiting for it: its owner may be at work elsewhere. */
#define LOOKS 6

_Alignas(FILCH__HOLDER_ALIGN) struct filch__holder filch__mutex_nobody, filch__mutex_somebody;

/* ---- taking ---- */

void filch__mutex_end_bias(filch_mutex *m, uint64_t state)
{
    bool biased = state & FILCH__BIASED || filch__mutex_owner(state) == FILCH__BIAS_ENDING;
    if (biased && filch__bias_end(m))
        filch__mutex_release(m, FILCH__BIAS_ENDING);
}

bool filch__mutex_take_biased(filch_mutex *m, struct filch__holder *me, uint64_t *state)
{
    uint64_t thread = filch__mutex_thread(me), id = filch__mutex_id(me);
    *state = filch__load_acquire(&m->state);
    if (filch__likely(*state == (FILCH__BIASED | thread))) {
        enum filch__bias_take taken = filch__bias_take(m, id, *state);
        if (filch__likely(taken == FILCH__BIAS_TAKEN))
            return true;
        if (taken == FILCH__BIAS_GOT_ENDING)
            filch__mutex_release(m, FILCH__BIAS_ENDING);
    }
    if (!filch__mutex_take(m, id, state))
        return false;
    filch__bias_count(m, thread);
    return true;
}

/* Whether its owner may be running somewhere else. */
static bool is_worth_a_look(void)
{
    struct filch__worker *w = filch__worker_current();
    return !w || w->rt->worker_count > 1;
}

static __attribute__((noinline)) int lock_slow(filch_mutex *m, struct filch__holder *me)
{
    uint64_t state, id = filch__mutex_id(me);
    for (int i = 0; i < LOOKS && is_worth_a_look(); i++) {
        filch__cpu_relax();
        state = filch__load_relaxed(&m->state);
        if (state & (FILCH__MUTEX_FAIR | FILCH__BIASED) || filch__mutex_refusal(m, state, id))
            break;
        if (!filch__mutex_owner(state) && filch__mutex_take(m, id, &state))
            return filch__mutex_enter(m, me, state);
    }
    filch_lock_future f = FILCH_LOCK_FUTURE(m);
    return filch_await(&f.future);
}

int filch_mutex_lock(filch_mutex *m)
{
    uint64_t state;
    if (filch__unlikely(!m))
        return -EINVAL;
    struct filch__holder *me = filch__holder_current();
    if (filch__unlikely(!me))
        return -ENOMEM;
    if (filch__unlikely(filch_cancelled()))
        return -ECANCELED;
    if (filch__likely(filch__mutex_take_biased(m, me, &state)))
        return filch__mutex_enter(m, me, state);
    return lock_slow(m, me);
}

/* Told of its ruin, the caller may destroy it: after who has ruined it has left the guard. */
static int refuse_ruined(filch_mutex *m)
{
    filch__waiters_lock(&m->queue);
    filch__waiters_unlock(&m->queue);
    return -ENOTRECOVERABLE;
}

int filch_mutex_try_lock(filch_mutex *m)
{
    uint64_t state;
    if (!m)
        return -EINVAL;
    struct filch__holder *me = filch__holder_current();
    if (!me)
        return -ENOMEM;
    bool taken = filch__mutex_take_biased(m, me, &state);
    if (!taken && !filch__bias_has(m, filch__mutex_id(me))) {
        filch__mutex_end_bias(m, state);
        taken = filch__mutex_take(m, filch__mutex_id(me), &state);
    }
    if (taken)
        return filch__mutex_enter(m, me, state);
    return filch__mutex_owner(state) == FILCH__MUTEX_RUINED ? refuse_ruined(m) : -EBUSY;
}

/* ---- leaving ---- */

/* The first of the queue gets it, or is told that it is free. False: nobody waits any more. */
static bool pass(filch_mutex *m)
{
    struct filch__wakes wakes;
    filch__wakes_begin(&wakes);
    filch__waiters_lock(&m->queue);
    filch_waiter *first = m->queue.first;
    uint64_t state = filch__load_relaxed(&m->state), to;
    if (first && state & FILCH__MUTEX_FAIR) {
        filch_waiter *next = first->next;
        to = FILCH__MUTEX_HANDED | (state & FILCH__MUTEX_BROKEN) |
             (next ? FILCH__MUTEX_WAITED : 0) |
             (next && filch__mutex_is_late(next) ? FILCH__MUTEX_FAIR : 0);
        while (!filch__cas_acq_rel(&m->state, &state, to))
            ;
        filch__waiters_tell_first(&m->queue, FILCH__GRANTED, &wakes);
    } else if (first) {
        while (!filch__cas_acq_rel(&m->state, &state,
                                   (state & FILCH__MUTEX_FLAGS) | FILCH__MUTEX_RUNG))
            ;
        if (!(state & FILCH__MUTEX_RUNG))
            filch__waiters_tell(first, FILCH__RUNG, &wakes);
    }
    filch__waiters_unlock(&m->queue);
    filch__wakes_run(&wakes);
    return first;
}

/* By the owner. */
static void ruin(filch_mutex *m)
{
    for (bool more = true; more;) {
        struct filch__wakes wakes;
        filch__wakes_begin(&wakes);
        filch__waiters_lock(&m->queue);
        more = filch__waiters_tell_some(&m->queue, FILCH__REFUSED, &wakes);
        if (!more)
            filch__store_release(&m->state, FILCH__MUTEX_RUINED);
        filch__waiters_unlock(&m->queue);
        filch__wakes_run(&wakes);
    }
}

void filch__mutex_release(filch_mutex *m, uint64_t id)
{
    uint64_t state = id;
    if (filch__likely(filch__cas_acq_rel(&m->state, &state, 0)))
        return;
    for (;;) {
        if (state & FILCH__MUTEX_WAITED &&
            (state & FILCH__MUTEX_FAIR || !(state & FILCH__MUTEX_RUNG))) {
            if (pass(m))
                return;
            state = filch__load_relaxed(&m->state);
        } else if (filch__cas_acq_rel(&m->state, &state, state & FILCH__MUTEX_FLAGS)) {
            return;
        }
    }
}

/* One that it had by bias is in the list of those that are ENDING afterwards. */
static void leave_biased_broken(filch_mutex *m)
{
    bool free = filch__bias_end(m);
    (void)filch__or_acq_rel(&m->state, FILCH__MUTEX_BROKEN);
    if (free || filch__bias_leave(m))
        filch__mutex_release(m, FILCH__BIAS_ENDING);
}

void filch__mutex_orphan(struct filch__held *held)
{
    filch_mutex *m = (filch_mutex *)(void *)((char *)held - offsetof(filch_mutex, held));
    uint64_t state = filch__load_relaxed(&m->state);
    if (state & FILCH__BIASED || filch__mutex_owner(state) == FILCH__BIAS_ENDING)
        leave_biased_broken(m);
    else
        filch__mutex_release(m,
                             filch__mutex_owner(filch__or_acq_rel(&m->state, FILCH__MUTEX_BROKEN)));
}

static void forget(filch_mutex *m, struct filch__holder *me)
{
    filch__holder_remove(me, (struct filch__held *)(void *)m->held);
}

static int unlock_unbiased(filch_mutex *m, struct filch__holder *me)
{
    uint64_t state = filch__load_relaxed(&m->state), id = filch__mutex_id(me);
    if (filch__mutex_owner(state) != id)
        return -EPERM;
    forget(m, me);
    if (filch__unlikely(state & FILCH__MUTEX_BROKEN))
        ruin(m);
    else if (!filch__bias_begin(m, id, filch__mutex_thread(me)))
        filch__mutex_release(m, id);
    return 0;
}

int filch_mutex_unlock(filch_mutex *m)
{
    if (filch__unlikely(!m))
        return -EINVAL;
    struct filch__holder *me = filch__holder_current();
    if (filch__unlikely(!me))
        return -EPERM;
    if (filch__unlikely(!filch__bias_has(m, filch__mutex_id(me))))
        return unlock_unbiased(m, me);
    forget(m, me);
    if (filch__bias_leave(m))
        filch__mutex_release(m, FILCH__BIAS_ENDING);
    return 0;
}

int filch_mutex_consistent(filch_mutex *m)
{
    struct filch__holder *me = m ? filch__holder_current() : NULL;
    if (!me)
        return m ? -EPERM : -EINVAL;
    if (filch__bias_has(m, filch__mutex_id(me)))
        return -EINVAL;
    uint64_t state = filch__load_relaxed(&m->state);
    if (filch__mutex_owner(state) != filch__mutex_id(me))
        return -EPERM;
    if (!(state & FILCH__MUTEX_BROKEN))
        return -EINVAL;
    (void)filch__and_acq_rel(&m->state, ~(uint64_t)FILCH__MUTEX_BROKEN);
    return 0;
}

int filch_mutex_destroy(filch_mutex *m)
{
    if (!m)
        return -EINVAL;
    filch__mutex_end_bias(m, filch__load_acquire(&m->state));
    filch__waiters_lock(&m->queue);
    uint64_t state = filch__load_acquire(&m->state), owner = filch__mutex_owner(state);
    bool idle = !m->queue.first && (owner == 0 || owner == FILCH__MUTEX_RUINED);
    idle = idle && filch__cas_acq_rel(&m->state, &state, 0);
    filch__waiters_unlock(&m->queue);
    return idle ? 0 : -EBUSY;
}
