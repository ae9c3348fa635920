/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/admission.h"

#include "sched/os/clock.h"
#include "sched/os/futex.h"

bool filch__admit_outside(filch_runtime *rt)
{
    filch__add_seq_cst(&rt->outside_admitted, 1);
    filch__barrier_light();
    if (!filch__load_relaxed(&rt->closing))
        return true;
    filch__unadmit(rt);
    return false;
}

void filch__admission_disturb(filch_runtime *rt)
{
    filch__add_acq_rel(&rt->quiet, 1);
    filch__futex_wake(&rt->quiet, INT32_MAX);
}

void filch__unadmit(filch_runtime *rt)
{
    struct filch__worker *w = filch__worker_of(rt);
    if (w) {
        filch__retire(w);
        return;
    }
    filch__visit_begin(rt);
    filch__add_seq_cst(&rt->outside_admitted, -1);
    if (filch__load_seq_cst(&rt->closing))
        filch__admission_disturb(rt);
    filch__visit_end(rt);
}

/* Retirements are read first: what they are of was admitted before, so the sum is never below. */
int64_t filch__admission_live(const filch_runtime *rt)
{
    uint64_t retired = 0, admitted = 0;
    for (uint32_t i = 0; i < rt->worker_count; i++)
        retired += filch__load_acquire(&rt->workers[i].counters.retired);
    for (uint32_t i = 0; i < rt->worker_count; i++)
        admitted += filch__load_acquire(&rt->workers[i].counters.admitted);
    return (int64_t)(admitted + filch__load_acquire(&rt->outside_admitted) - retired);
}

void filch__admission_await_end(filch_runtime *rt)
{
    for (;;) {
        uint32_t seen = filch__load_acquire(&rt->quiet);
        if (filch__admission_live(rt) == 0)
            break;
        filch__futex_wait(&rt->quiet, seen, FILCH_NEVER);
    }
    filch__store_seq_cst(&rt->ended, 1);
    while (filch__load_seq_cst(&rt->visitors))
        filch__os_yield();
}
