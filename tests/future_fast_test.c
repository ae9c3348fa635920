/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rounds of several waiters on tasks and futures that complete at once, without a sleep anywhere:
 * none is resumed after it has completed, and a second await says so, at any speed.
 */
#include "tests/future_check.h"

/* Ready at the first poll, or at the second, for which it is woken in the first. */
struct quick {
    filch_future future;
    uint32_t *polls, *drops;
    int pending;
};

static int poll_quick(filch_future *self, const filch_waker *waker)
{
    struct quick *q = (struct quick *)(void *)self;
    CHECK(*q->drops == 0);
    tally(q->polls);
    if (q->pending-- == 0)
        return 4;
    filch_wake(waker);
    return FILCH_PENDING;
}

static void drop_quick(filch_future *self)
{
    tally(((struct quick *)(void *)self)->drops);
}

static const filch_future_ops quick_ops = {"what is quick", poll_quick, drop_quick};

static int return_number(void *n)
{
    return (int)(intptr_t)n;
}

enum { WAITERS = 4 };

/* One of each: a task, a future, a future as a task, a select among all. */
struct round {
    filch_runtime *rt;
    uint32_t polls[WAITERS], drops[WAITERS], resumed[WAITERS];
    int index;
};

static int wait_for_task(void *arg)
{
    struct round *r = arg;
    filch_handle *h;
    spawn_on(r->rt, &h, return_number, (void *)4);
    filch_join_future j = FILCH_JOIN_FUTURE(h);
    CHECK(filch_await(&j.future) == 4 && filch_await(&j.future) == -EALREADY);
    tally(&r->resumed[0]);
    return 4;
}

static int wait_for_future(void *arg)
{
    struct round *r = arg;
    struct quick q = {FILCH_FUTURE(&quick_ops), &r->polls[1], &r->drops[1], r->index & 1};
    CHECK(filch_await(&q.future) == 4 && filch_await(&q.future) == -EALREADY);
    tally(&r->resumed[1]);
    return 4;
}

static int wait_for_stackless(void *arg)
{
    struct round *r = arg;
    struct quick q = {FILCH_FUTURE(&quick_ops), &r->polls[2], &r->drops[2], r->index & 1};
    filch_spawn_options o = {.runtime = r->rt};
    filch_handle *h;
    REQUIRE(filch_spawn_future_with(&h, &o, &q.future, sizeof q) == 0);
    CHECK(filch_await(&q.future) == -EALREADY);
    CHECK(join(h) == 4);
    tally(&r->resumed[2]);
    return 4;
}

static int wait_for_any(void *arg)
{
    struct round *r = arg;
    struct quick q = {FILCH_FUTURE(&quick_ops), &r->polls[3], &r->drops[3], r->index & 1};
    filch_sleep_future now = FILCH_SLEEP_FUTURE(0);
    filch_handle *h;
    spawn_on(r->rt, &h, return_number, (void *)4);
    filch_join_future j = FILCH_JOIN_FUTURE(h);
    filch_future *all[] = {&q.future, &j.future, &now.future};
    for (int left = 3; left > 0; left--) {
        int at = filch_select(all, 3);
        REQUIRE(at >= 0 && at < 3);
        CHECK(all[at]->result == (at == 2 ? 0 : 4) && filch_await(all[at]) == -EALREADY);
        CHECK(filch_select(all, 3) == -EALREADY || left == 1);
        all[at] = NULL;
    }
    tally(&r->resumed[3]);
    return 4;
}

static filch_fn *const waiters[WAITERS] = {wait_for_task, wait_for_future, wait_for_stackless,
                                           wait_for_any};

static int play(filch_runtime *rt, long n)
{
    n /= (long)COUNT(worker_counts);
    for (int i = 0; i < n && !filch__load_relaxed(&case_bad); i++) {
        struct round r = {.rt = rt, .index = i};
        filch_join_future ends[WAITERS];
        filch_future *all[WAITERS];
        for (int k = 0; k < WAITERS; k++) {
            filch_handle *h;
            spawn_on(rt, &h, waiters[k], &r);
            ends[k] = (filch_join_future)FILCH_JOIN_FUTURE(h);
            all[k] = &ends[k].future;
        }
        CHECK(filch_join_all(all, WAITERS) == 0);
        for (int k = 0; k < WAITERS; k++) {
            CHECK(r.resumed[k] == 1 && all[k]->result == 4 && filch_await(all[k]) == -EALREADY);
            CHECK(k == 0 || (r.drops[k] == 1 && r.polls[k] == 1u + (i & 1)));
        }
    }
    return 0;
}

static int play_many(void *rt)
{
    return play(rt, sized(10000, 100000, 100000));
}

static void fast_completion_in_tasks(void)
{
    in_task_of_each(play_many);
}

static void fast_completion_on_a_thread(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        CHECK(play(rt, sized(2000, 10000, 20000)) == 0);
        drain(rt);
        runtime_close(rt);
    }
}

int main(void)
{
    run_case_within(120, "fast_completion_in_tasks", fast_completion_in_tasks);
    run_case_within(120, "fast_completion_on_a_thread", fast_completion_on_a_thread);
    return summary();
}
