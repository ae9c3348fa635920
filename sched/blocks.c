/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/blocks.h"

#include "sched/os/memory.h"

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

void filch__block_free_far(filch_runtime *rt, struct filch__worker *w, void *block, size_t size)
{
    if (w) {
        filch__cache_free(w->cache, block, size);
        add_blocks(w, -1);
        return;
    }
    filch__free(rt->arena, block, size, 64);
    if (filch__sub_acq_rel(&rt->blocks, 1) == 1)
        filch__blocks_free_runtime(rt);
}

void filch__blocks_flush(struct filch__worker *w)
{
    while (w->spare) {
        struct filch__spare *block = w->spare;
        w->spare = block->next;
        filch__store_relaxed(&w->spare_count, w->spare_count - 1);
        filch__block_free_far(w->rt, w, block, FILCH__BLOCK_COMMON);
    }
}

void filch__blocks_init(filch_runtime *rt)
{
    rt->blocks = BIAS;
}

void filch__blocks_end(filch_runtime *rt, int64_t held_by_workers)
{
    filch__add_acq_rel(&rt->blocks, held_by_workers - BIAS + 1);
    if (filch__sub_acq_rel(&rt->blocks, 1) == 1)
        filch__blocks_free_runtime(rt);
}

void filch__blocks_free_runtime(filch_runtime *rt)
{
    struct filch__arena *arena = rt->arena;
    pthread_mutex_destroy(&rt->fibers_lock);
    filch__free(arena, rt, sizeof *rt, 64);
    filch__arena_destroy(arena);
}
