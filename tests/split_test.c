/* SPDX-License-Identifier: Apache-2.0 */
/* The split protocol's word, one transition at a time: who may move what, and what is left. */
#include "sched/barrier.h"
#include "sched/deque.h"
#include "sched/os/memory.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <filch/forks.h>
#include <string.h>

/* ---- the word and its indices ---- */

Test(word, parts_do_not_touch)
{
    uint64_t w = filch__word_make(0x123456, 0xabcdef, 0x15, 0x5a5);
    cr_assert(eq(u32, filch__word_head(w), 0x123456));
    cr_assert(eq(u32, filch__word_split(w), 0xabcdef));
    cr_assert(eq(u32, filch__word_generation(w), 0x15));
    cr_assert(eq(u32, filch__word_claim(w), 0x5a5));
    w = filch__word_make(UINT32_MAX, UINT32_MAX, 31, 2047);
    cr_assert(eq(u64, w, UINT64_MAX));
}

Test(word, indices_wrap)
{
    uint64_t w = filch__word_make(FILCH__INDEX_MASK + 1, FILCH__INDEX_MASK + 7, 0, 0);
    cr_assert(eq(u32, filch__word_head(w), 0));
    cr_assert(eq(u32, filch__word_split(w), 6));
}

Test(word, distances_are_signed_over_the_wrap)
{
    cr_assert(eq(i32, filch__index_distance(5, 3), 2));
    cr_assert(eq(i32, filch__index_distance(3, 5), -2));
    cr_assert(eq(i32, filch__index_distance(0, FILCH__INDEX_MASK), 1));
    cr_assert(eq(i32, filch__index_distance(FILCH__INDEX_MASK, 0), -1));
    cr_assert(eq(i32, filch__index_distance(0x10, 0xfffff0), 0x20));
    int32_t most = (int32_t)FILCH__SPLIT_CAPACITY - 1;
    cr_assert(eq(i32, filch__index_distance((uint32_t)most, 0), most));
    cr_assert(eq(i32, filch__index_distance(0, (uint32_t)most), -most));
}

/* ---- transitions; all of them at an index below the wrap and crossing it ---- */

static const uint32_t starts[] = {0, 1000, FILCH__INDEX_MASK - 1, FILCH__INDEX_MASK};
#define EACH_START(at) \
    for (const uint32_t *at = starts; at < starts + sizeof starts / sizeof *starts; at++)

static struct filch__split s;

static void set(uint32_t head, uint32_t split, uint32_t tail, uint32_t claim)
{
    filch__barrier_init_process();
    filch__split_init(&s, 0, UINTPTR_MAX);
    s.tail = (uintptr_t)head + (uint32_t)filch__index_distance(tail, head);
    s.bound = filch__asymmetric ? s.tail : FILCH__BOUND_ALL;
    s.word = filch__word_make(head, split, 3, claim);
}

static void expect(uint32_t head, uint32_t split, uint32_t claim)
{
    cr_assert(eq(u32, filch__word_head(s.word), head & FILCH__INDEX_MASK));
    cr_assert(eq(u32, filch__word_split(s.word), split & FILCH__INDEX_MASK));
    cr_assert(eq(u32, filch__word_generation(s.word), 3));
    cr_assert(eq(u32, filch__word_claim(s.word), claim));
}

/* The bound stands at the split, counted from the tail; or sends every pop the slow way. */
static void expect_bound(uint32_t split)
{
    uint32_t tail = (uint32_t)s.tail & FILCH__INDEX_MASK;
    uintptr_t at = s.tail - (uintptr_t)(intptr_t)filch__index_distance(tail, split);
    cr_assert(s.bound == (filch__asymmetric ? at : FILCH__BOUND_ALL));
}

Test(thief, takes_the_oldest_public)
{
    EACH_START(at)
    {
        uint64_t word;
        uint32_t n;
        set(*at, *at + 2, *at + 4, 0);
        cr_assert(filch__split_steal(&s, 6, FILCH__UNIT_ITEM, 1, &word, &n) == FILCH__STEAL_TAKEN);
        cr_assert(eq(u32, filch__word_head(word), *at));
        expect(*at + 1, *at + 2, 0);
    }
}

Test(thief, finds_nothing)
{
    EACH_START(at)
    {
        uint64_t word;
        uint32_t n;
        set(*at, *at, *at, 0);
        cr_assert(filch__split_steal(&s, 6, FILCH__UNIT_ITEM, 1, &word, &n) == FILCH__STEAL_EMPTY);
        expect(*at, *at, 0);
    }
}

/* The owner is silent: the thief exposes the older half itself and takes the first of it. */
Test(thief, forces_its_claim)
{
    EACH_START(at)
    {
        uint64_t word;
        uint32_t n;
        set(*at, *at, *at + 5, 0);
        cr_assert(filch__split_steal(&s, 6, FILCH__UNIT_ITEM, 1, &word, &n) == FILCH__STEAL_TAKEN);
        cr_assert(eq(u32, filch__word_head(word), *at));
        expect(*at + 1, *at + 3, 0);
        cr_assert(s.bound == FILCH__BOUND_ALL);
    }
}

Test(thief, forces_a_single_item)
{
    EACH_START(at)
    {
        uint64_t word;
        uint32_t n;
        set(*at, *at, *at + 1, 0);
        cr_assert(filch__split_steal(&s, 6, FILCH__UNIT_ITEM, 1, &word, &n) == FILCH__STEAL_TAKEN);
        expect(*at + 1, *at + 1, 0);
    }
}

Test(thief, leaves_anothers_claim_alone)
{
    EACH_START(at)
    {
        uint64_t word;
        uint32_t n;
        set(*at, *at, *at + 5, 9);
        cr_assert(filch__split_steal(&s, 6, FILCH__UNIT_ITEM, 1, &word, &n) == FILCH__STEAL_BUSY);
        expect(*at, *at, 9);
    }
}

Test(thief, keeps_off_a_closed_split)
{
    uint64_t word;
    uint32_t n;
    set(0, 0, 5, 0);
    filch__split_close(&s);
    cr_assert(filch__split_steal(&s, 6, FILCH__UNIT_ITEM, 1, &word, &n) == FILCH__STEAL_BUSY);
    filch__split_init(&s, 64, 128);
    cr_assert(filch__split_steal(&s, 6, FILCH__UNIT_SLOT, 1, &word, &n) == FILCH__STEAL_EMPTY);
    s.tail = 80;
    cr_assert(filch__split_steal(&s, 6, FILCH__UNIT_SLOT, 1, &word, &n) == FILCH__STEAL_TAKEN);
}

/* The owner pops: it has stored the tail, and found it below the bound. */
static enum filch__pop settle(void)
{
    s.tail--;
    return filch__split_settle(&s, s.tail, FILCH__UNIT_ITEM);
}

Test(owner, pops_private_and_lowers_the_bound)
{
    EACH_START(at)
    {
        set(*at, *at + 2, *at + 4, 0);
        s.bound = FILCH__BOUND_ALL;
        cr_assert(settle() == FILCH__POP_MINE);
        expect(*at, *at + 2, 0);
        expect_bound(*at + 2);
    }
}

Test(owner, takes_public_items_back)
{
    EACH_START(at)
    {
        set(*at, *at + 4, *at + 4, 0);
        cr_assert(settle() == FILCH__POP_MINE);
        cr_assert(filch__index_distance((uint32_t)s.tail, filch__word_split(s.word)) >= 0);
        cr_assert(eq(u32, filch__word_head(s.word), *at));
        cr_assert(eq(u32, filch__word_claim(s.word), 0));
        expect_bound(filch__word_split(s.word));
    }
}

Test(owner, finds_its_item_stolen)
{
    EACH_START(at)
    {
        set(*at + 1, *at + 1, *at + 1, 0);
        cr_assert(settle() == FILCH__POP_STOLEN);
        expect(*at + 1, *at + 1, 0);
    }
}

/* What it answers with excludes the item that it pops. */
Test(owner, answers_a_claim)
{
    EACH_START(at)
    {
        set(*at, *at, *at + 5, 7);
        cr_assert(settle() == FILCH__POP_MINE);
        expect(*at, *at + 2, 0);
        expect_bound(*at + 2);
        set(*at, *at, *at + 1, 7);
        cr_assert(settle() == FILCH__POP_MINE);
        expect(*at, *at, 0);
    }
}

Test(owner, exposes_all)
{
    EACH_START(at)
    {
        set(*at, *at + 1, *at + 6, 0);
        cr_assert(eq(u32, filch__split_expose_all(&s, FILCH__UNIT_ITEM), 6));
        expect(*at, *at + 6, 0);
        cr_assert(s.bound == FILCH__BOUND_ALL);
        set(*at, *at, *at, 0);
        cr_assert(eq(u32, filch__split_expose_all(&s, FILCH__UNIT_ITEM), 0));
        expect(*at, *at, 0);
    }
}

/* The item at h - 1 was stolen and consumed: the next push has its index again. */
Test(owner, rewinds)
{
    EACH_START(at)
    {
        set(*at + 1, *at + 1, *at + 1, 0);
        s.tail--;
        filch__split_rewind(&s, s.tail, FILCH__UNIT_ITEM);
        expect(*at, *at, 0);
        expect_bound(*at);
        set(*at + 1, *at + 1, *at + 1, 8);
        s.tail--;
        filch__split_rewind(&s, s.tail, FILCH__UNIT_ITEM);
        expect(*at, *at, 0);
    }
}

Test(owner, changes_the_generation)
{
    EACH_START(at)
    {
        set(*at, *at + 2, *at + 4, 0);
        cr_assert(eq(u32, filch__split_set_generation(&s, 4), *at));
        cr_assert(eq(u64, s.word, filch__word_make(*at, *at + 2, 4, 0)));
    }
}

Test(owner, positions_beyond_the_end_are_never_public)
{
    uint64_t word;
    uint32_t n;
    filch__barrier_init_process();
    filch__split_init(&s, 160, 160 + 3 * 16);
    s.tail = 160 + 9 * 16;
    cr_assert(eq(u32, filch__split_count(&s, FILCH__UNIT_SLOT), 3));
    cr_assert(eq(u32, filch__split_expose_all(&s, FILCH__UNIT_SLOT), 3));
    for (int i = 0; i < 3; i++)
        cr_assert(filch__split_steal(&s, 0, FILCH__UNIT_SLOT, 1, &word, &n) == FILCH__STEAL_TAKEN);
    cr_assert(filch__split_steal(&s, 0, FILCH__UNIT_SLOT, 1, &word, &n) == FILCH__STEAL_EMPTY);
}

/* ---- deques, by one thread ---- */

enum { ITEMS = 5000 };
static struct filch__runnable item[ITEMS];

Test(deque, orders)
{
    struct filch__arena *arena;
    struct filch__deque d;
    filch__barrier_init_process();
    cr_assert(zero(int, filch__arena_create(&arena)));
    cr_assert(zero(int, filch__deque_init(&d, arena, 2)));
    cr_assert(filch__deque_pop(&d) == NULL && filch__deque_take(&d) == NULL);
    for (int i = 0; i < ITEMS; i++)
        cr_assert(filch__deque_push(&d, &item[i]));
    cr_assert(eq(u32, filch__deque_count(&d), ITEMS));
    struct filch__runnable *stolen;
    int oldest = 0;
    for (int i = 0; i < 4; i++) {
        cr_assert(filch__deque_pop(&d) == &item[ITEMS - 1 - i]);
        cr_assert(filch__deque_take(&d) == &item[oldest++]);
        bool is_long = filch__deque_count(&d) >= FILCH__LONG;
        cr_assert(filch__deque_steal(&d, 0, &stolen) == FILCH__STEAL_TAKEN);
        int n = 0;
        for (; stolen; stolen = stolen->next, n++)
            cr_assert(stolen == &item[oldest++]);
        cr_assert(n >= 1 && n <= (is_long ? FILCH__STEAL_MOST_OF_LONG : FILCH__STEAL_MOST));
    }
    cr_assert(eq(u32, filch__deque_count(&d), (uint32_t)(ITEMS - 4 - oldest)));
    filch__deque_destroy(&d);
    cr_assert(zero(sz, filch__arena_live(arena)));
    filch__arena_destroy(arena);
}

/* A full deque refuses, keeps what it has, and takes again once there is room. */
Test(deque, is_full_at_its_last_generation, .timeout = 60)
{
    struct filch__arena *arena;
    struct filch__deque d;
    filch__barrier_init_process();
    cr_assert(zero(int, filch__arena_create(&arena)));
    cr_assert(zero(int, filch__deque_init(&d, arena, 2)));
    uint32_t n = 0;
    while (filch__deque_push(&d, &item[n % ITEMS]))
        n++;
    cr_assert(eq(u32, n, 2u << (FILCH__DEQUE_GENERATIONS - 1)));
    cr_assert(not(filch__deque_push(&d, &item[0])));
    cr_assert(filch__deque_take(&d) == &item[0]);
    cr_assert(filch__deque_push(&d, &item[n % ITEMS]));
    for (uint32_t i = n; i > 0; i--)
        cr_assert(filch__deque_pop(&d) == &item[i % ITEMS]);
    cr_assert(filch__deque_pop(&d) == NULL);
    filch__deque_destroy(&d);
    filch__arena_destroy(arena);
}
