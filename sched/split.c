/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/split.h"

#include "sched/barrier.h"
#include "sched/os/clock.h"

/*
 * How often a claimant looks for the owner's answer before it forces. An owner that forks answers
 * within one pop; so many looks are about what the membarrier costs, so waiting at most doubles it.
 */
#define PATIENCE 64

void filch__split_raise_limit(struct filch__split *s)
{
    filch__store_relaxed(&s->limit, filch__asymmetric ? filch__load_relaxed(&s->end) : 0);
}

void filch__split_init(struct filch__split *s, uintptr_t base, uintptr_t end)
{
    filch__store_relaxed(&s->base, base);
    filch__store_relaxed(&s->end, end);
    filch__store_relaxed(&s->tail, base);
    filch__split_raise_limit(s);
    filch__store_relaxed(&s->bound, filch__asymmetric ? base : FILCH__BOUND_ALL);
    filch__store_release(&s->word, 0); /* pairs with the thief's first load */
}

void filch__split_close(struct filch__split *s)
{
    (void)filch__exchange_acq_rel(&s->word, filch__word_make(0, 0, 0, FILCH__CLAIM_CLOSED));
}

static uint32_t index_of(const struct filch__split *s, uintptr_t position, int unit)
{
    return (uint32_t)((position - filch__load_relaxed(&s->base)) >> unit) & FILCH__INDEX_MASK;
}

/* How many of n items an exposure makes public: the older half, and at least one. */
static uint32_t half_of(int32_t n)
{
    return n > 0 ? ((uint32_t)n + 1) / 2 : 0;
}

/*
 * The items at and above `position`, whose index is i, are the owner's. Lowers the bound to the
 * split, answering claims that arrive meanwhile, until bound and word agree (L, S, W above).
 */
static void lower_bound(struct filch__split *s, uintptr_t position, uint32_t i, int unit,
                        uint64_t w)
{
    for (;;) {
        if (filch__word_claim(w)) {
            uint32_t h = filch__word_head(w);
            uint32_t k = half_of(filch__index_distance(i, h));
            uint64_t to = filch__word_make(h, h + k, filch__word_generation(w), 0);
            if (!filch__cas_seq_cst(&s->word, &w, to))
                continue;
            w = to;
        }
        if (!filch__asymmetric)
            return;
        uint32_t split = filch__word_split(w);
        uintptr_t below = (uintptr_t)((intptr_t)filch__index_distance(i, split)) << unit;
        filch__store_relaxed(&s->bound, position - below);
        filch__fence_seq_cst();
        w = filch__load_acquire(&s->word);
        if (!filch__word_claim(w) && filch__word_split(w) == split)
            return;
    }
}

enum filch__pop filch__split_settle(struct filch__split *s, uintptr_t position, int unit)
{
    uint32_t i = index_of(s, position, unit);
    filch__fence_seq_cst();
    uint64_t w = filch__load_acquire(&s->word);
    for (;;) {
        uint32_t h = filch__word_head(w);
        uint32_t generation = filch__word_generation(w);
        int32_t below = filch__index_distance(i, h); /* items older than i that nobody took */
        uint64_t to;
        if (filch__word_claim(w)) {
            to = filch__word_make(h, h + half_of(below), generation, 0);
        } else if (filch__index_distance(i, filch__word_split(w)) >= 0) {
            break;
        } else if (below < 0) {
            return FILCH__POP_STOLEN;
        } else {
            to = filch__word_make(h, h + (uint32_t)below / 2, generation, 0);
        }
        if (filch__cas_seq_cst(&s->word, &w, to))
            w = to;
    }
    lower_bound(s, position, i, unit, w);
    return FILCH__POP_MINE;
}

/* The index up to which items can be public: tail, or the end of the room for items. */
static uint32_t last_index(const struct filch__split *s, int unit)
{
    uintptr_t tail = filch__load_acquire(&s->tail);
    uintptr_t end = filch__load_relaxed(&s->end);
    return index_of(s, tail < end ? tail : end, unit);
}

uint32_t filch__split_expose_all(struct filch__split *s, int unit)
{
    uint32_t t = last_index(s, unit);
    uint64_t w = filch__load_acquire(&s->word);
    for (;;) {
        uint32_t h = filch__word_head(w);
        int32_t n = filch__index_distance(t, h);
        if (n <= 0)
            return 0;
        uint64_t to = filch__word_make(h, t, filch__word_generation(w), 0);
        if (to == w)
            return (uint32_t)n;
        filch__store_relaxed(&s->bound, FILCH__BOUND_ALL); /* before the items are public */
        if (filch__cas_seq_cst(&s->word, &w, to))
            return (uint32_t)n;
    }
}

void filch__split_rewind(struct filch__split *s, uintptr_t position, int unit)
{
    uint32_t i = index_of(s, position, unit);
    uint64_t w = filch__load_acquire(&s->word);
    uint64_t to;
    do
        to = filch__word_make(i, i, filch__word_generation(w), 0);
    while (!filch__cas_seq_cst(&s->word, &w, to));
    lower_bound(s, position, i, unit, to);
}

uint32_t filch__split_set_generation(struct filch__split *s, uint32_t generation)
{
    uint64_t w = filch__load_acquire(&s->word);
    uint64_t to;
    do
        to = filch__word_make(filch__word_head(w), filch__word_split(w), generation, 0);
    while (!filch__cas_seq_cst(&s->word, &w, to));
    return filch__word_head(to);
}

/* Waits for the owner's answer to the claim in *w; false if none came in time. */
static bool answered(const struct filch__split *s, uint64_t *w)
{
    uint64_t claimed = *w;
    for (int i = 0; i < PATIENCE; i++) {
        *w = filch__load_acquire(&s->word);
        if (filch__word_claim(*w) != filch__word_claim(claimed))
            return true;
        filch__cpu_relax();
    }
    return false;
}

/* The claim in *w stands and the owner is silent: exposes half of what its tail shows. */
static void force(struct filch__split *s, int unit, uint64_t *w)
{
    filch__barrier_heavy();
    uint32_t h = filch__word_head(*w);
    uint32_t k = half_of(filch__index_distance(last_index(s, unit), h));
    uint64_t to = filch__word_make(h, h + k, filch__word_generation(*w), 0);
    if (filch__cas_seq_cst(&s->word, w, to))
        *w = to;
}

enum filch__steal filch__split_steal(struct filch__split *s, uint32_t me, int unit, uint32_t most,
                                     uint64_t *word, uint32_t *count)
{
    bool asked = false;
    uint64_t w = filch__load_acquire(&s->word);
    for (;;) {
        uint32_t h = filch__word_head(w);
        uint32_t split = filch__word_split(w);
        uint32_t generation = filch__word_generation(w);
        if (h != split) {
            uint32_t n = half_of(filch__index_distance(split, h));
            n = n < most ? n : most;
            *word = w;
            *count = n;
            if (filch__cas_seq_cst(&s->word, &w, filch__word_make(h + n, split, generation, 0)))
                return FILCH__STEAL_TAKEN;
            continue;
        }
        if (filch__word_claim(w))
            return FILCH__STEAL_BUSY;
        if (asked || filch__index_distance(last_index(s, unit), h) <= 0)
            return FILCH__STEAL_EMPTY;
        uint64_t claim = filch__word_make(h, h, generation, me + 1);
        if (!filch__cas_seq_cst(&s->word, &w, claim))
            continue;
        asked = true;
        filch__fence_seq_cst();
        filch__store_relaxed(&s->bound, FILCH__BOUND_ALL);
        w = claim;
        if (!answered(s, &w))
            force(s, unit, &w);
    }
}

uint32_t filch__split_count(const struct filch__split *s, int unit)
{
    int32_t n =
        filch__index_distance(last_index(s, unit), filch__word_head(filch__load_acquire(&s->word)));
    return n > 0 ? (uint32_t)n : 0;
}
