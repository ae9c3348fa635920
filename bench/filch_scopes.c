/* SPDX-License-Identifier: Apache-2.0 */

/* The cost of structured scopes: unused, with children, and when a whole tree is cancelled. */

#include "bench/filch_peer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- a scope that nobody uses ---- */

struct unused {
    uint64_t count, opened;
    int64_t nanoseconds;
};

static int open_and_close(void *p)
{
    struct unused *u = p;
    int64_t start = bench_now();
    for (u->opened = 0; u->opened < u->count; u->opened++) {
        filch_scope s;
        must(filch_scope_open(&s, NULL), "open");
        must(filch_scope_close(&s), "close");
    }
    u->nanoseconds = bench_now() - start;
    return 0;
}

int filch_bench_scope_open_close(uint64_t count, unsigned workers, struct bench_result *out)
{
    filch_runtime *rt = filch_bench_runtime(workers);
    struct unused u = {.count = count / 10};
    must(filch_run(rt, open_and_close, &u), "run");
    u.count = count;
    must(filch_run(rt, open_and_close, &u), "run");
    out->value = (double)u.nanoseconds / (double)count;
    snprintf(out->check, sizeof(out->check), "%" PRIu64, u.opened);
    must(filch_runtime_destroy(rt), "destroy");
    return 0;
}

/* ---- children: what spawn-join does, in a scope ---- */

static int one(void *arg)
{
    (void)arg;
    return 1;
}

struct family {
    uint64_t count;
    filch_handle **handle; /* NULL: the children have none, the close waits for them */
    uint64_t sum;
    int64_t nanoseconds;
};

static uint64_t join_all(struct family *f)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < f->count; i++) {
        int result = 0;
        must(filch_join(f->handle[i], &result), "join");
        sum += (uint64_t)result;
    }
    return sum;
}

static void spawn_and_close(struct family *f)
{
    filch_scope s;
    filch_report report;
    must(filch_scope_open(&s, NULL), "open");
    for (uint64_t i = 0; i < f->count; i++)
        must(filch_scope_spawn(&s, f->handle ? &f->handle[i] : NULL, one, NULL), "spawn");
    f->sum = f->handle ? join_all(f) : 0;
    must(filch_scope_close(&s), "close");
    must(filch_scope_report(&s, &report), "report");
    if (!f->handle)
        f->sum = report.succeeded;
}

/* As in spawn-join, the first round touches the memory. */
static int measure_family(void *p)
{
    struct family *f = p;
    spawn_and_close(f);
    int64_t start = bench_now();
    spawn_and_close(f);
    f->nanoseconds = bench_now() - start;
    return 0;
}

static void run_family(struct family *f, unsigned workers, struct bench_result *out)
{
    filch_runtime *rt = filch_bench_runtime(workers);
    must(filch_run(rt, measure_family, f), "run");
    out->value = (double)f->nanoseconds / (double)f->count;
    snprintf(out->check, sizeof(out->check), "%" PRIu64, f->sum);
    must(filch_runtime_destroy(rt), "destroy");
}

int filch_bench_scope_spawn(uint64_t count, unsigned workers, struct bench_result *out)
{
    run_family(&(struct family){.count = count}, workers, out);
    return 0;
}

int filch_bench_scope_spawn_join(uint64_t count, unsigned workers, struct bench_result *out)
{
    struct family f = {.count = count, .handle = malloc((count + 1) * sizeof(*f.handle))};
    if (f.handle == NULL)
        return -ENOMEM;
    for (uint64_t i = 0; i <= count; i++)
        f.handle[i] = NULL;
    run_family(&f, workers, out);
    free(f.handle);
    return 0;
}

/* ---- a tree of three levels, all of it suspended ---- */

struct tree {
    uint64_t fanout;
    uint64_t asleep; /* leaves that are about to wait */
    uint64_t cancelled;
    int64_t nanoseconds;
};

static int leaf(void *p)
{
    struct tree *t = p;
    __atomic_add_fetch(&t->asleep, 1, __ATOMIC_RELAXED);
    return filch_sleep_until(FILCH_NEVER);
}

static int grow(struct tree *t, filch_fn *child)
{
    filch_scope s;
    must(filch_scope_open(&s, NULL), "open");
    for (uint64_t i = 0; i < t->fanout; i++)
        must(filch_scope_spawn(&s, NULL, child, t), "spawn");
    int rc = filch_scope_close(&s);
    filch_report report;
    must(filch_scope_report(&s, &report), "report");
    if (child == leaf)
        __atomic_add_fetch(&t->cancelled, report.cancelled, __ATOMIC_RELAXED);
    return rc;
}

static int low(void *p)
{
    return grow(p, leaf);
}

static int middle(void *p)
{
    return grow(p, low);
}

static int cancel_tree(void *p)
{
    struct tree *t = p;
    filch_scope s;
    uint64_t leaves = t->fanout * t->fanout * t->fanout;
    must(filch_scope_open(&s, NULL), "open");
    for (uint64_t i = 0; i < t->fanout; i++)
        must(filch_scope_spawn(&s, NULL, middle, t), "spawn");
    while (__atomic_load_n(&t->asleep, __ATOMIC_RELAXED) < leaves)
        must(filch_yield(), "yield");
    must(filch_yield(), "yield"); /* the last of them waits too */
    int64_t start = bench_now();
    must(filch_scope_cancel(&s, 1), "cancel");
    if (filch_scope_close(&s) != -ECANCELED)
        bench_fail("close", -EIO);
    t->nanoseconds = bench_now() - start;
    return 0;
}

/* count: of the leaves, the cube of a number. */
int filch_bench_scope_cancel(uint64_t count, unsigned workers, struct bench_result *out)
{
    struct tree t = {.fanout = 1};
    while (t.fanout * t.fanout * t.fanout < count)
        t.fanout++;
    uint64_t tasks = t.fanout + t.fanout * t.fanout + t.fanout * t.fanout * t.fanout;
    filch_runtime *rt = filch_bench_runtime(workers);
    must(filch_run(rt, cancel_tree, &(struct tree){.fanout = 10}), "run"); /* a warm-up */
    must(filch_run(rt, cancel_tree, &t), "run");
    out->value = (double)t.nanoseconds / (double)tasks;
    snprintf(out->check, sizeof(out->check), "%" PRIu64, t.cancelled);
    must(filch_runtime_destroy(rt), "destroy");
    return 0;
}
