/* SPDX-License-Identifier: Apache-2.0 */

/* The cost of waiting: what is ready, one of eight, a timer that is cancelled. */

#include "bench/filch_peer.h"

#include <inttypes.h>
#include <stdio.h>

#define HOUR INT64_C(3600000000000)

struct measured {
    uint64_t count, check;
    int64_t nanoseconds;
};

static int run(filch_fn *fn, uint64_t count, unsigned workers, struct bench_result *out)
{
    struct measured warm = {.count = 1000}, m = {.count = count};
    filch_runtime *rt = filch_bench_runtime(workers);
    must(filch_run(rt, fn, &warm), "run");
    must(filch_run(rt, fn, &m), "run");
    must(filch_runtime_destroy(rt), "destroy");
    out->value = (double)m.nanoseconds / (double)count;
    snprintf(out->check, sizeof(out->check), "%" PRIu64, m.check);
    return 0;
}

/* ---- a future that is ready ---- */

struct ready {
    filch_future future; /* first */
    int value;
};

static int poll_ready(filch_future *self, const filch_waker *waker)
{
    (void)waker;
    return ((struct ready *)(void *)self)->value;
}

static const filch_future_ops ready_ops = {"nothing", poll_ready, NULL};

static int await_ready(void *p)
{
    struct measured *m = p;
    uint64_t sum = 0;
    int64_t start = bench_now();
    for (uint64_t i = 0; i < m->count; i++) {
        struct ready ready = {FILCH_FUTURE(&ready_ops), 1};
        sum += (uint64_t)filch_await(&ready.future);
    }
    m->nanoseconds = bench_now() - start;
    m->check = sum;
    return 0;
}

int filch_bench_await_ready(uint64_t count, unsigned workers, struct bench_result *out)
{
    return run(await_ready, count, workers, out);
}

/* ---- one of eight ---- */

#define BRANCHES 8

/* Of one worker, so without atomics. */
struct flag {
    filch_future future; /* first */
    bool *up;
    filch_waker *waker;
};

static int poll_flag(filch_future *self, const filch_waker *waker)
{
    struct flag *f = (struct flag *)(void *)self;
    if (*f->up) {
        *f->up = false;
        return 1;
    }
    *f->waker = *waker;
    return FILCH_PENDING;
}

static void drop_flag(filch_future *self)
{
    ((struct flag *)(void *)self)->waker->ops = NULL;
}

static const filch_future_ops flag_ops = {"a flag", poll_flag, drop_flag};

struct selecting {
    struct measured *m;
    bool up[BRANCHES];
    filch_waker waker[BRANCHES];
    uint64_t seen;
};

static int select_often(void *p)
{
    struct selecting *s = p;
    for (uint64_t i = 0; i < s->m->count; i++) {
        struct flag flag[BRANCHES];
        filch_future *future[BRANCHES];
        for (int b = 0; b < BRANCHES; b++) {
            flag[b] = (struct flag){FILCH_FUTURE(&flag_ops), &s->up[b], &s->waker[b]};
            future[b] = &flag[b].future;
        }
        int winner = filch_select(future, BRANCHES);
        must(winner, "select");
        s->seen += (uint64_t)winner == i % BRANCHES;
        filch_future_drop_all(future, BRANCHES);
    }
    return 0;
}

static int raise_often(void *p)
{
    struct measured *m = p;
    struct selecting s = {.m = m};
    filch_handle *selector;
    int64_t start = bench_now();
    must(filch_spawn(&selector, select_often, &s), "spawn");
    for (uint64_t i = 0; i < m->count; i++) {
        while (s.waker[i % BRANCHES].ops == NULL)
            must(filch_yield(), "yield");
        s.up[i % BRANCHES] = true;
        filch_wake(&s.waker[i % BRANCHES]);
        must(filch_yield(), "yield");
    }
    must(filch_join(selector, NULL), "join");
    m->nanoseconds = bench_now() - start;
    m->check = s.seen;
    return 0;
}

int filch_bench_select8(uint64_t count, unsigned workers, struct bench_result *out)
{
    return run(raise_often, count, workers, out);
}

/* ---- timers ---- */

#define OTHERS 1000

static int arm_and_cancel(void *p)
{
    struct measured *m = p;
    static filch_sleep_future other[OTHERS];
    int64_t now = bench_now();
    for (int i = 0; i < OTHERS; i++) {
        other[i] = (filch_sleep_future)FILCH_SLEEP_FUTURE(now + HOUR + i * INT64_C(1000000));
        (void)filch_poll(&other[i].future, NULL);
    }
    int64_t start = bench_now(), base = start;
    for (uint64_t i = 0; i < m->count; i++) {
        if (i % 1024 == 0)
            base =
                bench_now(); /* the poll below reads the clock once, as peers do for each timer */
        int64_t due = base + INT64_C(1000000000) + (int64_t)(i % 1000) * 1000000;
        filch_sleep_future sleep = FILCH_SLEEP_FUTURE(due);
        m->check += filch_poll(&sleep.future, NULL) == FILCH_PENDING;
        (void)filch_future_drop(&sleep.future);
    }
    m->nanoseconds = bench_now() - start;
    for (int i = 0; i < OTHERS; i++)
        (void)filch_future_drop(&other[i].future);
    return 0;
}

int filch_bench_timer_arm_cancel(uint64_t count, unsigned workers, struct bench_result *out)
{
    return run(arm_and_cancel, count, workers, out);
}
