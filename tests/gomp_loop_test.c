/* SPDX-License-Identifier: Apache-2.0 */
/* Code of GCC's -fopenmp on the drop-in: loops of every schedule, ordered ones, sections. */
#define _GNU_SOURCE 1
#include "tests/gomp_check.h"

enum { ITEMS = 200 };

/* Each loop counts its iterations: each of first, first + step ... once, below or above last. */
struct tallies {
    uint32_t seen[ITEMS];
};

static void all_once(const struct tallies *t, int first, int step)
{
    for (int i = 0; i < ITEMS; i++)
        CHECK(t->seen[i] == (i >= first && (i - first) % step == 0));
}

/* ---- each schedule, upwards, downwards, by steps; with all waits and with none ---- */

#define LOOP(clauses, from, condition, step)                                                      \
    do {                                                                                          \
        struct tallies loop_tallies = {{0}};                                                      \
        _Pragma("omp parallel num_threads(n)")                                                    \
        {                                                                                         \
            _Pragma(clauses) for (long i = from; condition; i step) tally(&loop_tallies.seen[i]); \
        }                                                                                         \
        t = loop_tallies;                                                                         \
    } while (0)

#define ULL_LOOP(clauses, from, condition, step)                                  \
    do {                                                                          \
        struct tallies loop_tallies = {{0}};                                      \
        _Pragma("omp parallel num_threads(n)")                                    \
        {                                                                         \
            _Pragma(clauses) for (unsigned long long i = from; condition; i step) \
                tally(&loop_tallies.seen[i]);                                     \
        }                                                                         \
        t = loop_tallies;                                                         \
    } while (0)

#define BOTH(clauses)                          \
    LOOP(clauses, 0, i < ITEMS, ++);           \
    all_once(&t, 0, 1);                        \
    LOOP(clauses, ITEMS - 1, i >= 0, --);      \
    all_once(&t, 0, 1);                        \
    LOOP(clauses, 3, i < ITEMS, += 7);         \
    all_once(&t, 3, 7);                        \
    ULL_LOOP(clauses, 0, i < ITEMS, ++);       \
    all_once(&t, 0, 1);                        \
    ULL_LOOP(clauses, ITEMS - 1, i > 5, -= 1); \
    all_once(&t, 6, 1)

static void run_schedules(int n)
{
    struct tallies t;
    BOTH("omp for schedule(static)");
    BOTH("omp for schedule(static, 3)");
    BOTH("omp for schedule(dynamic)");
    BOTH("omp for schedule(dynamic, 7)");
    BOTH("omp for schedule(dynamic, 1000)");
    BOTH("omp for schedule(monotonic : dynamic, 7)");
    BOTH("omp for schedule(guided)");
    BOTH("omp for schedule(guided, 5) nowait");
    BOTH("omp for schedule(auto)");
    static const omp_sched_t kinds[] = {omp_sched_static, omp_sched_dynamic, omp_sched_guided,
                                        omp_sched_auto};
    for (size_t k = 0; k < COUNT(kinds); k++)
        for (int chunk = 0; chunk < 5; chunk += 2) {
            omp_set_schedule(kinds[k], chunk);
            BOTH("omp for schedule(runtime)");
            BOTH("omp for schedule(nonmonotonic : runtime)");
            BOTH("omp for schedule(monotonic : runtime)");
        }
}

static void each_iteration_once(void)
{
    everywhere(run_schedules);
}

#define PARALLEL(clauses)                                                              \
    do {                                                                               \
        struct tallies loop_tallies = {{0}};                                           \
        _Pragma(clauses) for (int i = 0; i < ITEMS; i++) tally(&loop_tallies.seen[i]); \
        all_once(&loop_tallies, 0, 1);                                                 \
    } while (0)

static void run_parallel_loops(int n)
{
    PARALLEL("omp parallel for num_threads(n)");
    PARALLEL("omp parallel for num_threads(n) schedule(dynamic)");
    PARALLEL("omp parallel for num_threads(n) schedule(monotonic : dynamic, 3)");
    PARALLEL("omp parallel for num_threads(n) schedule(guided, 2)");
    PARALLEL("omp parallel for num_threads(n) schedule(monotonic : guided)");
    PARALLEL("omp parallel for num_threads(n) schedule(runtime)");
    PARALLEL("omp parallel for num_threads(n) schedule(nonmonotonic : runtime)");
    PARALLEL("omp parallel for num_threads(n) schedule(monotonic : runtime)");
}

static void parallel_loops(void)
{
    everywhere(run_parallel_loops);
}

/* ---- bounds ---- */

static long count_long(long first, long last, long step, int n)
{
    long count = 0;
#pragma omp parallel for num_threads(n) schedule(dynamic, 2) reduction(+ : count)
    for (long i = first; i < last; i += step)
        count++;
    return count;
}

static long count_down(long first, long last, long step, int n)
{
    long count = 0;
#pragma omp parallel for num_threads(n) schedule(guided) reduction(+ : count)
    for (long i = first; i > last; i -= step)
        count++;
    return count;
}

static long count_huge(unsigned long long first, unsigned long long last, unsigned long long step,
                       int n)
{
    long count = 0;
#pragma omp parallel num_threads(n) reduction(+ : count)
    {
#pragma omp for schedule(dynamic, 0x7000000000000000) nowait
        for (unsigned long long i = first; i < last; i += step)
            count++;
#pragma omp for schedule(dynamic, 1)
        for (unsigned long long i = first; i < last; i += step)
            count++;
    }
    return count;
}

/* One step beyond the last iteration must not overflow: the compiler's code takes it. */
static void reach_bounds(int n)
{
    const unsigned long long eighth = 1ull << 61;
    CHECK(count_long(5, 5, 1, n) == 0 && count_long(5, -5, 1, n) == 0);
    CHECK(count_long(LONG_MAX - 10, LONG_MAX, 1, n) == 10);
    CHECK(count_long(LONG_MAX - 10, LONG_MAX - 2, 3, n) == 3);
    CHECK(count_long(LONG_MIN, LONG_MAX / 2, LONG_MAX / 2, n) == 4);
    CHECK(count_down(5, 5, 1, n) == 0 && count_down(-5, 5, 1, n) == 0);
    CHECK(count_down(LONG_MIN + 10, LONG_MIN, 1, n) == 10);
    CHECK(count_huge(0, 7 * eighth, eighth, n) == 14);
    CHECK(count_huge(ULLONG_MAX - 6, ULLONG_MAX, 2, n) == 6);
}

static void bounds_of_the_types(void)
{
    everywhere(reach_bounds);
}

/* ---- constructs without waits: a thread may be many ahead ---- */

enum { AHEAD = 300 };

static void run_ahead(int n)
{
    uint32_t sums[AHEAD] = {0}, go = 0;
#pragma omp parallel num_threads(n)
    {
        /* The others wait for the first, which is through with all loops. */
        if (omp_get_thread_num() != 0)
            SPIN_UNTIL(flag_up(&go));
        for (int loop = 0; loop < AHEAD; loop++) {
#pragma omp for schedule(dynamic, 3) nowait
            for (int i = 0; i < 10; i++)
                filch__add_relaxed(&sums[loop], (uint32_t)i);
#pragma omp sections nowait
            {
#pragma omp section
                filch__add_relaxed(&sums[loop], 100u);
#pragma omp section
                filch__add_relaxed(&sums[loop], 1000u);
            }
        }
        if (omp_get_thread_num() == 0)
            raise_flag(&go);
    }
    for (int loop = 0; loop < AHEAD; loop++)
        CHECK(sums[loop] == 1145);
}

static void threads_that_are_many_loops_ahead(void)
{
    everywhere(run_ahead);
}

/* ---- ordered ---- */

#define ORDERED(clauses)                                                         \
    do {                                                                         \
        int next = 0;                                                            \
        _Pragma("omp parallel num_threads(n)")                                   \
        {                                                                        \
            _Pragma(clauses) for (int i = 0; i < ITEMS; i++)                     \
            {                                                                    \
                _Pragma("omp ordered") if (i % 3)                                \
                {                                                                \
                    CHECK(next <= i);                                            \
                    next = i;                                                    \
                }                                                                \
            }                                                                    \
            _Pragma(clauses) for (unsigned long long i = 0; i < ITEMS; i++)      \
            {                                                                    \
                _Pragma("omp ordered") CHECK((unsigned)next++ == ITEMS - 1 + i); \
            }                                                                    \
        }                                                                        \
        CHECK(next == 2 * ITEMS - 1);                                            \
    } while (0)

static void run_ordered(int n)
{
    ORDERED("omp for ordered schedule(static)");
    ORDERED("omp for ordered schedule(static, 2)");
    ORDERED("omp for ordered schedule(dynamic)");
    ORDERED("omp for ordered schedule(dynamic, 3)");
    ORDERED("omp for ordered schedule(guided)");
    omp_set_schedule(omp_sched_static, 4);
    ORDERED("omp for ordered schedule(runtime)");
}

static void ordered_in_the_order_of_iterations(void)
{
    everywhere(run_ordered);
}

enum { EDGE = 20 };

#define WAVE(type, clauses)                                                                     \
    do {                                                                                        \
        long grid[EDGE][EDGE];                                                                  \
        for (int i = 0; i < EDGE; i++)                                                          \
            for (int j = 0; j < EDGE; j++)                                                      \
                grid[i][j] = i == 0 || j == 0;                                                  \
        _Pragma(clauses) for (type i = 1; i < EDGE; i++) for (type j = 1; j < EDGE; j++)        \
        {                                                                                       \
            _Pragma("omp ordered depend(sink : i - 1, j) depend(sink : i, j - 1)") grid[i][j] = \
                (grid[i - 1][j] + grid[i][j - 1]) % 1000003;                                    \
            _Pragma("omp ordered depend(source)");                                              \
        }                                                                                       \
        for (int i = 1; i < EDGE; i++)                                                          \
            for (int j = 1; j < EDGE; j++)                                                      \
                CHECK(grid[i][j] == (grid[i - 1][j] + grid[i][j - 1]) % 1000003);               \
    } while (0)

static void run_waves(int n)
{
    WAVE(int, "omp parallel for num_threads(n) ordered(2) schedule(static)");
    WAVE(int, "omp parallel for num_threads(n) ordered(2) schedule(static, 1)");
    WAVE(int, "omp parallel for num_threads(n) ordered(2) schedule(dynamic, 2)");
    WAVE(int, "omp parallel for num_threads(n) ordered(2) schedule(guided)");
    WAVE(int, "omp parallel for num_threads(n) ordered(2) schedule(runtime)");
    WAVE(unsigned long long, "omp parallel for num_threads(n) ordered(2) schedule(static, 1)");
    WAVE(unsigned long long, "omp parallel for num_threads(n) ordered(2) schedule(dynamic)");
    WAVE(unsigned long long, "omp parallel for num_threads(n) ordered(2) schedule(guided)");
    WAVE(unsigned long long, "omp parallel for num_threads(n) ordered(2) schedule(runtime)");
}

static void iterations_that_wait_for_others(void)
{
    everywhere(run_waves);
}

/* ---- what comes out of loops ---- */

static void take_last(int n)
{
    int last = -1, where = -1, sum = 0, prefix[ITEMS];
#pragma omp parallel for num_threads(n) schedule(dynamic, 3) lastprivate(last) reduction(+ : sum)
    for (int i = 0; i < ITEMS; i++) {
        last = 10 * i;
        sum += i;
    }
    CHECK(last == 10 * (ITEMS - 1) && sum == ITEMS * (ITEMS - 1) / 2);
#pragma omp parallel for num_threads(n) lastprivate(conditional : where)
    for (int i = 0; i < ITEMS; i++)
        if (i % 50 == 0)
            where = i;
    CHECK(where == 150);
#pragma omp parallel for num_threads(n) schedule(dynamic, 2) lastprivate(conditional : where)
    for (int i = 0; i < ITEMS; i++)
        if (i % 40 == 1)
            where = i;
    CHECK(where == 161);
    sum = 0;
#pragma omp parallel for num_threads(n) reduction(inscan, + : sum)
    for (int i = 0; i < ITEMS; i++) {
        sum += i;
#pragma omp scan inclusive(sum)
        prefix[i] = sum;
    }
    for (int i = 0; i < ITEMS; i++)
        CHECK(prefix[i] == i * (i + 1) / 2);
}

static void last_values_and_sums(void)
{
    everywhere(take_last);
}

/* ---- sections ---- */

static void run_sections(int n)
{
    uint32_t done[5] = {0};
    int last = 0;
#pragma omp parallel sections num_threads(n)
    {
#pragma omp section
        tally(&done[0]);
#pragma omp section
        tally(&done[1]);
#pragma omp section
        tally(&done[2]);
    }
#pragma omp parallel num_threads(n)
    {
#pragma omp sections lastprivate(last)
        {
#pragma omp section
            {
                tally(&done[3]);
                last = 1;
            }
#pragma omp section
            {
                tally(&done[4]);
                last = 2;
            }
        }
        CHECK(last == 2 && done[3] == 1 && done[4] == 1);
    }
    for (size_t i = 0; i < COUNT(done); i++)
        CHECK(done[i] == 1);
}

static void sections_are_done_once(void)
{
    everywhere(run_sections);
}

/* ---- outside of all regions ---- */

static void without_region(void)
{
    struct tallies t = {{0}};
    int sections = 0, next = 0, single = 0;
#pragma omp for schedule(dynamic, 3)
    for (int i = 0; i < ITEMS; i++)
        tally(&t.seen[i]);
    all_once(&t, 0, 1);
#pragma omp for ordered schedule(runtime)
    for (unsigned long i = 0; i < ITEMS; i++)
#pragma omp ordered
        CHECK((unsigned long)next++ == i);
#pragma omp sections
    {
#pragma omp section
        sections++;
#pragma omp section
        sections++;
    }
#pragma omp single copyprivate(single)
    single = 1;
#pragma omp barrier
    CHECK(next == ITEMS && sections == 2 && single == 1);
}

static int without_region_in_task(void *arg)
{
    (void)arg;
    without_region();
    return 0;
}

static void constructs_outside_of_regions(void)
{
    without_region();
    on_two_threads(without_region);
    in_task_of_each(without_region_in_task);
}

int main(void)
{
    RUN(each_iteration_once);
    RUN(parallel_loops);
    RUN(bounds_of_the_types);
    RUN(threads_that_are_many_loops_ahead);
    RUN(ordered_in_the_order_of_iterations);
    RUN(iterations_that_wait_for_others);
    RUN(last_values_and_sums);
    RUN(sections_are_done_once);
    RUN(constructs_outside_of_regions);
    return summary();
}
