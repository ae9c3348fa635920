/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/wheel.h"

#include <string.h>

#define DIGIT_MASK ((1u << FILCH__WHEEL_DIGIT) - 1)
#define LAST_TICK  ((uint64_t)FILCH__WHEEL_LAST >> FILCH__WHEEL_TICK_SHIFT)
/* Entries of a slot among which `next` looks for the first. */
#define LOOKS 8

static void occupy(struct filch__wheel *w, unsigned slot)
{
    unsigned level = slot >> FILCH__WHEEL_DIGIT;
    w->occupied[level] |= UINT64_C(1) << (slot & DIGIT_MASK);
    w->levels |= UINT64_C(1) << level;
}

static void vacate(struct filch__wheel *w, unsigned slot)
{
    unsigned level = slot >> FILCH__WHEEL_DIGIT;
    w->occupied[level] &= ~(UINT64_C(1) << (slot & DIGIT_MASK));
    if (!w->occupied[level])
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
    occupy(w, slot);
}

/* e->tick is set, not before w->tick. */
static void place(struct filch__wheel *w, struct filch__wheel_entry *e)
{
    unsigned top = 63 - (unsigned)__builtin_clzll((w->tick ^ e->tick) | DIGIT_MASK);
    unsigned level = top / FILCH__WHEEL_DIGIT;
    unsigned digit = (unsigned)(e->tick >> (level * FILCH__WHEEL_DIGIT)) & DIGIT_MASK;
    put(w, e, level << FILCH__WHEEL_DIGIT | digit);
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

int64_t filch__wheel_insert(struct filch__wheel *w, struct filch__wheel_entry *e, int64_t when)
{
    if (filch__unlikely(when > FILCH__WHEEL_LAST)) {
        put(w, e, FILCH__WHEEL_NEVER);
        return FILCH_NEVER;
    }
    uint64_t tick = when <= 0 ? 0 : ((uint64_t)(when - 1) >> FILCH__WHEEL_TICK_SHIFT) + 1;
    e->tick = tick < w->tick ? w->tick : tick;
    place(w, e);
    return time_of(e->tick);
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

/* The slot that time gets to first, and the tick at which it does; false: there is none. */
static bool first_slot(const struct filch__wheel *w, unsigned *slot, uint64_t *start)
{
    uint64_t timed = w->levels & ((UINT64_C(1) << FILCH__WHEEL_LEVELS) - 1);
    if (!timed)
        return false;
    unsigned level = (unsigned)__builtin_ctzll(timed);
    unsigned digit = (unsigned)__builtin_ctzll(w->occupied[level]);
    unsigned shift = level * FILCH__WHEEL_DIGIT;
    *slot = level << FILCH__WHEEL_DIGIT | digit;
    *start = w->tick >> shift >> FILCH__WHEEL_DIGIT << FILCH__WHEEL_DIGIT << shift | (uint64_t)digit
                                                                                         << shift;
    return true;
}

/* Time got to a slot above level 0, and none of those that moved before are left. */
static void move_slot(struct filch__wheel *w, unsigned slot)
{
    struct filch__wheel_entry *first = w->slot[slot];
    w->slot[FILCH__WHEEL_MOVING] = first;
    first->link = &w->slot[FILCH__WHEEL_MOVING];
    occupy(w, FILCH__WHEEL_MOVING);
    w->slot[slot] = NULL;
    vacate(w, slot);
}

unsigned filch__wheel_advance(struct filch__wheel *w, int64_t now, struct filch__wheel_entry **due,
                              unsigned most)
{
    uint64_t target = tick_at(now), start;
    unsigned n = 0, slot;
    for (; most > 0; most--) {
        struct filch__wheel_entry *e = w->slot[FILCH__WHEEL_MOVING];
        if (e) {
            filch__wheel_remove(w, e);
            place(w, e);
            continue;
        }
        if (!first_slot(w, &slot, &start) || start > target) {
            if (w->tick < target)
                w->tick = target;
            break;
        }
        w->tick = start;
        if (slot > DIGIT_MASK) {
            move_slot(w, slot);
            continue;
        }
        e = w->slot[slot];
        filch__wheel_remove(w, e);
        due[n++] = e;
    }
    return n;
}

int64_t filch__wheel_next(const struct filch__wheel *w)
{
    unsigned slot;
    uint64_t start;
    if (w->slot[FILCH__WHEEL_MOVING])
        return time_of(w->tick);
    if (!first_slot(w, &slot, &start))
        return FILCH_NEVER;
    uint64_t first = LAST_TICK;
    int looks = 0;
    for (const struct filch__wheel_entry *e = w->slot[slot]; e; e = e->next) {
        if (slot <= DIGIT_MASK || looks++ == LOOKS)
            return time_of(start);
        if (e->tick < first)
            first = e->tick;
    }
    return time_of(first);
}
