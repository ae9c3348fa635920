/* SPDX-License-Identifier: Apache-2.0 */
/* What a caller can get wrong: the documented error each time, and everything goes on working. */
#include "tests/support.h"

#include <sys/wait.h>

/* The children of these tests make threads of their own. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "die_after_fork=0";
}

static int return_number(void *n)
{
    return (int)(intptr_t)n;
}

static uint32_t drops;

static void count_drop(void *arg)
{
    (void)arg;
    tally(&drops);
}

static void create_refuses(void)
{
    static const filch_options bad[] = {
        {.workers = -1},
        {.workers = INT32_MIN},
        {.workers = FILCH_WORKERS_MAX + 1},
        {.workers = INT32_MAX},
        {.workers = 1, .stack_size = 1},
        {.workers = 1, .stack_size = FILCH_STACK_MIN - 1},
        {.workers = 1, .stack_size = FILCH_STACK_MAX + 1},
        {.workers = 1, .stack_size = SIZE_MAX},
    };
    filch_runtime *const untouched = (filch_runtime *)(uintptr_t)64;
    filch_runtime *rt = untouched;
    for (size_t i = 0; i < COUNT(bad); i++)
        CHECK(filch_runtime_create(&rt, &bad[i]) == -EINVAL);
    CHECK(rt == untouched);
    CHECK(filch_runtime_create(NULL, NULL) == -EINVAL);
    CHECK(filch_runtime_create(NULL, &(filch_options){.workers = 1}) == -EINVAL);
}

static void create_accepts_the_extremes(void)
{
    filch_runtime *rt;
    CHECK(filch_runtime_create(&rt, NULL) == 0);
    CHECK(filch_runtime_workers(rt) >= 1);
    CHECK(filch_runtime_destroy(rt) == 0);
    CHECK(filch_runtime_create(&rt, &(filch_options){.stack_size = FILCH_STACK_MIN}) == 0);
    CHECK(filch_run(rt, return_number, (void *)3) == 3);
    CHECK(filch_runtime_destroy(rt) == 0);
    int most = instrumented() ? 64 : FILCH_WORKERS_MAX;
    int rc = filch_runtime_create(&rt, &(filch_options){.workers = most});
    CHECK(rc == 0 || rc == -EAGAIN || rc == -ENOMEM); /* the system may have fewer threads */
    if (rc == 0) {
        CHECK(filch_runtime_workers(rt) == most);
        CHECK(filch_run(rt, return_number, (void *)3) == 3);
        CHECK(filch_runtime_destroy(rt) == 0);
    }
}

static void nothing_for_null(void)
{
    filch_runtime *rt = runtime_open(1);
    filch_stats stats;
    CHECK(filch_runtime_destroy(NULL) == -EINVAL);
    CHECK(filch_runtime_stats(rt, -1, &stats) == -EINVAL);
    CHECK(filch_runtime_stats(rt, 1, &stats) == -EINVAL);
    CHECK(filch_runtime_stats(rt, INT32_MAX, &stats) == -EINVAL);
    CHECK(filch_runtime_stats(rt, 0, NULL) == -EINVAL);
    CHECK(filch_runtime_totals(rt, NULL) == -EINVAL);
    CHECK(filch_spawn(NULL, NULL, NULL) == -EINVAL);
    CHECK(filch_run(rt, NULL, NULL) == -EINVAL);
    CHECK(filch_join(NULL, NULL) == -EINVAL);
    CHECK(filch_join_into(NULL, NULL, NULL) == -EINVAL);
    CHECK(filch_abort(NULL) == -EINVAL);
    CHECK(filch_abort_handle_abort(NULL) == -EINVAL);
    CHECK(!filch_finished(NULL));
    CHECK(!filch_abort_handle_finished(NULL));
    CHECK(filch_abort_handle_of(NULL) == NULL);
    CHECK(filch_abort_handle_clone(NULL) == NULL);
    filch_detach(NULL);
    filch_abort_handle_drop(NULL);
    runtime_close(rt);
}

static void spawn_refuses(filch_runtime *rt)
{
    const filch_spawn_options bad[] = {
        {.runtime = rt, .worker = -1},
        {.runtime = rt, .worker = INT32_MIN},
        {.runtime = rt, .worker = 3},
        {.runtime = rt, .worker = INT32_MAX},
        {.runtime = rt, .stack_size = 1},
        {.runtime = rt, .stack_size = FILCH_STACK_MIN - 1},
        {.runtime = rt, .stack_size = FILCH_STACK_MAX + 1},
        {.runtime = rt, .stack_size = SIZE_MAX},
        {.runtime = rt, .arg_size = SIZE_MAX},
        {.runtime = rt, .arg_size = SIZE_MAX - 63},
        {.runtime = rt, .result_size = SIZE_MAX},
        {.runtime = rt, .result_size = SIZE_MAX / 2},
    };
    filch_handle *const untouched = (filch_handle *)(uintptr_t)64;
    filch_handle *h = untouched;
    int arg = 0;
    for (size_t i = 0; i < COUNT(bad); i++) {
        filch_spawn_options o = bad[i];
        o.arg_drop = count_drop;
        CHECK(filch_spawn_with(&h, &o, return_number, &arg) == -EINVAL);
    }
    filch_spawn_options good = {.runtime = rt, .arg_drop = count_drop};
    CHECK(filch_spawn_with(&h, &good, NULL, &arg) == -EINVAL);
    CHECK(h == untouched);
    CHECK(filch__load_acquire(&drops) == 0); /* the caller keeps what was not spawned */
    CHECK(totals_of(rt).tasks_live <= 1);    /* perhaps the caller */
}

static int spawn_refuses_inside(void *rt)
{
    spawn_refuses(rt);
    CHECK(filch_spawn(NULL, NULL, NULL) == -EINVAL);
    CHECK(filch_run(rt, NULL, NULL) == -EINVAL);
    return 0;
}

static void spawn_refuses_everywhere(void)
{
    filch_runtime *rt = runtime_open(2);
    spawn_refuses(rt);
    CHECK(filch_run(rt, spawn_refuses_inside, rt) == 0);
    runtime_close(rt);
}

/* A stack as large as allowed is a matter of address space: it works or there is none. */
static void largest_stack(void)
{
    filch_runtime *rt = runtime_open(1);
    filch_handle *h;
    /* Sanitizers would mark every byte of it. */
    size_t largest = instrumented() ? (size_t)1 << 28 : FILCH_STACK_MAX;
    filch_spawn_options o = {.runtime = rt, .stack_size = largest};
    int rc = filch_spawn_with(&h, &o, return_number, (void *)4);
    CHECK(rc == 0 || rc == -ENOMEM);
    if (rc == 0)
        CHECK(join(h) == 4);
    o.stack_size = FILCH_STACK_MIN;
    CHECK(filch_spawn_with(&h, &o, return_number, (void *)5) == 0 && join(h) == 5);
    runtime_close(rt);
}

/* On a thread that runs no task. */
static int run_at_sync(void *flag)
{
    raise_flag(flag);
    return 12;
}

static void outside_of_tasks(void)
{
    CHECK(filch_yield() == 0);
    CHECK(filch_checkpoint() == 0);
    CHECK(!filch_cancelled());
    CHECK(filch_result_buffer() == NULL);
    CHECK(filch_task_name() == NULL);
    uint32_t a = 0, b = 0;
    filch_job first = FILCH_JOB(run_at_sync, &a), second = FILCH_JOB(run_at_sync, &b);
    filch_fork(&first);
    filch_fork(&second);
    CHECK(!flag_up(&a) && !flag_up(&b));
    CHECK(filch_sync(&second) == 12 && flag_up(&b) && !flag_up(&a));
    CHECK(filch_sync(&first) == 12 && flag_up(&a));
    filch_runtime *rt = runtime_open(1);
    filch_handle *h;
    spawn_on(rt, &h, return_number, (void *)8);
    CHECK(join(h) == 8);
    runtime_close(rt);
}

/* ---- a closing runtime ---- */

static int spawn_when_closing(void *arg)
{
    uint32_t *started = arg;
    raise_flag(started);
    SPIN_UNTIL(filch_cancelled());
    filch_handle *const untouched = (filch_handle *)(uintptr_t)64;
    filch_handle *h = untouched;
    filch_spawn_options o = {.arg_drop = count_drop, .stack_size = 4 * FILCH_STACK_DEFAULT};
    CHECK(filch_spawn(&h, return_number, NULL) == -ESHUTDOWN);
    CHECK(filch_spawn_with(&h, &o, return_number, NULL) == -ESHUTDOWN);
    CHECK(filch_run(NULL, return_number, NULL) == -ESHUTDOWN);
    CHECK(h == untouched && filch__load_acquire(&drops) == 0);
    filch_job job = FILCH_JOB(return_number, (void *)9);
    filch_fork(&job); /* a fork is no new task */
    CHECK(filch_sync(&job) == 9);
    return 0;
}

static void spawn_on_a_closing_runtime(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        uint32_t started = 0;
        spawn_on(rt, NULL, spawn_when_closing, &started);
        SPIN_UNTIL(flag_up(&started));
        runtime_close(rt);
    }
}

/* ---- fork(2) ---- */

struct lost {
    filch_runtime *rt;
    filch_handle *running, *finished, *waiting;
    struct blockers *busy;
    uint32_t spawning;
};

static uint32_t lost_drops;

static void drop_lost(void *arg)
{
    (void)arg;
    tally(&lost_drops);
}

/* In a child: the runtime is gone, and says so; a new one can be made. The number of the failure. */
static int child(const struct lost *l)
{
    filch_totals totals;
    filch_spawn_options o = {.runtime = l->rt, .arg_drop = drop_lost};
    filch_handle *h = NULL;
    int rc = 0;
#define EXPECT(condition) rc = rc ? rc : (condition) ? 0 : __LINE__ % 250 + 1
    EXPECT(filch_spawn_with(&h, &o, return_number, NULL) == -ESHUTDOWN);
    EXPECT(h == NULL && lost_drops == 0);
    EXPECT(filch_run(l->rt, return_number, NULL) == -ESHUTDOWN);
    EXPECT(filch_runtime_destroy(l->rt) == -ESHUTDOWN);
    EXPECT(filch_runtime_totals(l->rt, &totals) == -ESHUTDOWN);
    EXPECT(filch_join(l->running, NULL) == -ESHUTDOWN);
    EXPECT(filch_abort(l->running) == 0);
    filch_detach(l->running);
    EXPECT(filch_join(l->waiting, NULL) == -ESHUTDOWN);
    EXPECT(filch_abort(l->waiting) == 0);
    EXPECT(filch_finished(l->finished));
    int result = 0;
    EXPECT(filch_join(l->finished, &result) == 0 && result == 6);
    EXPECT(filch_checkpoint() == 0 && filch_task_name() == NULL);
    EXPECT(filch_run(NULL, return_number, (void *)7) == 7);
    EXPECT(filch_spawn(&h, return_number, (void *)8) == 0);
    EXPECT(h && filch_join(h, &result) == 0 && result == 8);
    filch_runtime *rt;
    EXPECT(filch_runtime_create(&rt, &(filch_options){.workers = 2}) == 0);
    EXPECT(rc == 0 && filch_run(rt, return_number, (void *)9) == 9);
    EXPECT(rc == 0 && filch_runtime_destroy(rt) == 0);
#undef EXPECT
    return rc;
}

static int fork_and_wait(const struct lost *l)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60); /* the watchdog's thread is not here */
        _exit(child(l));
    }
    int status = 0;
    REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fprintf(stderr, "child: status %#x (line %% 250 + 1: %d)\n", (unsigned)status,
                WEXITSTATUS(status));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

static int fork_inside(void *l)
{
    int rc = fork_and_wait(l);
    CHECK(filch_task_name() != NULL && filch_yield() == 0); /* the parent's task goes on */
    return rc;
}

/* Stacks so large come from the system one by one, under a lock of the process. */
static void *spawn_thread(void *arg)
{
    struct lost *l = arg;
    while (!flag_up(&l->busy->released)) {
        filch_spawn_options o = {.runtime = l->rt, .stack_size = 20 * FILCH_STACK_DEFAULT};
        filch_handle *h;
        REQUIRE(filch_spawn_with(&h, &o, return_number, NULL) == 0);
        CHECK(filch_abort(h) == 0);
        (void)join(h);
        raise_flag(&l->spawning);
    }
    return NULL;
}

/* While the runtime is idle but for a task that runs and one that waits, or as busy as can be. */
static void fork_loses_runtimes_within(bool inside, bool in_turmoil)
{
    for (int i = 0; i < sized(6, 20, 300); i++) {
        struct blockers busy;
        struct lost l = {.rt = runtime_open(3), .busy = &busy};
        uint32_t never = 0;
        block_workers(&busy, l.rt, 1, 1);
        filch_spawn_options on_first = {.runtime = l.rt, .worker = 1};
        REQUIRE(filch_spawn_with(&l.running, &on_first, return_number, NULL) == 0);
        spawn_on(l.rt, &l.waiting, wait_for_flag, &never);
        spawn_on(l.rt, &l.finished, return_number, (void *)6);
        SPIN_UNTIL(filch_finished(l.finished));
        CHECK(filch_run(NULL, return_number, (void *)2) == 2); /* so there is a default, too */
        pthread_t thread = 0;
        if (in_turmoil) {
            thread = thread_start(spawn_thread, &l);
            SPIN_UNTIL(flag_up(&l.spawning));
        }
        CHECK((inside ? filch_run(l.rt, fork_inside, &l) : fork_and_wait(&l)) == 0);
        raise_flag(&busy.released);
        if (in_turmoil)
            thread_join(thread);
        CHECK(join(l.running) == 0);
        CHECK(join(l.finished) == 6);
        raise_flag(&never);
        CHECK(join(l.waiting) == 0);
        runtime_close(l.rt);
    }
}

static void fork_loses_runtimes(void)
{
    fork_loses_runtimes_within(false, false);
}

static void fork_inside_a_task(void)
{
    fork_loses_runtimes_within(true, false);
}

static void fork_in_turmoil(void)
{
    fork_loses_runtimes_within(false, true);
    fork_loses_runtimes_within(true, true);
}

int main(void)
{
    RUN(create_refuses);
    RUN(create_accepts_the_extremes);
    RUN(nothing_for_null);
    RUN(spawn_refuses_everywhere);
    RUN(largest_stack);
    RUN(outside_of_tasks);
    RUN(spawn_on_a_closing_runtime);
    RUN(fork_loses_runtimes);
    RUN(fork_inside_a_task);
    RUN(fork_in_turmoil);
    return summary();
}
