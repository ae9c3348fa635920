/* SPDX-License-Identifier: Apache-2.0 */
/* Ticks: on the grid or after it, none early, and what becomes of those that were missed. */
#include "tests/future_check.h"

#define PERIOD INT64_C(200000)

/* Computes until then. */
static void compute_until(int64_t when)
{
    while (filch_now() < when)
        filch__fence_compiler();
}

/* No tick is before its time, whatever the policy; the n-th of BURST is at n periods. */
static int tick_in_time(void *rt)
{
    (void)rt;
    for (filch_tick_policy policy = FILCH_TICK_BURST; policy <= FILCH_TICK_DELAY; policy++) {
        filch_interval i;
        int64_t before = filch_now();
        REQUIRE(filch_interval_init(&i, PERIOD, policy) == 0);
        int64_t last = before;
        for (int n = 1; n <= 10; n++) {
            int missed = filch_await(filch_interval_tick(&i));
            int64_t now = filch_now();
            CHECK(missed >= 0 && (missed == 0 || policy == FILCH_TICK_SKIP));
            CHECK(now >= before + n * PERIOD);
            if (policy == FILCH_TICK_DELAY)
                CHECK(now >= last + PERIOD && i.next <= now + PERIOD);
            last = i.next - PERIOD;
        }
    }
    return 0;
}

static void never_early(void)
{
    everywhere(tick_in_time);
}

enum { MISSED = 5 };

/* The caller computes over several periods, then takes what has come meanwhile. */
static int miss_with_burst(void *rt)
{
    (void)rt;
    filch_interval i;
    REQUIRE(filch_interval_init(&i, PERIOD, FILCH_TICK_BURST) == 0);
    int64_t start = i.next;
    compute_until(start + MISSED * PERIOD);
    for (int n = 0; n <= MISSED; n++) {
        CHECK(i.next == start + n * PERIOD);
        CHECK(filch_poll(filch_interval_tick(&i), NULL) == 0); /* at once */
    }
    CHECK(i.next == start + (MISSED + 1) * PERIOD);
    CHECK(filch_await(filch_interval_tick(&i)) == 0 &&
          filch_now() >= start + (MISSED + 1) * PERIOD);
    return 0;
}

static int miss_with_skip(void *rt)
{
    (void)rt;
    filch_interval i;
    REQUIRE(filch_interval_init(&i, PERIOD, FILCH_TICK_SKIP) == 0);
    int64_t start = i.next, ticks = 0;
    compute_until(start + MISSED * PERIOD);
    for (int n = 0; n < 5; n++) {
        int missed = filch_await(filch_interval_tick(&i));
        int64_t now = filch_now();
        CHECK(missed >= (n == 0 ? MISSED : 0));
        ticks += missed + 1;
        CHECK(i.next == start + ticks * PERIOD); /* on the grid, each tick told or left out */
        CHECK(now >= i.next - PERIOD);
        compute_until(now + (n % 3) * PERIOD);
    }
    return 0;
}

static int miss_with_delay(void *rt)
{
    (void)rt;
    filch_interval i;
    REQUIRE(filch_interval_init(&i, PERIOD, FILCH_TICK_DELAY) == 0);
    compute_until(i.next + MISSED * PERIOD + PERIOD / 3);
    int64_t before = filch_now();
    CHECK(filch_poll(filch_interval_tick(&i), NULL) == 0);
    CHECK(i.next >= before + PERIOD && i.next <= filch_now() + PERIOD);
    int64_t next = i.next;
    CHECK(filch_await(filch_interval_tick(&i)) == 0 && filch_now() >= next);
    return 0;
}

static void missed_ones_burst(void)
{
    everywhere(miss_with_burst);
}

static void missed_ones_are_skipped(void)
{
    everywhere(miss_with_skip);
}

static void missed_ones_delay(void)
{
    everywhere(miss_with_delay);
}

/* ---- with a select ---- */

static int select_ticks(void *rt)
{
    (void)rt;
    filch_interval i;
    REQUIRE(filch_interval_init(&i, PERIOD, FILCH_TICK_BURST) == 0);
    struct event e = EVENT;
    struct wait wait = WAIT(&e);
    filch_future *tick = filch_interval_tick(&i);
    event_set(&e, 4);
    CHECK(filch_poll(tick, NULL) == FILCH_PENDING || tick->result == 0);
    filch_future *either[] = {filch_interval_tick(&i), &wait.future};
    CHECK(either[0] == tick); /* pending: the same, where it was */
    for (int won = 0; won < 2; won++) {
        int at = filch_select(either, 2);
        REQUIRE(at == 0 || at == 1);
        CHECK(either[at]->result == (at == 0 ? 0 : 4));
        either[at] = NULL;
    }
    CHECK(filch_future_drop(filch_interval_tick(&i)) == 0);
    CHECK(filch_await(filch_interval_tick(&i)) == 0); /* a dropped tick is not the last */
    return 0;
}

static void pending_ones_stay(void)
{
    everywhere(select_ticks);
}

/* Moved before its first poll, and between two ticks; then where it was is gone. */
static int move_interval(void *rt)
{
    (void)rt;
    filch_interval *a = malloc(sizeof *a), *b = malloc(sizeof *b);
    REQUIRE(a && b);
    REQUIRE(filch_interval_init(a, PERIOD, FILCH_TICK_BURST) == 0);
    for (int n = 0; n < 10; n++) {
        *b = *a;
        memset(a, 0xee, sizeof *a);
        int64_t next = b->next;
        CHECK(filch_await(filch_interval_tick(b)) == 0 && filch_now() >= next);
        filch_interval *gone = a;
        a = b;
        b = gone;
    }
    free(a);
    free(b);
    return 0;
}

static void moved_ones_tick(void)
{
    everywhere(move_interval);
}

static void bad_input(void)
{
    filch_interval i, untouched;
    memset(&i, 0x55, sizeof i);
    untouched = i;
    CHECK(filch_interval_init(NULL, PERIOD, FILCH_TICK_SKIP) == -EINVAL);
    CHECK(filch_interval_init(&i, 0, FILCH_TICK_SKIP) == -EINVAL);
    CHECK(filch_interval_init(&i, -1, FILCH_TICK_SKIP) == -EINVAL);
    CHECK(filch_interval_init(&i, INT64_MIN, FILCH_TICK_SKIP) == -EINVAL);
    CHECK(filch_interval_init(&i, PERIOD, (filch_tick_policy)3) == -EINVAL);
    CHECK(filch_interval_init(&i, PERIOD, (filch_tick_policy)-1) == -EINVAL);
    CHECK(filch_interval_init(&i, FILCH_NEVER, FILCH_TICK_SKIP) == -EINVAL);
    CHECK(memcmp(&i, &untouched, sizeof i) == 0);
}

/* So far away that the next one after it has no time. */
static int tick_far_away(void *rt)
{
    (void)rt;
    filch_interval i;
    REQUIRE(filch_interval_init(&i, FILCH_NEVER / 2, FILCH_TICK_SKIP) == 0);
    CHECK(filch_poll(filch_interval_tick(&i), NULL) == FILCH_PENDING);
    CHECK(filch_future_drop(filch_interval_tick(&i)) == 0);
    REQUIRE(filch_interval_init(&i, 1, FILCH_TICK_SKIP) == 0); /* a nanosecond */
    int64_t next = i.next;
    for (int n = 0; n < 100; n++) {
        next += filch_await(filch_interval_tick(&i)) + 1;
        CHECK(i.next == next);
    }
    return 0;
}

static void far_and_near(void)
{
    everywhere(tick_far_away);
}

int main(void)
{
    RUN(never_early);
    RUN(missed_ones_burst);
    RUN(missed_ones_are_skipped);
    RUN(missed_ones_delay);
    RUN(pending_ones_stay);
    RUN(moved_ones_tick);
    RUN(bad_input);
    RUN(far_and_near);
    return summary();
}
