/* SPDX-License-Identifier: Apache-2.0 */
/* Teams inside of loops and teams, in each other's way, and whose members wait. */
#include "tests/compute_check.h"

/* ---- teams in loops, in teams, in each other's way ---- */

static int three_barriers(filch_member *me, void *ctx)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < 3; i++)
        rc = filch_team_barrier(me);
    if (rc == 0)
        tally(ctx);
    return rc;
}

static int team_in_body(int64_t first, int64_t last, void *ctx)
{
    int rc = 0;
    for (; rc == 0 && first < last; first++)
        rc = filch_team(2 + (int)(first % 2), three_barriers, ctx);
    return rc;
}

static void teams_in_loop(filch_runtime *rt)
{
    uint32_t members = 0;
    CHECK(filch_for_with(&(filch_loop_options){.runtime = rt}, 0, 400, 1, team_in_body, &members) ==
          0);
    CHECK(members == 1000);
}

static void four_hundred_teams_in_a_loop(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        from_task(rt, teams_in_loop);
        runtime_close(rt);
    }
}

static int loop_of_teams(void *ctx)
{
    return filch_for(0, 60, 1, team_in_body, ctx);
}

static void *loop_of_teams_on_thread(void *ctx)
{
    CHECK(loop_of_teams(ctx) == 0);
    return NULL;
}

static void many_callers(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        filch_handle *h[4];
        uint32_t members = 0;
        for (size_t i = 0; i < COUNT(h); i++)
            spawn_on(rt, &h[i], loop_of_teams, &members);
        pthread_t thread = thread_start(loop_of_teams_on_thread, &members);
        for (size_t i = 0; i < COUNT(h); i++)
            CHECK(join(h[i]) == 0);
        thread_join(thread);
        CHECK(members == 5 * 150);
        runtime_close(rt);
    }
}

struct nest {
    filch_runtime *rt;
    uint32_t members, indices;
};

static int count_index(int64_t first, int64_t last, void *ctx)
{
    filch__add_acq_rel((uint32_t *)ctx, (uint32_t)(last - first));
    return 0;
}

static int open_inner(filch_member *me, void *ctx)
{
    struct nest *n = ctx;
    filch_loop_options o = {.runtime = n->rt};
    CHECK(filch_team_barrier(me) == 0);
    CHECK(team_on(n->rt, 3, three_barriers, &n->members) == 0);
    CHECK(filch_for_with(&o, 0, 100, 1, count_index, &n->indices) == 0);
    CHECK(filch_for_with(&o, 0, 2, 1, team_in_body, &n->members) == 0);
    CHECK(filch_team_member() == me);
    return filch_team_barrier(me);
}

static void nest_teams(filch_runtime *rt)
{
    for (int size = 1; size <= 4; size++) {
        struct nest n = {.rt = rt};
        CHECK(team_on(rt, size, open_inner, &n) == 0);
        CHECK(n.members == (uint32_t)size * 8 && n.indices == (uint32_t)size * 100);
    }
}

static void teams_in_teams(void)
{
    from_everywhere(nest_teams);
}

/* Rank 0 of each is on a worker of the other's runtime. */
struct crossed {
    filch_runtime *other;
    uint32_t *inside;
};

static int meet_crossed(filch_member *me, void *ctx)
{
    if (me->rank == 0) {
        tally(ctx);
        SPIN_UNTIL(count_of(ctx) == 2);
    }
    return filch_team_barrier(me);
}

static int open_crossed(void *arg)
{
    struct crossed *c = arg;
    return team_on(c->other, 2, meet_crossed, c->inside);
}

static void two_runtimes_cross(void)
{
    for (int i = 0; i < 20; i++) {
        filch_runtime *a = runtime_open(1), *b = runtime_quiet(1);
        filch_handle *h[2];
        uint32_t inside = 0;
        struct crossed c[2] = {{b, &inside}, {a, &inside}};
        spawn_on(a, &h[0], open_crossed, &c[0]);
        spawn_on(b, &h[1], open_crossed, &c[1]);
        CHECK(join(h[0]) == 0 && join(h[1]) == 0);
        CHECK(filch_runtime_destroy(b) == 0);
        runtime_close(a);
    }
}

/* ---- members that wait ---- */

/* What one team's members wait for they have among themselves: barriers hold workers, so a member on
 * a spare thread must not wait for another team's. */
struct waits {
    filch_mutex mutex;
    uint32_t count;
};

static int wait_a_little(filch_member *me, void *ctx)
{
    struct waits *w = ctx;
    if (me->rank % 2 == 0)
        CHECK(filch_sleep(100 * US) == 0);
    CHECK(filch_mutex_lock(&w->mutex) == 0);
    tally(&w->count);
    CHECK(filch_yield() == 0);
    CHECK(filch_mutex_unlock(&w->mutex) == 0);
    CHECK(filch_team_barrier(me) == 0);
    CHECK(filch_for(0, 50, 1, count_index, &w->count) == 0);
    return filch_team_barrier(me);
}

static void wait_in_teams(filch_runtime *rt)
{
    for (int n = 1; n <= 9; n += 2) {
        struct waits w = {FILCH_MUTEX, 0};
        CHECK(team_on(rt, n, wait_a_little, &w) == 0);
        CHECK(w.count == (uint32_t)n * 51);
    }
}

static void members_that_wait(void)
{
    from_everywhere(wait_in_teams);
}

/* All members wait, and their workers come to tasks that want teams of their own: who waits for the
 * turn must not keep the members of the team that has it from going on. */
struct turn {
    filch_runtime *rt;
    uint32_t members, others;
    filch_handle *task[8];
};

static int want_the_turn(void *arg)
{
    struct turn *t = arg;
    return team_on(t->rt, 2, three_barriers, &t->others);
}

static int let_others_want(filch_member *me, void *ctx)
{
    struct turn *t = ctx;
    if (filch_team_single(me))
        for (size_t i = 0; i < COUNT(t->task); i++)
            spawn_on(t->rt, &t->task[i], want_the_turn, t);
    CHECK(filch_team_barrier(me) == 0);
    CHECK(filch_sleep(2 * MS) == 0);
    tally(&t->members);
    return filch_team_barrier(me);
}

static void members_sleep_while_others_want(filch_runtime *rt)
{
    struct turn t = {.rt = rt};
    int n = filch_runtime_workers(rt) + !is_task();
    CHECK(team_on(rt, n, let_others_want, &t) == 0);
    CHECK(t.members == (uint32_t)n);
    for (size_t i = 0; i < COUNT(t.task); i++)
        CHECK(join(t.task[i]) == 0);
    CHECK(t.others == 2 * COUNT(t.task));
}

static void members_that_wait_and_the_turn(void)
{
    from_everywhere(members_sleep_while_others_want);
}

/* While rank 0 waits its worker may come to the same team; it alone can go on with a pinned task. */
static int rank_0_sleeps(filch_member *me, void *ctx)
{
    (void)ctx;
    if (me->rank == 0)
        CHECK(filch_sleep(MS) == 0);
    return filch_team_barrier(me);
}

static int pinned_team(void *arg)
{
    return filch_team(2, rank_0_sleeps, arg);
}

static int busy_for_long(void *flag)
{
    raise_flag(flag);
    spin_for(5 * MS);
    return 0;
}

static void a_pinned_caller_waits(void)
{
    filch_runtime *rt = runtime_open(2);
    filch_handle *h[2];
    uint32_t busy = 0;
    filch_spawn_options first = {.runtime = rt, .worker = 1}, second = {.runtime = rt, .worker = 2};
    REQUIRE(filch_spawn_with(&h[0], &second, busy_for_long, &busy) == 0);
    SPIN_UNTIL(flag_up(&busy));
    REQUIRE(filch_spawn_with(&h[1], &first, pinned_team, NULL) == 0);
    CHECK(join(h[1]) == 0 && join(h[0]) == 0);
    runtime_close(rt);
}

static int team_in_poll(filch_future *self, const filch_waker *waker)
{
    struct waits w = {FILCH_MUTEX, 0};
    (void)self, (void)waker;
    CHECK(filch_team(3, wait_a_little, &w) == 0);
    return (int)w.count;
}

static int team_on_pool(void *arg)
{
    return team_in_poll(NULL, arg);
}

static int unusual_callers(void *arg)
{
    static const filch_future_ops ops = {"a team", team_in_poll, NULL};
    (void)arg;
    from_polls(&ops, 5, 153);
    CHECK(filch_blocking(team_on_pool, NULL) == 153);
    return 0;
}

static void polls_and_blocking_calls(void)
{
    in_task_of_each(unusual_callers);
}

int main(void)
{
    RUN(four_hundred_teams_in_a_loop);
    RUN(many_callers);
    RUN(teams_in_teams);
    RUN(two_runtimes_cross);
    RUN(members_that_wait);
    RUN(members_that_wait_and_the_turn);
    RUN(a_pinned_caller_waits);
    RUN(polls_and_blocking_calls);
    return summary();
}
