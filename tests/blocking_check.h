/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of blocking calls share: calls that wait for a byte, looks at the pool.
 */
#ifndef FILCH_TESTS_BLOCKING_CHECK_H
#define FILCH_TESTS_BLOCKING_CHECK_H

#include "sched/pool.h"
#include "sched/runtime.h"
#include "tests/support.h"
#include "tests/threads.h"

#define MS   INT64_C(1000000)
#define HOUR (3600 * 1000 * MS)

static inline filch_runtime *runtime_bounded(int workers, int bound)
{
    filch_runtime *rt;
    filch_options o = {.workers = workers, .blocking_threads = bound, .name = "calls"};
    REQUIRE(filch_runtime_create(&rt, &o) == 0);
    watchdog_watch(rt);
    return rt;
}

/* A call that reads a byte from a pipe, or sleeps for an hour; in a region or not. */
struct call {
    int in, out;
    bool region, sleeps;
    uint32_t started, ended;
    int begun, error; /* of the region; of the system call, 0: it was not interrupted */
};

static inline void call_open(struct call *c, bool region, bool sleeps)
{
    int fd[2];
    REQUIRE(pipe(fd) == 0);
    *c = (struct call){.in = fd[0], .out = fd[1], .region = region, .sleeps = sleeps};
}

static inline void call_close(struct call *c)
{
    close(c->in);
    close(c->out);
}

/* So many calls that read may go on. */
static inline void call_release(struct call *c, int n)
{
    for (; n > 0; n--)
        REQUIRE(write(c->out, "x", 1) == 1);
}

/* 0, or what the system call or the region has failed with. */
static inline int call_run(void *arg)
{
    struct call *c = arg;
    const struct timespec hour = {.tv_sec = 3600};
    char byte;
    c->begun = c->region ? filch_interruptible_begin() : 0;
    raise_flag(&c->started);
    errno = 0;
    if (c->begun == 0)
        c->error =
            (c->sleeps ? nanosleep(&hour, NULL) == 0 : read(c->in, &byte, 1) == 1) ? 0 : -errno;
    if (c->region)
        filch_interruptible_end();
    tally(&c->ended);
    return c->begun < 0 ? c->begun : c->error;
}

static inline int call_task(void *call)
{
    return filch_blocking(call_run, call);
}

/* The job of a future that is pending. */
static inline struct filch__job *job_of(filch_blocking_future *b)
{
    return (struct filch__job *)(void *)b->storage;
}

static inline bool is_asked(filch_blocking_future *b)
{
    struct filch__job *job = job_of(b);
    filch__pool_lock(job->pool);
    bool asked = job->asked;
    filch__pool_unlock(job->pool);
    return asked;
}

/* Jobs of rt that wait for a thread. */
static inline int queued(filch_runtime *rt)
{
    struct filch__pool *pool = filch__load_acquire(&rt->pools[FILCH__POOL_BLOCKING]);
    int n = 0;
    if (!pool)
        return 0;
    filch__pool_lock(pool);
    for (struct filch__link *link = pool->queue.next; link != &pool->queue; link = link->next)
        n++;
    filch__pool_unlock(pool);
    return n;
}

/* Threads of rt's pool, by its own account. */
static inline uint32_t pool_threads(filch_runtime *rt)
{
    struct filch__pool *pool = filch__load_acquire(&rt->pools[FILCH__POOL_BLOCKING]);
    return pool ? filch__load_relaxed(&pool->threads) : 0;
}

#endif
