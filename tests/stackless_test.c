/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks without a stack, as they are spawned and as their polls use filch: options, results,
 * refusals, and polls that suspend, spawn, wake themselves.
 */
#include "tests/future_check.h"

#include <filch/scope.h>

/* ---- what polls do ---- */

struct play {
    filch_future future;
    int (*act)(struct play *, const filch_waker *);
    uint32_t *drops;
    long left;
};

static int poll_play(filch_future *self, const filch_waker *waker)
{
    struct play *p = (struct play *)(void *)self;
    CHECK(*p->drops == 0);
    return p->act(p, waker);
}

static void drop_play(filch_future *self)
{
    tally(((struct play *)(void *)self)->drops);
}

static const filch_future_ops play_ops = {"a play", poll_play, drop_play};

#define PLAY(act, drops, n)                           \
    {                                                 \
        FILCH_FUTURE(&play_ops), (act), (drops), (n), \
    }

/* Spawned on rt, joined; dropped once. */
static int play_on(filch_runtime *rt, int (*act)(struct play *, const filch_waker *), long n)
{
    uint32_t drops = 0;
    filch_spawn_options o = {.runtime = rt};
    struct play p = PLAY(act, &drops, n);
    filch_handle *h;
    REQUIRE(filch_spawn_future_with(&h, &o, &p.future, sizeof p) == 0);
    int rc = join(h);
    CHECK(drops == 1);
    return rc;
}

/* Each turn it wakes itself, by what it got, a clone, or from a task. */
static int wake_clone(void *arg)
{
    filch_waker *w = arg;
    filch_wake(w);
    filch_waker_drop(w);
    return 0;
}

static int wake_myself(struct play *p, const filch_waker *waker)
{
    if (p->left-- == 0)
        return 6;
    if (p->left % 3 == 0)
        filch_wake(waker);
    if (p->left % 3 == 1) {
        filch_waker clone = filch_waker_clone(waker);
        filch_wake(&clone);
        filch_waker_drop(&clone);
    }
    if (p->left % 3 == 2) {
        filch_waker clone = filch_waker_clone(waker);
        filch_spawn_options o = {.arg_size = sizeof clone};
        CHECK(filch_spawn_with(NULL, &o, wake_clone, &clone) == 0);
    }
    return FILCH_PENDING;
}

static int return_number(void *n)
{
    return (int)(intptr_t)n;
}

static int wait_in_poll(struct play *p, const filch_waker *waker)
{
    filch_handle *h;
    int64_t now = filch_now();
    if (p->left-- == 0)
        return 7;
    CHECK(filch_sleep_until(now + 50000) == 0 && filch_now() >= now + 50000);
    CHECK(filch_yield() == 0);
    CHECK(filch_spawn(&h, return_number, (void *)3) == 0);
    CHECK(join(h) == 3);
    filch_join_future end = FILCH_JOIN_FUTURE(NULL);
    CHECK(filch_spawn(&end.handle, return_number, (void *)4) == 0);
    CHECK(filch_await(&end.future) == 4);
    CHECK(filch_run(NULL, return_number, (void *)5) == 5);
    filch_wake(waker);
    return FILCH_PENDING;
}

static int open_scope_in_poll(struct play *p, const filch_waker *waker)
{
    filch_scope s;
    CHECK(filch_scope_open(&s, NULL) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(filch_scope_spawn(&s, NULL, return_number, NULL) == 0);
    CHECK(filch_scope_close(&s) == 0);
    filch_wake(waker);
    return p->left-- == 0 ? 8 : FILCH_PENDING;
}

static void never_called(void *arg)
{
    (void)arg;
    CHECK(!"called");
}

static int ask_in_poll(struct play *p, const filch_waker *waker)
{
    (void)waker;
    CHECK(filch_defer(never_called, NULL) == -EINVAL);
    CHECK(!filch_cancelled() && filch_checkpoint() == 0);
    CHECK(filch_task_name() && strcmp(filch_task_name(), "") == 0);
    CHECK(filch_result_buffer() == NULL);
    CHECK(filch_await(&p->future) == -EBUSY && filch_poll(&p->future, NULL) == -EBUSY);
    CHECK(filch_future_drop(&p->future) == -EBUSY);
    CHECK(filch_spawn_future(NULL, &p->future, sizeof *p) == -EBUSY);
    return 9;
}

static void polls_that_do_much(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        CHECK(play_on(rt, wake_myself, 1000) == 6);
        CHECK(play_on(rt, wait_in_poll, sized(10, 50, 500)) == 7);
        CHECK(play_on(rt, open_scope_in_poll, 50) == 8);
        CHECK(play_on(rt, ask_in_poll, 0) == 9);
        drain(rt);
        runtime_close(rt);
    }
}

/* ---- a poll that is suspended ---- */

static uint32_t asleep;

static int sleep_for_ever(struct play *p, const filch_waker *waker)
{
    (void)waker;
    raise_flag(&asleep);
    int rc = filch_sleep_until(FILCH_NEVER);
    CHECK(rc == -ECANCELED && filch_cancelled());
    return p->left ? FILCH_PENDING : 4;
}

/* An abort, or the runtime's end, reaches its sleep. What it returns then counts. */
static void suspended_polls_are_reached(void)
{
    for (int i = 0; i < 12 * sized(2, 5, 50); i++) {
        filch_runtime *rt = runtime_open(worker_counts[i % 3]);
        uint32_t drops = 0;
        filch_spawn_options o = {.runtime = rt};
        struct play p = PLAY(sleep_for_ever, &drops, i & 1);
        filch_handle *h;
        filch__store_relaxed(&asleep, 0u);
        REQUIRE(filch_spawn_future_with(&h, &o, &p.future, sizeof p) == 0);
        SPIN_UNTIL(flag_up(&asleep));
        if (i & 2)
            CHECK(filch_abort(h) == 0);
        else
            runtime_close(rt);
        CHECK(join(h) == (i & 1 ? -ECANCELED : 4) && drops == 1);
        if (i & 2)
            runtime_close(rt);
    }
}

/* ---- options ---- */

static int fill_result(struct play *p, const filch_waker *waker)
{
    long *result = filch_result_buffer();
    CHECK(strcmp(filch_task_name(), "with a result") == 0);
    *result += 100;
    filch_wake(waker);
    return p->left-- == 0 ? 2 : FILCH_PENDING;
}

static uint32_t results_dropped;

static void drop_result(void *result)
{
    CHECK(*(long *)result == 400);
    tally(&results_dropped);
}

static void options(void)
{
    filch_runtime *rt = runtime_open(2);
    for (int i = 0; i < 6; i++) {
        uint32_t drops = 0, dropped = filch__load_acquire(&results_dropped);
        struct play p = PLAY(fill_result, &drops, 3);
        long out = 0;
        int result = 0;
        filch_handle *h;
        filch_spawn_options o = {.runtime = rt,
                                 .name = "with a result",
                                 .worker = i % 3,
                                 .result_size = sizeof(long),
                                 .result_drop = drop_result};
        REQUIRE(filch_spawn_future_with(i < 4 ? &h : NULL, &o, &p.future, sizeof p) == 0);
        if (i < 2) {
            CHECK(filch_join_into(h, &result, &out) == 0 && result == 2 && out == 400);
        } else if (i < 4) {
            CHECK(join(h) == 2);
        }
        drain(rt);
        CHECK(drops == 1 && filch__load_acquire(&results_dropped) - dropped == (i >= 2));
    }
    runtime_close(rt);
}

static struct {
    uint32_t polls, wrong;
} pinned;

static int stay_here(struct play *p, const filch_waker *waker)
{
    static __thread int here;
    here++;
    filch_wake(waker);
    tally(&pinned.polls);
    if (here != 100 - (int)p->left + 1)
        raise_flag(&pinned.wrong);
    return p->left-- == 0 ? 1 : FILCH_PENDING;
}

/* Each poll of a pinned one is on its worker. */
static void pinned_ones_stay(void)
{
    filch_runtime *rt = runtime_open(8);
    filch_handle *h[8];
    uint32_t drops[8] = {0};
    for (int i = 0; i < 8; i++) {
        struct play p = PLAY(stay_here, &drops[i], 100);
        filch_spawn_options o = {.runtime = rt, .worker = i + 1};
        REQUIRE(filch_spawn_future_with(&h[i], &o, &p.future, sizeof p) == 0);
    }
    for (int i = 0; i < 8; i++)
        CHECK(join(h[i]) == 1 && drops[i] == 1);
    CHECK(pinned.polls == 8 * 101 && !pinned.wrong);
    runtime_close(rt);
}

static void cancel_on_drop(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        for (int i = 0; i < 20; i++) {
            struct event e = EVENT;
            struct wait wait = WAIT(&e);
            filch_spawn_options o = {.runtime = rt, .cancel_on_drop = true};
            filch_handle *h;
            REQUIRE(filch_spawn_future_with(&h, &o, &wait.future, sizeof wait) == 0);
            if (i & 1)
                SPIN_UNTIL(polls_of(&e) > 0);
            filch_detach(h);
            SPIN_UNTIL(drops_of(&e) == 1);
        }
        drain(rt);
        runtime_close(rt);
    }
}

/* ---- bad input, refusals ---- */

static void bad_input(void)
{
    filch_runtime *rt = runtime_open(2);
    static const filch_future_ops no_poll = {"nothing", NULL, NULL};
    struct event e = EVENT;
    struct wait wait = WAIT(&e);
    filch_future bad = FILCH_FUTURE(&no_poll), none = FILCH_FUTURE(NULL);
    const filch_spawn_options wrong[] = {
        {.runtime = rt, .arg_size = 8},
        {.runtime = rt, .arg_drop = never_called},
        {.runtime = rt, .stack_size = FILCH_STACK_DEFAULT},
        {.runtime = rt, .worker = 3},
        {.runtime = rt, .worker = -1},
        {.runtime = rt, .result_size = SIZE_MAX / 2},
    };
    filch_handle *untouched = (filch_handle *)(uintptr_t)64, *h = untouched;
    filch_spawn_options o = {.runtime = rt};
    for (size_t i = 0; i < COUNT(wrong); i++)
        CHECK(filch_spawn_future_with(&h, &wrong[i], &wait.future, sizeof wait) == -EINVAL);
    CHECK(filch_spawn_future_with(&h, &o, NULL, sizeof wait) == -EINVAL);
    CHECK(filch_spawn_future_with(&h, &o, &wait.future, sizeof(filch_future) - 1) == -EINVAL);
    CHECK(filch_spawn_future_with(&h, &o, &wait.future, SIZE_MAX) == -EINVAL);
    CHECK(filch_spawn_future_with(&h, &o, &wait.future, 0) == -EINVAL);
    CHECK(filch_spawn_future_with(&h, &o, &bad, sizeof bad) == -EINVAL);
    CHECK(filch_spawn_future_with(&h, &o, &none, sizeof none) == -EINVAL);
    CHECK(h == untouched && drops_of(&e) == 0);
    CHECK(filch_poll(&wait.future, NULL) == FILCH_PENDING);
    CHECK(filch_spawn_future_with(&h, &o, &wait.future, sizeof wait) == -EALREADY);
    CHECK(filch_future_drop(&wait.future) == 0);
    CHECK(filch_spawn_future_with(&h, &o, &wait.future, sizeof wait) == -EALREADY);
    CHECK(h == untouched && drops_of(&e) == 1);
    runtime_close(rt);
}

static int hold(void *arg)
{
    uint32_t *flags = arg;
    raise_flag(&flags[0]);
    SPIN_UNTIL(filch_cancelled());
    struct event e = EVENT;
    struct wait wait = WAIT(&e);
    CHECK(filch_spawn_future(NULL, &wait.future, sizeof wait) == -ESHUTDOWN);
    CHECK(!filch_future_ended(&wait.future) && drops_of(&e) == 0);
    CHECK(filch_poll(&wait.future, NULL) == FILCH_PENDING); /* it is as it was */
    CHECK(filch_future_drop(&wait.future) == 0 && drops_of(&e) == 1);
    raise_flag(&flags[1]);
    return 0;
}

static void refused_ones_stay_the_callers(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        uint32_t flags[2] = {0};
        spawn_on(rt, NULL, hold, flags);
        SPIN_UNTIL(flag_up(&flags[0]));
        runtime_close(rt);
        CHECK(flag_up(&flags[1]));
    }
}

/* ---- memory ---- */

static void sleepers_are_small(void)
{
    enum { MANY = 10000 };
    filch_runtime *rt = runtime_open(2);
    filch_spawn_options o = {.runtime = rt};
    size_t before = totals_of(rt).bytes;
    for (int i = 0; i < MANY; i++) {
        filch_sleep_future f = FILCH_SLEEP_FUTURE(FILCH_NEVER - i);
        REQUIRE(filch_spawn_future_with(NULL, &o, &f.future, sizeof f) == 0);
    }
    size_t each = (totals_of(rt).bytes - before) / MANY;
    CHECK(each <= 300);
    if (each > 300)
        fprintf(stderr, "%zu bytes each\n", each);
    runtime_close(rt);
}

int main(void)
{
    RUN(polls_that_do_much);
    RUN(suspended_polls_are_reached);
    RUN(options);
    RUN(pinned_ones_stay);
    RUN(cancel_on_drop);
    RUN(bad_input);
    RUN(refused_ones_stay_the_callers);
    RUN(sleepers_are_small);
    return summary();
}
