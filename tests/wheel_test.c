/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The timing wheel against a list that is searched from end to end.
 *
 * The model knows of each entry when it is due: its time rounded up to a tick. Every advance must
 * take out what the model says, once, in order, and `next` must never be later than the first of
 * what is left. Time goes on in steps of nanoseconds to years, or exactly to what `next` says, as
 * the clock does.
 */
#include "sched/wheel.h"
#include "tests/check.h"

#define TICK  (INT64_C(1) << FILCH__WHEEL_TICK_SHIFT)
#define HOUR  (INT64_C(3600) * 1000000000)
#define YEAR  (365 * 24 * HOUR)
#define NEVER FILCH_NEVER

enum { ENTRIES = 400, BATCH = 64 };

static struct {
    struct filch__wheel wheel;
    struct item {
        struct filch__wheel_entry entry;
        bool in, ahead;    /* ahead: it was not due yet when it was inserted */
        int64_t when, due; /* due: NEVER, or the time of a tick */
    } item[ENTRIES];
    int64_t now;
    uint64_t random, fired;
} m;

static uint32_t below(uint32_t n)
{
    return test_random(&m.random, n);
}

static uint64_t bits(void)
{
    uint64_t high = below(UINT32_MAX), low = below(UINT32_MAX);
    return high << 32 | low;
}

static void begin(int64_t now)
{
    memset(&m.wheel, 0xa5, sizeof m.wheel);
    memset(m.item, 0, sizeof m.item);
    filch__wheel_init(&m.wheel, now);
    m.now = now;
}

static int64_t round_up(int64_t t)
{
    return t <= 0 ? 0 : ((t - 1) | (TICK - 1)) + 1;
}

/* What is past may be put off to the tick that the wheel got to, which is not after now. Where it
 * is in a crowd the wheel may ask for a look before. */
static void insert(struct item *i, int64_t when)
{
    int64_t exact = when > FILCH__WHEEL_LAST ? NEVER : round_up(when);
    i->when = when;
    int64_t look = filch__wheel_insert(&m.wheel, &i->entry, when);
    i->due = exact == NEVER ? NEVER : (int64_t)(i->entry.tick << FILCH__WHEEL_TICK_SHIFT);
    CHECK(look <= i->due && (look == NEVER) == (i->due == NEVER));
    i->in = true;
    i->ahead = i->due > m.now;
    CHECK(i->due == exact || (exact < i->due && i->due <= m.now && i->due % TICK == 0));
    CHECK(filch__wheel_has(&i->entry));
}

/* What is taken out is overwritten: the wheel must not know it any more. */
static void forget(struct item *i)
{
    CHECK(!filch__wheel_has(&i->entry));
    i->in = false;
    memset(&i->entry, 0xa5, sizeof i->entry);
}

static void take_out(struct item *i)
{
    CHECK(filch__wheel_has(&i->entry));
    filch__wheel_remove(&m.wheel, &i->entry);
    forget(i);
}

static int64_t first_due(void)
{
    int64_t first = NEVER;
    for (int i = 0; i < ENTRIES; i++)
        if (m.item[i].in && m.item[i].due < first)
            first = m.item[i].due;
    return first;
}

/* One call of advance; nothing may come before `last`, which becomes the latest. */
static void advance_once(unsigned most, int64_t *last)
{
    struct filch__wheel_entry *due[BATCH];
    unsigned n = filch__wheel_advance(&m.wheel, m.now, due, most);
    CHECK(n <= most);
    for (unsigned k = 0; k < n; k++) {
        struct item *i = (struct item *)due[k];
        CHECK(i->in && i->when <= m.now && i->due <= m.now && i->due >= *last);
        *last = i->due;
        forget(i);
        m.fired++;
    }
}

/* Removes something between the calls of one advance, while entries may be on their way down. */
static void disturb(void)
{
    struct item *i = &m.item[below(ENTRIES)];
    if (i->in && below(4) == 0)
        take_out(i);
}

/* To m.now, by as many calls as it takes. */
static void advance(void)
{
    int64_t last = INT64_MIN;
    int calls = 0;
    do {
        advance_once(1 + below(BATCH), &last);
        disturb();
        REQUIRE(++calls < 100 * ENTRIES);
    } while (filch__wheel_next(&m.wheel) <= m.now);
    int64_t first = first_due(), next = filch__wheel_next(&m.wheel);
    CHECK(first > m.now);
    CHECK(next <= first && (next == NEVER) == (first == NEVER));
    CHECK(next % TICK == 0 || next == NEVER);
    if (first >> 20 == m.now >> 20) /* level 0: exact */
        CHECK(next == first);
}

/* As the clock does, until nothing is left; each entry at most a tick late. */
static void follow_next(void)
{
    for (int steps = 0; filch__wheel_next(&m.wheel) != NEVER; steps++) {
        int64_t next = filch__wheel_next(&m.wheel);
        int64_t first = first_due();
        REQUIRE(next <= first && steps < (FILCH__WHEEL_LEVELS + 1) * ENTRIES);
        if (next > m.now)
            m.now = next;
        for (int i = 0; i < ENTRIES; i++)
            if (m.item[i].in && m.item[i].ahead && m.item[i].due <= m.now)
                CHECK(m.now - m.item[i].when < TICK);
        advance();
    }
    CHECK(first_due() == NEVER);
}

static struct item *free_item(void)
{
    for (int tries = 0; tries < 20; tries++) {
        struct item *i = &m.item[below(ENTRIES)];
        if (!i->in) {
            memset(i, 0, sizeof *i);
            return i;
        }
    }
    return NULL;
}

/* Any distance from now, more often short, both ways; the ends of the range. */
static int64_t random_time(void)
{
    int64_t far = (int64_t)(bits() >> (2 + below(61)));
    switch (below(8)) {
    case 0:
        return m.now - far; /* now <= 2^62: it cannot overflow */
    case 1:                 /* about where a digit of the tick turns over */
        far = INT64_C(1) << (FILCH__WHEEL_TICK_SHIFT + FILCH__WHEEL_DIGIT * below(8));
        return (m.now & -far) + far * below(3) + (int64_t)below(5) - 2 + TICK * ((int)below(3) - 1);
    case 2:
        return below(4) ? m.now : (int64_t[]){NEVER, INT64_MIN, 0, -1}[below(4)];
    case 3:
        return FILCH__WHEEL_LAST + (int64_t)below(3) - 1;
    default:
        return m.now + far;
    }
}

static int64_t random_step(void)
{
    return below(30) ? (int64_t)(bits() >> (20 + below(44))) : (int64_t)below(3) * HOUR;
}

static void random_operations(void)
{
    m.random = test_seed();
    m.fired = 0;
    for (long round = sized(200, 2000, 20000); round-- > 0 && !filch__load_relaxed(&case_bad);) {
        begin((int64_t)(bits() >> (3 + below(61))));
        for (int op = 0; op < 4000; op++) {
            struct item *i;
            uint32_t what = below(16);
            if (what < 8 && (i = free_item())) {
                insert(i, random_time());
            } else if (what < 13) {
                i = &m.item[below(ENTRIES)];
                if (i->in)
                    take_out(i);
            } else {
                int64_t next = filch__wheel_next(&m.wheel);
                int64_t to = below(3) || next == NEVER ? m.now + random_step() : next;
                if (to > m.now && to < FILCH__WHEEL_LAST)
                    m.now = to;
                advance();
            }
        }
        if (below(2))
            follow_next();
    }
    CHECK(m.fired > 0);
}

/* Every level's digits turn over with entries on both sides. */
static void boundaries(void)
{
    m.random = test_seed();
    for (int level = 0; level < FILCH__WHEEL_LEVELS; level++)
        for (int before = 0; before < 3; before++) {
            int64_t span = TICK << (FILCH__WHEEL_DIGIT * level);
            int64_t edge = span * (level < FILCH__WHEEL_LEVELS - 1 ? 64 : 62);
            begin(edge - before * TICK);
            struct item *i = m.item;
            for (int k = -2; k <= 2; k++)
                for (int64_t away = -TICK; away <= TICK; away += TICK / 2)
                    insert(i++, edge + k * span / 2 + away);
            uint64_t fired = m.fired;
            int64_t last = INT64_MIN;
            while (filch__wheel_next(&m.wheel) != NEVER) {
                int64_t next = filch__wheel_next(&m.wheel);
                CHECK(next <= first_due());
                m.now = next > m.now ? next : m.now;
                advance_once(1 + below(BATCH), &last);
            }
            CHECK(m.fired - fired == 25 && first_due() == NEVER);
        }
}

/* Jumps over all that is there, and entries years apart. */
static void years(void)
{
    m.random = test_seed();
    for (int jump = 1; jump <= 64; jump++) {
        begin(bits() >> 30);
        for (int i = 0; i < 140; i++)
            insert(&m.item[i], m.now + i * YEAR + (int64_t)(bits() >> 10));
        while (m.now + jump * YEAR < FILCH__WHEEL_LAST) {
            m.now += jump * YEAR;
            advance();
        }
        m.now = FILCH__WHEEL_LAST;
        advance();
        CHECK(first_due() == NEVER && filch__wheel_next(&m.wheel) == NEVER);
    }
}

static void follow_for_years(void)
{
    m.random = test_seed();
    for (int round = 0; round < 20; round++) {
        begin((int64_t)(bits() >> (4 + below(50))));
        for (int i = 0; i < ENTRIES; i++)
            insert(&m.item[i], m.now + (int64_t)(bits() >> (3 + below(50))));
        follow_next();
    }
}

/* Never fires, wherever the time gets to, and can be removed. */
static void never(void)
{
    begin(5 * YEAR);
    int64_t times[] = {NEVER, NEVER - 1, FILCH__WHEEL_LAST + 1};
    for (int i = 0; i < 3; i++)
        insert(&m.item[i], times[i]);
    CHECK(filch__wheel_next(&m.wheel) == NEVER);
    int64_t last = INT64_MIN;
    for (; m.now < NEVER - YEAR; m.now += YEAR)
        advance_once(BATCH, &last);
    m.now = NEVER;
    advance_once(BATCH, &last);
    CHECK(last == INT64_MIN);
    insert(&m.item[3], FILCH__WHEEL_LAST);
    insert(&m.item[4], -1);
    advance_once(BATCH, &last);
    CHECK(!m.item[3].in && !m.item[4].in);
    for (int i = 0; i < 3; i++)
        take_out(&m.item[i]);
}

/* A slot with more entries than one call moves: all can still be removed, none is out of order. */
static void crowded_slot(void)
{
    m.random = test_seed();
    for (int round = 0; round < 200; round++) {
        begin(0);
        int64_t start = (1 + below(3)) * TICK << (FILCH__WHEEL_DIGIT * (1 + below(7)));
        for (int i = 0; i < ENTRIES; i++)
            insert(&m.item[i], start + TICK * below(round % 2 ? 2 : 500));
        int64_t last = INT64_MIN;
        m.now = start;
        advance_once(1 + below(BATCH), &last);
        for (int k = 0; k < ENTRIES / 2; k++) {
            disturb();
            struct item *i = free_item();
            if (i)
                insert(i, start + TICK * ((int)below(100) - 50));
        }
        follow_next();
    }
}

/*
 * What was in a crowd far ahead has moved when the first of it is due, so that it is not late: who
 * follows next finds what is due behind no more than the few of a slot of each level.
 */
static void crowds_move_before(void)
{
    enum { FEW = FILCH__WHEEL_LEVELS * FILCH__WHEEL_CROWD };
    for (int level = 2; level < 5; level++) {
        int64_t width = TICK << (FILCH__WHEEL_DIGIT * level);
        begin(0);
        for (int i = 0; i < ENTRIES; i++) /* one slot of this level */
            insert(&m.item[i], 5 * width + i * (width / ENTRIES));
        uint64_t fired = m.fired;
        int64_t last = INT64_MIN;
        while (first_due() != NEVER) {
            int64_t next = filch__wheel_next(&m.wheel);
            m.now = next > m.now ? next : m.now;
            bool due = first_due() <= m.now;
            uint64_t before = m.fired;
            advance_once(FEW, &last);
            CHECK(!due || m.fired > before);
        }
        CHECK(m.fired - fired == ENTRIES);
    }
}

int main(void)
{
    run_case("random operations", random_operations);
    run_case("the digits of each level turn over", boundaries);
    run_case("jumps over years", years);
    run_case("followed for years", follow_for_years);
    run_case("never", never);
    run_case("more in a slot than one call moves", crowded_slot);
    run_case("crowds move before they are due", crowds_move_before);
    return summary();
}
