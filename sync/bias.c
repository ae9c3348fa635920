/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/bias.h"

#include "sched/os/spin.h"
#include "task/holder.h"

#include <pthread.h>

_Alignas(FILCH__HOLDER_ALIGN) struct filch__holder filch__bias_nobody;
struct filch__bias_list filch__bias_lists[FILCH__BIAS_LISTS];

/* Stands at the end of a list, and in those that have been in one: no `ending_next` is NULL again. */
static filch_mutex last;

static bool has_holder(const filch_mutex *m)
{
    uint64_t bias = filch__load_acquire(&m->bias); /* the release of L1 */
    return bias != 0 && !(bias & FILCH__BIAS_COUNTS);
}

/* With the lock. True: it was in the list, and nobody has it. */
static bool take_out(struct filch__bias_list *list, filch_mutex *m)
{
    filch_mutex **at = &list->first;
    while (*at && *at != &last && *at != m)
        at = &(*at)->ending_next;
    if (*at != m || has_holder(m))
        return false;
    *at = m->ending_next;
    filch__store_relaxed(&m->ending_next, &last);
    filch__store_relaxed(&m->bias, FILCH__BIAS_OVER);
    filch__store_relaxed(&list->count, list->count - 1);
    return true;
}

bool filch__bias_left(filch_mutex *m)
{
    struct filch__bias_list *list = filch__bias_list_of(m);
    filch__spin_lock(&list->lock);
    bool mine = take_out(list, m);
    filch__spin_unlock(&list->lock);
    return mine;
}

bool filch__bias_end(filch_mutex *m)
{
    struct filch__bias_list *list = filch__bias_list_of(m);
    filch__spin_lock(&list->lock);
    uint64_t state = filch__load_acquire(&m->state);
    if (state & FILCH__BIASED) { /* which changes with the lock alone */
        filch__store_relaxed(&m->ending_next, list->first ? list->first : &last);
        list->first = m;
        filch__store_relaxed(&list->count, list->count + 1);
        (void)filch__exchange_acq_rel(&m->state, FILCH__BIAS_ENDING);
        filch__barrier_heavy();
    }
    bool mine = take_out(list, m);
    filch__spin_unlock(&list->lock);
    return mine;
}

/* ---- fork(2) ---- */

/* Who forks: whose mutexes alone are left again in the child. */
static const struct filch__holder *forker;

static void before_fork(void)
{
    const struct filch__fiber *fiber = filch__fiber_current();
    for (int i = 0; i < FILCH__BIAS_LISTS; i++)
        filch__spin_lock(&filch__bias_lists[i].lock);
    forker = !fiber ? filch__holder_place() : fiber->guest ? fiber->guest : &fiber->holder;
}

static void after_fork(void)
{
    for (int i = 0; i < FILCH__BIAS_LISTS; i++)
        filch__spin_unlock(&filch__bias_lists[i].lock);
}

/* The others' may be on stacks that the child will use for other things: what has a holder stays
 * ENDING for ever, as it would be held for ever; what was just left is free. */
static void forget_others(struct filch__bias_list *list)
{
    filch_mutex **at = &list->first;
    while (*at && *at != &last) {
        filch_mutex *m = *at;
        if (filch__bias_has(m, (uint64_t)(uintptr_t)forker)) {
            at = &m->ending_next;
            continue;
        }
        *at = m->ending_next;
        m->ending_next = &last;
        list->count--;
        if (!has_holder(m))
            m->state &= ~FILCH__BIAS_ENDING;
        if (!has_holder(m))
            m->bias = FILCH__BIAS_OVER;
    }
}

static void in_child(void)
{
    for (int i = 0; i < FILCH__BIAS_LISTS; i++)
        forget_others(&filch__bias_lists[i]);
    after_fork();
}

/* Early, so that what a program has registered runs before this, and may use mutexes. */
__attribute__((constructor(101))) static void listen(void)
{
    pthread_atfork(before_fork, after_fork, in_child);
}
