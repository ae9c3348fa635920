/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/admission.h"
#include "sched/blocks.h"
#include "sched/os/memory.h"

#include <errno.h>

int filch_runtime_workers(filch_runtime *rt)
{
    int rc = filch__runtime_get(rt, &rt);
    return rc < 0 ? rc : (int)rt->worker_count;
}

int filch_runtime_stats(filch_runtime *rt, int worker, filch_stats *out)
{
    int rc = filch__runtime_get(rt, &rt);
    if (rc < 0)
        return rc;
    if (!out || worker < 0 || (uint32_t)worker >= rt->worker_count)
        return -EINVAL;
    const struct filch__counters *c = &rt->workers[worker].counters;
    const struct filch__fiber *current = filch__load_acquire(&rt->workers[worker].current);
    *out = (filch_stats){
        .spawns = filch__load_relaxed(&c->admitted),
        .tasks = filch__load_relaxed(&c->retired),
        .forks = filch__load_relaxed(&c->forks) +
                 (current ? filch__load_relaxed(&current->forks.counted) : 0),
        .forks_stolen = filch__load_relaxed(&c->forks_stolen),
        .steals = filch__load_relaxed(&c->steals),
        .failed_steals = filch__load_relaxed(&c->failed_steals),
        .parks = filch__load_relaxed(&c->parks),
        .wakes = filch__load_relaxed(&c->wakes),
        .switches = filch__load_relaxed(&c->switches),
    };
    return 0;
}

int filch_runtime_totals(filch_runtime *rt, filch_totals *out)
{
    int rc = filch__runtime_get(rt, &rt);
    if (rc < 0)
        return rc;
    if (!out)
        return -EINVAL;
    if (filch__load_relaxed(&rt->lost))
        return -ESHUTDOWN; /* the locks may be held for ever */
    pthread_mutex_lock(&rt->fibers_lock);
    size_t fibers = rt->fibers_with_stack;
    pthread_mutex_unlock(&rt->fibers_lock);
    size_t spare = 0;
    for (uint32_t i = 0; i < rt->worker_count; i++)
        spare += filch__load_relaxed(&rt->workers[i].spare_count) * (size_t)FILCH__BLOCK_COMMON;
    size_t bytes = filch__arena_live(rt->arena);
    *out = (filch_totals){
        .tasks_live = filch__admission_live(rt),
        .failures = filch__load_relaxed(&rt->failures),
        .bytes = bytes > spare ? bytes - spare : 0,
        .fibers = fibers,
    };
    return 0;
}
