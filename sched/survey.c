/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/survey.h"

#include "sched/admission.h"
#include "sched/barrier.h"
#include "sched/blocks.h"
#include "sched/look.h"
#include "sched/registry.h"

/* More than can be queued in a moment beside the tasks: fibers, offers, and what is spawned now. */
#define SLACK ((int64_t)1 << 16)

static filch_runtime *surveyed; /* under the registry's lock */

filch_runtime *filch__survey_begin(void)
{
    surveyed = filch__registry_lock();
    for (filch_runtime *rt = surveyed; rt; rt = rt->next)
        filch__blocks_survey_begin(rt);
    filch__looks_begin();
    return surveyed;
}

void filch__survey_end(void)
{
    filch__looks_end();
    for (filch_runtime *rt = surveyed; rt; rt = rt->next)
        filch__blocks_survey_end(rt);
    filch__registry_unlock();
}

struct walk {
    bool (*look)(void *ctx, struct filch__runnable *r);
    void *ctx;
    int64_t steps; /* that are left for the whole runtime */
};

static bool walk_list(struct walk *walk, struct filch__runnable *r)
{
    for (; r; r = filch__load_acquire(&r->next))
        if (walk->steps-- <= 0 || !walk->look(walk->ctx, r))
            return false;
    return true;
}

static bool walk_deque(struct walk *walk, const struct filch__deque *d)
{
    struct filch__runnable *r;
    uint32_t index = filch__deque_first(d);
    while (filch__deque_walk(d, &index, &r))
        if (walk->steps-- <= 0 || (r && !walk->look(walk->ctx, r)))
            return false;
    return true;
}

void filch__survey_queues(filch_runtime *rt, bool (*look)(void *ctx, struct filch__runnable *r),
                          void *ctx)
{
    struct walk walk = {look, ctx, 4 * filch__admission_live(rt) + SLACK};
    bool go = walk_list(&walk, filch__load_acquire(&rt->injector.top));
    for (uint32_t i = 0; go && i < rt->worker_count; i++) {
        struct filch__worker *w = &rt->workers[i];
        go = walk_list(&walk, filch__load_acquire(&w->inbox.top)) &&
             walk_list(&walk, filch__load_acquire(&w->pinned)) && walk_deque(&walk, &w->ready) &&
             walk_deque(&walk, &w->spawned);
    }
}

struct filch__fiber *filch__survey_fibers(filch_runtime *rt)
{
    pthread_mutex_lock(&rt->fibers_lock); /* fibers are put in front */
    struct filch__fiber *fibers = rt->fibers;
    pthread_mutex_unlock(&rt->fibers_lock);
    return fibers;
}

int filch__survey_worker(const filch_runtime *rt, const struct filch__fiber *fiber)
{
    for (uint32_t i = 0; i < rt->worker_count; i++)
        if (filch__load_acquire(&rt->workers[i].current) == fiber)
            return (int)i;
    return -1;
}
