/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The readers that are not counted in their lock, which all would have to write: one table for all
 * locks of the process, in which a reader shows itself in one slot, found by hashing the lock and
 * the reader. Readers of one lock rarely share a line. (The table of visible readers of BRAVO: Dice
 * and Kogan, "BRAVO: Biased Locking for Reader-Writer Locks", USENIX ATC 2019.)
 *
 *     0 -> lock    show, by a reader
 *     lock -> 0    hide, by any reader of that slot; or take, by who counts it from now on
 * Slots change by read-modify-write only, so an acquiring look at one sees all that was done before
 * every hide so far, also where another lock has come in between. How show and take pair with the
 * word that allows it is said in rwlock.c; both are sequentially consistent.
 */
#ifndef FILCH_SYNC_READERS_H
#define FILCH_SYNC_READERS_H

#include <filch/atomic.h>
#include <filch/base.h>

enum { FILCH__READER_BITS = 10, FILCH__READER_SLOTS = 1 << FILCH__READER_BITS };

extern uintptr_t filch__reader_slots[FILCH__READER_SLOTS];

/* Fibonacci hashing: what stands at regular distances goes to slots far apart. */
static inline uintptr_t *filch__reader_slot(const void *lock, const void *reader)
{
    uint64_t lock_part = (uint64_t)(uintptr_t)lock * UINT64_C(0xbf58476d1ce4e5b9);
    uint64_t hash = (lock_part + (uintptr_t)reader) * UINT64_C(0x9e3779b97f4a7c15);
    return &filch__reader_slots[hash >> (64 - FILCH__READER_BITS)];
}

static inline bool filch__reader_show(uintptr_t *slot, const void *lock)
{
    uintptr_t expected = 0;
    return filch__cas_seq_cst(slot, &expected, (uintptr_t)lock);
}

/* False: there is none of that lock. */
static inline bool filch__reader_hide(uintptr_t *slot, const void *lock)
{
    uintptr_t expected = (uintptr_t)lock;
    return filch__cas_acq_rel(slot, &expected, 0);
}

/* All of that lock; how many there were. */
uint32_t filch__readers_take(const void *lock);

#endif
