/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callers that keep their thread (hold_thread): while they wait for a loop's end, a team's turn or its
 * end, the thread stays theirs, and no other task runs on it; but that it serves the team that has the
 * turn, and is given up in the end if something waits for it.
 */
#include "tests/compute_check.h"

#include "sched/os/clock.h"
#include "sched/park.h"

#include <errno.h>

static const filch_loop_options loops = {.hold_thread = true};
static const filch_team_options teams = {.hold_thread = true};

/* Of the thread, by a call that no compiler keeps the address of. */
static __thread uint32_t mark_of_thread;

__attribute__((noinline)) static uint32_t mark(void)
{
    __asm__ volatile("");
    return mark_of_thread;
}

__attribute__((noinline)) static void set_mark(uint32_t to)
{
    __asm__ volatile("");
    mark_of_thread = to;
}

/* ---- what runs meanwhile leaves its own mark ---- */

static uint32_t next_mark;

static int leave_marks(void *stop)
{
    while (!flag_up(stop)) {
        set_mark(filch__add_relaxed(&next_mark, 1) + 1);
        (void)filch_yield();
    }
    return 0;
}

static int work(int64_t first, int64_t last, void *ctx)
{
    (void)ctx;
    spin_for((last - first) * 20 * US);
    return 0;
}

static int meet(filch_member *me, void *ctx)
{
    (void)ctx;
    spin_for((me->rank + 1) * 10 * US);
    return filch_team_barrier(me);
}

/* Marks its thread for good, and finds the mark after each call. */
static int call_and_look(void *arg)
{
    (void)arg;
    for (long round = 0; round < sized(20, 200, 2000); round++) {
        uint32_t mine = filch__add_relaxed(&next_mark, 1) + 1;
        set_mark(mine);
        int rc = round % 2 ? filch_for_with(&loops, 0, 8, 1, work, NULL)
                           : filch_team_with(&teams, 2, meet, NULL);
        CHECK(rc == 0);
        CHECK(mark() == mine);
        (void)filch_yield();
    }
    return 0;
}

static void threads_are_kept(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_quiet(worker_counts[w]);
        filch_handle *noise[4], *caller[4];
        filch_spawn_options there = {.runtime = rt};
        uint32_t stop = 0;
        for (size_t i = 0; i < COUNT(noise); i++)
            REQUIRE(filch_spawn_with(&noise[i], &there, leave_marks, &stop) == 0);
        for (size_t i = 0; i < COUNT(caller); i++)
            REQUIRE(filch_spawn_with(&caller[i], &there, call_and_look, NULL) == 0);
        for (size_t i = 0; i < COUNT(caller); i++)
            CHECK(join(caller[i]) == 0);
        raise_flag(&stop);
        for (size_t i = 0; i < COUNT(noise); i++)
            CHECK(join(noise[i]) == 0);
        CHECK(filch_runtime_destroy(rt) == 0);
    }
}

/* ---- all who hold a worker serve the team whose turn it is ---- */

static int many_teams(void *arg)
{
    (void)arg;
    for (long round = 0; round < sized(30, 300, 3000); round++)
        CHECK(filch_team_with(&teams, 2, meet, NULL) == 0);
    return 0;
}

static void *many_teams_on_a_thread(void *rt)
{
    filch_team_options there = {.runtime = rt, .hold_thread = true};
    for (long round = 0; round < sized(30, 300, 3000); round++)
        CHECK(filch_team_with(&there, 2, meet, NULL) == 0);
    return NULL;
}

static void holders_serve_the_turn(void)
{
    filch_runtime *rt = runtime_quiet(2);
    filch_handle *h[6];
    pthread_t thread = thread_start(many_teams_on_a_thread, rt);
    for (size_t i = 0; i < COUNT(h); i++)
        REQUIRE(filch_spawn_with(&h[i], &(filch_spawn_options){.runtime = rt}, many_teams, NULL) ==
                0);
    for (size_t i = 0; i < COUNT(h); i++)
        CHECK(join(h[i]) == 0);
    thread_join(thread);
    CHECK(filch_runtime_destroy(rt) == 0);
}

/* ---- a hold that keeps from running what it waits for has an end ---- */

struct knot {
    uint32_t caller; /* number of the caller's worker, from 1, as in a spawn's options */
    uint32_t taken;
};

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* The body that another worker runs waits for a task that is pinned to the caller's. */
static int tie(int64_t index, int participant, void *ctx)
{
    struct knot *k = ctx;
    (void)index;
    if ((uint32_t)participant + 1 == k->caller) {
        SPIN_UNTIL(flag_up(&k->taken));
        return 0;
    }
    filch_handle *pinned;
    filch_spawn_options there = {.worker = (int)k->caller};
    raise_flag(&k->taken);
    REQUIRE(filch_spawn_with(&pinned, &there, nothing, NULL) == 0);
    return join(pinned);
}

static int find_out(int64_t index, int participant, void *ctx)
{
    struct knot *k = ctx;
    (void)index;
    k->caller = (uint32_t)participant + 1;
    return 0;
}

static int untie(void *arg)
{
    struct knot k = {0, 0};
    (void)arg;
    CHECK(filch_run_n_with(&loops, 1, find_out, &k) == 0); /* the caller's own number: its worker */
    CHECK(filch_run_n_with(&loops, 2, tie, &k) == 0);
    return 0;
}

static void knots_come_undone(void)
{
    filch_runtime *rt = runtime_quiet(2);
    CHECK(filch_run(rt, untie, NULL) == 0);
    CHECK(filch_runtime_destroy(rt) == 0);
}

/* ---- a cancel ends the wait for a turn ---- */

struct turn {
    uint32_t running, release, waiting;
};

static int keep_turn(filch_member *me, void *ctx)
{
    struct turn *t = ctx;
    if (me->rank == 0)
        raise_flag(&t->running);
    SPIN_UNTIL(flag_up(&t->release));
    return 0;
}

static int keep_turn_task(void *ctx)
{
    return filch_team_with(&teams, 2, keep_turn, ctx);
}

static int want_turn_task(void *ctx)
{
    struct turn *t = ctx;
    raise_flag(&t->waiting);
    return filch_team_with(&teams, 2, meet, NULL);
}

static void who_waits_for_a_turn_is_cancelled(void)
{
    filch_runtime *rt = runtime_quiet(4);
    filch_handle *keeper, *waiter;
    filch_spawn_options there = {.runtime = rt};
    struct turn t = {0, 0, 0};
    REQUIRE(filch_spawn_with(&keeper, &there, keep_turn_task, &t) == 0);
    SPIN_UNTIL(flag_up(&t.running));
    REQUIRE(filch_spawn_with(&waiter, &there, want_turn_task, &t) == 0);
    SPIN_UNTIL(flag_up(&t.waiting));
    CHECK(filch_abort(waiter) == 0);
    CHECK(join(waiter) == -ECANCELED);
    raise_flag(&t.release);
    CHECK(join(keeper) == 0);
    CHECK(filch_runtime_destroy(rt) == 0);
}

/* A holder that nobody rings looks up when its nap is over, not when the event count likes to. */
static void naps_end_in_time(void)
{
    struct filch__parker parker;
    filch__parker_init(&parker);
    for (int64_t ns = 0; ns <= 20 * MS; ns += 5 * MS) {
        int64_t deadline = filch__now() + ns;
        filch__parker_wait(&parker, filch__parker_key(&parker), deadline);
        CHECK(filch__now() >= deadline && filch__now() < deadline + 500 * MS);
    }
}

int main(void)
{
    RUN(threads_are_kept);
    RUN(holders_serve_the_turn);
    RUN(knots_come_undone);
    RUN(who_waits_for_a_turn_is_cancelled);
    RUN(naps_end_in_time);
    return summary();
}
