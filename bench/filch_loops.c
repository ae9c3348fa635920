/* SPDX-License-Identifier: Apache-2.0 */

/* Loops and sorts. */

#include "bench/filch_peer.h"
#include "bench/loops.h"

static int do_nothing(int64_t first, int64_t last, void *ctx)
{
    (void)first;
    (void)last;
    (void)ctx;
    return 0;
}

static void empty(void)
{
    static const filch_loop_options two = {.participants = 2};
    must(filch_for_with(&two, 0, 2, 1, do_nothing, NULL), "for");
}

static int begin_and_end(filch_member *me, void *ctx)
{
    (void)me;
    (void)ctx;
    return 0;
}

/* What an empty parallel region is: a thread of its own for each of the two. */
static void empty_team(void)
{
    must(filch_team(2, begin_and_end, NULL), "team");
}

static int flop(int64_t first, int64_t last, void *ctx)
{
    double *x = ctx;
    for (int64_t i = first; i < last; i++)
        x[i] = loops_flop(x[i]);
    return 0;
}

static void flat(double *x, int64_t n)
{
    must(filch_for(0, n, 0, flop, x), "for");
}

static int escape(int64_t first, int64_t last, void *ctx)
{
    uint32_t *counts = ctx;
    for (int64_t i = first; i < last; i++)
        counts[i] = loops_escape(i);
    return 0;
}

static void unbalanced(uint32_t *counts, int64_t n)
{
    must(filch_for(0, n, 0, escape, counts), "for");
}

static void idle(int64_t nanoseconds)
{
    must(filch_sleep(nanoseconds), "sleep");
}

static const struct loops loops = {empty, flat, unbalanced, idle};
static const struct loops teams = {empty_team, flat, unbalanced, idle};

struct run {
    int (*measure)(const struct loops *loops, uint64_t n, struct bench_result *out);
    const struct loops *loops;
    uint64_t n;
    struct bench_result *out;
};

static int in_task(void *p)
{
    struct run *run = p;
    return run->measure(run->loops, run->n, run->out);
}

static int measure(struct run run, unsigned workers)
{
    filch_runtime *rt = filch_bench_runtime(workers);
    int rc = filch_run(rt, in_task, &run);
    must(filch_runtime_destroy(rt), "destroy");
    return rc;
}

int filch_bench_for_empty(uint64_t n, unsigned workers, struct bench_result *out)
{
    return measure((struct run){loops_for_empty, &loops, n, out}, workers);
}

int filch_bench_for_empty_cold(uint64_t n, unsigned workers, struct bench_result *out)
{
    return measure((struct run){loops_for_empty_cold, &loops, n, out}, workers);
}

int filch_bench_team_empty(uint64_t n, unsigned workers, struct bench_result *out)
{
    return measure((struct run){loops_for_empty, &teams, n, out}, workers);
}

int filch_bench_team_empty_cold(uint64_t n, unsigned workers, struct bench_result *out)
{
    return measure((struct run){loops_for_empty_cold, &teams, n, out}, workers);
}

int filch_bench_for_flat(uint64_t n, unsigned workers, struct bench_result *out)
{
    return measure((struct run){loops_for_flat, &loops, n, out}, workers);
}

int filch_bench_for_unbalanced(uint64_t n, unsigned workers, struct bench_result *out)
{
    return measure((struct run){loops_for_unbalanced, &loops, n, out}, workers);
}

static void sort(int64_t *base, size_t n)
{
    must(filch_sort_int64(NULL, base, n), "sort");
}

static int sort_in_task(const struct loops *l, uint64_t n, struct bench_result *out)
{
    (void)l;
    return loops_sort(sort, n, out);
}

int filch_bench_sort(uint64_t n, unsigned workers, struct bench_result *out)
{
    return measure((struct run){sort_in_task, NULL, n, out}, workers);
}
