/* SPDX-License-Identifier: Apache-2.0 */
/* filch_concurrency: 1 where all are busy, all where none is, never out of bounds. */
#include "tests/compute_check.h"

static void in_bounds(filch_runtime *rt)
{
    int n = filch_concurrency(rt);
    CHECK(n >= 1 && n <= filch_runtime_workers(rt));
}

static void bounds(void)
{
    from_everywhere(in_bounds);
    CHECK(filch_concurrency(NULL) >= 1);
}

/* The others come to rest in a moment. */
static int all_are_idle(void *rt)
{
    SPIN_UNTIL(filch_concurrency(rt) == filch_runtime_workers(rt));
    SPIN_UNTIL(filch_concurrency(NULL) == filch_runtime_workers(rt));
    return 0;
}

static void alone_in_a_task(void)
{
    in_task_of_each(all_are_idle);
}

static int one_when_busy(void *rt)
{
    CHECK(filch_concurrency(rt) == 1);
    return 0;
}

static void all_are_busy(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct blockers b;
        block_workers(&b, rt, 1, worker_counts[w] - 1);
        CHECK(filch_run(rt, one_when_busy, rt) == 0);
        raise_flag(&b.released);
        drain(rt);
        block_workers(&b, rt, 1, worker_counts[w]);
        CHECK(filch_concurrency(rt) == 1);
        raise_flag(&b.released);
        drain(rt);
        runtime_close(rt);
    }
}

static int half_busy(void *rt)
{
    SPIN_UNTIL(filch_concurrency(rt) == 4);
    return 0;
}

static void some_are_busy(void)
{
    filch_runtime *rt = runtime_open(8);
    struct blockers b;
    block_workers(&b, rt, 1, 4);
    CHECK(filch_run(rt, half_busy, rt) == 0);
    raise_flag(&b.released);
    drain(rt);
    runtime_close(rt);
}

static int one_in_member(filch_member *me, void *rt)
{
    (void)me;
    CHECK(filch_concurrency(rt) == 1);
    return 0;
}

static int one_in_body(int64_t first, int64_t last, void *rt)
{
    (void)first, (void)last;
    in_bounds(rt);
    return 0;
}

static void team_and_loop(filch_runtime *rt)
{
    CHECK(filch_team_with(&(filch_team_options){.runtime = rt}, 3, one_in_member, rt) == 0);
    CHECK(filch_for_with(&(filch_loop_options){.runtime = rt}, 0, 500, 1, one_in_body, rt) == 0);
}

static void in_teams_and_loops(void)
{
    from_everywhere(team_and_loop);
}

int main(void)
{
    RUN(bounds);
    RUN(alone_in_a_task);
    RUN(all_are_busy);
    RUN(some_are_busy);
    RUN(in_teams_and_loops);
    return summary();
}
