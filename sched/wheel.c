/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/wheel.h"

#include <string.h>

#define DIGIT_MASK ((1u << FILCH__WHEEL_DIGIT) - 1)
#define RING_MASK  (FILCH__WHEEL_RING - 1u)
#define LAST_TICK  ((uint64_t)FILCH__WHEEL_LAST >> FILCH__WHEEL_TICK_SHIFT)

static void vacate(struct filch__wheel *w, unsigned slot)
{
    unsigned level = slot / FILCH__WHEEL_RING, at = slot & RING_MASK;
    w->crowd[slot] = 0;
    if (level == FILCH__WHEEL_LEVELS)
        return;
    w->occupied[level][at >> 6] &= ~(UINT64_C(1) << (at & 63));
    if (!(w->occupied[level][0] | w->occupied[level][1]))
        w->levels &= ~(UINT64_C(1) << level);
}

static void put(struct filch__wheel *w, struct filch__wheel_entry *e, unsigned slot)
{
    struct filch__wheel_entry *next = w->slot[slot];
    e->next = next;
    e->link = &w->slot[slot];
    if (next)
        next->link = &e->next;
    w->slot[slot] = e;
    w->crowd[slot] += w->crowd[slot] < FILCH__WHEEL_CROWD;
}

static unsigned shift_of(unsigned level)
{
    return level * FILCH__WHEEL_DIGIT;
}

/* The lowest level for what is so many ticks ahead. */
static unsigned level_of(uint64_t ahead)
{
    return (63 - (unsigned)__builtin_clzll(ahead | 1)) / FILCH__WHEEL_DIGIT;
}

/* On a level where e is less than a ring ahead. Returns the slot. */
static unsigned place(struct filch__wheel *w, struct filch__wheel_entry *e, unsigned level)
{
    unsigned at = (unsigned)(e->tick >> shift_of(level)) & RING_MASK;
    unsigned slot = level * FILCH__WHEEL_RING + at;
    put(w, e, slot);
    w->occupied[level][at >> 6] |= UINT64_C(1) << (at & 63);
    w->levels |= UINT64_C(1) << level;
    return slot;
}

static int64_t time_of(uint64_t tick)
{
    return (int64_t)(tick << FILCH__WHEEL_TICK_SHIFT);
}

/* The last tick that is not after `now`. */
static uint64_t tick_at(int64_t now)
{
    if (now < 0)
        return 0;
    return (uint64_t)(now < FILCH__WHEEL_LAST ? now : FILCH__WHEEL_LAST) >> FILCH__WHEEL_TICK_SHIFT;
}

void filch__wheel_init(struct filch__wheel *w, int64_t now)
{
    memset(w, 0, sizeof *w);
    w->tick = tick_at(now);
}

/* When the slot of a tick begins, less the width of one: from then on its entries may move down. */
static uint64_t moving_from(uint64_t tick, unsigned level)
{
    uint64_t slot = tick >> shift_of(level);
    return slot > 0 ? (slot - 1) << shift_of(level) : 0;
}

int64_t filch__wheel_insert(struct filch__wheel *w, struct filch__wheel_entry *e, int64_t when)
{
    if (filch__unlikely(when > FILCH__WHEEL_LAST)) {
        put(w, e, FILCH__WHEEL_NEVER);
        return FILCH_NEVER;
    }
    uint64_t tick = when <= 0 ? 0 : ((uint64_t)(when - 1) >> FILCH__WHEEL_TICK_SHIFT) + 1;
    e->tick = tick < w->tick ? w->tick : tick;
    unsigned level = level_of(e->tick - w->tick);
    unsigned slot = place(w, e, level);
    bool crowded = level > 0 && w->crowd[slot] == FILCH__WHEEL_CROWD;
    return time_of(filch__unlikely(crowded) ? moving_from(e->tick, level) : e->tick);
}

void filch__wheel_remove(struct filch__wheel *w, struct filch__wheel_entry *e)
{
    struct filch__wheel_entry *next = e->next, **link = e->link;
    *link = next;
    e->link = NULL;
    if (next) {
        next->link = link;
        return;
    }
    uintptr_t offset = (uintptr_t)link - (uintptr_t)w->slot;
    if (offset < sizeof w->slot)
        vacate(w, (unsigned)(offset / sizeof *w->slot));
}

/* Of a level that has entries: the first tick of its first slot that has. */
static uint64_t first_start(const struct filch__wheel *w, unsigned level)
{
    uint64_t present = w->tick >> shift_of(level);
    unsigned at = (unsigned)present & RING_MASK, word = at >> 6, bit = at & 63;
    const uint64_t *occupied = w->occupied[level];
    unsigned ahead; /* slots from the present one on */
    if (occupied[word] >> bit)
        ahead = (unsigned)__builtin_ctzll(occupied[word] >> bit);
    else if (occupied[!word])
        ahead = 64 - bit + (unsigned)__builtin_ctzll(occupied[!word]);
    else
        ahead = 128 - bit + (unsigned)__builtin_ctzll(occupied[word]);
    return (present + ahead) << shift_of(level);
}

static unsigned slot_at(uint64_t start, unsigned level)
{
    return level * FILCH__WHEEL_RING + ((unsigned)(start >> shift_of(level)) & RING_MASK);
}

/*
 * The slot that time gets to first, and its first tick; of several, the one on the highest level,
 * whose entries must move down before. False: there is none.
 */
static bool first_slot(const struct filch__wheel *w, unsigned *slot, uint64_t *start)
{
    uint64_t least = UINT64_MAX;
    *slot = 0;
    for (uint64_t left = w->levels; left; left &= left - 1) {
        unsigned level = (unsigned)__builtin_ctzll(left);
        uint64_t first = first_start(w, level);
        if (first > least)
            continue;
        least = first;
        *slot = slot_at(first, level);
    }
    *start = least;
    return w->levels;
}

/* A slot whose entries may move down, while nothing is due; false: there is none. */
static bool moving_slot(const struct filch__wheel *w, unsigned *slot)
{
    for (uint64_t left = w->levels & ~UINT64_C(1); left; left &= left - 1) {
        unsigned level = (unsigned)__builtin_ctzll(left);
        uint64_t start = first_start(w, level);
        *slot = slot_at(start, level);
        if (w->crowd[*slot] == FILCH__WHEEL_CROWD && moving_from(start, level) <= w->tick)
            return true;
    }
    return false;
}

/* Takes entries out of a slot, at most `most`, and puts them on lower levels; how many. */
static unsigned move_down(struct filch__wheel *w, unsigned slot, unsigned most)
{
    unsigned below = slot / FILCH__WHEEL_RING - 1, n = 0;
    struct filch__wheel_entry *e;
    for (; n < most && (e = w->slot[slot]) != NULL; n++) {
        filch__wheel_remove(w, e);
        unsigned level = level_of(e->tick - w->tick);
        (void)place(w, e, level < below ? level : below);
    }
    return n;
}

static unsigned take(struct filch__wheel *w, unsigned slot, struct filch__wheel_entry **due,
                     unsigned most)
{
    unsigned n = 0;
    struct filch__wheel_entry *e;
    for (; n < most && (e = w->slot[slot]) != NULL; n++) {
        filch__wheel_remove(w, e);
        due[n] = e;
    }
    return n;
}

unsigned filch__wheel_advance(struct filch__wheel *w, int64_t now, struct filch__wheel_entry **due,
                              unsigned most)
{
    uint64_t target = tick_at(now), start;
    unsigned taken = 0, moved = 0, slot;
    while (taken + moved < most) {
        unsigned left = most - taken - moved;
        if (first_slot(w, &slot, &start) && start <= target) {
            if (w->tick < start)
                w->tick = start;
            if (slot < FILCH__WHEEL_RING)
                taken += take(w, slot, due + taken, left);
            else
                moved += move_down(w, slot, left);
            continue;
        }
        if (w->tick < target)
            w->tick = target;
        if (!moving_slot(w, &slot))
            break;
        moved += move_down(w, slot, left);
    }
    return taken;
}

/* The first of the few in a slot; or, where there are many, when to move them. */
static uint64_t look(struct filch__wheel *w, unsigned level)
{
    uint64_t start = first_start(w, level), first = LAST_TICK;
    unsigned slot = slot_at(start, level);
    uint8_t count = 0;
    for (const struct filch__wheel_entry *e = w->slot[slot]; e; e = e->next) {
        if (e->tick < first)
            first = e->tick;
        if (++count == FILCH__WHEEL_CROWD)
            break;
    }
    w->crowd[slot] = count;
    return count == FILCH__WHEEL_CROWD ? moving_from(start, level) : first;
}

int64_t filch__wheel_next(struct filch__wheel *w)
{
    uint64_t least = UINT64_MAX;
    for (uint64_t left = w->levels; left; left &= left - 1) {
        unsigned level = (unsigned)__builtin_ctzll(left);
        uint64_t next = level == 0 ? first_start(w, 0) : look(w, level);
        if (next < least)
            least = next;
    }
    return w->levels ? time_of(least) : FILCH_NEVER;
}
