/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/pool.h"

#include <filch/forks.h>

#include "sched/os/clock.h"
#include "sched/os/die.h"
#include "sched/os/eintr.h"
#include "sched/os/futex.h"
#include "sched/os/memory.h"
#include "sched/runtime.h"
#include "sched/timers.h"

#include <errno.h>
#include <stdio.h>

#define PATIENCE (10 * INT64_C(1000000000))

struct filch__pool_thread {
    filch__thread thread;
    pthread_t self; /* written by the thread before its first job */
    struct filch__pool *pool;
    struct filch__job *first; /* for which it was made; NULL: the oldest in the queue */
    /* Under the pool's lock. */
    struct filch__link link;                /* while idle */
    struct filch__job *job;                 /* that it runs; read by the thread without the lock, */
    bool region;                            /* as is this: it alone writes them */
    uint32_t bell;                          /* futex: it is not idle any more */
    struct filch__pool_thread *predecessor; /* that ended before it, when it has ended */
};

static _Thread_local struct filch__pool_thread *here __attribute__((tls_model("initial-exec")));

static struct filch__pool_thread *thread_of(struct filch__link *link)
{
    return (struct filch__pool_thread *)(void *)((char *)link -
                                                 offsetof(struct filch__pool_thread, link));
}

static struct filch__job *job_of(struct filch__link *link)
{
    return (struct filch__job *)(void *)((char *)link - offsetof(struct filch__job, link));
}

/* ---- threads ---- */

/* Under the lock. The word to wake by, or NULL: none is idle. */
static uint32_t *ring_idle(struct filch__pool *pool)
{
    if (filch__link_empty(&pool->idle))
        return NULL;
    struct filch__pool_thread *t = thread_of(pool->idle.next);
    filch__link_remove(&t->link);
    filch__store_relaxed(&t->bell, 1); /* the lock publishes what it is to see */
    return &t->bell;
}

/* Under the lock, and again when it returns. False: nobody wanted it for long. */
static bool wait_idle(struct filch__pool_thread *self)
{
    struct filch__pool *pool = self->pool;
    int64_t until = filch__now() + pool->patience;
    int rc;
    filch__store_relaxed(&self->bell, 0);
    filch__link_add(&pool->idle, &self->link);
    do {
        filch__pool_unlock(pool);
        rc = filch__futex_wait(&self->bell, 0, until);
        filch__pool_lock(pool);
    } while (rc == 0 && !filch__load_relaxed(&self->bell));
    if (filch__load_relaxed(&self->bell))
        return true;
    filch__link_remove(&self->link);
    return false;
}

/* Under the lock, which it leaves for what `done` asks for. */
static void end_job(struct filch__job *job, int result)
{
    struct filch__pool *pool = job->pool;
    struct filch__after after = {NULL, NULL};
    job->result = result;
    job->state = FILCH__JOB_DONE;
    job->ops->done(job, &after);
    if (!after.fn)
        return;
    filch__pool_unlock(pool);
    after.fn(after.arg);
    filch__pool_lock(pool);
}

/* Under the lock, of a QUEUED one, which keeps its waiter where it is. */
static bool is_cancelled(const struct filch__job *job)
{
    const struct filch__forks *waiter = job->waiter;
    return waiter &&
           (filch__load_acquire(waiter->cancelled) || filch__load_acquire(waiter->closing));
}

/* Under the lock, which it leaves meanwhile. */
static void run(struct filch__pool_thread *self, struct filch__job *job)
{
    struct filch__pool *pool = self->pool;
    job->state = FILCH__JOB_RUNNING;
    job->thread = self;
    self->job = job;
    filch__pool_unlock(pool);
    int result = job->ops->run(job);
    if (filch__unlikely(filch__load_relaxed(&pool->rt->lost)))
        filch__die("a blocking call has returned in the child of a fork(2) that it made");
    if (filch__unlikely(self->region))
        filch__pool_region_end();
    filch__pool_lock(pool);
    self->job = NULL;
    end_job(job, result);
}

/* The same. */
static void run_oldest(struct filch__pool_thread *self)
{
    struct filch__job *job = job_of(self->pool->queue.next);
    filch__link_remove(&job->link);
    if (filch__unlikely(is_cancelled(job)))
        end_job(job, -ECANCELED);
    else
        run(self, job);
}

static void forget(struct filch__pool_thread *t)
{
    filch__thread_join(&t->thread);
    filch__free(t->pool->rt->arena, t, sizeof *t, 64);
}

/* Under the lock, which it leaves. The pool stays until this thread was joined. */
static void leave(struct filch__pool_thread *self)
{
    struct filch__pool *pool = self->pool;
    self->predecessor = pool->ended;
    pool->ended = self;
    filch__store_relaxed(&pool->threads, pool->threads - 1);
    filch__pool_unlock(pool);
    filch__futex_wake(&pool->threads, 1);
    if (self->predecessor)
        forget(self->predecessor);
}

static void *thread_main(void *arg)
{
    struct filch__pool_thread *self = arg;
    struct filch__pool *pool = self->pool;
    self->self = pthread_self();
    here = self;
    filch__pool_lock(pool);
    if (self->first)
        run(self, self->first);
    while (!pool->stop) {
        if (!filch__link_empty(&pool->queue))
            run_oldest(self);
        else if (!wait_idle(self) && filch__link_empty(&pool->queue))
            break;
    }
    leave(self);
    return NULL;
}

/* first may be NULL. */
static int start_thread(struct filch__pool *pool, struct filch__job *first)
{
    struct filch__pool_thread *t = filch__alloc(pool->rt->arena, sizeof *t, 64);
    if (!t)
        return -ENOMEM;
    *t = (struct filch__pool_thread){.pool = pool, .first = first};
    char name[32];
    snprintf(name, sizeof name, "%.9s/%s", pool->rt->name,
             pool->kind == FILCH__POOL_SPARE ? "spare" : "block");
    int rc = filch__thread_create(&t->thread, thread_main, t, 0, name);
    if (rc < 0)
        filch__free(pool->rt->arena, t, sizeof *t, 64);
    return rc;
}

/*
 * A thread, which is counted already, could not be made. Where there is no other, or it was made for
 * `own` alone, that is not served; where there is no other nor are those whose threads were refused
 * while this one was still hoped for.
 */
static int refuse(struct filch__pool *pool, struct filch__job *own, int error)
{
    int rc = 0;
    filch__pool_lock(pool);
    filch__store_relaxed(&pool->threads, pool->threads - 1);
    if (pool->kind == FILCH__POOL_SPARE || (pool->threads == 0 && filch__job_withdraw(own))) {
        own->state = FILCH__JOB_NEW;
        rc = error;
    }
    while (pool->threads == 0 && !filch__link_empty(&pool->queue)) {
        struct filch__job *job = job_of(pool->queue.next);
        filch__link_remove(&job->link);
        end_job(job, error);
    }
    filch__pool_unlock(pool);
    return rc;
}

/* ---- the pool ---- */

/* Under pool_lock. */
static int create(filch_runtime *rt, enum filch__pool_kind kind)
{
    struct filch__pool *pool = filch__alloc(rt->arena, sizeof *pool, 64);
    if (!pool)
        return -ENOMEM;
    int blocking = rt->options.blocking_threads;
    uint32_t bound = blocking ? (uint32_t)blocking : FILCH_BLOCKING_THREADS_DEFAULT;
    *pool = (struct filch__pool){
        .rt = rt,
        .kind = kind,
        .bound = kind == FILCH__POOL_SPARE ? UINT32_MAX : bound,
        .patience = PATIENCE,
    };
    pthread_mutex_init(&pool->lock, NULL);
    filch__link_init(&pool->queue);
    filch__link_init(&pool->idle);
    /* Pairs with get. */
    filch__store_release(&rt->pools[kind], pool);
    return 0;
}

static int get(filch_runtime *rt, enum filch__pool_kind kind, struct filch__pool **pool)
{
    int rc = 0;
    if (filch__unlikely(filch__load_relaxed(&rt->lost)))
        return -ESHUTDOWN;
    /* Pairs with create: who sees the pool sees what it points to. */
    *pool = filch__load_acquire(&rt->pools[kind]);
    if (filch__likely(*pool != NULL))
        return 0;
    pthread_mutex_lock(&rt->pool_lock);
    if (!rt->pools[kind])
        rc = create(rt, kind);
    *pool = rt->pools[kind];
    pthread_mutex_unlock(&rt->pool_lock);
    return rc;
}

int filch__pool_submit(filch_runtime *rt, enum filch__pool_kind kind, struct filch__job *job)
{
    struct filch__pool *pool;
    int rc = get(rt, kind, &pool);
    if (rc < 0)
        return rc;
    filch__pool_lock(pool);
    job->pool = pool;
    uint32_t *bell = ring_idle(pool);
    bool grow = !bell && pool->threads < pool->bound;
    bool own = grow && pool->kind == FILCH__POOL_SPARE;
    job->state = own ? FILCH__JOB_RUNNING : FILCH__JOB_QUEUED;
    if (!own)
        filch__link_add(pool->queue.prev, &job->link);
    if (grow)
        filch__store_relaxed(&pool->threads, pool->threads + 1);
    filch__pool_unlock(pool);
    if (bell)
        filch__futex_wake(bell, 1);
    if (grow)
        rc = start_thread(pool, own ? job : NULL);
    if (filch__likely(rc == 0))
        return 0;
    rc = refuse(pool, job, rc);
    if (rc < 0)
        job->pool = NULL;
    return rc;
}

bool filch__job_withdraw(struct filch__job *job)
{
    if (job->state != FILCH__JOB_QUEUED)
        return false;
    filch__link_remove(&job->link);
    job->state = FILCH__JOB_WITHDRAWN;
    return true;
}

bool filch__job_interrupt(struct filch__job *job)
{
    job->asked = true;
    if (!job->thread->region)
        return false;
    filch__eintr_send(job->thread->self);
    return true;
}

static void end(struct filch__pool *pool)
{
    filch__pool_lock(pool);
    pool->stop = true;
    for (uint32_t *bell; (bell = ring_idle(pool));)
        filch__futex_wake(bell, 1);
    for (uint32_t left; (left = pool->threads) > 0;) {
        filch__pool_unlock(pool);
        filch__futex_wait(&pool->threads, left, FILCH_NEVER);
        filch__pool_lock(pool);
    }
    filch__pool_unlock(pool);
    if (pool->ended)
        forget(pool->ended);
    pthread_mutex_destroy(&pool->lock);
    filch__free(pool->rt->arena, pool, sizeof *pool, 64);
}

void filch__pools_end(filch_runtime *rt)
{
    for (int kind = 0; kind < FILCH__POOLS; kind++)
        if (rt->pools[kind])
            end(rt->pools[kind]);
}

/* ---- on its threads ---- */

filch_runtime *filch__pool_of_thread(void)
{
    return here ? here->pool->rt : NULL;
}

int filch__pool_region_begin(void)
{
    struct filch__pool_thread *self = here;
    if (!self || !self->job)
        return -EINVAL;
    if (self->region)
        return -EBUSY;
    struct filch__pool *pool = self->pool;
    /* Of who waits, to send the signal again; also says that the runtime is lost. */
    int rc = filch__timers_start(pool->rt);
    if (rc < 0)
        return rc;
    filch__eintr_allow();
    filch__pool_lock(pool);
    self->region = !self->job->asked;
    filch__pool_unlock(pool);
    if (self->region)
        return 0;
    filch__eintr_forbid();
    return -ECANCELED;
}

void filch__pool_region_end(void)
{
    struct filch__pool_thread *self = here;
    if (!self || !self->region)
        return;
    bool lost = filch__load_relaxed(&self->pool->rt->lost);
    if (!lost)
        filch__pool_lock(self->pool);
    self->region = false;
    if (!lost)
        filch__pool_unlock(self->pool);
    filch__eintr_forbid();
}
