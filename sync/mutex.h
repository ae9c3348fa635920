/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state: the address of the owner's holder, or 0, and flags.
 *
 *     WAITED  somebody is in the queue
 *     RUNG    the first of the queue was told to look, and has not looked yet
 *     FAIR    it is handed over, not left free; implies WAITED
 *     BROKEN  the last owner ended with it
 *
 *     owner 0 -> me          take, by anybody while it is not FAIR; the first of the queue, once RUNG,
 *                            and then RUNG and FAIR go
 *     me -> owner 0          release, where nobody needs to be told: not WAITED, or RUNG already
 *     me -> owner 0, RUNG    with the guard, before which the first of the queue is known to be there
 *     me -> HANDED           FAIR, with the guard: the first of the queue is GRANTED
 *     HANDED -> me           its poll: only now it is known who that is
 *     biased, or ENDING      as if somebody had it: bias.h
 *     me -> RUINED           unlocked while BROKEN; for ever. With the guard, all who waited have
 *                            been REFUSED; who is told so has the guard afterwards, and then may
 *                            destroy it, and free it or have it anew
 * The flags but BROKEN change only with the guard, with the queue. Taking is acquire and releasing
 * is release; a hand-over is ordered by the waiter's place. No step that leaves it free is followed
 * by a touch of the mutex, unless with the guard while somebody is in the queue who needs the guard
 * to get out: so the next to have it may free its memory.
 */
#ifndef FILCH_SYNC_MUTEX_H
#define FILCH_SYNC_MUTEX_H

#include "sched/fibers.h"
#include "sync/bias.h"
#include "sync/waiters.h"
#include "task/holder.h"

#include <errno.h>

enum {
    FILCH__MUTEX_WAITED = 1,
    FILCH__MUTEX_RUNG = 2,
    FILCH__MUTEX_FAIR = 4,
    FILCH__MUTEX_BROKEN = 8,
    FILCH__MUTEX_FLAGS = 15
};

_Static_assert(sizeof(struct filch__held) <= sizeof((filch_mutex *)0)->held, "held");
_Static_assert(FILCH__HOLDER_ALIGN > FILCH__MUTEX_FLAGS, "flags");

/* Own those that are beyond recovery, and those on their way to the next one. */
extern struct filch__holder filch__mutex_nobody, filch__mutex_somebody;
#define FILCH__MUTEX_RUINED filch__mutex_id(&filch__mutex_nobody)
#define FILCH__MUTEX_HANDED filch__mutex_id(&filch__mutex_somebody)

static inline uint64_t filch__mutex_id(const struct filch__holder *h)
{
    return (uint64_t)(uintptr_t)h;
}

/* One that is biased has an owner too: nobody's address. */
static inline uint64_t filch__mutex_owner(uint64_t state)
{
    return state & ~(uint64_t)FILCH__MUTEX_FLAGS;
}

/* The thread on which the caller, me, runs: what a bias names. */
static inline uint64_t filch__mutex_thread(const struct filch__holder *me)
{
    const struct filch__fiber *fiber = filch__fiber_current();
    return (uint64_t)(uintptr_t)(fiber ? (const void *)fiber->worker : (const void *)me);
}

/* It is free, not biased, and not FAIR: for the caller, id. *state: what was found. */
static inline bool filch__mutex_take(filch_mutex *m, uint64_t id, uint64_t *state)
{
    *state = 0;
    if (filch__likely(filch__cas_acq_rel(&m->state, state, id)))
        return true;
    while (!filch__mutex_owner(*state) && !(*state & FILCH__MUTEX_FAIR))
        if (filch__cas_acq_rel(&m->state, state, *state | id))
            return true;
    return false;
}

/* Its owner has ended. */
void filch__mutex_orphan(struct filch__held *held);

/* The caller has it. */
static inline int filch__mutex_enter(filch_mutex *m, struct filch__holder *me, uint64_t state)
{
    filch__holder_add(me, (struct filch__held *)(void *)m->held, filch__mutex_orphan);
    return filch__unlikely(state & FILCH__MUTEX_BROKEN) ? -EOWNERDEAD : 0;
}

/* Why it is no use to wait, or 0. */
static inline int filch__mutex_refusal(const filch_mutex *m, uint64_t state, uint64_t id)
{
    if (filch__mutex_owner(state) == id || filch__bias_has(m, id))
        return -EDEADLK;
    return filch__mutex_owner(state) == FILCH__MUTEX_RUINED ? -ENOTRECOVERABLE : 0;
}

/* As take, also where it is biased to the caller's thread. */
bool filch__mutex_take_biased(filch_mutex *m, struct filch__holder *me, uint64_t *state);

/* A bias ends, if there is one, and what was free under it is free. */
void filch__mutex_end_bias(filch_mutex *m, uint64_t state);

/* By the owner, which is id; it stays as BROKEN as it is. */
void filch__mutex_release(filch_mutex *m, uint64_t id);

/* The first who waits does so for longer than others may come before him. */
bool filch__mutex_is_late(filch_waiter *w);

#endif
