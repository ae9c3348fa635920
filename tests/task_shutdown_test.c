/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a runtime: with work pending, running and waiting, against spawns, and by anyone. */
#include "tests/support.h"

struct counts {
    uint32_t runs, arg_drops, spawned, refused;
};

static int count_run(void *arg)
{
    struct counts **c = arg;
    tally(&(*c)->runs);
    return 0;
}

static void count_drop(void *arg)
{
    struct counts **c = arg;
    tally(&(*c)->arg_drops);
}

/* What filch_spawn_with said. The task's own copy of c is dropped if and only if it is 0. */
static int spawn_counted(filch_runtime *rt, struct counts *c)
{
    filch_spawn_options o = {.runtime = rt, .arg_size = sizeof c, .arg_drop = count_drop};
    int rc = filch_spawn_with(NULL, &o, count_run, &c);
    CHECK(rc == 0 || rc == -ESHUTDOWN);
    tally(rc == 0 ? &c->spawned : &c->refused);
    return rc;
}

/* ---- work pending ---- */

static void destroy_with_many_pending(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        long n = sized(100000, 1000000, 1000000);
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct blockers busy;
        struct counts c = {0};
        block_workers(&busy, rt, 1, worker_counts[w]);
        for (long i = 0; i < n; i++)
            REQUIRE(spawn_counted(rt, &c) == 0);
        CHECK(totals_of(rt).tasks_live == n + worker_counts[w]);
        runtime_close(rt);
        CHECK(c.runs == 0);
        CHECK(c.arg_drops == (uint32_t)n);
    }
}

static int spawn_many(void *arg)
{
    struct counts *c = arg;
    int n = (int)sized(20000, 200000, 1000000);
    for (int i = 0; i < n; i++)
        if (spawn_counted(NULL, c) < 0)
            return i;
    SPIN_UNTIL(filch_cancelled());
    return n;
}

static void destroy_with_many_pending_on_a_worker(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct counts c = {0};
        spawn_on(rt, NULL, spawn_many, &c);
        SPIN_UNTIL(filch__load_acquire(&c.spawned) > 1000);
        runtime_close(rt);
        CHECK(c.arg_drops == c.spawned && c.runs <= c.spawned && c.refused <= 1);
    }
}

/* ---- tasks that wait ---- */

struct waiting {
    uint32_t started, canceled, never;
};

static int wait_by_yield(void *arg)
{
    struct waiting *w = arg;
    tally(&w->started);
    int rc = wait_for_flag(&w->never);
    CHECK(rc == -ECANCELED && filch_cancelled() && filch_checkpoint() == -ECANCELED);
    tally(&w->canceled);
    return rc;
}

static int wait_by_join(void *arg)
{
    struct waiting *w = arg;
    filch_handle *h;
    if (filch_spawn(&h, wait_by_yield, w) < 0)
        return -ESHUTDOWN;
    tally(&w->started);
    int rc = filch_join(h, NULL);
    CHECK(rc == 0 || rc == -ECANCELED);
    if (rc < 0)
        filch_detach(h);
    tally(&w->canceled);
    return rc;
}

static int wait_by_run(void *arg)
{
    struct waiting *w = arg;
    tally(&w->started);
    int rc = filch_run(NULL, wait_by_yield, w);
    CHECK(rc == -ECANCELED || rc == -ESHUTDOWN);
    tally(&w->canceled);
    return rc;
}

static void destroy_with_tasks_that_wait(void)
{
    filch_fn *const kinds[] = {wait_by_yield, wait_by_join, wait_by_run};
    for (int i = 0; i < sized(30, 200, 3000); i++) {
        filch_runtime *rt = runtime_open(worker_counts[i % 3]);
        struct waiting w = {0};
        for (int k = 0; k < 30; k++)
            spawn_on(rt, NULL, kinds[k % 3], &w);
        uint32_t enough = (uint32_t)(i % 31);
        SPIN_UNTIL(filch__load_acquire(&w.started) >= enough);
        runtime_close(rt);
        CHECK(w.started == w.canceled);
    }
}

/* ---- against spawns ---- */

struct spawner {
    filch_runtime *rt;
    struct counts c;
    uint32_t *done;
};

static int spawn_until_refused(void *arg)
{
    struct spawner *s = arg;
    while (spawn_counted(s->rt, &s->c) == 0)
        ;
    tally(s->done);
    return 0;
}

static void *spawner_thread(void *arg)
{
    (void)spawn_until_refused(arg);
    return NULL;
}

/* Keeps the runtime alive until the threads have been refused; ignores its own cancellation. */
struct keeper {
    uint32_t holding, done, threads;
};

static int keep(void *arg)
{
    struct keeper *k = arg;
    raise_flag(&k->holding);
    SPIN_UNTIL(filch__load_acquire(&k->done) >= k->threads);
    return 0;
}

static void destroy_against_spawns(void)
{
    for (int i = 0; i < sized(20, 50, 500); i++) {
        enum { THREADS = 2, TASKS = 2 };
        filch_runtime *rt = runtime_open(worker_counts[i % 3]);
        struct keeper k = {.threads = THREADS};
        struct spawner s[THREADS + TASKS];
        uint32_t tasks_done = 0;
        pthread_t threads[THREADS];
        spawn_on(rt, NULL, keep, &k);
        SPIN_UNTIL(flag_up(&k.holding));
        for (int j = 0; j < THREADS + TASKS; j++)
            s[j] = (struct spawner){.rt = rt, .done = j < THREADS ? &k.done : &tasks_done};
        for (int j = 0; j < THREADS; j++) {
            threads[j] = thread_start(spawner_thread, &s[j]);
            spawn_on(rt, NULL, spawn_until_refused, &s[THREADS + j]);
        }
        for (int j = 0; j < i % 50; j++)
            sched_yield();
        runtime_close(rt);
        for (int j = 0; j < THREADS; j++)
            thread_join(threads[j]);
        for (int j = 0; j < THREADS + TASKS; j++) {
            CHECK(s[j].c.arg_drops == s[j].c.spawned);
            CHECK(s[j].c.runs <= s[j].c.spawned);
            CHECK(s[j].c.refused == 1 || (j >= THREADS && s[j].c.spawned == 0));
        }
    }
}

static int raise_task(void *flag)
{
    raise_flag(flag);
    return 0;
}

struct caller {
    filch_runtime *rt;
    uint32_t flag;
    bool pinned;
};

static void *spawn_and_go(void *arg)
{
    struct caller *c = arg;
    filch_spawn_options o = {.runtime = c->rt, .worker = c->pinned};
    CHECK(filch_spawn_with(NULL, &o, raise_task, &c->flag) == 0);
    return NULL;
}

/* The spawn's task lets the destroy come, perhaps before the spawn has returned. */
static void destroy_while_a_spawn_returns(void)
{
    for (int i = 0; i < sized(300, 2000, 50000); i++) {
        struct caller c = {.rt = runtime_open(worker_counts[i % 3]), .pinned = i & 1};
        pthread_t thread = thread_start(spawn_and_go, &c);
        SPIN_UNTIL(flag_up(&c.flag));
        runtime_close(c.rt);
        thread_join(thread);
    }
}

/* ---- who destroys ---- */

struct destroyer {
    filch_runtime *rt;
    uint32_t calling, released;
    int rc;
};

static int destroy_inside(void *arg)
{
    CHECK(filch_runtime_destroy(arg) == -EDEADLK);
    return 0;
}

static void destroy_from_inside(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        filch_runtime *other = runtime_open(1);
        CHECK(filch_run(rt, destroy_inside, rt) == 0);
        CHECK(filch_run(rt, destroy_inside, other) == 0);
        CHECK(filch_run(rt, raise_task, &(uint32_t){0}) == 0); /* both still work */
        CHECK(filch_run(other, raise_task, &(uint32_t){0}) == 0);
        runtime_close(other);
        runtime_close(rt);
    }
}

static int hold_until_released(void *arg)
{
    struct destroyer *d = arg;
    raise_flag(&d->calling);
    SPIN_UNTIL(flag_up(&d->released));
    return 0;
}

static void *destroy_thread(void *arg)
{
    struct destroyer *d = arg;
    d->rc = filch_runtime_destroy(d->rt);
    if (d->rc < 0)
        raise_flag(&d->released);
    return NULL;
}

/* Of two at once one does it, the other learns so while it goes on. */
static void destroy_by_two_at_once(void)
{
    for (int i = 0; i < sized(50, 300, 3000); i++) {
        struct destroyer d[2] = {{.rt = runtime_open(worker_counts[i % 3])}};
        struct destroyer *first = &d[0], *second = &d[1];
        second->rt = first->rt;
        struct destroyer held = {0};
        spawn_on(first->rt, NULL, hold_until_released, &held);
        SPIN_UNTIL(flag_up(&held.calling));
        pthread_t a = thread_start(destroy_thread, first), b = thread_start(destroy_thread, second);
        SPIN_UNTIL(flag_up(&first->released) || flag_up(&second->released));
        raise_flag(&held.released);
        thread_join(a);
        thread_join(b);
        CHECK((first->rc == 0 && second->rc == -EALREADY) ||
              (second->rc == 0 && first->rc == -EALREADY));
    }
}

/* ---- many runtimes ---- */

static void create_and_destroy(void)
{
    for (int i = 0; i < sized(60, 500, 5000); i++) {
        filch_runtime *rt = runtime_open(worker_counts[i % 3]);
        struct counts c = {0};
        for (int k = 0; k < i % 5; k++)
            (void)spawn_counted(rt, &c);
        runtime_close(rt);
        CHECK(c.arg_drops == (uint32_t)(i % 5));
    }
}

static void *create_and_destroy_thread(void *arg)
{
    (void)arg;
    create_and_destroy();
    return NULL;
}

static void several_runtimes_at_once(void)
{
    pthread_t threads[3];
    for (size_t i = 0; i < COUNT(threads); i++)
        threads[i] = thread_start(create_and_destroy_thread, NULL);
    filch_runtime *rts[5];
    for (size_t i = 0; i < COUNT(rts); i++)
        rts[i] = runtime_open((int)i % 3 + 1);
    for (int k = 0; k < 20; k++)
        for (size_t i = 0; i < COUNT(rts); i++)
            CHECK(filch_run(rts[i], raise_task, &(uint32_t){0}) == 0);
    for (size_t i = 0; i < COUNT(rts); i++)
        runtime_close(rts[i]);
    for (size_t i = 0; i < COUNT(threads); i++)
        thread_join(threads[i]);
}

static void *use_default(void *arg)
{
    CHECK(filch_run(NULL, raise_task, arg) == 0);
    return NULL;
}

/* The first use makes it, once, by whatever thread; it is never destroyed. */
static void default_runtime(void)
{
    uint32_t flags[4] = {0};
    pthread_t threads[COUNT(flags)];
    for (size_t i = 0; i < COUNT(flags); i++)
        threads[i] = thread_start(use_default, &flags[i]);
    for (size_t i = 0; i < COUNT(flags); i++) {
        thread_join(threads[i]);
        CHECK(flag_up(&flags[i]));
    }
    CHECK(filch_runtime_workers(NULL) >= 1);
    struct counts c = {0};
    CHECK(spawn_counted(NULL, &c) == 0);
    SPIN_UNTIL(totals_of(NULL).tasks_live == 0);
    CHECK(c.runs == 1 && c.arg_drops == 1);
    CHECK(filch_runtime_destroy(NULL) == -EINVAL);
}

int main(void)
{
    RUN(destroy_with_many_pending);
    RUN(destroy_with_many_pending_on_a_worker);
    RUN(destroy_with_tasks_that_wait);
    RUN(destroy_against_spawns);
    RUN(destroy_while_a_spawn_returns);
    RUN(destroy_from_inside);
    RUN(destroy_by_two_at_once);
    RUN(create_and_destroy);
    RUN(several_runtimes_at_once);
    RUN(default_runtime);
    return summary();
}
