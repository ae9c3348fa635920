/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's deque of runnables: a ring that grows, shared by the split protocol (split.h).
 *
 * The owner pushes and pops at the tail without fence or locked instruction; thieves take the
 * oldest. A consumed slot is set to NULL by who consumed it, so the owner sees by the slot itself
 * whether it may write there, and a thief may read its slot after it has taken the index.
 * Growing copies into a buffer of twice the size and counts the generation up in the word: a
 * thief reads from the buffer of the generation from which it took. Old buffers stay until the
 * end, for a thief may still be reading them. A survey reads slots that are not its own: the release
 * of a push publishes the item to it.
 */
#ifndef FILCH_SCHED_DEQUE_H
#define FILCH_SCHED_DEQUE_H

#include "sched/runnable.h"
#include "sched/split.h"

struct filch__arena;

#define FILCH__DEQUE_GENERATIONS 22

struct filch__deque {
    struct filch__split split;
    /* Owner-only. */
    struct filch__runnable **buffer; /* that of the current generation */
    uint32_t mask;
    /* Immutable. */
    uint32_t capacity0;
    struct filch__arena *arena;
    /* Shared: buffers[g] is written before generation g appears in the word. */
    struct filch__runnable **buffers[FILCH__DEQUE_GENERATIONS];
};

/* Before it is shared. capacity: a power of two, at least 2. -ENOMEM. */
int filch__deque_init(struct filch__deque *d, struct filch__arena *arena, uint32_t capacity);
/* When nobody uses it any more; what is still in it is forgotten. */
void filch__deque_destroy(struct filch__deque *d);

/* Owner: doubles the ring. False: no memory, or as large as it gets. */
__attribute__((warn_unused_result)) bool filch__deque_grow(struct filch__deque *d);

/* Owner. False if it is full and cannot grow: nothing was pushed. */
__attribute__((warn_unused_result)) static inline bool filch__deque_push(struct filch__deque *d,
                                                                         struct filch__runnable *r)
{
    uintptr_t tail = d->split.tail;
    struct filch__runnable **slot = &d->buffer[(uint32_t)tail & d->mask];
    /* Acquire pairs with the thief's release of NULL: its read of the slot is over. */
    while (filch__unlikely(filch__load_acquire(slot))) {
        if (!filch__deque_grow(d))
            return false;
        slot = &d->buffer[(uint32_t)tail & d->mask];
    }
    filch__store_release(slot, r);
    filch__store_release(&d->split.tail, tail + 1);
    return true;
}

/* Owner: the newest, or NULL. */
static inline struct filch__runnable *filch__deque_pop(struct filch__deque *d)
{
    uintptr_t i = d->split.tail - 1;
    struct filch__runnable **slot = &d->buffer[(uint32_t)i & d->mask];
    struct filch__runnable *r = filch__load_relaxed(slot);
    if (!r)
        return NULL;
    filch__store_relaxed(&d->split.tail, i);
    filch__fence_compiler();
    if (i < filch__load_relaxed(&d->split.bound) &&
        filch__split_settle(&d->split, i, FILCH__UNIT_ITEM) == FILCH__POP_STOLEN) {
        filch__store_relaxed(&d->split.tail, i + 1);
        return NULL;
    }
    filch__store_relaxed(slot, NULL);
    return r;
}

/* Owner: the oldest, or NULL. Makes all others public: one locked instruction for both. */
static inline struct filch__runnable *filch__deque_take(struct filch__deque *d)
{
    uint32_t tail = (uint32_t)d->split.tail & FILCH__INDEX_MASK;
    uint64_t w = filch__load_acquire(&d->split.word);
    uint64_t to;
    do {
        if (filch__word_head(w) == tail)
            return NULL;
        to = filch__word_make(filch__word_head(w) + 1, tail, filch__word_generation(w), 0);
        filch__store_relaxed(&d->split.bound, FILCH__BOUND_ALL); /* before they are public */
    } while (!filch__cas_seq_cst(&d->split.word, &w, to));
    struct filch__runnable **slot = &d->buffer[filch__word_head(w) & d->mask];
    struct filch__runnable *r = filch__load_relaxed(slot);
    filch__store_relaxed(slot, NULL);
    return r;
}

/* Owner: how many there are. */
static inline uint32_t filch__deque_length(const struct filch__deque *d)
{
    uint32_t head = filch__word_head(filch__load_relaxed(&d->split.word));
    return ((uint32_t)d->split.tail - head) & FILCH__INDEX_MASK;
}

/* Owner: the n-th oldest, or anything that was there once: a hint. */
static inline struct filch__runnable *filch__deque_hint(const struct filch__deque *d, uint32_t n)
{
    uint32_t head = filch__word_head(filch__load_relaxed(&d->split.word));
    return filch__load_relaxed(&d->buffer[(head + n) & d->mask]);
}

/* Thief number me: half of what is public, at most so many unless the queue is long, linked by next,
 * oldest first. */
#define FILCH__STEAL_MOST 16
/*
 * Of a long queue more: what is next to each other often belongs to one scope, and two workers that
 * end its children in turns wait for each other's cache lines; and with some dozen of its own the
 * thief can fetch ahead (worker.c). 16, 64, 128, 256 of 125,000 fibers that a cancel has woken: 485,
 * 425, 340, 340 ns each with two workers.
 */
#define FILCH__LONG               1024
#define FILCH__STEAL_MOST_OF_LONG 128
__attribute__((warn_unused_result)) enum filch__steal
filch__deque_steal(struct filch__deque *d, uint32_t me, struct filch__runnable **r);
/*
 * Any thread: goes over the items from the oldest to the newest by a racy look, *index being where it
 * is: at first filch__deque_first. *r is NULL where the item was taken. False: that was all.
 */
static inline uint32_t filch__deque_first(const struct filch__deque *d)
{
    return filch__word_head(filch__load_acquire(&d->split.word));
}
bool filch__deque_walk(const struct filch__deque *d, uint32_t *index, struct filch__runnable **r);
/* Any thread: a racy count. */
static inline uint32_t filch__deque_count(const struct filch__deque *d)
{
    return filch__split_count(&d->split, FILCH__UNIT_ITEM);
}

#endif
