/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/os/fault.h"

#ifdef FILCH_FAULTS

#include <filch/atomic.h>
#include <stdint.h>

/*
 * One word per kind holds the count and what is armed, so that a call reads both in the very step
 * that counts it: bits 0-35 calls seen, 36-61 nth, 62 sticky, 63 armed. 2^36 calls would spill
 * into nth; no test comes near.
 */
#define SEEN_MASK ((UINT64_C(1) << 36) - 1)
#define NTH_SHIFT 36
#define NTH_MASK  ((UINT64_C(1) << 26) - 1)
#define STICKY    (UINT64_C(1) << 62)
#define ARMED     (UINT64_C(1) << 63)

_Static_assert(FILCH__FAULT_NTH_MAX == NTH_MASK, "nth fills its bits");

static uint64_t faults[FILCH__FAULT_KINDS];

void filch__fault_arm(enum filch__fault_kind kind, long nth, bool sticky)
{
    uint64_t word = 0;
    if (nth >= 0 && nth <= FILCH__FAULT_NTH_MAX)
        word = ARMED | (sticky ? STICKY : 0) | (uint64_t)nth << NTH_SHIFT;
    filch__store_relaxed(&faults[kind], word);
}

long filch__fault_seen(enum filch__fault_kind kind)
{
    return (long)(filch__load_relaxed(&faults[kind]) & SEEN_MASK);
}

static bool fails(enum filch__fault_kind kind)
{
    /* Relaxed: the word orders nothing else. */
    uint64_t word = filch__add_relaxed(&faults[kind], UINT64_C(1));
    uint64_t call = word & SEEN_MASK, nth = word >> NTH_SHIFT & NTH_MASK;
    return (word & ARMED) != 0 && (call == nth || (call > nth && (word & STICKY) != 0));
}

bool filch__fault_alloc(void)
{
    return fails(FILCH__FAULT_ALLOC);
}
bool filch__fault_mmap(void)
{
    return fails(FILCH__FAULT_MMAP);
}
bool filch__fault_thread(void)
{
    return fails(FILCH__FAULT_THREAD);
}

#endif
