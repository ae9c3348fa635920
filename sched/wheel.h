/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hierarchical timing wheel: entries by the time at which they are due.
 *
 * After G. Varghese and T. Lauck, "Hashed and Hierarchical Timing Wheels: Data Structures for the
 * Efficient Implementation of a Timer Facility" (SOSP 1987). Time is cut into ticks of 2^14 ns; a
 * slot of level n is 64^n ticks wide, and a level has 128 of them, a ring. An entry that is less
 * than 64^(n+1) ticks ahead is put on level n or below. When time gets to a slot above level 0 its
 * entries must have moved down a level.
 *
 * A slot may hold a million entries, and to move them all at that moment would make those that are
 * due then late by as much. So they move before, while nothing is due, during the slot before
 * theirs: a ring is twice as long as what is put on it from above so that there is room for them
 * beside the entries of the present slot.
 *
 * No locks and no clock: one user at a time, who says what time it is. Memory is the user's.
 */
#ifndef FILCH_SCHED_WHEEL_H
#define FILCH_SCHED_WHEEL_H

#include <filch/base.h>

#define FILCH__WHEEL_TICK_SHIFT 14 /* a tick is 2^14 ns */
#define FILCH__WHEEL_DIGIT      6  /* bits */
#define FILCH__WHEEL_LEVELS     8
#define FILCH__WHEEL_RING       128

/* A slot beyond the levels: due beyond the range. */
#define FILCH__WHEEL_NEVER (FILCH__WHEEL_LEVELS * FILCH__WHEEL_RING)
#define FILCH__WHEEL_SLOTS (FILCH__WHEEL_NEVER + 1)

/* Times later than this are never: 2^62 ns less a tick, 146 years after the start of the clock. */
#define FILCH__WHEEL_LAST ((int64_t)(((1ull << 48) - 1) << FILCH__WHEEL_TICK_SHIFT))

/* Zero before its first insert. */
struct filch__wheel_entry {
    struct filch__wheel_entry *next, **link; /* link: what points here; NULL: in no wheel */
    uint64_t tick;
};

struct filch__wheel {
    uint64_t tick;                             /* all before it is over; no entry is due earlier */
    uint64_t levels;                           /* bit of each level that has entries */
    uint64_t occupied[FILCH__WHEEL_LEVELS][2]; /* bit of each slot of the level that has entries */
    uint8_t crowd[FILCH__WHEEL_SLOTS]; /* about how many a slot has, up to FILCH__WHEEL_CROWD */
    struct filch__wheel_entry *slot[FILCH__WHEEL_SLOTS];
};

/* So many move in no time. */
#define FILCH__WHEEL_CROWD 8

/* w is memory of any content; now: nanoseconds, as all times here. */
void filch__wheel_init(struct filch__wheel *w, int64_t now);

/*
 * e is in no wheel. Any time will do: a past one is due at once, one after FILCH__WHEEL_LAST never.
 * Returns when to advance w for its sake: when it is due, which is `when` rounded up to a tick, or
 * a past time, or FILCH_NEVER; or earlier, when the many that it shares a slot with are to move.
 */
int64_t filch__wheel_insert(struct filch__wheel *w, struct filch__wheel_entry *e, int64_t when);

/* e is in w. */
void filch__wheel_remove(struct filch__wheel *w, struct filch__wheel_entry *e);

static inline bool filch__wheel_has(const struct filch__wheel_entry *e)
{
    return e->link != NULL;
}

/*
 * Takes out entries that are due at `now` and writes them to due, in the order of their ticks; and
 * when there are no more, moves others that will be. Handles at most `most` entries, in time
 * proportional to that, so several calls may be needed: until filch__wheel_next(w) > now. Returns
 * how many it took out.
 */
unsigned filch__wheel_advance(struct filch__wheel *w, int64_t now, struct filch__wheel_entry **due,
                              unsigned most);

/*
 * When to advance w next: not later than its first entry is due, and exactly then if that is on
 * level 0 or shares its slot with few. FILCH_NEVER: w has no entry that could be due.
 */
int64_t filch__wheel_next(struct filch__wheel *w);

#endif
