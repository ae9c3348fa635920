/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that block: what they return, on which threads they run, how many at once and in which
 * order, and that the workers are free meanwhile.
 */
#include "tests/blocking_check.h"
#include "tests/dump_check.h"

#include <sys/wait.h>

static int give(void *n)
{
    return (int)(intptr_t)n;
}

static void on_each(filch_fn *fn)
{
    for (size_t i = 0; i < COUNT(worker_counts); i++) {
        filch_runtime *rt = runtime_bounded(worker_counts[i], 0);
        CHECK(filch_run(rt, fn, rt) == 0);
        runtime_close(rt);
    }
}

/* ---- what comes back ---- */

static int call_values(void *rt)
{
    (void)rt;
    filch_blocking_future b = FILCH_BLOCKING_FUTURE(give, (void *)7);
    filch_blocking_future none = FILCH_BLOCKING_FUTURE(NULL, NULL);
    filch_blocking_future pending = FILCH_BLOCKING_FUTURE(give, (void *)(intptr_t)FILCH_PENDING);
    for (int n = -3; n < 100; n++)
        CHECK(filch_blocking(give, (void *)(intptr_t)n) == n);
    CHECK(filch_blocking(NULL, NULL) == -EINVAL);
    CHECK(filch_await(&b.future) == 7 && b.started && b.future.result == 7);
    CHECK(filch_await(&b.future) == -EALREADY);
    CHECK(filch_await(&none.future) == -EINVAL && !none.started);
    CHECK(filch_await(&pending.future) == -EOVERFLOW && pending.started);
    CHECK(filch_blocking(give, (void *)(intptr_t)FILCH_PENDING) == -EOVERFLOW);
    return 0;
}

static void values(void)
{
    on_each(call_values);
}

static int note_thread(void *arg)
{
    *(pthread_t *)arg = pthread_self();
    return filch_cancelled() || filch_task_name();
}

static int look_at_threads(void *rt)
{
    (void)rt;
    pthread_t mine = pthread_self(), its = mine;
    CHECK(filch_blocking(note_thread, &its) == 0);
    CHECK(!pthread_equal(mine, its));
    return 0;
}

/* A call inside of a call runs in its place; a call may use the runtime as any thread does. */
static int call_inside(void *arg)
{
    filch_runtime *rt = arg;
    pthread_t mine = pthread_self(), its;
    CHECK(filch_blocking(note_thread, &its) == 0 && pthread_equal(mine, its));
    CHECK(filch_run(rt, look_at_threads, NULL) == 0);
    CHECK(filch_runtime_destroy(rt) == -EDEADLK);
    CHECK(filch_interruptible_begin() == 0);
    CHECK(filch_interruptible_begin() == -EBUSY);
    CHECK(filch_blocking(give, (void *)3) == 3);
    filch_interruptible_end();
    filch_interruptible_end();
    return filch_interruptible_begin(); /* ends with the call */
}

static int call_with_calls_inside(void *rt)
{
    for (int i = 0; i < 3; i++)
        CHECK(filch_blocking(call_inside, rt) == 0);
    return look_at_threads(rt);
}

static void inside(void)
{
    on_each(call_with_calls_inside);
}

/* A future off tasks goes to the default runtime. */
static void off_tasks(void)
{
    pthread_t mine = pthread_self(), its;
    CHECK(filch_blocking(note_thread, &its) == 0 && pthread_equal(mine, its));
    CHECK(filch_blocking(NULL, NULL) == -EINVAL);
    CHECK(filch_blocking(give, (void *)(intptr_t)-5) == -5);
    CHECK(filch_interruptible_begin() == -EINVAL);
    filch_interruptible_end();
    filch_blocking_future b = FILCH_BLOCKING_FUTURE(note_thread, &its);
    CHECK(filch_await(&b.future) == 0 && b.started && !pthread_equal(mine, its));
    filch_blocking_future unused = FILCH_BLOCKING_FUTURE(note_thread, NULL);
    CHECK(filch_future_drop(&unused.future) == 0 && !unused.started);
}

static void options(void)
{
    filch_runtime *rt = NULL;
    filch_options o = {.workers = 1, .blocking_threads = -1};
    CHECK(filch_runtime_create(&rt, &o) == -EINVAL);
    o.blocking_threads = FILCH_BLOCKING_THREADS_MAX + 1;
    CHECK(filch_runtime_create(&rt, &o) == -EINVAL && !rt);
    o.blocking_threads = FILCH_BLOCKING_THREADS_MAX;
    CHECK(filch_runtime_create(&rt, &o) == 0 && filch_runtime_destroy(rt) == 0);
}

/* ---- how many, in which order ---- */

struct crowd {
    uint32_t running, most, ran, wanted;
};

static int join_crowd(void *arg)
{
    struct crowd *c = arg;
    uint32_t now = filch__add_acq_rel(&c->running, 1) + 1, most = filch__load_relaxed(&c->most);
    while (now > most && !filch__cas_acq_rel(&c->most, &most, now))
        ;
    SPIN_UNTIL(filch__load_acquire(&c->most) >= c->wanted);
    filch__sub_acq_rel(&c->running, 1);
    tally(&c->ran);
    return 1;
}

static int call_crowd(void *crowd)
{
    CHECK(filch_blocking(join_crowd, crowd) == 1);
    return 0;
}

static void crowd_on(int workers, uint32_t bound, int tasks)
{
    filch_runtime *rt = runtime_bounded(workers, (int)bound);
    struct crowd c = {.wanted = bound};
    for (int i = 0; i < tasks; i++)
        spawn_on(rt, NULL, call_crowd, &c);
    drain(rt);
    CHECK(c.ran == (uint32_t)tasks && c.most == bound && pool_threads(rt) == bound);
    runtime_close(rt);
}

static void bounded(void)
{
    for (size_t i = 0; i < COUNT(worker_counts); i++) {
        crowd_on(worker_counts[i], 4, 200);
        crowd_on(worker_counts[i], 1, 50);
    }
}

static void many_tasks(void)
{
    crowd_on(2, 8, 1000);
}

struct order {
    uint32_t next;
    uint32_t at[50];
};

static struct order order;

static int note_order(void *at)
{
    *(uint32_t *)at = order.next++; /* one thread */
    return 0;
}

static int start_in_order(void *arg)
{
    enum { CALLS = COUNT(order.at) };
    filch_runtime *rt = arg;
    struct call first;
    call_open(&first, false, false);
    filch_blocking_future busy = FILCH_BLOCKING_FUTURE(call_run, &first);
    filch_blocking_future b[CALLS];
    filch_future *all[CALLS + 1] = {&busy.future};
    order.next = 0;
    CHECK(filch_poll(&busy.future, NULL) == FILCH_PENDING);
    for (int i = 0; i < CALLS; i++) {
        b[i] = (filch_blocking_future)FILCH_BLOCKING_FUTURE(note_order, &order.at[i]);
        CHECK(filch_poll(&b[i].future, NULL) == FILCH_PENDING);
        all[i + 1] = &b[i].future;
    }
    SPIN_UNTIL(queued(rt) == CALLS);
    CHECK(filch_future_drop(all[20]) == 0); /* the others keep their order */
    all[20] = NULL;
    call_release(&first, 1);
    CHECK(filch_join_all(all, COUNT(all)) == 0);
    CHECK(order.next == CALLS - 1 && !b[19].started);
    for (uint32_t i = 0; i < CALLS; i++)
        CHECK(i == 19 || order.at[i] == i - (i > 19));
    call_close(&first);
    return 0;
}

static void in_order(void)
{
    for (size_t i = 0; i < COUNT(worker_counts); i++) {
        filch_runtime *rt = runtime_bounded(worker_counts[i], 1);
        CHECK(filch_run(rt, start_in_order, rt) == 0);
        runtime_close(rt);
    }
}

/* ---- the workers stay free ---- */

static int call_and_work(void *arg)
{
    (void)arg;
    static struct call c[3];
    filch_handle *h[3];
    for (int i = 0; i < 3; i++) {
        call_open(&c[i], i == 1, false);
        REQUIRE(filch_spawn(&h[i], call_task, &c[i]) == 0);
    }
    for (int i = 0; i < 3; i++)
        CHECK(wait_for_flag(&c[i].started) == 0);
    for (int i = 0; i < 100; i++)
        CHECK(filch_run(NULL, give, (void *)5) == 5);
    for (int i = 0; i < 3; i++) {
        CHECK(!filch_finished(h[i]));
        call_release(&c[i], 1);
        CHECK(join(h[i]) == 0);
        call_close(&c[i]);
    }
    return 0;
}

static void workers_stay_free(void)
{
    on_each(call_and_work);
}

static int spawn_futures(void *rt)
{
    (void)rt;
    enum { N = 100 };
    filch_handle *h[N];
    for (int i = 0; i < N; i++) {
        filch_blocking_future b = FILCH_BLOCKING_FUTURE(give, (void *)(intptr_t)i);
        REQUIRE(filch_spawn_future(&h[i], &b.future, sizeof b) == 0);
    }
    for (int i = 0; i < N; i++)
        CHECK(join(h[i]) == i);
    return 0;
}

static void without_stacks(void)
{
    on_each(spawn_futures);
}

/* ---- threads come and go ---- */

static void threads(void)
{
    filch_runtime *rt = runtime_bounded(2, 3);
    CHECK(filch_run(rt, give, (void *)1) == 1);
    CHECK(!rt->pools[FILCH__POOL_BLOCKING] && threads_named("calls/block") == 0);
    struct crowd c = {.wanted = 3};
    for (int i = 0; i < 10; i++)
        spawn_on(rt, NULL, call_crowd, &c);
    drain(rt);
    CHECK(threads_named("calls/block") == 3 && pool_threads(rt) == 3);
    runtime_close(rt);
    SPIN_UNTIL(threads_named("calls/block") == 0);
}

static int call_once(void *arg)
{
    (void)arg;
    return filch_blocking(give, (void *)1);
}

/* Those that are idle for long end, several at once too, and new ones come when wanted. */
static void idle_threads_end(void)
{
    filch_runtime *rt = runtime_bounded(2, 5);
    CHECK(filch_run(rt, call_once, NULL) == 1);
    filch__pool_lock(rt->pools[FILCH__POOL_BLOCKING]);
    rt->pools[FILCH__POOL_BLOCKING]->patience =
        MS / 10; /* the one thread sleeps for as long as was said before */
    filch__pool_unlock(rt->pools[FILCH__POOL_BLOCKING]);
    for (int round = 0; round < 20; round++) {
        struct crowd c = {.wanted = 5};
        for (int i = 0; i < 5 + round; i++)
            spawn_on(rt, NULL, call_crowd, &c);
        drain(rt);
        CHECK(c.ran == 5 + (uint32_t)round);
        if (round % 4 < 3)
            SPIN_UNTIL(pool_threads(rt) == 0);
        if (round % 4 == 1)
            SPIN_UNTIL(threads_named("calls/block") <= 1);
    }
    for (int i = 0; i < sized(300, 2000, 20000); i++)
        CHECK(filch_run(rt, call_once, NULL) == 1);
    runtime_close(rt);
    SPIN_UNTIL(threads_named("calls/block") == 0);
}

/* ---- what others see of it ---- */

static struct call seen;

static int be_seen(void *arg)
{
    (void)arg;
    return filch_blocking(call_run, &seen);
}

static void dumped(void)
{
    call_open(&seen, true, false);
    scene(1, be_seen,
          "runtime filch (@): 1 worker, 1 task\n"
          "  task \"main\" suspended T: waits for a blocking call\n");
    CHECK(!seen.started || seen.begun < 0 || seen.error == -EINTR);
    call_close(&seen);
}

/* In the child there are no threads: what was pending is lost, and a new runtime works. */
static int fork_with_calls(void *arg)
{
    (void)arg;
    struct call c[2];
    call_open(&c[0], false, false);
    call_open(&c[1], false, false);
    filch_blocking_future polled = FILCH_BLOCKING_FUTURE(call_run, &c[0]);
    filch_blocking_future dropped = FILCH_BLOCKING_FUTURE(call_run, &c[1]);
    filch_blocking_future fresh = FILCH_BLOCKING_FUTURE(give, (void *)4);
    CHECK(filch_poll(&polled.future, NULL) == FILCH_PENDING);
    CHECK(filch_poll(&dropped.future, NULL) == FILCH_PENDING);
    pid_t pid = fork();
    if (pid == 0) {
        bool good = filch_poll(&polled.future, NULL) == -ESHUTDOWN;
        good &= filch_future_drop(&dropped.future) == 0;
        good &= filch_blocking(give, (void *)3) == 3;
        /* ThreadSanitizer lets no child of threads make threads. */
        good &= WITH_TSAN || filch_await(&fresh.future) == 4;
        _exit(good ? 0 : 1);
    }
    int status;
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
    call_release(&c[0], 1);
    call_release(&c[1], 1);
    CHECK(filch_await(&polled.future) == 0 && filch_await(&dropped.future) == 0);
    call_close(&c[0]);
    call_close(&c[1]);
    return 0;
}

static void lost_to_fork(void)
{
    on_each(fork_with_calls);
}

static int fork_in_call(void *region)
{
    CHECK(!region || filch_interruptible_begin() == 0);
    pid_t pid = fork();
    if (pid == 0) {
        filch_interruptible_end();
        _exit(filch_interruptible_begin() == -ESHUTDOWN ? 0 : 1);
    }
    int status;
    CHECK(pid > 0);
    filch_interruptible_end();
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    return 0;
}

static int call_that_forks(void *rt)
{
    CHECK(filch_blocking(fork_in_call, NULL) == 0);
    CHECK(filch_blocking(fork_in_call, rt) == 0);
    return 0;
}

static void fork_inside(void)
{
    on_each(call_that_forks);
}

int main(void)
{
    RUN(dumped); /* before there is a default runtime */
    RUN(values);
    RUN(inside);
    RUN(off_tasks);
    RUN(options);
    RUN(bounded);
    RUN(many_tasks);
    RUN(in_order);
    RUN(workers_stay_free);
    RUN(without_stacks);
    RUN(threads);
    RUN(idle_threads_end);
    RUN(lost_to_fork);
    RUN(fork_inside);
    return summary();
}
