/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The split protocol: one owner, many thieves, no fence and no locked instruction for the owner.
 *
 * Indices run  head <= split <= tail:  [head, split) is public, [split, tail) private. The owner
 * pushes by storing `tail`, and pops by storing `tail` and then loading `bound`: a pop at or above
 * the bound is private and done. Thieves take at `head` by compare and swap. When nothing is
 * public a thief claims: it asks the owner to expose half, and when the owner does not answer (it
 * computes, or sleeps in a call) the thief exposes half itself, by a barrier on the owner's CPU.
 *
 * The word, one atomic unit:  head:24 | split:24 | generation:5 | claim:11
 *   head, split   indices modulo 2^24
 *   generation    of the ring buffer (deque.h); 0 elsewhere
 *   claim         0, or 1 + the number of the thief whose claim is pending; then head == split.
 *                 All ones while the split is closed
 *
 * Transitions (each one compare and swap of the word):
 *   from            to                  who        when
 *   (h, s, g, 0)    (h+n, s, g, 0)      thief      h + n <= s: takes n indices from h on
 *   (h, h, g, 0)    (h, h, g, me)       thief      nothing public, tail seen above h: claims
 *   (h, h, g, c)    (h, h+k, g, 0)      owner      answers a claim in its slow pop; k may be 0
 *   (h, h, g, me)   (h, h+k, g, 0)      claimant   forces, after the barrier; k from the tail then
 *   (h, i+1, g, 0)  (h, h+k, g, 0)      owner      pops public index i not yet stolen: takes back
 *   (h, h, g, *)    (i, i, g, 0)        owner      forks: the stolen index i = h-1 was consumed
 *   (h, s, g, *)    (h, tail, g, 0)     owner      exposes all (before it suspends)
 *   (h, s, g, *)    (h+1, tail, g, 0)   owner      takes the oldest itself (fifo)
 *   (h, s, g, *)    (h, s, g+1, 0)      owner      the ring was copied into a larger one
 * The claimant's number makes its transition exact: no other claim can stand in for it. A thief
 * that takes them wins whatever history the word had, since (h, s) with h < s says that h is there;
 * it reads the slot only afterwards.
 *
 * `bound` is never below the split when it matters:
 *   claimant   A: word = claim   F: fence   B: bound = ALL   M: membarrier   T: load tail
 *   owner pop  P: tail = i       compiler fence              Q: load bound
 * If Q reads the old bound, it came before M on the owner's CPU, so P is visible to T: the
 * claimant never exposes index i. If Q comes after M it reads ALL and the owner goes the slow way,
 * where it meets the word. Without membarrier bound stays ALL, and a fence in the slow way (S)
 * takes the place of M.
 *   owner lowers  L: bound = split   S: fence   W: load word
 * If the claim A came before W, the owner sees it (or the split that it led to) and goes round
 * again. Otherwise S comes before F in the order of fences, so B overwrites L. A claimant that is
 * slow to store B after its claim was answered costs the owner one slow pop, nothing else.
 */
#ifndef FILCH_SCHED_SPLIT_H
#define FILCH_SCHED_SPLIT_H

#include <filch/atomic.h>
#include <filch/split.h>

#define FILCH__INDEX_BITS      24
#define FILCH__INDEX_MASK      ((1u << FILCH__INDEX_BITS) - 1)
#define FILCH__GENERATION_BITS 5
#define FILCH__CLAIM_BITS      11
/* The claim of a closed split. No thief has this number. */
#define FILCH__CLAIM_CLOSED ((1u << FILCH__CLAIM_BITS) - 1)
/* Fewer items than that between head and tail: signed distances of indices must stay exact. */
#define FILCH__SPLIT_CAPACITY (1u << (FILCH__INDEX_BITS - 1))

static inline uint32_t filch__word_head(uint64_t w)
{
    return (uint32_t)w & FILCH__INDEX_MASK;
}
static inline uint32_t filch__word_split(uint64_t w)
{
    return (uint32_t)(w >> FILCH__INDEX_BITS) & FILCH__INDEX_MASK;
}
static inline uint32_t filch__word_generation(uint64_t w)
{
    return (uint32_t)(w >> (2 * FILCH__INDEX_BITS)) & ((1u << FILCH__GENERATION_BITS) - 1);
}
static inline uint32_t filch__word_claim(uint64_t w)
{
    return (uint32_t)(w >> (2 * FILCH__INDEX_BITS + FILCH__GENERATION_BITS));
}
static inline uint64_t filch__word_make(uint32_t head, uint32_t split, uint32_t generation,
                                        uint32_t claim)
{
    return (uint64_t)(head & FILCH__INDEX_MASK) |
           (uint64_t)(split & FILCH__INDEX_MASK) << FILCH__INDEX_BITS |
           (uint64_t)generation << (2 * FILCH__INDEX_BITS) |
           (uint64_t)claim << (2 * FILCH__INDEX_BITS + FILCH__GENERATION_BITS);
}
/* a - b for indices, as a signed number. */
static inline int32_t filch__index_distance(uint32_t a, uint32_t b)
{
    return (int32_t)((a - b) << (32 - FILCH__INDEX_BITS)) >> (32 - FILCH__INDEX_BITS);
}

/* What a split is used for decides the unit of its positions. */
#define FILCH__UNIT_ITEM 0 /* deque.h: positions are indices that only grow */
#define FILCH__UNIT_SLOT 4 /* forks.h: positions are addresses of 16-byte slots */

enum filch__pop {
    FILCH__POP_MINE,  /* the index is the owner's again and nobody else will see it */
    FILCH__POP_STOLEN /* a thief has it, or it was never there */
};

enum filch__steal {
    FILCH__STEAL_TAKEN, /* *index is the thief's alone */
    FILCH__STEAL_EMPTY, /* nothing to steal was seen */
    FILCH__STEAL_BUSY   /* another thief is at it: look elsewhere */
};

/* Initial words, empty at `base`. Any thread; thieves may look if the split is closed. */
void filch__split_init(struct filch__split *s, uintptr_t base, uintptr_t end);

/* Owner: pushes below the end need not take the slow path, where that is possible at all: idle.h. */
void filch__split_raise_limit(struct filch__split *s);

/* Owner, of an empty split: thieves find it busy until the next init, whatever the positions are.
 */
void filch__split_close(struct filch__split *s);

/*
 * Owner: the slow half of a pop. The caller has stored tail = position and found it below the
 * bound. On POP_STOLEN the caller restores its tail.
 */
__attribute__((warn_unused_result)) enum filch__pop
filch__split_settle(struct filch__split *s, uintptr_t position, int unit);

/* Owner: makes all up to tail public. Returns how many items there are to steal. */
uint32_t filch__split_expose_all(struct filch__split *s, int unit);

/* Owner: the stolen item at `position` was consumed; it is the next to be pushed. */
void filch__split_rewind(struct filch__split *s, uintptr_t position, int unit);

/* Owner: the items were copied to a new buffer. Returns the head at that moment: all older indices
 * were taken from the old buffer, all others will be from the new one. */
uint32_t filch__split_set_generation(struct filch__split *s, uint32_t generation);

/*
 * Thief number `me` (>= 0). On TAKEN, *word is the word from whose head on *count indices were taken:
 * half of what is public, at least 1 and at most `most`.
 */
__attribute__((warn_unused_result)) enum filch__steal
filch__split_steal(struct filch__split *s, uint32_t me, int unit, uint32_t most, uint64_t *word,
                   uint32_t *count);

/* Any thread: how many items stand there, public or not, by a racy look. */
uint32_t filch__split_count(const struct filch__split *s, int unit);

#endif
