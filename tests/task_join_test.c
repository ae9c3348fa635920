/* SPDX-License-Identifier: Apache-2.0 */
/* Joins: in every order, from everywhere, of oneself, by the cancelled, and after the runtime. */
#include "tests/support.h"

static int return_number(void *n)
{
    return (int)(intptr_t)n;
}

/* ---- orders ---- */

enum order { NEWEST_FIRST, OLDEST_FIRST, SHUFFLED, ORDERS };

struct batch {
    filch_runtime *rt;
    enum order order;
    int n;
    uint64_t random;
};

/* Spawns n tasks and joins them all in the order; in a task or on a thread. */
static int spawn_and_join(void *arg)
{
    struct batch *b = arg;
    filch_handle **h = malloc((size_t)b->n * sizeof *h);
    int *at = malloc((size_t)b->n * sizeof *at);
    REQUIRE(h && at);
    for (int i = 0; i < b->n; i++) {
        filch_spawn_options o = {.runtime = b->rt};
        REQUIRE(filch_spawn_with(&h[i], &o, return_number, (void *)(intptr_t)i) == 0);
        at[i] = b->order == NEWEST_FIRST ? b->n - 1 - i : i;
    }
    for (int i = b->n - 1; b->order == SHUFFLED && i > 0; i--) {
        int j = (int)test_random(&b->random, (uint32_t)i + 1), t = at[i];
        at[i] = at[j];
        at[j] = t;
    }
    for (int i = 0; i < b->n; i++)
        CHECK(join(h[at[i]]) == at[i]);
    free(h);
    free(at);
    return 0;
}

static void *spawn_and_join_thread(void *arg)
{
    (void)spawn_and_join(arg);
    return NULL;
}

static void in_all_orders(bool in_task)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        for (int order = 0; order < ORDERS; order++) {
            struct batch b = {.rt = rt,
                              .order = (enum order)order,
                              .n = (int)sized(500, 5000, 50000),
                              .random = test_seed()};
            CHECK(in_task ? filch_run(rt, spawn_and_join, &b) == 0 : !spawn_and_join(&b));
        }
        drain(rt);
        runtime_close(rt);
    }
}

static void joins_in_a_task_in_all_orders(void)
{
    in_all_orders(true);
}

static void joins_on_a_thread_in_all_orders(void)
{
    in_all_orders(false);
}

static void joins_on_threads_and_in_tasks_at_once(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        enum { EACH = 4 };
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct batch b[2 * EACH];
        pthread_t threads[EACH];
        filch_handle *tasks[EACH];
        for (int i = 0; i < 2 * EACH; i++)
            b[i] = (struct batch){.rt = rt,
                                  .order = SHUFFLED,
                                  .n = (int)sized(200, 2000, 20000),
                                  .random = test_seed() + (uint64_t)i};
        for (int i = 0; i < EACH; i++) {
            threads[i] = thread_start(spawn_and_join_thread, &b[i]);
            spawn_on(rt, &tasks[i], spawn_and_join, &b[EACH + i]);
        }
        for (int i = 0; i < EACH; i++) {
            thread_join(threads[i]);
            CHECK(join(tasks[i]) == 0);
        }
        runtime_close(rt);
    }
}

/* Each task joins the one before it: all but one wait at the same time. */
struct link {
    filch_handle *before;
    uint32_t *go;
};

static int join_link(void *arg)
{
    struct link *l = arg;
    if (!l->before)
        return wait_for_flag(l->go);
    return join(l->before) + 1;
}

static void joins_in_a_chain(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        enum { LENGTH = 100 };
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct link links[LENGTH];
        filch_handle *last = NULL;
        uint32_t go = 0;
        for (int i = 0; i < LENGTH; i++) {
            links[i] = (struct link){.before = last, .go = &go};
            spawn_on(rt, &last, join_link, &links[i]);
        }
        raise_flag(&go);
        CHECK(join(last) == LENGTH - 1);
        runtime_close(rt);
    }
}

/* ---- two runtimes ---- */

static int join_across(void *arg)
{
    struct batch *b = arg;
    struct batch far = *b;
    CHECK(filch_run(b->rt, spawn_and_join, &far) == 0);
    return spawn_and_join(b);
}

/* The joined task's worker wakes a task of a runtime that may be destroyed at once. */
static void joins_tasks_of_another_runtime(void)
{
    filch_runtime *far = runtime_open(2);
    for (int i = 0; i < sized(30, 300, 3000); i++) {
        filch_runtime *near = runtime_open(worker_counts[i % 3]);
        struct batch b = {.rt = far, .order = SHUFFLED, .n = 1 + i % 7, .random = test_seed()};
        CHECK(filch_run(near, join_across, &b) == 0);
        runtime_close(near);
    }
    runtime_close(far);
}

/* ---- oneself ---- */

struct self {
    filch_handle *handle;
    uint32_t ready, stolen;
};

static int join_handle(void *arg)
{
    struct self *s = arg;
    raise_flag(&s->stolen);
    return filch_join(s->handle, NULL);
}

static int join_oneself(void *arg)
{
    struct self *s = arg;
    SPIN_UNTIL(flag_up(&s->ready));
    CHECK(filch_join(s->handle, NULL) == -EDEADLK);
    filch_job here = FILCH_JOB(join_handle, s);
    filch_fork(&here);
    CHECK(filch_sync(&here) == -EDEADLK);
    return 1;
}

static int join_oneself_stolen(void *arg)
{
    struct self *s = arg;
    SPIN_UNTIL(flag_up(&s->ready));
    filch_job job = FILCH_JOB(join_handle, s);
    filch_fork(&job);
    SPIN_UNTIL(flag_up(&s->stolen)); /* so another worker runs it */
    CHECK(filch_sync(&job) == -EDEADLK);
    return 1;
}

static void joins_itself(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        for (int stolen = 0; stolen <= (worker_counts[w] > 1); stolen++) {
            struct self s = {0};
            spawn_on(rt, &s.handle, stolen ? join_oneself_stolen : join_oneself, &s);
            raise_flag(&s.ready);
            CHECK(join(s.handle) == 1);
        }
        runtime_close(rt);
    }
}

/* ---- the cancelled ---- */

struct cancelled {
    filch_handle *target;
    uint32_t go, joining;
    bool forked;
};

static int join_target(void *arg)
{
    struct cancelled *c = arg;
    int result = 77;
    int rc = filch_join(c->target, &result);
    CHECK(result == 77 || rc == 0);
    return rc;
}

static int join_until_cancelled(void *arg)
{
    struct cancelled *c = arg;
    raise_flag(&c->joining);
    if (!c->forked)
        return join_target(c);
    filch_job job = FILCH_JOB(join_target, c);
    filch_fork(&job);
    for (int i = 0; i < 50; i++)
        sched_yield(); /* with more workers it is probably stolen */
    return filch_sync(&job);
}

static void cancelled_joiner_keeps_the_handle(void)
{
    for (int i = 0; i < sized(60, 200, 6000); i++) {
        filch_runtime *rt = runtime_open(worker_counts[i % 3]);
        struct cancelled c = {.forked = i & 1};
        filch_handle *joiner;
        spawn_on(rt, &c.target, wait_for_flag, &c.go);
        spawn_on(rt, &joiner, join_until_cancelled, &c);
        if (i % 4 < 2)
            SPIN_UNTIL(flag_up(&c.joining));
        CHECK(filch_abort(joiner) == 0);
        CHECK(join(joiner) == -ECANCELED);
        CHECK(!filch_finished(c.target));
        struct cancelled again = {.target = c.target};
        spawn_on(rt, &joiner, join_until_cancelled, &again);
        raise_flag(&c.go);
        CHECK(join(joiner) == 0);
        runtime_close(rt);
    }
}

/* Who is cancelled when it calls join gets -ECANCELED, even if it need not have waited. */
static int join_when_cancelled(void *arg)
{
    struct cancelled *c = arg;
    raise_flag(&c->joining);
    SPIN_UNTIL(filch_cancelled());
    CHECK(filch_finished(c->target));
    CHECK(filch_join(c->target, NULL) == -ECANCELED);
    return 3;
}

static void cancelled_joiner_of_a_finished_task(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct cancelled c = {0};
        filch_handle *joiner;
        spawn_on(rt, &c.target, return_number, (void *)9);
        SPIN_UNTIL(filch_finished(c.target));
        spawn_on(rt, &joiner, join_when_cancelled, &c);
        SPIN_UNTIL(flag_up(&c.joining));
        CHECK(filch_abort(joiner) == 0);
        CHECK(join(joiner) == 3);
        CHECK(join(c.target) == 9);
        runtime_close(rt);
    }
}

/* ---- filch_run ---- */

static int run_deeper(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    return depth == 0 ? 0 : filch_run(NULL, run_deeper, (void *)(depth - 1)) + 1;
}

static void runs_nest(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        CHECK(filch_run(rt, run_deeper, (void *)100) == 100);
        CHECK(filch_run(rt, return_number, (void *)-7) == -7);
        runtime_close(rt);
    }
}

static int run_inner(void *arg)
{
    int *saw = arg;
    while (*saw == 0)
        *saw = filch_yield();
    return 4;
}

/* saw lies on this frame: filch_run must not return before its task has ended. */
static int run_outer(void *arg)
{
    uint32_t *running = arg;
    int saw = 0;
    raise_flag(running);
    int rc = filch_run(NULL, run_inner, &saw);
    CHECK(rc == -ECANCELED || rc == 4); /* it may have been aborted before it started */
    CHECK(rc == -ECANCELED || saw == -ECANCELED);
    CHECK(filch_cancelled());
    return rc;
}

static void cancelled_run_waits_for_its_task(void)
{
    for (int i = 0; i < sized(60, 200, 6000); i++) {
        filch_runtime *rt = runtime_open(worker_counts[i % 3]);
        uint32_t running = 0;
        filch_handle *outer;
        spawn_on(rt, &outer, run_outer, &running);
        SPIN_UNTIL(flag_up(&running));
        CHECK(filch_abort(outer) == 0);
        (void)join(outer);
        runtime_close(rt);
    }
}

int main(void)
{
    RUN(joins_in_a_task_in_all_orders);
    RUN(joins_on_a_thread_in_all_orders);
    RUN(joins_on_threads_and_in_tasks_at_once);
    RUN(joins_in_a_chain);
    RUN(joins_tasks_of_another_runtime);
    RUN(joins_itself);
    RUN(cancelled_joiner_keeps_the_handle);
    RUN(cancelled_joiner_of_a_finished_task);
    RUN(runs_nest);
    RUN(cancelled_run_waits_for_its_task);
    return summary();
}
