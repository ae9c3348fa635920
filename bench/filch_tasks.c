/* SPDX-License-Identifier: Apache-2.0 */

/* The cost of tasks with handles: spawn and join, yield, memory. */

#include "bench/filch_peer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define YIELDERS 4

static int one(void *arg)
{
    (void)arg;
    return 1;
}

struct batch {
    uint64_t count;
    filch_handle **handle;
    uint64_t sum;
    int64_t nanoseconds;
    int64_t bytes;
};

static void spawn_all(struct batch *b)
{
    for (uint64_t i = 0; i < b->count; i++)
        must(filch_spawn(&b->handle[i], one, NULL), "spawn");
}

static void join_all(struct batch *b)
{
    b->sum = 0;
    for (uint64_t i = 0; i < b->count; i++) {
        int result = 0;
        must(filch_join(b->handle[i], &result), "join");
        b->sum += (uint64_t)result;
    }
}

/* The first round touches the memory; what is measured is the second. */
static int spawn_join(void *p)
{
    struct batch *b = p;
    spawn_all(b);
    join_all(b);
    int64_t start = bench_now();
    spawn_all(b);
    join_all(b);
    b->nanoseconds = bench_now() - start;
    return 0;
}

int64_t filch_bench_resident(void)
{
    int64_t pages = -1;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL || fscanf(f, "%*d %" SCNd64, &pages) != 1)
        bench_fail("/proc/self/statm", -errno);
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

static int spawn_and_measure(void *p)
{
    struct batch *b = p;
    int64_t before = filch_bench_resident();
    spawn_all(b);
    b->bytes = filch_bench_resident() - before;
    join_all(b);
    return 0;
}

/* Runs a small batch of `fn` and then one of `count`, whose figures are left in *b. */
static int run_batch(filch_fn *fn, uint64_t count, unsigned workers, struct batch *b)
{
    filch_handle **handle = malloc((count + 1) * sizeof(*handle));
    if (handle == NULL)
        return -ENOMEM;
    for (uint64_t i = 0; i <= count; i++)
        handle[i] = NULL; /* so that the array is in memory before anything is measured */
    filch_runtime *rt = filch_bench_runtime(workers);
    *b = (struct batch){.count = count < 1000 ? count : 1000, .handle = handle};
    must(filch_run(rt, fn, b), "run");
    b->count = count;
    must(filch_run(rt, fn, b), "run");
    must(filch_runtime_destroy(rt), "destroy");
    free(handle);
    return 0;
}

int filch_bench_spawn_join(uint64_t count, unsigned workers, struct bench_result *out)
{
    struct batch b;
    int rc = run_batch(spawn_join, count, workers, &b);
    if (rc < 0)
        return rc;
    out->value = (double)b.nanoseconds / (double)count;
    snprintf(out->check, sizeof(out->check), "%" PRIu64, b.sum);
    return 0;
}

/* With one worker nothing runs before the spawner waits. */
int filch_bench_bytes_task(uint64_t count, unsigned workers, struct bench_result *out)
{
    struct batch b;
    if (workers != 1)
        return -EINVAL;
    int rc = run_batch(spawn_and_measure, count, workers, &b);
    if (rc < 0)
        return rc;
    out->value = (double)b.bytes / (double)count;
    snprintf(out->check, sizeof(out->check), "%" PRIu64, b.sum);
    return 0;
}

static int fib_spawn(void *p)
{
    intptr_t n = (intptr_t)p;
    if (n < 2)
        return (int)n;
    filch_handle *h;
    int b = 0;
    must(filch_spawn(&h, fib_spawn, (void *)(n - 2)), "spawn");
    int a = fib_spawn((void *)(n - 1));
    must(filch_join(h, &b), "join");
    return a + b;
}

int filch_bench_fib_spawn(uint64_t n, unsigned workers, struct bench_result *out)
{
    filch_runtime *rt = filch_bench_runtime(workers);
    must(filch_run(rt, fib_spawn, (void *)(intptr_t)15), "run");
    int64_t start = bench_now();
    int r = filch_run(rt, fib_spawn, (void *)(uintptr_t)n);
    out->value = (double)(bench_now() - start) / bench_fib_forks((int)n);
    snprintf(out->check, sizeof(out->check), "%d", r);
    must(filch_runtime_destroy(rt), "destroy");
    return 0;
}

struct yielder {
    uint64_t count;
    uint64_t done;
};

static int yield_often(void *p)
{
    struct yielder *y = p;
    for (uint64_t i = 0; i < y->count; i++) {
        must(filch_yield(), "yield");
        y->done++;
    }
    return 0;
}

static int yield_together(void *p)
{
    struct yielder *y = p;
    filch_handle *h[YIELDERS];
    for (int i = 0; i < YIELDERS; i++)
        must(filch_spawn(&h[i], yield_often, &y[i]), "spawn");
    for (int i = 0; i < YIELDERS; i++)
        must(filch_join(h[i], NULL), "join");
    return 0;
}

int filch_bench_yield(uint64_t count, unsigned workers, struct bench_result *out)
{
    filch_runtime *rt = filch_bench_runtime(workers);
    struct yielder warm[YIELDERS] = {
        {.count = 1000}, {.count = 1000}, {.count = 1000}, {.count = 1000}};
    struct yielder y[YIELDERS] = {
        {.count = count}, {.count = count}, {.count = count}, {.count = count}};
    must(filch_run(rt, yield_together, warm), "run");
    int64_t start = bench_now();
    must(filch_run(rt, yield_together, y), "run");
    out->value = (double)(bench_now() - start) / (double)(YIELDERS * count);
    uint64_t done = 0;
    for (int i = 0; i < YIELDERS; i++)
        done += y[i].done;
    snprintf(out->check, sizeof(out->check), "%" PRIu64, done);
    must(filch_runtime_destroy(rt), "destroy");
    return 0;
}
