/* SPDX-License-Identifier: Apache-2.0 */
/* The drop-in libpthreadpool.so.0 by its own header: each function calls for each tile once. */

#include "tests/pthreadpool_grid.h"

#include <filch/loop.h>
#include <filch/scope.h>
#include <float.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* ---- cases ---- */

static void threads_count(void)
{
    pthreadpool_t pool = pthreadpool_create(0);
    CHECK(pthreadpool_get_threads_count(pool) == (size_t)sysconf(_SC_NPROCESSORS_ONLN));
    pthreadpool_destroy(pool);
    pool = pthreadpool_create(100);
    CHECK(pthreadpool_get_threads_count(pool) == 100);
    pthreadpool_destroy(pool);
    CHECK(pthreadpool_get_threads_count(NULL) == 1);
    pthreadpool_destroy(NULL);
}

static void every_index_once(void)
{
    for (size_t threads = 1; threads <= 8; threads++) {
        pthreadpool_t pool = pthreadpool_create(threads);
        run_all(pool, sized(5, 20, 200), false, test_seed() + threads);
        pthreadpool_destroy(pool);
    }
}

static void every_index_once_without_a_pool(void)
{
    run_all(NULL, sized(10, 40, 400), false, test_seed());
}

/* All ranges 0 or 1, in all combinations. */
static void ranges_of_zero_and_one(void)
{
    pthreadpool_t pool = pthreadpool_create(4);
    for (size_t i = 0; i < COUNT(functions); i++) {
        const struct function *f = &functions[i];
        for (unsigned bits = 0; bits < 1u << f->dims; bits++) {
            struct grid g = {.dims = f->dims, .tiled = f->tiled, .tile = {1, 2, 3, SIZE_MAX}};
            for (int d = 0; d < f->dims; d++)
                g.range[d] = bits >> d & 1;
            run_grid(f, pool, &g, 0);
        }
    }
    pthreadpool_destroy(pool);
}

struct order {
    pthread_t thread;
    size_t next;
};

static void in_order(void *ctx, size_t i, size_t j, size_t length)
{
    struct order *o = ctx;
    CHECK(pthread_equal(o->thread, pthread_self()));
    CHECK(i * 3 + j / 4 == o->next && length == (j == 8 ? 2 : 4));
    o->next++;
}

/* Ascending, on the caller, without a pool or with one of one thread. */
static void serial_order(void)
{
    struct order o = {.thread = pthread_self()};
    pthreadpool_parallelize_2d_tile_1d(NULL, in_order, &o, 5, 10, 4, 0);
    CHECK(o.next == 15);
    pthreadpool_t pool = pthreadpool_create(1);
    o.next = 0;
    pthreadpool_parallelize_2d_tile_1d(pool, in_order, &o, 5, 10, 4, 0);
    CHECK(o.next == 15);
    pthreadpool_destroy(pool);
}

static void edge_of_zero(void)
{
    struct grid g = {.dims = 1, .tiled = 1, .range = {17}, .tile = {1}};
    uint32_t cells[17] = {0};
    g.cells = cells;
    pthreadpool_t pool = pthreadpool_create(2);
    pthreadpool_parallelize_1d_tile_1d(pool, record_2, &g, 17, 0, 0);
    CHECK(g.calls == 17 && g.bad == 0);
    pthreadpool_destroy(pool);
}

/* Ranges near the largest number; serial, and ended by the third call. */
struct huge {
    size_t seen[3];
    size_t length[3];
    uint32_t calls;
};

static void see_huge(void *ctx, size_t i, size_t length)
{
    struct huge *h = ctx;
    uint32_t at = filch__add_acq_rel(&h->calls, 1u);
    if (at < 3) {
        h->seen[at] = i;
        h->length[at] = length;
    }
}

static void huge_ranges(void)
{
    struct huge h = {.calls = 0};
    pthreadpool_parallelize_1d_tile_1d(NULL, see_huge, &h, SIZE_MAX, SIZE_MAX / 2, 0);
    CHECK(h.calls == 3 && h.seen[1] == SIZE_MAX / 2 && h.seen[2] == SIZE_MAX - 1);
    CHECK(h.length[0] == SIZE_MAX / 2 && h.length[1] == SIZE_MAX / 2 && h.length[2] == 1);
    /* Empty, though the others overflow. */
    struct grid g = {.dims = 4};
    pthreadpool_parallelize_4d(NULL, record_4, &g, SIZE_MAX, SIZE_MAX, 0, SIZE_MAX, 0);
    pthreadpool_parallelize_4d(NULL, record_4, &g, 0, SIZE_MAX, SIZE_MAX, SIZE_MAX, 0);
    CHECK(g.calls == 0 && g.bad == 0);
}

/* A denormal's half: 0 where denormals are off. */
static float half(void)
{
    volatile float x = FLT_MIN;
    return x / 2;
}

struct denormals {
    uint32_t zero, other;
};

static void look_at_denormals(void *ctx, size_t i)
{
    (void)i;
    struct denormals *d = ctx;
    tally(half() == 0 ? &d->zero : &d->other);
}

static void denormals(void)
{
#if defined(__x86_64__) || defined(__aarch64__)
    if (RUNNING_ON_VALGRIND) /* has no such mode */
        return;
    static const size_t threads[] = {0, 1, 2, 8};
    for (size_t i = 0; i < COUNT(threads); i++) {
        pthreadpool_t pool = threads[i] ? pthreadpool_create(threads[i]) : NULL;
        for (int round = 0; round < 20; round++) {
            struct denormals off = {0}, on = {0};
            uint32_t flags = PTHREADPOOL_FLAG_DISABLE_DENORMALS | PTHREADPOOL_FLAG_YIELD_WORKERS;
            pthreadpool_parallelize_1d(pool, look_at_denormals, &off, 500, flags);
            CHECK(half() != 0);
            pthreadpool_parallelize_1d(pool, look_at_denormals, &on, 500, 0);
            CHECK(off.zero == 500 && off.other == 0);
            CHECK(on.zero == 0 && on.other == 500);
        }
        pthreadpool_destroy(pool);
    }
#endif
}

static void nested(void)
{
    for (size_t threads = 1; threads <= 4; threads += 3) {
        pthreadpool_t pool = pthreadpool_create(threads);
        run_all(pool, sized(1, 3, 20), true, test_seed() + threads);
        pthreadpool_destroy(pool);
    }
}

static int loops_in_a_task(void *pool)
{
    run_all(pool, sized(1, 3, 20), false, test_seed());
    return 0;
}

static int loops_in_tasks(void *arg)
{
    (void)arg;
    pthreadpool_t pool = pthreadpool_create(4);
    filch_handle *task[4];
    for (size_t i = 0; i < COUNT(task); i++)
        REQUIRE(filch_spawn(&task[i], loops_in_a_task, pool) == 0);
    loops_in_a_task(pool);
    for (size_t i = 0; i < COUNT(task); i++)
        CHECK(join(task[i]) == 0);
    pthreadpool_destroy(pool);
    return 0;
}

static void from_tasks(void)
{
    in_task_of_each(loops_in_tasks);
}

static void *loops_on_a_thread(void *pool)
{
    run_all(pool, sized(2, 8, 60), true, test_seed());
    return NULL;
}

/* With one pool, at once. */
static void from_two_threads(void)
{
    pthreadpool_t pool = pthreadpool_create(2);
    pthread_t other = thread_start(loops_on_a_thread, pool);
    loops_on_a_thread(pool);
    thread_join(other);
    pthreadpool_destroy(pool);
}

static void wait_for_another(void *begun, size_t i)
{
    (void)i;
    tally(begun);
    SPIN_UNTIL(filch__load_acquire((uint32_t *)begun) >= 2);
}

/* Two calls that wait for each other: a worker comes. */
static int helped_in_task(void *rt)
{
    uint32_t begun = 0;
    pthreadpool_t pool = pthreadpool_create(2);
    if (filch_runtime_workers(rt) > 1) {
        pthreadpool_parallelize_1d(pool, wait_for_another, &begun, 2, 0);
        CHECK(begun == 2);
    }
    pthreadpool_destroy(pool);
    return 0;
}

static void helped_by_workers(void)
{
    in_task_of_each(helped_in_task);
    if (filch_runtime_workers(NULL) > 1)
        (void)helped_in_task(NULL);
}

struct crowd {
    uint32_t now, most;
};

static void meet(void *ctx, size_t i)
{
    (void)i;
    struct crowd *c = ctx;
    uint32_t now = filch__add_acq_rel(&c->now, 1u) + 1, most = filch__load_acquire(&c->most);
    while (now > most && !filch__cas_acq_rel(&c->most, &most, now))
        continue;
    sched_yield();
    filch__add_acq_rel(&c->now, -1u);
}

/* At most as many as asked for, in a task with many workers. */
static int meet_in_task(void *arg)
{
    (void)arg;
    for (size_t threads = 1; threads <= 4; threads++) {
        struct crowd c = {0};
        pthreadpool_t pool = pthreadpool_create(threads);
        pthreadpool_parallelize_1d(pool, meet, &c, (size_t)sized(500, 2000, 20000), 0);
        CHECK(c.most <= threads && c.now == 0);
        pthreadpool_destroy(pool);
    }
    return 0;
}

static void bounded_by_the_pool(void)
{
    in_task_of_each(meet_in_task);
}

/* At most as many as there are workers. */
static void bounded_by_the_workers(void)
{
    struct crowd c = {0};
    pthreadpool_t pool = pthreadpool_create(64);
    pthreadpool_parallelize_1d(pool, meet, &c, (size_t)sized(500, 2000, 20000), 0);
    CHECK(c.most <= (uint32_t)filch_runtime_workers(NULL) && c.now == 0);
    pthreadpool_destroy(pool);
}

struct cancelled {
    filch_scope scope;
    uint32_t calls;
};

static void cancel_after_some(void *ctx, size_t i)
{
    struct cancelled *c = ctx;
    tally(&c->calls);
    if (i == 20)
        CHECK(filch_scope_cancel(&c->scope, 0) == 0);
}

/* A caller that is cancelled meanwhile or was before still has all of it, and is cancelled afterwards. */
static int loops_while_cancelled(void *rt)
{
    (void)rt;
    pthreadpool_t pool = pthreadpool_create(4);
    struct cancelled c = {.calls = 0};
    REQUIRE(filch_scope_open(&c.scope, NULL) == 0);
    pthreadpool_parallelize_1d(pool, cancel_after_some, &c, 1000, 0);
    CHECK(c.calls == 1000 && filch_cancelled());
    run_all(pool, 1, true, test_seed());
    CHECK(filch_cancelled());
    filch_scope_close(&c.scope);
    pthreadpool_destroy(pool);
    return 0;
}

static void while_cancelled(void)
{
    in_task_of_each(loops_while_cancelled);
}

static uint32_t closing_task_runs;

static int loops_while_closing(void *pool)
{
    raise_flag(&closing_task_runs);
    SPIN_UNTIL(filch_cancelled());
    run_all(pool, 1, true, test_seed());
    return 0;
}

static void while_the_runtime_closes(void)
{
    pthreadpool_t pool = pthreadpool_create(4);
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        closing_task_runs = 0;
        spawn_on(rt, NULL, loops_while_closing, pool);
        SPIN_UNTIL(flag_up(&closing_task_runs));
        runtime_close(rt);
    }
    pthreadpool_destroy(pool);
}

/* fn(pool) in a child, whose checks count here. */
static void in_child(void (*fn)(pthreadpool_t pool))
{
    pthreadpool_t pool = pthreadpool_create(4);
    fflush(stdout);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        fn(pool);
        _exit(filch__load_relaxed(&case_bad) ? 1 : 0);
    }
    int status;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    pthreadpool_destroy(pool);
}

static void loops_in_child(pthreadpool_t pool)
{
    run_all(pool, 1, true, test_seed());
}

/* The child makes workers of its own, which ThreadSanitizer does not let it. */
static void after_fork(void)
{
    (void)filch_participants(NULL); /* so that the parent has a runtime */
    if (!WITH_TSAN)
        in_child(loops_in_child);
}

static void count_in_order(void *ctx, size_t i)
{
    struct order *o = ctx;
    CHECK(pthread_equal(o->thread, pthread_self()) && i == o->next);
    o->next++;
}

static void loop_without_memory(pthreadpool_t pool)
{
    struct order o = {.thread = pthread_self()};
    REQUIRE(setrlimit(RLIMIT_AS, &(struct rlimit){.rlim_cur = 1, .rlim_max = 1}) == 0);
    pthreadpool_parallelize_1d(pool, count_in_order, &o, 1000, 0);
    CHECK(o.next == 1000);
}

/* Where no runtime can be had, for want of memory, the caller does it all. A child has none yet. */
static void refused(void)
{
    if (!instrumented())
        in_child(loop_without_memory);
}

int main(void)
{
    RUN(threads_count);
    RUN(every_index_once_without_a_pool);
    RUN(every_index_once);
    RUN(ranges_of_zero_and_one);
    RUN(serial_order);
    RUN(edge_of_zero);
    RUN(huge_ranges);
    RUN(denormals);
    RUN(nested);
    RUN(from_tasks);
    RUN(from_two_threads);
    RUN(helped_by_workers);
    RUN(bounded_by_the_pool);
    RUN(bounded_by_the_workers);
    RUN(while_cancelled);
    RUN(while_the_runtime_closes);
    RUN(after_fork);
    RUN(refused);
    return summary();
}
