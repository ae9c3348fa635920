/* SPDX-License-Identifier: Apache-2.0 */
/* Code of GCC's -fopenmp on the drop-in: regions, what one or all threads do, queries, locks. */
#define _GNU_SOURCE 1
#include "tests/gomp_check.h"

enum { ROUNDS = 20, MOST = 64 };

static void ours_is_loaded(void)
{
    only_library("libgomp.so", FILCH_GOMP_FOLDER);
}

/* ---- who is there ---- */

static void count_threads(int n)
{
    for (int round = 0; round < ROUNDS; round++) {
        int seen[MOST] = {0}, sizes = 0;
#pragma omp parallel num_threads(n)
        {
#pragma omp atomic
            seen[omp_get_thread_num()]++;
#pragma omp atomic
            sizes += omp_get_num_threads();
            CHECK(omp_get_level() == 1);
            CHECK(n == 1 || omp_in_parallel());
            CHECK(n > 1 || filch_task_name() || !omp_in_parallel());
            CHECK(omp_get_active_level() == (n > 1));
            CHECK(omp_get_ancestor_thread_num(0) == 0);
            CHECK(omp_get_ancestor_thread_num(1) == omp_get_thread_num());
            CHECK(omp_get_ancestor_thread_num(2) == -1 && omp_get_team_size(-1) == -1);
            CHECK(omp_get_team_size(0) == 1 && omp_get_team_size(1) == n);
        }
        CHECK(sizes == n * n);
        for (int i = 0; i < MOST; i++)
            CHECK(seen[i] == (i < n));
        CHECK(omp_get_level() == 0 && omp_get_active_level() == 0);
        CHECK(omp_get_thread_num() == 0 && omp_get_num_threads() == 1);
    }
}

static void as_many_as_asked_for(void)
{
    everywhere(count_threads);
}

/* ---- barriers, single, critical, atomic ---- */

static void cross_barriers(int n)
{
    int at[MOST][16] = {{0}};
#pragma omp parallel num_threads(n)
    for (int round = 1; round <= ROUNDS; round++) {
        at[omp_get_thread_num()][0] = round;
#pragma omp barrier
        for (int i = 0; i < n; i++)
            CHECK(at[i][0] == round);
#pragma omp barrier
    }
}

static void barriers_hold_all(void)
{
    everywhere(cross_barriers);
}

static void do_singles(int n)
{
    int done = 0, nowaits = 0, copies = 0;
#pragma omp parallel num_threads(n)
    for (int round = 0; round < ROUNDS; round++) {
        int value = -1;
#pragma omp single
        done++;
        CHECK(done == round + 1);
#pragma omp single nowait
#pragma omp atomic
        nowaits++;
#pragma omp single copyprivate(value)
        value = round;
#pragma omp atomic
        copies += value == round;
#pragma omp master
        CHECK(omp_get_thread_num() == 0);
    }
    CHECK(done == ROUNDS && nowaits == ROUNDS && copies == n * ROUNDS);
}

static void singles_are_done_once(void)
{
    everywhere(do_singles);
}

static void exclude(int n)
{
    long plain = 0, named = 0;
    long double atomic = 0; /* no instruction does that */
#pragma omp parallel num_threads(n)
    for (int round = 0; round < 10 * ROUNDS; round++) {
#pragma omp critical
        plain++;
#pragma omp critical(one)
        named++;
#pragma omp critical(two)
        named += 0;
#pragma omp atomic
        atomic += 1;
    }
    CHECK(plain == 10L * n * ROUNDS && named == plain && atomic == (long double)plain);
}

static void critical_sections_exclude(void)
{
    everywhere(exclude);
}

static void use_locks(int n)
{
    omp_lock_t lock;
    omp_nest_lock_t nest;
    long sum = 0, nested = 0, tried = 0;
    omp_init_lock(&lock);
    omp_init_nest_lock(&nest);
#pragma omp parallel num_threads(n)
    for (int round = 0; round < 10 * ROUNDS; round++) {
        omp_set_lock(&lock);
        sum++;
        CHECK(!omp_test_lock(&lock));
        omp_unset_lock(&lock);
        omp_set_nest_lock(&nest);
        omp_set_nest_lock(&nest);
        CHECK(omp_test_nest_lock(&nest) == 3);
        nested++;
        omp_unset_nest_lock(&nest);
        omp_unset_nest_lock(&nest);
        omp_unset_nest_lock(&nest);
        while (!omp_test_lock(&lock))
            sched_yield();
        tried++;
        omp_unset_lock(&lock);
    }
    CHECK(sum == 10L * n * ROUNDS && nested == sum && tried == sum);
    omp_destroy_lock(&lock);
    omp_destroy_nest_lock(&nest);
}

static void locks_exclude(void)
{
    everywhere(use_locks);
}

/* ---- control variables ---- */

static void nest(int n)
{
    int inner = 0;
    omp_set_max_active_levels(1);
#pragma omp parallel num_threads(n)
#pragma omp parallel num_threads(3)
    {
        CHECK(omp_get_num_threads() == (n > 1 ? 1 : 3) && omp_get_level() == 2);
        CHECK(omp_get_ancestor_thread_num(2) == omp_get_thread_num());
        CHECK(omp_get_team_size(1) == n);
#pragma omp atomic
        inner++;
    }
    CHECK(inner == (n > 1 ? n : 3));
}

static void inner_regions_have_one_thread(void)
{
    everywhere(nest);
}

static void nest_twice(int n)
{
    int inner = 0, outer_rank = 0;
#pragma omp parallel num_threads(n)
    {
        int rank = omp_get_thread_num();
        omp_set_max_active_levels(2);
        CHECK(omp_get_nested());
#pragma omp parallel num_threads(3)
        {
            CHECK(omp_get_num_threads() == 3 && omp_get_level() == 2);
#pragma omp atomic
            outer_rank += omp_get_ancestor_thread_num(1) == rank;
#pragma omp barrier
#pragma omp for schedule(dynamic)
            for (int i = 0; i < 10; i++)
#pragma omp atomic
                inner++;
        }
        CHECK(omp_get_level() == 1 && omp_get_thread_num() == rank);
    }
    CHECK(inner == 10 * n && outer_rank == 3 * n);
}

static void inner_regions_where_levels_allow_it(void)
{
    everywhere(nest_twice);
}

/* As many as workers, or exactly as many as asked for where dyn-var is false. */
static void choose_size(int n)
{
    int most = omp_get_max_threads(), got = 0;
    CHECK(omp_get_dynamic() && most >= 1);
#pragma omp parallel
#pragma omp atomic
    got++;
    CHECK(got == most);
    omp_set_dynamic(0);
    omp_set_num_threads(n);
    CHECK(omp_get_max_threads() == n);
    got = 0;
#pragma omp parallel
#pragma omp atomic
    got++;
    CHECK(got == n);
    omp_set_dynamic(1);
    CHECK(omp_get_max_threads() ==
          (n < filch_runtime_workers(NULL) ? n : filch_runtime_workers(NULL)));
}

static void *choose_sizes(void *arg)
{
    for (size_t i = 0; i < COUNT(team_sizes); i++)
        choose_size(team_sizes[i]);
    return arg;
}

static void sizes_that_nobody_asked_for(void)
{
    thread_join(thread_start(choose_sizes, NULL));
}

/* A library that asks whether it is in parallel computes alone then. */
static int ask_when_busy(void *arg)
{
    struct blockers *busy = arg;
    CHECK(omp_in_parallel() == (omp_get_max_threads() > 1));
    CHECK(omp_get_active_level() == 0);
    raise_flag(&busy->released);
    return 0;
}

static int ask_when_idle(void *arg)
{
    (void)arg;
    SPIN_UNTIL(!omp_in_parallel());
    return 0;
}

static void in_parallel_where_all_are_busy(void)
{
    int workers = filch_runtime_workers(NULL) + 1;
    struct blockers busy;
    filch_runtime *rt = runtime_open(workers);
    block_workers(&busy, rt, 2, workers);
    CHECK(filch_run(rt, ask_when_busy, &busy) == 0);
    drain(rt);
    CHECK(filch_run(rt, ask_when_idle, NULL) == 0);
    CHECK(!omp_in_parallel());
    runtime_close(rt);
}

static void *set_threads(void *arg)
{
    omp_set_dynamic(0);
    omp_set_num_threads(8);
    CHECK(omp_get_max_threads() == 8);
    omp_set_num_threads(-1);
    CHECK(omp_get_max_threads() == 1);
    return arg;
}

static void *fresh_variables(void *arg)
{
    omp_sched_t kind;
    int chunk;
    CHECK(omp_get_dynamic() && omp_get_max_active_levels() == 1);
    omp_set_schedule(omp_sched_guided, 5);
    omp_get_schedule(&kind, &chunk);
    CHECK(kind == omp_sched_guided && chunk == 5);
    omp_set_schedule((omp_sched_t)17, 3);
    omp_get_schedule(&kind, &chunk);
    CHECK(kind == omp_sched_guided && chunk == 5);
#pragma omp parallel num_threads(2)
    {
        omp_sched_t mine;
        int size;
        omp_get_schedule(&mine, &size);
        CHECK(mine == omp_sched_guided && size == 5);
#pragma omp barrier
        omp_set_schedule(omp_sched_static, 0); /* its own */
    }
    omp_get_schedule(&kind, &chunk);
    CHECK(kind == omp_sched_guided && chunk == 5);
    return arg;
}

static void variables_belong_to_a_thread(void)
{
    thread_join(thread_start(set_threads, NULL));
    thread_join(thread_start(fresh_variables, NULL));
}

static void trivial_queries(void)
{
    CHECK(omp_get_num_procs() >= 1 && omp_get_thread_limit() > 0);
    CHECK(omp_get_supported_active_levels() > 1 && !omp_in_final());
    CHECK(omp_get_wtime() > 0 && omp_get_wtick() > 0 && omp_get_wtick() < 1);
    CHECK(!omp_get_cancellation() && omp_get_num_places() == 0 && omp_get_num_devices() == 0);
    CHECK(omp_is_initial_device() && omp_get_proc_bind() == omp_proc_bind_false);
    CHECK(omp_get_initial_device() == omp_get_num_devices());
}

static void teams_one_after_the_other(void)
{
    int teams = 0, sum = 0;
#pragma omp teams num_teams(3) reduction(+ : teams, sum)
    {
        CHECK(omp_get_num_teams() == 3);
        teams++;
#pragma omp parallel num_threads(2) reduction(+ : sum)
        sum += omp_get_team_num();
    }
    CHECK(teams == 3 && sum == 2 * (0 + 1 + 2));
    CHECK(omp_get_num_teams() == 1 && omp_get_team_num() == 0);
}

static void allocators(void)
{
    char *p = omp_aligned_alloc(256, 100, omp_default_mem_alloc);
    CHECK(p && (uintptr_t)p % 256 == 0);
    p = omp_realloc(p, 10000, omp_default_mem_alloc, omp_default_mem_alloc);
    CHECK(p != NULL);
    omp_free(p, omp_default_mem_alloc);
    omp_alloctrait_t align = {omp_atk_alignment, 512}, pool = {omp_atk_pool_size, 1 << 20};
    omp_allocator_handle_t a = omp_init_allocator(omp_default_mem_space, 1, &align);
    CHECK(a != omp_null_allocator);
    p = omp_calloc(3, 5, a);
    CHECK(p && (uintptr_t)p % 512 == 0 && p[14] == 0);
    omp_free(p, a);
    omp_destroy_allocator(a);
    CHECK(omp_init_allocator(omp_default_mem_space, 1, &pool) == omp_null_allocator);
}

/* ---- a caller that is cancelled: the region knows nothing of it ---- */

static void cross_in_cancelled_task(void)
{
    cross_barriers(4);
    count_threads(2);
}

static void in_tasks_that_are_cancelled(void)
{
    in_cancelled_task_of_each(cross_in_cancelled_task);
}

/* A team of filch's own, whose members use their `local`: each is a thread of its own here. */
static int member_with_regions(filch_member *me, void *ctx)
{
    (void)ctx;
    me->local = &me->rank;
    CHECK(omp_get_thread_num() == 0 && omp_get_num_threads() == 1 && omp_get_level() == 0);
    count_threads(2);
    CHECK(me->local == &me->rank);
    return 0;
}

static void inside_of_filchs_own_teams(void)
{
    CHECK(filch_team(2, member_with_regions, NULL) == 0);
#pragma omp parallel num_threads(2)
    {
        int rank = omp_get_thread_num();
        CHECK(filch_team(2, member_with_regions, NULL) == 0);
        CHECK(omp_get_thread_num() == rank && omp_get_num_threads() == 2);
    }
}

/* A filch loop in a region: its bodies elsewhere are in no region. */
static int body_in_region(int64_t first, int64_t last, void *sum)
{
    for (int64_t i = first; i < last; i++)
        filch__add_relaxed((int64_t *)sum, i);
    CHECK(omp_get_thread_num() < 2);
    return 0;
}

static void filch_loops_inside_of_regions(void)
{
    int64_t sum = 0;
#pragma omp parallel num_threads(2)
    CHECK(filch_for(0, 1000, 10, body_in_region, &sum) == 0);
    CHECK(sum == 2 * 499500);
}

static int region_in_body(int64_t first, int64_t last, void *ctx)
{
    (void)ctx;
    for (int64_t i = first; i < last; i++)
        cross_barriers(2);
    return 0;
}

static void regions_inside_of_filch_loops(void)
{
    CHECK(filch_for(0, sized(20, 200, 2000), 1, region_in_body, NULL) == 0);
}

int main(void)
{
    RUN(ours_is_loaded);
    RUN(trivial_queries);
    RUN(as_many_as_asked_for);
    RUN(barriers_hold_all);
    RUN(singles_are_done_once);
    RUN(critical_sections_exclude);
    RUN(locks_exclude);
    RUN(inner_regions_have_one_thread);
    RUN(inner_regions_where_levels_allow_it);
    RUN(sizes_that_nobody_asked_for);
    RUN(in_parallel_where_all_are_busy);
    RUN(variables_belong_to_a_thread);
    RUN(teams_one_after_the_other);
    RUN(allocators);
    RUN(in_tasks_that_are_cancelled);
    RUN(inside_of_filchs_own_teams);
    RUN(filch_loops_inside_of_regions);
    RUN(regions_inside_of_filch_loops);
    return summary();
}
