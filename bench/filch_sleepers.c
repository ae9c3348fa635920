/* SPDX-License-Identifier: Apache-2.0 */

/* Many tasks that sleep: to start them, to abort them, what they take, and how late they wake. */

#include "bench/filch_peer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define HOUR INT64_C(3600000000000)

struct sleepers {
    uint64_t count;
    filch_handle **handle;
    uint64_t cancelled;
    int64_t start_ns, abort_ns, bytes;
};

static uint64_t asleep;

/* A sleep that counts itself once it is armed: its deadline is even until then. */
static int poll_counted(filch_future *self, const filch_waker *waker)
{
    filch_sleep_future *s = (filch_sleep_future *)(void *)self;
    bool first = s->deadline % 2 == 0;
    s->deadline |= 1;
    int rc = filch_sleep_future_ops.poll(self, waker);
    if (first)
        __atomic_fetch_add(&asleep, 1, __ATOMIC_RELAXED);
    return rc;
}

static void drop_counted(filch_future *self)
{
    filch_sleep_future_ops.drop(self);
}

static const filch_future_ops counted_ops = {"an hour", poll_counted, drop_counted};

/* Until all of them are asleep. */
static void await_asleep(uint64_t count)
{
    while (__atomic_load_n(&asleep, __ATOMIC_RELAXED) < count)
        must(filch_yield(), "yield");
}

static void start_stackless(struct sleepers *s)
{
    int64_t start = bench_now();
    __atomic_store_n(&asleep, 0, __ATOMIC_RELAXED);
    for (uint64_t i = 0; i < s->count; i++) {
        filch_sleep_future sleep = {
            FILCH_FUTURE(&counted_ops), (start & ~INT64_C(1)) + HOUR + (int64_t)i * 1000, {0}};
        must(filch_spawn_future(&s->handle[i], &sleep.future, sizeof(sleep)), "spawn");
    }
    await_asleep(s->count);
    s->start_ns = bench_now() - start;
}

static int sleep_an_hour(void *arg)
{
    (void)arg;
    __atomic_fetch_add(&asleep, 1, __ATOMIC_RELAXED);
    return filch_sleep(HOUR);
}

static void start_fibers(struct sleepers *s)
{
    __atomic_store_n(&asleep, 0, __ATOMIC_RELAXED);
    for (uint64_t i = 0; i < s->count; i++)
        must(filch_spawn(&s->handle[i], sleep_an_hour, NULL), "spawn");
    await_asleep(s->count);
}

static void abort_all(struct sleepers *s)
{
    int64_t start = bench_now();
    s->cancelled = 0;
    for (uint64_t i = 0; i < s->count; i++)
        must(filch_abort(s->handle[i]), "abort");
    for (uint64_t i = 0; i < s->count; i++) {
        int result = 0;
        must(filch_join(s->handle[i], &result), "join");
        s->cancelled += result == -ECANCELED;
    }
    s->abort_ns = bench_now() - start;
}

static int stackless(void *p)
{
    struct sleepers *s = p;
    int64_t before = filch_bench_resident();
    start_stackless(s);
    s->bytes = filch_bench_resident() - before;
    abort_all(s);
    return 0;
}

static int fibers(void *p)
{
    struct sleepers *s = p;
    int64_t before = filch_bench_resident();
    start_fibers(s);
    s->bytes = filch_bench_resident() - before;
    abort_all(s);
    return 0;
}

/* A small case, then one of `count`, whose figures are left in *s. */
static int run(filch_fn *fn, uint64_t count, unsigned workers, struct sleepers *s)
{
    filch_handle **handle = malloc((count + 1) * sizeof(*handle));
    if (handle == NULL)
        return -ENOMEM;
    for (uint64_t i = 0; i <= count; i++)
        handle[i] = NULL; /* so that the array is in memory before anything is measured */
    filch_runtime *rt = filch_bench_runtime(workers);
    *s = (struct sleepers){.count = count < 100 ? count : 100, .handle = handle};
    must(filch_run(rt, fn, s), "run");
    s->count = count;
    must(filch_run(rt, fn, s), "run");
    must(filch_runtime_destroy(rt), "destroy");
    free(handle);
    return 0;
}

static int result_of(const struct sleepers *s, double value, struct bench_result *out)
{
    out->value = value / (double)s->count;
    snprintf(out->check, sizeof(out->check), "%" PRIu64, s->cancelled);
    return 0;
}

int filch_bench_sleep_start(uint64_t count, unsigned workers, struct bench_result *out)
{
    struct sleepers s;
    int rc = run(stackless, count, workers, &s);
    return rc < 0 ? rc : result_of(&s, (double)s.start_ns, out);
}

int filch_bench_abort(uint64_t count, unsigned workers, struct bench_result *out)
{
    struct sleepers s;
    int rc = run(stackless, count, workers, &s);
    return rc < 0 ? rc : result_of(&s, (double)s.abort_ns, out);
}

int filch_bench_bytes_sleeper(uint64_t count, unsigned workers, struct bench_result *out)
{
    struct sleepers s;
    int rc = run(stackless, count, workers, &s);
    return rc < 0 ? rc : result_of(&s, (double)s.bytes, out);
}

int filch_bench_bytes_fiber_sleeper(uint64_t count, unsigned workers, struct bench_result *out)
{
    struct sleepers s;
    int rc = run(fibers, count, workers, &s);
    return rc < 0 ? rc : result_of(&s, (double)s.bytes, out);
}

/* ---- lateness ---- */

struct late {
    filch_sleep_future sleep; /* first */
    int64_t *lateness;
    bool counted;
};

static int poll_late(filch_future *self, const filch_waker *waker)
{
    struct late *l = (struct late *)(void *)self;
    int rc = filch_sleep_future_ops.poll(self, waker);
    if (rc == 0)
        *l->lateness = bench_now() - l->sleep.deadline;
    else if (!l->counted)
        __atomic_fetch_add(&asleep, 1, __ATOMIC_RELAXED);
    l->counted = true;
    return rc;
}

static const filch_future_ops late_ops = {"a time", poll_late, drop_counted};

struct punctuality {
    uint64_t count;
    filch_handle **handle;
    int64_t *lateness;
    int64_t lead;
    bool in_time; /* all were armed before the first was due */
};

/* Joined last first, so that the joiner is woken but now and then. */
static int expire(void *p)
{
    struct punctuality *a = p;
    int64_t start = bench_now() + a->lead;
    __atomic_store_n(&asleep, 0, __ATOMIC_RELAXED);
    for (uint64_t i = 0; i < a->count; i++) {
        struct late late = {
            {FILCH_FUTURE(&late_ops), start + (int64_t)i * 1000, {0}}, &a->lateness[i], false};
        must(filch_spawn_future(&a->handle[i], &late.sleep.future, sizeof(late)), "spawn");
    }
    while (bench_now() < start && __atomic_load_n(&asleep, __ATOMIC_RELAXED) < a->count)
        must(filch_yield(), "yield");
    a->in_time = bench_now() < start;
    for (uint64_t i = a->count; i > 0; i--)
        must(filch_join(a->handle[i - 1], NULL), "join");
    return 0;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* A second and a third time with a longer lead, where arming took too long. */
static void expire_in_time(filch_runtime *rt, struct punctuality *a)
{
    a->lead = (int64_t)a->count * 4000;
    for (int tries = 0; tries < 3; tries++, a->lead *= 2) {
        must(filch_run(rt, expire, a), "run");
        if (a->in_time)
            return;
    }
    bench_fail("arming takes longer than was planned", -ETIME);
}

int filch_bench_timer_lateness(uint64_t count, unsigned workers, struct bench_result *out)
{
    struct punctuality a = {.count = 100,
                            .handle = calloc(count, sizeof(*a.handle)),
                            .lateness = calloc(count, sizeof(*a.lateness))};
    if (a.handle == NULL || a.lateness == NULL || count < 100)
        return count < 100 ? -EINVAL : -ENOMEM;
    filch_runtime *rt = filch_bench_runtime(workers);
    a.lead = 10000000;
    must(filch_run(rt, expire, &a), "run");
    a.count = count;
    expire_in_time(rt, &a);
    must(filch_runtime_destroy(rt), "destroy");
    qsort(a.lateness, count, sizeof(*a.lateness), by_size);
    out->value = (double)a.lateness[count * 99 / 100];
    snprintf(out->check, sizeof(out->check), "%" PRIu64, a.lateness[0] >= 0 ? count : 0);
    free(a.handle);
    free(a.lateness);
    return 0;
}
