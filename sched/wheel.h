/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hierarchical timing wheel: entries by the time at which they are due.
 *
 * After G. Varghese and T. Lauck, "Hashed and Hierarchical Timing Wheels: Data Structures for the
 * Efficient Implementation of a Timer Facility" (SOSP 1987). Time is cut into ticks of 2^14 ns,
 * a tick's number into digits of six bits. An entry lies on the level of the highest digit in which
 * its tick differs from the wheel's own, in the slot of its digit there. So all of one level are
 * due before all of the next, no level wraps, and the first occupied slot of the lowest occupied
 * level, two looks at bitmaps, is where time goes on. When it gets to a slot above level 0, the
 * slot's entries move down.
 *
 * No locks and no clock: one user at a time, who says what time it is. Memory is the user's.
 */
#ifndef FILCH_SCHED_WHEEL_H
#define FILCH_SCHED_WHEEL_H

#include <filch/base.h>

#define FILCH__WHEEL_TICK_SHIFT 14 /* a tick is 2^14 ns */
#define FILCH__WHEEL_DIGIT      6  /* bits */
#define FILCH__WHEEL_LEVELS     8

/* Slots beyond the levels: due beyond the range; on its way down from a slot that time got to. */
#define FILCH__WHEEL_NEVER  (FILCH__WHEEL_LEVELS << FILCH__WHEEL_DIGIT)
#define FILCH__WHEEL_MOVING (FILCH__WHEEL_NEVER + 1)
#define FILCH__WHEEL_SLOTS  (FILCH__WHEEL_MOVING + 1)

/* Times later than this are never: 2^62 ns less a tick, 146 years after the start of the clock. */
#define FILCH__WHEEL_LAST ((int64_t)(((1ull << 48) - 1) << FILCH__WHEEL_TICK_SHIFT))

/* Zero before its first insert. */
struct filch__wheel_entry {
    struct filch__wheel_entry *next, **link; /* link: what points here; NULL: in no wheel */
    uint64_t tick;
};

struct filch__wheel {
    uint64_t tick;   /* all before it is over; no entry is due earlier */
    uint64_t levels; /* bit of each level that has entries; those beyond are level 8 */
    uint64_t occupied[FILCH__WHEEL_LEVELS + 1]; /* bit of each slot of the level that has entries */
    struct filch__wheel_entry *slot[FILCH__WHEEL_SLOTS];
};

/* w is memory of any content; now: nanoseconds, as all times here. */
void filch__wheel_init(struct filch__wheel *w, int64_t now);

/*
 * e is in no wheel. Any time will do: a past one is due at once, one after FILCH__WHEEL_LAST never.
 * Returns when it is due: `when` rounded up to a tick, or a past time, or FILCH_NEVER.
 */
int64_t filch__wheel_insert(struct filch__wheel *w, struct filch__wheel_entry *e, int64_t when);

/* e is in w. */
void filch__wheel_remove(struct filch__wheel *w, struct filch__wheel_entry *e);

static inline bool filch__wheel_has(const struct filch__wheel_entry *e)
{
    return e->link != NULL;
}

/*
 * Takes out entries that are due at `now` and writes them to due, in the order of their ticks.
 * Handles at most `most` entries or slots, in time proportional to that, so several calls may be
 * needed: until filch__wheel_next(w) > now. Returns how many it took out.
 */
unsigned filch__wheel_advance(struct filch__wheel *w, int64_t now, struct filch__wheel_entry **due,
                              unsigned most);

/*
 * When to advance w next: not later than its first entry is due, and exactly then if that is on
 * level 0 or shares its slot with few. FILCH_NEVER: w has no entry that could be due.
 */
int64_t filch__wheel_next(const struct filch__wheel *w);

#endif
