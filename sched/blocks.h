/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks: the memory of tasks, which handles may keep longer than the runtime runs.
 *
 * A worker serves blocks of the common size from a short list of its own, and others from its cache
 * (os/memory.h). Workers count the blocks that they took and gave in words of their own; the count
 * in the runtime starts so high that it cannot reach zero before the runtime's end has folded all
 * counts into it. Whoever then brings it to zero frees the runtime.
 */
#ifndef FILCH_SCHED_BLOCKS_H
#define FILCH_SCHED_BLOCKS_H

#include "sched/fiber/sanitizer.h"
#include "sched/runtime.h"

/* Bytes: the common size. Sizes are multiples of 64, blocks aligned to 64. */
#define FILCH__BLOCK_COMMON 128
/* Most spare blocks of a worker. None where AddressSanitizer shall see each free. */
#ifdef FILCH__ASAN
#define FILCH__SPARE_MAX 0
#else
#define FILCH__SPARE_MAX 512
#endif

struct filch__spare {
    struct filch__spare *next;
};

/* w is filch__worker_of(rt). NULL: no memory. */
void *filch__block_alloc_far(filch_runtime *rt, struct filch__worker *w, size_t size);
void filch__block_free_far(filch_runtime *rt, struct filch__worker *w, void *block, size_t size);

static inline void *filch__block_alloc(filch_runtime *rt, struct filch__worker *w, size_t size)
{
    if (filch__unlikely(!w || size != FILCH__BLOCK_COMMON || !w->spare))
        return filch__block_alloc_far(rt, w, size);
    struct filch__spare *block = w->spare;
    w->spare = block->next;
    filch__store_relaxed(&w->spare_count, w->spare_count - 1);
    return block;
}

static inline void filch__block_free(filch_runtime *rt, struct filch__worker *w, void *block,
                                     size_t size)
{
    if (filch__unlikely(!w || size != FILCH__BLOCK_COMMON ||
                        w->spare_count + 1 > FILCH__SPARE_MAX)) {
        filch__block_free_far(rt, w, block, size);
        return;
    }
    struct filch__spare *spare = block;
    spare->next = w->spare;
    w->spare = spare;
    filch__store_relaxed(&w->spare_count, w->spare_count + 1);
}

/* The worker's thread has ended: its spare blocks go back. */
void filch__blocks_flush(struct filch__worker *w);

/* Before the first block. */
void filch__blocks_init(filch_runtime *rt);
/* No thread of rt runs any more: the runtime's own hold on its memory ends. May free rt. */
void filch__blocks_end(filch_runtime *rt, int64_t held_by_workers);
/* Of a runtime without any block. */
void filch__blocks_free_runtime(filch_runtime *rt);

#endif
