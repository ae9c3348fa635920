/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of loops and teams share: callers of all kinds, and counts of who is inside.
 */
#ifndef FILCH_TESTS_COMPUTE_CHECK_H
#define FILCH_TESTS_COMPUTE_CHECK_H

#include "tests/support.h"

#define US   INT64_C(1000)
#define MS   INT64_C(1000000)
#define HOUR (3600 * 1000 * MS)

static inline uint32_t count_of(const uint32_t *count)
{
    return filch__load_acquire(count);
}

/* Without a call into filch. */
static inline void spin_for(int64_t ns)
{
    for (int64_t until = watchdog_now() + ns; watchdog_now() < until;)
        continue;
}

static inline filch_runtime *runtime_quiet(int workers)
{
    filch_runtime *rt;
    REQUIRE(filch_runtime_create(&rt, &(filch_options){.workers = workers}) == 0);
    return rt;
}

/* ---- of that runtime ---- */

static inline filch_loop_options on(filch_runtime *rt)
{
    return (filch_loop_options){.runtime = rt};
}

static inline int team_on(filch_runtime *rt, int n, filch_team_fn *fn, void *ctx)
{
    return filch_team_with(&(filch_team_options){.runtime = rt}, n, fn, ctx);
}

/* ---- callers ---- */

/* In a task: from the poll of so many tasks without a stack, each of which gives that result. */
static inline void from_polls(const filch_future_ops *ops, int n, int result)
{
    enum { MOST_POLLS = 10 };
    filch_handle *h[MOST_POLLS];
    REQUIRE(n <= MOST_POLLS);
    for (int i = 0; i < n; i++) {
        filch_future f = FILCH_FUTURE(ops);
        REQUIRE(filch_spawn_future(&h[i], &f, sizeof f) == 0);
    }
    for (int i = 0; i < n; i++)
        CHECK(join(h[i]) == result);
}

struct caller {
    void (*fn)(filch_runtime *rt);
    filch_runtime *rt;
};

static inline int caller_task(void *arg)
{
    struct caller *c = arg;
    c->fn(c->rt);
    return 0;
}

static inline void *caller_thread(void *arg)
{
    (void)caller_task(arg);
    return NULL;
}

static inline void from_task(filch_runtime *rt, void (*fn)(filch_runtime *rt))
{
    struct caller c = {fn, rt};
    CHECK(filch_run(rt, caller_task, &c) == 0);
}

static inline void from_other_runtime(filch_runtime *rt, void (*fn)(filch_runtime *rt))
{
    struct caller c = {fn, rt};
    filch_runtime *other = runtime_quiet(2);
    CHECK(filch_run(other, caller_task, &c) == 0);
    CHECK(filch_runtime_destroy(other) == 0);
}

/* So many threads at once. */
static inline void from_threads(filch_runtime *rt, int n, void (*fn)(filch_runtime *rt))
{
    struct caller c = {fn, rt};
    pthread_t thread[8];
    REQUIRE(n <= 8);
    for (int i = 0; i < n; i++)
        thread[i] = thread_start(caller_thread, &c);
    for (int i = 0; i < n; i++)
        thread_join(thread[i]);
}

/* On runtimes of each size: in a task, on this thread, in a task of another runtime. */
static inline void from_everywhere(void (*fn)(filch_runtime *rt))
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        from_task(rt, fn);
        fn(rt);
        from_other_runtime(rt, fn);
        drain(rt);
        runtime_close(rt);
    }
}

static inline bool is_task(void)
{
    return filch_task_name();
}

/* ---- who is inside ---- */

struct inside {
    uint32_t now, most, ever;
};

static inline void inside_enter(struct inside *in)
{
    uint32_t now = filch__add_acq_rel(&in->now, 1u) + 1, most = count_of(&in->most);
    tally(&in->ever);
    while (now > most && !filch__cas_acq_rel(&in->most, &most, now))
        continue;
}

static inline void inside_leave(struct inside *in)
{
    filch__sub_acq_rel(&in->now, 1u);
}

#endif
