/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/blocks.h"

#include "sched/admission.h"
#include "sched/os/memory.h"
#include "sched/os/spin.h"

#define BIAS ((int64_t)1 << 60)

static void add_blocks(struct filch__worker *w, int64_t n)
{
    filch__store_relaxed(&w->counters.blocks, w->counters.blocks + n);
}

void *filch__block_alloc_far(filch_runtime *rt, struct filch__worker *w, size_t size)
{
    void *block = w ? filch__cache_alloc(w->cache, size) : filch__alloc(rt->arena, size, 64);
    if (!block)
        return NULL;
    if (w)
        add_blocks(w, 1);
    else
        filch__add_acq_rel(&rt->blocks, 1);
    return block;
}

void filch__blocks_hold(filch_runtime *rt)
{
    filch__add_acq_rel(&rt->blocks, 1);
}

void filch__blocks_let_go(filch_runtime *rt)
{
    if (filch__sub_acq_rel(&rt->blocks, 1) == 1)
        filch__blocks_free_runtime(rt);
}

static void give_back(filch_runtime *rt, struct filch__worker *w, void *block, size_t size)
{
    if (w) {
        filch__cache_free(w->cache, block, size);
        add_blocks(w, -1);
        return;
    }
    filch__free(rt->arena, block, size, 64);
    filch__blocks_let_go(rt);
}

/* False: the survey is over. */
static bool keep_in_limbo(filch_runtime *rt, void *block, size_t size)
{
    filch__spin_lock(&rt->limbo_lock);
    bool surveyed = filch__load_relaxed(&rt->surveyed);
    if (surveyed) {
        struct filch__limbo *limbo = block;
        filch__store_release(&limbo->next, rt->limbo); /* runnable.h */
        limbo->size = size;
        rt->limbo = limbo;
    }
    filch__spin_unlock(&rt->limbo_lock);
    return surveyed;
}

void filch__block_free_far(filch_runtime *rt, struct filch__worker *w, void *block, size_t size)
{
    filch__barrier_light();
    if (filch__unlikely(filch__load_acquire(&rt->surveyed)) && keep_in_limbo(rt, block, size))
        return;
    if (!filch__asymmetric && w && size == FILCH__BLOCK_COMMON &&
        w->spare_count + 1 <= FILCH__SPARE_MAX)
        filch__spare_push(w, block);
    else
        give_back(rt, w, block, size);
}

static void set_limits(filch_runtime *rt, uint32_t limit)
{
    for (uint32_t i = 0; i < rt->worker_count; i++)
        filch__store_release(&rt->workers[i].spare_limit, filch__asymmetric ? limit : 0);
}

void filch__blocks_survey_begin(filch_runtime *rt)
{
    filch__store_seq_cst(&rt->surveyed, 1);
    set_limits(rt, 0);
}

void filch__blocks_survey_end(filch_runtime *rt)
{
    filch__spin_lock(&rt->limbo_lock);
    filch__store_release(&rt->surveyed, 0);
    struct filch__limbo *limbo = rt->limbo;
    rt->limbo = NULL;
    filch__spin_unlock(&rt->limbo_lock);
    set_limits(rt, FILCH__SPARE_MAX);
    while (limbo) {
        struct filch__limbo *block = limbo;
        limbo = block->next;
        give_back(rt, filch__worker_of(rt), block, block->size);
    }
}

void filch__blocks_flush(struct filch__worker *w)
{
    while (w->spare) {
        struct filch__spare *block = w->spare;
        w->spare = block->next;
        filch__store_relaxed(&w->spare_count, w->spare_count - 1);
        give_back(w->rt, w, block, FILCH__BLOCK_COMMON);
    }
}

void filch__blocks_init(filch_runtime *rt)
{
    rt->blocks = BIAS;
    set_limits(rt, FILCH__SPARE_MAX);
}

void filch__blocks_end(filch_runtime *rt, int64_t held_by_workers)
{
    filch__add_acq_rel(&rt->blocks, held_by_workers - BIAS + 1);
    filch__blocks_let_go(rt);
}

void filch__blocks_free_runtime(filch_runtime *rt)
{
    struct filch__arena *arena = rt->arena;
    filch__fibers_free(rt);
    pthread_mutex_destroy(&rt->fibers_lock);
    filch__free(arena, rt, sizeof *rt, 64);
    filch__arena_destroy(arena);
}
