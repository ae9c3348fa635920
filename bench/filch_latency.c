/* SPDX-License-Identifier: Apache-2.0 */

/* The time until something runs: a forked job beside an owner that computes, hot and cold, a task
 * that a foreign thread spawns on a sleeping runtime; and what an idle runtime costs.
 *
 * Each latency is the median of `rounds` rounds. The check counts the rounds in which the work
 * began on a thread other than the one that it was handed over from. */

#include "bench/filch_peer.h"

#include <errno.h>
#include <filch/atomic.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define MICROSECOND 1000
#define MILLISECOND 1000000

struct start {
    int64_t at; /* 0: not yet; written by the job, watched by the owner */
    pid_t thread;
};

/* gettid, since compilers keep what pthread_self returned over a call that changes threads. */
static int note_start(void *p)
{
    struct start *s = p;
    int64_t now = bench_now();
    s->thread = gettid();
    filch__store_release(&s->at, now);
    return 0;
}

struct trial {
    uint64_t rounds;
    int64_t before; /* nanoseconds that the owner computes before each fork */
    int64_t after;  /* and after it: at most, or in any case */
    bool to_the_end;
    int64_t limit; /* latency that only a tenth of the rounds may exceed; 0: none */
    int64_t *latency;
    uint64_t count; /* rounds whose job began elsewhere: the length of latency */
};

/* Stands for a computation that knows nothing of filch. Ends early once *stop is set. */
static void compute(int64_t nanoseconds, const int64_t *stop)
{
    int64_t end = bench_now() + nanoseconds;
    while (bench_now() < end && (stop == NULL || filch__load_relaxed(stop) == 0))
        ;
}

static int fork_and_compute(void *p)
{
    struct trial *t = p;
    for (uint64_t i = 0; i < t->rounds; i++) {
        struct start s = {0};
        filch_job job = FILCH_JOB(note_start, &s);
        compute(t->before, NULL);
        pid_t owner = gettid();
        int64_t forked = bench_now();
        filch_fork(&job);
        compute(t->after, t->to_the_end ? NULL : &s.at);
        filch_sync(&job);
        if (s.thread != owner)
            t->latency[t->count++] = s.at - forked;
    }
    return 0;
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void report(struct trial *t, struct bench_result *out)
{
    qsort(t->latency, t->count, sizeof(*t->latency), ascending);
    out->value = t->count == 0 ? 0 : (double)t->latency[t->count / 2];
    uint64_t late = 0;
    while (t->limit > 0 && late < t->count && t->latency[t->count - 1 - late] > t->limit)
        late++;
    int n = snprintf(out->check, sizeof(out->check), "%" PRIu64 " of %" PRIu64 " on another thread",
                     t->count, t->rounds);
    if (late > t->rounds / 10)
        snprintf(out->check + n, sizeof(out->check) - (size_t)n,
                 ", %" PRIu64 " after more than %" PRId64 " us, the last after %" PRId64, late,
                 t->limit / MICROSECOND, t->latency[t->count - 1] / MICROSECOND);
}

static int fork_trial(struct trial *t, unsigned workers, struct bench_result *out)
{
    t->latency = calloc(t->rounds + 1, sizeof(*t->latency));
    if (t->latency == NULL)
        return -ENOMEM;
    filch_runtime *rt = filch_bench_runtime(workers);
    must(filch_run(rt, fork_and_compute, t), "run");
    must(filch_runtime_destroy(rt), "destroy");
    report(t, out);
    free(t->latency);
    return 0;
}

/* The thief has just done the last round's job and looks for more. */
int filch_bench_steal(uint64_t rounds, unsigned workers, struct bench_result *out)
{
    struct trial t = {.rounds = rounds, .before = 2 * MICROSECOND, .after = 20 * MILLISECOND};
    return fork_trial(&t, workers, out);
}

/* The other worker has been asleep for a while, and the owner computes on without a look at filch.
 */
int filch_bench_busy_owner_steal(uint64_t rounds, unsigned workers, struct bench_result *out)
{
    struct trial t = {.rounds = rounds,
                      .before = 10 * MILLISECOND,
                      .after = 100 * MILLISECOND,
                      .to_the_end = true,
                      .limit = 1 * MILLISECOND};
    return fork_trial(&t, workers, out);
}

static void sleep_for(int64_t nanoseconds)
{
    struct timespec t = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        ;
}

/* From the spawn by a thread that is no worker. */
int filch_bench_wake(uint64_t rounds, unsigned workers, struct bench_result *out)
{
    struct trial t = {.rounds = rounds, .latency = calloc(rounds + 1, sizeof(int64_t))};
    if (t.latency == NULL)
        return -ENOMEM;
    filch_runtime *rt = filch_bench_runtime(workers);
    for (uint64_t i = 0; i < rounds; i++) {
        struct start s = {0};
        filch_handle *h;
        sleep_for(5 * MILLISECOND);
        int64_t spawned = bench_now();
        must(filch_spawn_with(&h, &(filch_spawn_options){.runtime = rt}, note_start, &s), "spawn");
        must(filch_join(h, NULL), "join");
        if (s.thread != gettid())
            t.latency[t.count++] = s.at - spawned;
    }
    must(filch_runtime_destroy(rt), "destroy");
    report(&t, out);
    free(t.latency);
    return 0;
}

static int64_t cpu_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* A runtime that has worked once, then has nothing to do for `seconds`. */
int filch_bench_idle(uint64_t seconds, unsigned workers, struct bench_result *out)
{
    filch_runtime *rt = filch_bench_runtime(workers);
    must(filch_run(rt, nothing, NULL), "run");
    sleep_for(50 * MILLISECOND);
    int64_t start = bench_now();
    int64_t used = cpu_time();
    sleep_for((int64_t)seconds * 1000000000);
    used = cpu_time() - used;
    out->value = 100.0 * (double)used / (double)(bench_now() - start);
    snprintf(out->check, sizeof(out->check), "idle");
    must(filch_runtime_destroy(rt), "destroy");
    return 0;
}
