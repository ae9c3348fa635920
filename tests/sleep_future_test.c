/* SPDX-License-Identifier: Apache-2.0 */
/* Times as futures: never early, wherever and however often they are polled. */
#include "tests/future_check.h"

static int sleep_by_future(void *rt)
{
    (void)rt;
    for (int i = 0; i < sized(20, 100, 500); i++) {
        int64_t when = filch_now() + i * 7919 % 300000;
        filch_sleep_future s = FILCH_SLEEP_FUTURE(when);
        CHECK((i & 1 ? filch_await(&s.future) : filch_await_until(&s.future, FILCH_NEVER)) == 0);
        CHECK(filch_now() >= when && filch_await(&s.future) == -EALREADY);
    }
    return 0;
}

static void never_early(void)
{
    everywhere(sleep_by_future);
}

static int sleep_till_odd_times(void *rt)
{
    (void)rt;
    const int64_t past[] = {INT64_MIN, -1, 0, 1, filch_now()};
    const int64_t never[] = {FILCH_NEVER, FILCH_NEVER - 1, FILCH_NEVER / 2};
    for (size_t i = 0; i < COUNT(past); i++) {
        filch_sleep_future s = FILCH_SLEEP_FUTURE(past[i]), t = FILCH_SLEEP_FUTURE(past[i]);
        CHECK(filch_await(&s.future) == 0 && filch_poll(&t.future, NULL) == 0);
    }
    for (size_t i = 0; i < COUNT(never); i++) {
        filch_sleep_future s = FILCH_SLEEP_FUTURE(never[i]), t = FILCH_SLEEP_FUTURE(never[i]);
        CHECK(filch_await_until(&s.future, filch_now() + 100000) == -ETIMEDOUT);
        CHECK(filch_poll(&t.future, NULL) == FILCH_PENDING);
        CHECK(filch_poll(&t.future, NULL) == FILCH_PENDING && !filch_future_ended(&t.future));
        CHECK(filch_future_drop(&t.future) == 0 && filch_future_ended(&t.future));
    }
    return 0;
}

static void past_and_never(void)
{
    everywhere(sleep_till_odd_times);
}

/* Dropped in each state; its memory goes at once. */
static int drop_sleeps(void *rt)
{
    (void)rt;
    uint64_t random = test_seed();
    for (int i = 0; i < sized(500, 3000, 30000); i++) {
        filch_sleep_future *s = malloc(sizeof *s);
        REQUIRE(s);
        *s = (filch_sleep_future)FILCH_SLEEP_FUTURE(filch_now() + test_random(&random, 30000));
        int rc = i % 4 == 0 ? FILCH_PENDING : filch_poll(&s->future, NULL);
        pause_a_little(&random);
        if (i % 3 == 0 && rc == FILCH_PENDING)
            rc = filch_poll(&s->future, NULL);
        CHECK(rc == 0 || rc == FILCH_PENDING);
        CHECK(filch_future_drop(&s->future) == 0);
        memset(s, 0xee, sizeof *s);
        free(s);
    }
    return 0;
}

static void dropped_ones_are_gone(void)
{
    everywhere(drop_sleeps);
}

/* ---- other wakers ---- */

struct handed {
    filch_sleep_future sleep;
    uint32_t polled, taken;
    int rc;
};

static int await_handed(void *arg)
{
    struct handed *h = arg;
    int rc = filch_await(&h->sleep.future);
    CHECK(filch_now() >= h->sleep.deadline);
    return rc == 0 ? 3 : rc;
}

/* Leaves it pending, and is not over before somebody else has polled it. */
static int poll_and_leave(void *arg)
{
    struct handed *h = arg;
    filch_future *one[] = {&h->sleep.future};
    h->rc = filch_select_until(one, 1, INT64_MIN);
    raise_flag(&h->polled);
    SPIN_UNTIL(flag_up(&h->taken));
    return 0;
}

/* Polled by a task with its own waker, by the thread with none, then awaited by another. */
static void hand_over(filch_runtime *rt, struct handed *h, bool leave, bool to_task)
{
    filch_handle *task = NULL;
    h->rc = -ETIMEDOUT;
    if (leave) {
        spawn_on(rt, &task, poll_and_leave, h);
        SPIN_UNTIL(flag_up(&h->polled));
    }
    CHECK(h->rc == -ETIMEDOUT || h->rc == 0);
    int rc = h->rc == 0 ? 0 : filch_poll(&h->sleep.future, NULL);
    raise_flag(&h->taken);
    if (leave)
        CHECK(join(task) == 0);
    if (rc == FILCH_PENDING)
        CHECK((to_task ? filch_run(rt, await_handed, h) : await_handed(h)) == 3);
    else
        CHECK(rc == 0 && filch_now() >= h->sleep.deadline);
}

static void polled_with_another_waker(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        uint64_t random = test_seed();
        for (int i = 0; i < sized(100, 500, 5000); i++) {
            struct handed h = {
                .sleep = FILCH_SLEEP_FUTURE(filch_now() + 20000 + test_random(&random, 200000))};
            hand_over(rt, &h, i & 1, i & 2);
        }
        drain(rt);
        runtime_close(rt);
    }
}

/* By several at once that are told in one batch, without a stack each. */
static void many_at_one_time(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        enum { MANY = 2000 };
        filch_handle **h = malloc(MANY * sizeof *h);
        int64_t when = filch_now() + 3000000;
        REQUIRE(h);
        for (int i = 0; i < MANY; i++) {
            filch_sleep_future s = FILCH_SLEEP_FUTURE(when + i % 3);
            filch_spawn_options o = {.runtime = rt};
            REQUIRE(filch_spawn_future_with(&h[i], &o, &s.future, sizeof s) == 0);
        }
        for (int i = 0; i < MANY; i++)
            CHECK(join(h[i]) == 0 && filch_now() >= when);
        free(h);
        drain(rt);
        runtime_close(rt);
    }
}

/* Aborts of sleepers meet the time. */
static void aborts_meet_times(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        uint64_t random = test_seed();
        for (int i = 0; i < sized(300, 2000, 20000); i++) {
            int64_t when = filch_now() + test_random(&random, 60000);
            filch_sleep_future s = FILCH_SLEEP_FUTURE(when);
            filch_spawn_options o = {.runtime = rt};
            filch_handle *h;
            REQUIRE(filch_spawn_future_with(&h, &o, &s.future, sizeof s) == 0);
            pause_a_little(&random);
            CHECK(filch_abort(h) == 0);
            int rc = join(h);
            CHECK(rc == 0 ? filch_now() >= when : rc == -ECANCELED);
        }
        drain(rt);
        runtime_close(rt);
    }
}

int main(void)
{
    (void)test_seed();
    RUN(never_early);
    RUN(past_and_never);
    RUN(dropped_ones_are_gone);
    RUN(polled_with_another_waker);
    RUN(many_at_one_time);
    RUN(aborts_meet_times);
    return summary();
}
