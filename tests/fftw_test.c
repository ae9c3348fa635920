/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FFTW on filch gives what FFTW gives alone. Built for each precision: FFTW_PREFIX is fftw, fftwf
 * or fftwl.
 */
#include "tests/adapter_check.h"

#include <fftw3.h>
#include <filch/fftw.h>
#include <float.h>
#include <math.h>

#define JOIN(a, b)  a##b
#define NAME(a, b)  JOIN(a, b)
#define FFTW(fn)    NAME(FFTW_PREFIX, _##fn)
#define ADAPTER(fn) NAME(filch_, FFTW(fn))

typedef FFTW(complex) complex_number;
typedef __typeof__(*(complex_number *)0) pair_of_reals;
typedef __typeof__((*(pair_of_reals *)0)[0]) real;

static long double epsilon(void)
{
    return sizeof(real) == sizeof(float)    ? (long double)FLT_EPSILON
           : sizeof(real) == sizeof(double) ? (long double)DBL_EPSILON
                                            : LDBL_EPSILON;
}

/* ---- problems: a transform there and back, in parts, and what a serial plan gives ---- */

enum { PARTS = 4, LARGE = 1 << 16 };

struct problem {
    int rank, n[3];
    bool reals;
    FFTW(plan) there, back;
    real *input, *spectrum;
    size_t values; /* of input; in reals */
    size_t coefficients;
    size_t points;
};

static struct problem problems[] = {
    {.rank = 1, .n = {LARGE}},      {.rank = 1, .n = {LARGE}, .reals = true},
    {.rank = 1, .n = {10010}},      {.rank = 1, .n = {10010}, .reals = true},
    {.rank = 2, .n = {97, 160}},    {.rank = 2, .n = {97, 160}, .reals = true},
    {.rank = 3, .n = {16, 20, 30}}, {.rank = 3, .n = {16, 20, 30}, .reals = true},
    {.rank = 2, .n = {3, 5}},       {.rank = 1, .n = {1}},
};

static real *reals(size_t n)
{
    real *x = FFTW(malloc)(n * sizeof(real));
    REQUIRE(x);
    return x;
}

static FFTW(plan) plan_there(const struct problem *p, real *in, real *out, int parts)
{
    FFTW(plan_with_nthreads)(parts);
    return p->reals ? FFTW(plan_dft_r2c)(p->rank, p->n, in, (complex_number *)out, FFTW_ESTIMATE)
                    : FFTW(plan_dft)(p->rank, p->n, (complex_number *)in, (complex_number *)out,
                                     FFTW_FORWARD, FFTW_ESTIMATE);
}

static FFTW(plan) plan_back(const struct problem *p, real *in, real *out, int parts)
{
    FFTW(plan_with_nthreads)(parts);
    return p->reals ? FFTW(plan_dft_c2r)(p->rank, p->n, (complex_number *)in, out, FFTW_ESTIMATE)
                    : FFTW(plan_dft)(p->rank, p->n, (complex_number *)in, (complex_number *)out,
                                     FFTW_BACKWARD, FFTW_ESTIMATE);
}

static void problem_open(struct problem *p)
{
    size_t last = (size_t)p->n[p->rank - 1];
    p->points = 1;
    for (int d = 0; d < p->rank; d++)
        p->points *= (size_t)p->n[d];
    p->values = p->reals ? p->points : 2 * p->points;
    p->coefficients = p->reals ? 2 * (p->points / last) * (last / 2 + 1) : 2 * p->points;
    p->input = reals(p->values);
    p->spectrum = reals(p->coefficients);
    real *scratch = reals(p->coefficients);
    FFTW(plan) serial = plan_there(p, p->input, p->spectrum, 1);
    p->there = plan_there(p, p->input, p->spectrum, PARTS);
    p->back = plan_back(p, scratch, p->input, PARTS);
    REQUIRE(serial && p->there && p->back);
    uint64_t seed = 1;
    for (size_t i = 0; i < p->values; i++)
        p->input[i] = (real)((double)test_random(&seed, 1000) / 500 - 1);
    FFTW(execute)(serial);
    FFTW(destroy_plan)(serial);
    FFTW(free)(scratch);
}

static void problem_close(struct problem *p)
{
    FFTW(destroy_plan)(p->there);
    FFTW(destroy_plan)(p->back);
    FFTW(free)(p->input);
    FFTW(free)(p->spectrum);
}

/* Of the largest difference to scale * expected, to the largest value. */
static long double error_of(const real *x, const real *expected, long double scale, size_t n)
{
    long double difference = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        long double e = scale * (long double)expected[i];
        difference = fmaxl(difference, fabsl((long double)x[i] - e));
        largest = fmaxl(largest, fabsl(e));
    }
    return difference / largest;
}

/* In arrays of its own: any number at once, on any thread. */
static void solve(const struct problem *p)
{
    real *in = reals(p->values), *out = reals(p->coefficients), *again = reals(p->values);
    memcpy(in, p->input, p->values * sizeof(*in));
    if (p->reals)
        FFTW(execute_dft_r2c)(p->there, in, (complex_number *)out);
    else
        FFTW(execute_dft)(p->there, (complex_number *)in, (complex_number *)out);
    CHECK(error_of(out, p->spectrum, 1, p->coefficients) < 100 * epsilon());
    if (p->reals)
        FFTW(execute_dft_c2r)(p->back, (complex_number *)out, again);
    else
        FFTW(execute_dft)(p->back, (complex_number *)out, (complex_number *)again);
    CHECK(error_of(again, p->input, (long double)p->points, p->values) < 100 * epsilon());
    FFTW(free)(in);
    FFTW(free)(out);
    FFTW(free)(again);
}

static void solve_all(void)
{
    for (size_t i = 0; i < COUNT(problems); i++)
        solve(&problems[i]);
}

static int solve_all_in_task(void *arg)
{
    (void)arg;
    solve_all();
    return 0;
}

/* ---- cases ---- */

/* Else none of the others shows anything. */
static void large_plans_are_cut_into_parts(void)
{
    for (size_t i = 0; i < COUNT(problems); i++) {
        char *text = FFTW(sprint_plan)(problems[i].there);
        CHECK(problems[i].points < 1000 || strstr(text, "thr"));
        free(text);
    }
}

static void from_the_main_thread(void)
{
    solve_all();
}

static void from_tasks(void)
{
    in_task_of_each(solve_all_in_task);
}

static void from_two_threads_at_once(void)
{
    on_two_threads(solve_all);
}

static int solve_range(int64_t first, int64_t last, void *arg)
{
    (void)arg;
    for (int64_t i = first; i < last; i++)
        solve(&problems[i % (int64_t)COUNT(problems)]);
    return 0;
}

static int solve_in_a_loop(void *arg)
{
    (void)arg;
    return filch_for(0, 2 * (int64_t)COUNT(problems), 1, solve_range, NULL);
}

static void nested_in_loops(void)
{
    in_task_of_each(solve_in_a_loop);
}

static void no_thread_is_started(void)
{
    filch_runtime *rt = runtime_open(2);
    CHECK(ADAPTER(attach_with)(&(filch_loop_options){.runtime = rt}) == 0);
    solve_all();
    int before = threads_now();
    solve_all();
    CHECK(threads_now() == before);
    CHECK(ADAPTER(attach)() == 0);
    runtime_close(rt);
}

static void with_fewer_participants(void)
{
    CHECK(ADAPTER(attach_with)(&(filch_loop_options){.participants = 1}) == 0);
    solve_all();
    in_task_of_each(solve_all_in_task);
    CHECK(ADAPTER(attach_with)(NULL) == 0);
}

static void cancelled_callers_finish_alone(void)
{
    in_cancelled_task_of_each(solve_all);
}

static void closing_runtimes_finish(void)
{
    while_runtimes_close(solve_all);
}

static void children_of_a_fork_finish_alone(void)
{
    filch_runtime *rt = runtime_open(2);
    CHECK(ADAPTER(attach_with)(&(filch_loop_options){.runtime = rt}) == 0);
    in_forked_child(solve_all);
    CHECK(ADAPTER(attach)() == 0);
    runtime_close(rt);
}

int main(void)
{
    REQUIRE(ADAPTER(attach)() == 0);
    for (size_t i = 0; i < COUNT(problems); i++) {
        if (problems[i].n[0] == LARGE)
            problems[i].n[0] = (int)sized(1 << 13, LARGE, LARGE);
        problem_open(&problems[i]);
    }
    RUN(large_plans_are_cut_into_parts);
    RUN(from_the_main_thread);
    RUN(from_tasks);
    RUN(from_two_threads_at_once);
    RUN(nested_in_loops);
    RUN(no_thread_is_started);
    RUN(with_fewer_participants);
    RUN(cancelled_callers_finish_alone);
    RUN(closing_runtimes_finish);
    RUN(children_of_a_fork_finish_alone);
    for (size_t i = 0; i < COUNT(problems); i++)
        problem_close(&problems[i]);
    FFTW(cleanup_threads)();
    return summary();
}
