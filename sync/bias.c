/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/bias.h"

#include "sched/os/spin.h"

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

/* ---- fork(2): the lists are whole in the child ---- */

static void before_fork(void)
{
    for (int i = 0; i < FILCH__BIAS_LISTS; i++)
        filch__spin_lock(&filch__bias_lists[i].lock);
}

static void after_fork(void)
{
    for (int i = 0; i < FILCH__BIAS_LISTS; i++)
        filch__spin_unlock(&filch__bias_lists[i].lock);
}

__attribute__((constructor)) static void listen(void)
{
    pthread_atfork(before_fork, after_fork, after_fork);
}
