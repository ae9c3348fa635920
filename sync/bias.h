/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bias: a mutex that one thread has taken so many times in a row, while nobody waited, belongs to
 * it from then on, once there is a runtime: what that thread runs takes and leaves it by plain
 * stores. The first other one that comes pays a heavy barrier, and ends the bias of this mutex for
 * ever. (After the biased and quickly reacquirable locks of Kawachiya et al., OOPSLA 2002, and Dice
 * et al., 2003.)
 *
 * The mutex's state is BIASED | thread, and `bias` says who has it: 0, or the address of a holder.
 * Only that thread's loads and stores change 0 to a holder, and only the holder, on whichever thread
 * it runs by then, changes it back.
 *     take     T1: bias = me          light barrier   T2: load state; not as it was: withdraw, bias = OVER
 *     leave    L1: bias = 0           light barrier   L2: load the count of those ENDING
 *     revoke   R1: ending + 1, state = ENDING   heavy barrier   R2: load bias
 * Either T2 sees R1, or R2 sees T1; either L2 sees R1, or R2 sees L1. Where R2 finds a holder, the
 * mutex stays ENDING, is in a list of all such, and is waited for as if somebody had it; who leaves
 * or withdraws then looks into the list. Who takes a mutex out of the list, having found no holder,
 * has it, as ENDING, and releases it like any other.
 *
 * After L1 nothing of the mutex is touched, unless it is found in the list, where it is only while
 * it is ENDING: so the next to have it may free its memory. `ending_next` says for ever that there
 * was a bias, so that there is no second: what a thread stores late, between a revocation and its
 * T2, does no harm, for nobody uses the word any more. The lists, by address, have counts and locks of
 * their own, lest one that is held for long be in the way of all.
 *
 * Before there is a bias the word counts: a thread with COUNTS set, and how often it took the mutex.
 */
#ifndef FILCH_SYNC_BIAS_H
#define FILCH_SYNC_BIAS_H

#include "sched/barrier.h"
#include "sched/holder.h"
#include "sched/os/chaos.h"

#include <filch/mutex.h>

/* Of the state; beside it stands the thread. No address has this bit. */
#define FILCH__BIASED (UINT64_C(1) << 63)

/* Of the word. */
#define FILCH__BIAS_COUNTS (UINT64_C(1) << 63)
#define FILCH__BIAS_OVER   UINT64_MAX
#define FILCH__BIAS_COUNT  15 /* mask; taken so often, and once more, it is biased */

/* The owner of a mutex that is ENDING. */
extern struct filch__holder filch__bias_nobody;
#define FILCH__BIAS_ENDING ((uint64_t)(uintptr_t)&filch__bias_nobody)

/* A list of those that are ENDING with a holder. */
struct filch__bias_list {
    uint32_t count;
    uint32_t lock;
    filch_mutex *first;
};
enum { FILCH__BIAS_LISTS = 64 };
extern struct filch__bias_list filch__bias_lists[FILCH__BIAS_LISTS];

static inline struct filch__bias_list *filch__bias_list_of(const filch_mutex *m)
{
    uint64_t hash = (uint64_t)(uintptr_t)m * UINT64_C(0x9e3779b97f4a7c15);
    return &filch__bias_lists[hash >> 58];
}
_Static_assert(FILCH__BIAS_LISTS == 1 << (64 - 58), "hash");

/* One of them may be the mutex that was left, which may be gone. */
static inline bool filch__bias_may_end(const filch_mutex *m)
{
    return filch__unlikely(filch__load_relaxed(&filch__bias_list_of(m)->count));
}

/* Ends the bias, if there is one. True: the caller has the mutex, as ENDING. Any thread. */
__attribute__((warn_unused_result)) bool filch__bias_end(filch_mutex *m);

/* Of a mutex that was left by its holder, and may be gone: the same, if it is ENDING. */
__attribute__((warn_unused_result)) bool filch__bias_left(filch_mutex *m);

enum filch__bias_take { FILCH__BIAS_TAKEN, FILCH__BIAS_NOT_TAKEN, FILCH__BIAS_GOT_ENDING };

/* By the thread to which it is biased, where state is what was found. NOT_TAKEN: somebody has it, or
 * the bias ends; GOT_ENDING: the caller has it as ENDING. */
__attribute__((warn_unused_result)) static inline enum filch__bias_take
filch__bias_take(filch_mutex *m, uint64_t me, uint64_t state)
{
    if (filch__load_acquire(&m->bias) != 0) /* the release of L1 */
        return FILCH__BIAS_NOT_TAKEN;
    filch__chaos_pause();
    filch__store_relaxed(&m->bias, me);
    filch__barrier_light();
    filch__chaos_pause();
    if (filch__likely(filch__load_acquire(&m->state) == state))
        return FILCH__BIAS_TAKEN;
    filch__store_release(&m->bias, FILCH__BIAS_OVER);
    filch__barrier_light();
    return filch__bias_may_end(m) && filch__bias_left(m) ? FILCH__BIAS_GOT_ENDING
                                                         : FILCH__BIAS_NOT_TAKEN;
}

/* The caller has it by bias. */
static inline bool filch__bias_has(const filch_mutex *m, uint64_t me)
{
    return filch__load_relaxed(&m->bias) == me;
}

/* By who has it so. True: the caller has it as ENDING. */
__attribute__((warn_unused_result)) static inline bool filch__bias_leave(filch_mutex *m)
{
    filch__store_release(&m->bias, 0);
    filch__barrier_light();
    filch__chaos_pause();
    return filch__bias_may_end(m) && filch__bias_left(m);
}

/* By who has taken it otherwise, on that thread. */
static inline void filch__bias_count(filch_mutex *m, uint64_t thread)
{
    uint64_t bias = filch__load_relaxed(&m->bias);
    if (bias == FILCH__BIAS_OVER || filch__load_relaxed(&m->ending_next))
        return;
    if ((bias & ~(uint64_t)FILCH__BIAS_COUNT) != (FILCH__BIAS_COUNTS | thread))
        filch__store_relaxed(&m->bias, FILCH__BIAS_COUNTS | thread);
    else if ((bias & FILCH__BIAS_COUNT) < FILCH__BIAS_COUNT)
        filch__store_relaxed(&m->bias, bias + 1);
}

/* By who has it and is about to leave it, on that thread: leaves it biased, if it has come to that
 * and nobody waits. */
static inline bool filch__bias_begin(filch_mutex *m, uint64_t me, uint64_t thread)
{
    uint64_t count = FILCH__BIAS_COUNTS | thread | FILCH__BIAS_COUNT;
    if (filch__likely(filch__load_relaxed(&m->bias) != count) ||
        !filch__load_relaxed(&filch__asymmetric))
        return false;
    filch__store_relaxed(&m->bias, 0);
    if (filch__cas_acq_rel(&m->state, &me, FILCH__BIASED | thread))
        return true;
    filch__store_relaxed(&m->bias, FILCH__BIAS_OVER);
    return false;
}

#endif
