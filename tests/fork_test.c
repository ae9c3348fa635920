/* SPDX-License-Identifier: Apache-2.0 */
/* Fork-join: right results whatever the shape, the depth and the number of workers. */
#define _GNU_SOURCE 1
#include "sched/os/fault.h"
#include "tests/support.h"

/* Runs fn(arg) as a task on a runtime of its own, for each number of workers. */
static void on_all_sizes(size_t stack_size, filch_fn *fn, void *arg, int expected)
{
    static const int sizes[] = {1, 2, 4, 8, 32};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        filch_runtime *rt;
        filch_options o = {.workers = sizes[i], .stack_size = stack_size};
        REQUIRE(filch_runtime_create(&rt, &o) == 0);
        watchdog_watch(rt);
        CHECK(filch_run(rt, fn, arg) == expected);
        CHECK(filch_run(rt, fn, arg) == expected);
        runtime_close(rt);
    }
}

/* ---- shapes ---- */

static int fib(int n);

static int fib_job(void *n)
{
    return fib((int)(intptr_t)n);
}

static int fib(int n)
{
    if (n < 2)
        return n;
    filch_job job = FILCH_JOB(fib_job, (void *)(intptr_t)(n - 1));
    filch_fork(&job);
    int b = fib(n - 2);
    return b + filch_sync(&job);
}

static int fib_serial(int n)
{
    return n < 2 ? n : fib_serial(n - 1) + fib_serial(n - 2);
}

static void fib_is_right(void)
{
    intptr_t n = sized(20, 27, 32);
    on_all_sizes(0, fib_job, (void *)n, fib_serial((int)n));
}

/* By invoke2, and each call through the exported twins. */
static int fib_twins(void *arg)
{
    void (*volatile fork_twin)(filch_job *) = filch_fork;
    int (*volatile sync_twin)(filch_job *) = filch_sync;
    int n = (int)(intptr_t)arg;
    if (n < 2)
        return n;
    filch_job job = FILCH_JOB(fib_twins, (void *)(intptr_t)(n - 1));
    fork_twin(&job);
    int b = fib_twins((void *)(intptr_t)(n - 2));
    return b + sync_twin(&job);
}

static void exported_twins_do_the_same(void)
{
    on_all_sizes(0, fib_twins, (void *)(intptr_t)15, fib_serial(15));
}

static int give(void *value)
{
    return (int)(intptr_t)value;
}

#define VALUE(n) (void *)(intptr_t)(n)

static int invoke_all(void *arg)
{
    (void)arg;
    int right = 0;
    right += filch_invoke2(give, VALUE(1), give, VALUE(2)) == 0;
    right += filch_invoke2(give, VALUE(-1), give, VALUE(2)) == -1;
    right += filch_invoke2(give, VALUE(1), give, VALUE(-2)) == -2;
    right += filch_invoke2(give, VALUE(-1), give, VALUE(-2)) == -1;
    right += filch_invoke3(give, VALUE(1), give, VALUE(2), give, VALUE(3)) == 0;
    right += filch_invoke3(give, VALUE(1), give, VALUE(2), give, VALUE(-3)) == -3;
    right += filch_invoke3(give, VALUE(1), give, VALUE(-2), give, VALUE(-3)) == -2;
    right += filch_invoke3(give, VALUE(-1), give, VALUE(-2), give, VALUE(-3)) == -1;
    return right;
}

static void invoke_reports_the_first_failure(void)
{
    on_all_sizes(0, invoke_all, NULL, 8);
}

/* A loop of forks in each of the levels: WIDTH^levels leaves. */
enum { WIDTH = 7 };

static int loops(void *levels)
{
    intptr_t n = (intptr_t)levels;
    if (n == 0)
        return 1;
    filch_job job[WIDTH];
    for (int i = 0; i < WIDTH; i++) {
        job[i] = (filch_job)FILCH_JOB(loops, (void *)(n - 1));
        filch_fork(&job[i]);
    }
    int sum = 0;
    for (int i = WIDTH - 1; i >= 0; i--)
        sum += filch_sync(&job[i]);
    return sum;
}

static void nested_loops_of_forks(void)
{
    intptr_t levels = sized(4, 5, 7);
    int leaves = 1;
    for (int i = 0; i < levels; i++)
        leaves *= WIDTH;
    on_all_sizes(0, loops, (void *)levels, leaves);
}

/* Every job yields, spawns and joins on its way; their frames wait in all places at once. */
static int sociable(void *levels)
{
    intptr_t n = (intptr_t)levels;
    CHECK(filch_yield() == 0);
    if (n == 0)
        return 1;
    filch_handle *task;
    filch_job left = FILCH_JOB(sociable, (void *)(n - 1));
    filch_fork(&left);
    REQUIRE(filch_spawn(&task, sociable, (void *)(n - 1)) == 0);
    filch_job right = FILCH_JOB(sociable, (void *)(n - 1));
    filch_fork(&right);
    CHECK(filch_yield() == 0);
    int sum = join(task);
    sum += filch_sync(&right);
    CHECK(filch_yield() == 0);
    return sum + filch_sync(&left);
}

static void jobs_that_yield_spawn_and_join(void)
{
    intptr_t levels = sized(4, 6, 8);
    int leaves = 1;
    for (int i = 0; i < levels; i++)
        leaves *= 3;
    on_all_sizes(0, sociable, (void *)levels, leaves);
}

/* The frame moves to other workers between its forks and its syncs. */
static int wander(void *arg)
{
    enum { JOBS = 20 };
    filch_job job[JOBS];
    (void)arg;
    for (int i = 0; i < JOBS; i++) {
        job[i] = (filch_job)FILCH_JOB(give, VALUE(i));
        filch_fork(&job[i]);
        CHECK(filch_yield() == 0);
    }
    int sum = 0;
    for (int i = JOBS - 1; i >= 0; i--) {
        sum += filch_sync(&job[i]);
        CHECK(filch_yield() == 0);
    }
    return sum;
}

static int wander_all(void *arg)
{
    enum { TASKS = 50 };
    filch_handle *h[TASKS];
    int sum = 0;
    for (int i = 0; i < TASKS; i++)
        REQUIRE(filch_spawn(&h[i], wander, arg) == 0);
    for (int i = 0; i < TASKS; i++)
        sum += join(h[i]);
    return sum;
}

static void frames_that_move_between_fork_and_sync(void)
{
    on_all_sizes(0, wander_all, NULL, 50 * 190);
}

/* ---- depth and room ---- */

/* An unbalanced tree: a spine of the given depth, with a few leaves at each node. */
static int spine(void *levels)
{
    intptr_t n = (intptr_t)levels;
    if (n == 0)
        return 1;
    filch_job side = FILCH_JOB(give, VALUE(1)), deeper = FILCH_JOB(spine, (void *)(n - 1));
    bool bush = n % 3 == 0;
    if (bush)
        filch_fork(&side);
    filch_fork(&deeper);
    int nodes = 1 + filch_sync(&deeper);
    return bush ? nodes + filch_sync(&side) : nodes;
}

static void recursion_1600_deep_on_the_default_stack(void)
{
    on_all_sizes(0, spine, (void *)(intptr_t)1600, 1601 + 533);
}

static void recursion_16000_deep_on_a_larger_stack(void)
{
    on_all_sizes((size_t)16 << 20, spine, (void *)(intptr_t)16000, 16001 + 5333);
}

static int spine_on_own_stack(void *levels)
{
    filch_handle *h;
    filch_spawn_options o = {.stack_size = (size_t)16 << 20};
    REQUIRE(filch_spawn_with(&h, &o, spine, levels) == 0);
    return join(h);
}

static void recursion_16000_deep_in_one_task(void)
{
    on_all_sizes(0, spine_on_own_stack, (void *)(intptr_t)16000, 16001 + 5333);
}

/* More jobs at once than a small stack's fork stack has slots; they live on the heap. */
static int crowd(void *arg)
{
    intptr_t n = (intptr_t)arg;
    filch_job *job = malloc((size_t)n * sizeof *job);
    REQUIRE(job);
    for (intptr_t i = 0; i < n; i++) {
        job[i] = (filch_job)FILCH_JOB(give, VALUE(1));
        filch_fork(&job[i]);
    }
    int sum = 0;
    for (intptr_t i = n - 1; i >= 0; i--)
        sum += filch_sync(&job[i]);
    free(job);
    return sum;
}

static void more_jobs_than_slots(void)
{
    on_all_sizes((size_t)64 << 10, crowd, (void *)(intptr_t)20000, 20000);
}

#ifdef FILCH_FAULTS
static int fib_without_slots(void *n)
{
    filch__fault_arm(FILCH__FAULT_MMAP, 0, true);
    int rc = fib((int)(intptr_t)n);
    CHECK(filch__fault_seen(FILCH__FAULT_MMAP) > 0);
    filch__fault_arm(FILCH__FAULT_MMAP, -1, false);
    return rc;
}

static void no_memory_for_a_fork_stack(void)
{
    for (size_t i = 0; i < COUNT(worker_counts); i++) {
        filch_runtime *rt = runtime_open(worker_counts[i]);
        CHECK(filch_run(rt, fib_without_slots, VALUE(20)) == fib_serial(20));
        CHECK(filch_run(rt, fib_job, VALUE(20)) == fib_serial(20));
        runtime_close(rt);
    }
}
#endif

/* ---- threads that run no task ---- */

static pthread_t ran_on;
static int runs;

static int note_thread(void *arg)
{
    ran_on = pthread_self();
    runs++;
    return (int)(intptr_t)arg;
}

static void forks_on_a_foreign_thread_run_at_their_sync(void)
{
    runs = 0;
    filch_job first = FILCH_JOB(note_thread, VALUE(5)), second = FILCH_JOB(note_thread, VALUE(-7));
    filch_fork(&first);
    filch_fork(&second);
    CHECK(runs == 0);
    CHECK(filch_sync(&second) == -7 && runs == 1);
    CHECK(filch_sync(&first) == 5 && runs == 2);
    CHECK(pthread_equal(ran_on, pthread_self()));
    CHECK(fib(20) == fib_serial(20));
    CHECK(loops((void *)3) == WIDTH * WIDTH * WIDTH);
    CHECK(spine((void *)1600) == 1601 + 533);
    CHECK(crowd((void *)20000) == 20000);
}

static void *fib_on_thread(void *n)
{
    return (void *)(intptr_t)fib((int)(intptr_t)n);
}

static void forks_on_many_foreign_threads_at_once(void)
{
    pthread_t thread[4];
    for (size_t i = 0; i < COUNT(thread); i++)
        REQUIRE(pthread_create(&thread[i], NULL, fib_on_thread, VALUE(20)) == 0);
    for (size_t i = 0; i < COUNT(thread); i++) {
        void *result;
        pthread_join(thread[i], &result);
        CHECK((intptr_t)result == fib_serial(20));
    }
}

int main(void)
{
    RUN(forks_on_a_foreign_thread_run_at_their_sync);
    RUN(forks_on_many_foreign_threads_at_once);
    RUN(fib_is_right);
    RUN(exported_twins_do_the_same);
    RUN(invoke_reports_the_first_failure);
    RUN(nested_loops_of_forks);
    RUN(jobs_that_yield_spawn_and_join);
    RUN(frames_that_move_between_fork_and_sync);
    RUN(recursion_1600_deep_on_the_default_stack);
    RUN(recursion_16000_deep_on_a_larger_stack);
    RUN(recursion_16000_deep_in_one_task);
    RUN(more_jobs_than_slots);
#ifdef FILCH_FAULTS
    RUN(no_memory_for_a_fork_stack);
#endif
    return summary();
}
