/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The split: the words by which an owner and its thieves share one deque.
 *
 * Positions below `split` are public and can be stolen, from the oldest on; those from `split` to
 * `tail` are private, and the owner pushes and pops there with plain loads and stores. The layout
 * is public because filch_fork and filch_sync are inline; the protocol stands in sched/split.h.
 * Users of filch never touch these fields.
 */
#ifndef FILCH_SPLIT_H
#define FILCH_SPLIT_H

#include <filch/base.h>

struct filch__split {
    /* Written by the owner (`limit` also by workers that go to sleep). */
    uintptr_t tail;  /* position of the next push */
    uintptr_t limit; /* a push at or above it takes the slow path: no room, or a sleeper to wake */
    uintptr_t base;  /* position of index 0 */
    uintptr_t end;   /* positions at or above are never public */
    char pad0[32];
    /* Shared. */
    uintptr_t
        bound; /* a pop at or above it is private; FILCH__BOUND_ALL sends each to the slow path */
    uint64_t word; /* head, split, claim, generation: see sched/split.h */
    char pad1[48];
} __attribute__((aligned(64)));

#define FILCH__BOUND_ALL UINTPTR_MAX

#endif
