/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks: the memory of tasks, which handles may keep longer than the runtime runs.
 *
 * A worker serves blocks of the common size from a short list of its own, and others from its cache
 * (os/memory.h). Workers count the blocks that they took and gave in words of their own; the count
 * in the runtime starts so high that it cannot reach zero before the runtime's end has folded all
 * counts into it. Whoever then brings it to zero frees the runtime.
 *
 * A survey (survey.h) looks at tasks that it holds no reference of. While it goes on, blocks that
 * are freed are not used again: they are put aside in limbo, and freed at its end.
 *     survey   A: surveyed = 1, each spare_limit = 0   heavy barrier   B: load the word that leads
 *                                                                         to a block
 *     owner    C: take the block out of that word      light barrier   D: load spare_limit, surveyed
 * If D misses A, it came before the barrier, so C is visible to B: the survey does not find the
 * block. If B finds it, C comes later than the barrier, and D after C: the block goes to limbo,
 * with what the survey may read of it as it was. The same goes for who frees the block after the
 * owner told him (a joiner, by the state word). A block that was freed before and is allocated
 * again meanwhile is found only after it was published anew, which B acquires. D's light barrier
 * costs the fast path nothing: where it would be a fence, spare_limit is always 0, and the far path
 * fences, looks, and serves the short list. D is an acquire of the survey's end: the survey's loads
 * are over when a block that it could read is used again. Blocks in limbo are counted as taken
 * until the survey gives them back; their runtime stays as long, for its end waits for the survey's
 * (registry.h).
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

/* A block in limbo. The upper floor sees to it that the survey needs neither `next` nor `size`. */
struct filch__limbo {
    void *kept0;
    struct filch__limbo *next;
    void *kept1;
    size_t size;
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

/* On w's thread. */
static inline void filch__spare_push(struct filch__worker *w, void *block)
{
    struct filch__spare *spare = block;
    spare->next = w->spare;
    w->spare = spare;
    filch__store_relaxed(&w->spare_count, w->spare_count + 1);
}

static inline void filch__block_free(filch_runtime *rt, struct filch__worker *w, void *block,
                                     size_t size)
{
    if (filch__unlikely(!w || size != FILCH__BLOCK_COMMON ||
                        w->spare_count >= filch__load_acquire(&w->spare_limit))) {
        filch__block_free_far(rt, w, block, size);
        return;
    }
    filch__spare_push(w, block);
}

/* Any thread, while rt's memory is held by something: holds it too, until it lets go. */
void filch__blocks_hold(filch_runtime *rt);
void filch__blocks_let_go(filch_runtime *rt);

/* The worker's thread has ended: its spare blocks go back. */
void filch__blocks_flush(struct filch__worker *w);

/* Before the first block, with the workers' structures in place. */
void filch__blocks_init(filch_runtime *rt);
/* The two ends of a survey; a heavy barrier follows the first. One at a time; rt cannot end. */
void filch__blocks_survey_begin(filch_runtime *rt);
void filch__blocks_survey_end(filch_runtime *rt);
/* No thread of rt runs any more: the runtime's own hold on its memory ends. May free rt. */
void filch__blocks_end(filch_runtime *rt, int64_t held_by_workers);
/* Of a runtime without any block. */
void filch__blocks_free_runtime(filch_runtime *rt);

#endif
