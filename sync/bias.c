/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/bias.h"

#include "sched/os/spin.h"

_Alignas(FILCH__HOLDER_ALIGN) struct filch__holder filch__bias_nobody;
uint32_t filch__bias_ending;

/* The list of those that are ENDING with a holder. */
static uint32_t lock;
static filch_mutex *ending;

static bool has_holder(const filch_mutex *m)
{
    uint64_t bias = filch__load_acquire(&m->bias); /* the release of L1 */
    return bias != 0 && !(bias & FILCH__BIAS_COUNTS);
}

/* With the lock. */
static filch_mutex **find(const filch_mutex *m)
{
    filch_mutex **at = &ending;
    while (*at && *at != m)
        at = &(*at)->ending_next;
    return at;
}

/* With the lock, of one in the list. */
static bool take_out(filch_mutex **at)
{
    filch_mutex *m = *at;
    if (has_holder(m))
        return false;
    *at = m->ending_next;
    filch__store_relaxed(&m->bias, FILCH__BIAS_OVER);
    filch__store_relaxed(&filch__bias_ending, filch__bias_ending - 1);
    return true;
}

bool filch__bias_left(filch_mutex *m)
{
    filch__spin_lock(&lock);
    filch_mutex **at = find(m);
    bool mine = *at && take_out(at);
    filch__spin_unlock(&lock);
    return mine;
}

bool filch__bias_end(filch_mutex *m)
{
    filch__spin_lock(&lock);
    uint64_t state = filch__load_acquire(&m->state);
    if (state & FILCH__BIASED) { /* which changes with the lock alone */
        m->ending_next = ending;
        ending = m;
        filch__store_relaxed(&filch__bias_ending, filch__bias_ending + 1);
        (void)filch__exchange_acq_rel(&m->state, FILCH__BIAS_ENDING);
        filch__barrier_heavy();
    }
    filch_mutex **at = find(m);
    bool mine = *at && take_out(at);
    filch__spin_unlock(&lock);
    return mine;
}
