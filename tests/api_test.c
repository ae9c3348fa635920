/* SPDX-License-Identifier: Apache-2.0 */
/* The public interface as a program uses it: the umbrella header, each call once, small examples.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <filch/atomic.h>
#include <filch/filch.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

static filch_runtime *rt;

static void open_runtime(void)
{
    cr_assert_eq(filch_runtime_create(&rt, &(filch_options){.workers = 2, .name = "api"}), 0);
}

static void close_runtime(void)
{
    cr_assert_eq(filch_runtime_destroy(rt), 0);
}

TestSuite(runtime, .timeout = 60);
TestSuite(task, .init = open_runtime, .fini = close_runtime, .timeout = 60);
TestSuite(forks, .init = open_runtime, .fini = close_runtime, .timeout = 60);

static int add_one(void *n)
{
    return (int)(intptr_t)n + 1;
}

/* ---- runtime ---- */

Test(runtime, default_needs_no_creation)
{
    cr_assert_eq(filch_run(NULL, add_one, (void *)41), 42);
    cr_assert_geq(filch_runtime_workers(NULL), 1);
}

Test(runtime, defaults_and_options)
{
    filch_runtime *one, *many;
    cr_assert_eq(filch_runtime_create(&one, NULL), 0);
    cr_assert_eq(filch_runtime_create(&many, &(filch_options){.workers = 5}), 0);
    cr_assert_eq(filch_runtime_workers(one), filch_runtime_workers(NULL));
    cr_assert_eq(filch_runtime_workers(many), 5);
    cr_assert_eq(filch_run(one, add_one, (void *)1), 2);
    cr_assert_eq(filch_run(many, add_one, (void *)2), 3);
    cr_assert_eq(filch_runtime_destroy(one), 0);
    cr_assert_eq(filch_runtime_destroy(many), 0);
    cr_assert_eq(filch_runtime_create(NULL, NULL), -EINVAL);
    cr_assert_eq(filch_runtime_create(&one, &(filch_options){.workers = -1}), -EINVAL);
}

Test(runtime, stats_and_totals)
{
    filch_stats stats;
    filch_totals totals;
    open_runtime();
    cr_assert_eq(filch_run(rt, add_one, NULL), 1);
    cr_assert_eq(filch_runtime_stats(rt, 0, &stats), 0);
    cr_assert_eq(filch_runtime_stats(rt, 2, &stats), -EINVAL);
    cr_assert_eq(filch_runtime_totals(rt, &totals), 0);
    cr_assert_gt(totals.bytes, 0);
    cr_assert_geq(totals.fibers, 2);
    cr_assert_eq(totals.failures, 0);
    close_runtime();
}

static void take_note(void *ctx, const char *name, int result)
{
    cr_assert_str_eq(name, "careless");
    filch__store_release((int *)ctx, result);
}

static int fail(void *arg)
{
    (void)arg;
    return -EIO;
}

Test(runtime, failures_of_detached_tasks_are_seen)
{
    int seen = 0;
    filch_options o = {.workers = 1, .on_failure = take_note, .on_failure_ctx = &seen};
    cr_assert_eq(filch_runtime_create(&rt, &o), 0);
    filch_spawn_options careless = {.runtime = rt, .name = "careless"};
    cr_assert_eq(filch_spawn_with(NULL, &careless, fail, NULL), 0);
    while (!filch__load_acquire(&seen))
        sched_yield();
    cr_assert_eq(seen, -EIO);
    close_runtime();
}

/* ---- tasks ---- */

static int spawn_in_spawn(void *arg)
{
    filch_handle *h[10];
    int sum = 0;
    (void)arg;
    for (intptr_t i = 0; i < 10; i++)
        cr_assert_eq(filch_spawn(&h[i], add_one, (void *)i), 0);
    for (int i = 0; i < 10; i++) {
        int result;
        cr_assert_eq(filch_join(h[i], &result), 0);
        sum += result;
    }
    return sum;
}

Test(task, spawn_and_join)
{
    cr_assert_eq(filch_run(rt, spawn_in_spawn, NULL), 55);
}

struct point {
    double x, y;
};

static uint32_t args_dropped;

static void drop_point(void *arg)
{
    (void)arg;
    filch__add_acq_rel(&args_dropped, 1u);
}

static int mirror(void *arg)
{
    const struct point *p = arg;
    *(struct point *)filch_result_buffer() = (struct point){p->y, p->x};
    return strcmp(filch_task_name(), "mirror") == 0 ? 0 : -EINVAL;
}

Test(task, arguments_and_results_are_moved)
{
    struct point p = {1, 2}, q = {0, 0};
    filch_spawn_options o = {.runtime = rt,
                             .name = "mirror",
                             .arg_size = sizeof p,
                             .arg_drop = drop_point,
                             .result_size = sizeof q};
    filch_handle *h;
    int result;
    cr_assert_eq(filch_spawn_with(&h, &o, mirror, &p), 0);
    p = (struct point){-1, -1};
    cr_assert_eq(filch_join_into(h, &result, &q), 0);
    cr_assert_eq(result, 0);
    cr_assert(q.x == 2 && q.y == 1);
    cr_assert_eq(args_dropped, 1);
}

static int yield_until_aborted(void *started)
{
    int rc = 0;
    filch__store_release((uint32_t *)started, 1u);
    while (rc == 0)
        rc = filch_yield();
    cr_assert(filch_cancelled());
    cr_assert_eq(filch_checkpoint(), -ECANCELED);
    return rc;
}

Test(task, abort_and_abort_handles)
{
    uint32_t started = 0;
    filch_handle *h;
    int result;
    filch_spawn_options o = {.runtime = rt};
    cr_assert_eq(filch_spawn_with(&h, &o, yield_until_aborted, &started), 0);
    filch_abort_handle *a = filch_abort_handle_of(h);
    filch_abort_handle *b = filch_abort_handle_clone(a);
    while (!filch__load_acquire(&started))
        sched_yield();
    cr_assert(!filch_finished(h));
    cr_assert(!filch_abort_handle_finished(a));
    cr_assert_eq(filch_abort_handle_abort(a), 0);
    filch_abort_handle_drop(a);
    cr_assert_eq(filch_join(h, &result), 0);
    cr_assert_eq(result, -ECANCELED);
    cr_assert(filch_abort_handle_finished(b));
    filch_abort_handle_drop(b);
}

Test(task, detach_and_cancel_on_drop)
{
    uint32_t started = 0;
    filch_handle *h;
    filch_spawn_options o = {.runtime = rt, .cancel_on_drop = true};
    cr_assert_eq(filch_spawn_with(&h, &o, yield_until_aborted, &started), 0);
    filch_abort_handle *a = filch_abort_handle_of(h);
    filch_detach(h);
    while (!filch_abort_handle_finished(a))
        sched_yield();
    filch_abort_handle_drop(a);
    cr_assert_eq(filch_spawn_with(NULL, &(filch_spawn_options){.runtime = rt}, add_one, NULL), 0);
}

static int join_myself(void *h)
{
    return filch_join(filch__load_acquire((filch_handle **)h), NULL);
}

Test(task, misuse_has_its_error)
{
    filch_handle *h = NULL, *shared = NULL;
    int result;
    cr_assert_eq(filch_spawn(&h, NULL, NULL), -EINVAL);
    cr_assert_eq(
        filch_spawn_with(&h, &(filch_spawn_options){.runtime = rt, .worker = 3}, add_one, NULL),
        -EINVAL);
    cr_assert_null(h);
    cr_assert_eq(filch_join(NULL, NULL), -EINVAL);
    cr_assert_eq(filch_abort(NULL), -EINVAL);
    cr_assert_eq(filch_runtime_destroy(NULL), -EINVAL);
    cr_assert_eq(
        filch_spawn_with(&shared, &(filch_spawn_options){.runtime = rt}, join_myself, &shared), 0);
    cr_assert_eq(filch_join(shared, &result), 0);
    cr_assert_eq(result, -EDEADLK);
}

static void *run_on_thread(void *arg)
{
    (void)arg;
    return (void *)(intptr_t)filch_run(rt, spawn_in_spawn, NULL);
}

Test(task, threads_share_a_runtime)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, run_on_thread, NULL), 0);
    for (int i = 0; i < 4; i++) {
        void *sum;
        cr_assert_eq(pthread_join(threads[i], &sum), 0);
        cr_assert_eq((intptr_t)sum, 55);
    }
}

Test(task, outside_of_a_task)
{
    cr_assert_eq(filch_yield(), 0);
    cr_assert_eq(filch_checkpoint(), 0);
    cr_assert(!filch_cancelled());
    cr_assert_null(filch_task_name());
    cr_assert_null(filch_result_buffer());
}

/* ---- forks ---- */

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

Test(forks, fib_in_a_task_and_on_a_thread)
{
    cr_assert_eq(filch_run(rt, fib_job, (void *)25), 75025);
    cr_assert_eq(fib(20), 6765);
}

static int invoke(void *arg)
{
    (void)arg;
    cr_assert_eq(filch_invoke2(add_one, NULL, add_one, NULL), 0);
    cr_assert_eq(filch_invoke2(fail, NULL, add_one, NULL), -EIO);
    cr_assert_eq(filch_invoke2(add_one, NULL, fail, NULL), -EIO);
    cr_assert_eq(filch_invoke3(add_one, NULL, add_one, NULL, add_one, NULL), 0);
    cr_assert_eq(filch_invoke3(add_one, NULL, add_one, NULL, fail, NULL), -EIO);
    return 0;
}

Test(forks, invoke_reports_the_first_failure)
{
    cr_assert_eq(filch_run(rt, invoke, NULL), 0);
    cr_assert_eq(invoke(NULL), 0);
}
