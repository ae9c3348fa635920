/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Futures made of futures: polled by the outer's poll with the outer's waker, or awaited in it. A
 * poll should not suspend, but may: a wake that comes meanwhile is not lost.
 */
#include "tests/future_check.h"

/* ---- two in one, by filch_poll ---- */

struct pair {
    filch_future future;
    struct wait part[2];
};

static int poll_pair(filch_future *self, const filch_waker *waker)
{
    struct pair *p = (struct pair *)(void *)self;
    int sum = 0;
    for (int i = 0; i < 2; i++) {
        filch_future *f = &p->part[i].future;
        int rc = filch_future_ended(f) ? f->result : filch_poll(f, waker);
        if (rc == FILCH_PENDING || sum == FILCH_PENDING)
            sum = FILCH_PENDING;
        else
            sum += rc;
    }
    return sum;
}

static void drop_pair(filch_future *self)
{
    struct pair *p = (struct pair *)(void *)self;
    for (int i = 0; i < 2; i++)
        CHECK(filch_future_drop(&p->part[i].future) == 0);
}

static const filch_future_ops pair_ops = {"two events", poll_pair, drop_pair};

#define PAIR(a, b)               \
    {                            \
        FILCH_FUTURE(&pair_ops), \
        {                        \
            WAIT(a), WAIT(b)     \
        }                        \
    }

struct firing {
    struct event *first, *second;
    uint64_t random;
};

static void *fire_both(void *arg)
{
    struct firing *f = arg;
    pause_a_little(&f->random);
    event_set(f->first, 3);
    pause_a_little(&f->random);
    event_set(f->second, 4);
    return NULL;
}

static int await_pairs(void *arg)
{
    (void)arg;
    for (int i = 0; i < sized(50, 300, 2000); i++) {
        struct event e[2] = {EVENT, EVENT};
        struct pair pair = PAIR(&e[0], &e[1]);
        struct firing firing = {&e[i & 1], &e[!(i & 1)], test_seed() + (uint64_t)i};
        pthread_t thread = thread_start(fire_both, &firing);
        CHECK(filch_await(&pair.future) == 7);
        thread_join(thread);
        CHECK(drops_of(&e[0]) == 1 && drops_of(&e[1]) == 1);
    }
    return 0;
}

static void two_in_one(void)
{
    everywhere(await_pairs);
}

/* The outer wins or loses a select as one; what was not ready in it is dropped with it. */
static int select_pairs(void *arg)
{
    (void)arg;
    struct event e[4] = {EVENT, EVENT, EVENT, EVENT};
    struct pair a = PAIR(&e[0], &e[1]), b = PAIR(&e[2], &e[3]);
    filch_future *both[] = {&a.future, &b.future};
    event_set(&e[0], 1);
    event_set(&e[2], 2);
    CHECK(filch_select_until(both, 2, 0) == -ETIMEDOUT);
    CHECK(drops_of(&e[0]) == 1 && drops_of(&e[1]) == 0);
    CHECK(filch_future_ended(&a.part[0].future) && !filch_future_ended(&a.future));
    event_set(&e[3], 5);
    CHECK(filch_select(both, 2) == 1 && b.future.result == 7);
    CHECK(drops_of(&e[1]) == 0 && drops_of(&e[3]) == 1);
    CHECK(filch_future_drop(&a.future) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(drops_of(&e[i]) == 1);
    return 0;
}

static void selects_of_two_in_one(void)
{
    everywhere(select_pairs);
}

/* ---- a poll that waits ---- */

/* Looks at `outer`, then waits for `inner`, which is set only after `outer`, whose wake it must not
 * swallow. */
struct slow {
    filch_future future;
    struct wait outer;
    struct event *inner;
    int kind;
};

static int await_inner(void *arg)
{
    struct wait wait = WAIT(arg);
    return filch_await(&wait.future);
}

static int poll_slowly(filch_future *self, const filch_waker *waker)
{
    struct slow *s = (struct slow *)(void *)self;
    filch_handle *h;
    int rc = filch_poll(&s->outer.future, waker);
    if (rc != FILCH_PENDING || drops_of(s->inner))
        return rc;
    if (s->kind == 0) {
        CHECK(await_inner(s->inner) == 1);
    } else {
        CHECK(filch_spawn(&h, await_inner, s->inner) == 0);
        CHECK(join(h) == 1);
    }
    return rc;
}

static void drop_slow(filch_future *self)
{
    CHECK(filch_future_drop(&((struct slow *)(void *)self)->outer.future) == 0);
}

static const filch_future_ops slow_ops = {"a slow poll", poll_slowly, drop_slow};

struct stage {
    struct event outer, inner;
    int kind;
};

static void *fire_outer_first(void *arg)
{
    struct stage *s = arg;
    SPIN_UNTIL(polls_of(&s->inner) > 0);
    event_set(&s->outer, 6);
    event_set(&s->inner, 1);
    return NULL;
}

#define SLOW(stage)                                                                    \
    {                                                                                  \
        FILCH_FUTURE(&slow_ops), WAIT(&(stage)->outer), &(stage)->inner, (stage)->kind \
    }

/* Should the wake be lost the deadline's will come, which is as far away as a watchdog's. */
static int await_slowly(void *arg)
{
    struct stage *s = arg;
    struct slow slow = SLOW(s);
    int64_t deadline = filch_now() + watchdog_patience() * INT64_C(10000000000);
    int rc = filch_await_until(&slow.future, deadline);
    CHECK(filch_now() < deadline);
    return rc;
}

static void wake_during_a_slow_poll(int kind, bool in_task)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        for (int i = 0; i < sized(20, 100, 500) && !filch__load_relaxed(&case_bad); i++) {
            struct stage s = {.outer = EVENT, .inner = EVENT, .kind = kind};
            pthread_t thread = thread_start(fire_outer_first, &s);
            CHECK((in_task ? filch_run(rt, await_slowly, &s) : await_slowly(&s)) == 6);
            thread_join(thread);
            CHECK(drops_of(&s.inner) == 1 && drops_of(&s.outer) == 1);
        }
        drain(rt);
        runtime_close(rt);
    }
}

static void a_fibers_poll_awaits(void)
{
    wake_during_a_slow_poll(0, true);
}

static void a_fibers_poll_joins(void)
{
    wake_during_a_slow_poll(1, true);
}

static void a_threads_poll_awaits(void)
{
    wake_during_a_slow_poll(0, false);
}

static void a_threads_poll_joins(void)
{
    wake_during_a_slow_poll(1, false);
}

static void a_stackless_tasks_poll_waits(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        for (int i = 0; i < sized(20, 200, 1000); i++) {
            struct stage s = {.outer = EVENT, .inner = EVENT, .kind = i & 1};
            struct slow slow = SLOW(&s);
            filch_handle *h;
            filch_spawn_options o = {.runtime = rt};
            REQUIRE(filch_spawn_future_with(&h, &o, &slow.future, sizeof slow) == 0);
            pthread_t thread = thread_start(fire_outer_first, &s);
            CHECK(join(h) == 6);
            thread_join(thread);
        }
        drain(rt);
        runtime_close(rt);
    }
}

int main(void)
{
    (void)test_seed();
    RUN(two_in_one);
    RUN(selects_of_two_in_one);
    RUN(a_stackless_tasks_poll_waits);
    RUN(a_fibers_poll_awaits);
    RUN(a_fibers_poll_joins);
    RUN(a_threads_poll_awaits);
    RUN(a_threads_poll_joins);
    return summary();
}
