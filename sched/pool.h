/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pools of a runtime: threads beside its workers, and queues of jobs for them. One is for what
 * blocks; one has spare threads, for what must run at the same time as others.
 *
 * A pool is made with its first job. A job goes to the end of the queue and wakes the thread that
 * became idle last; where none is idle it makes a new one, up to the bound. Spare threads have no
 * bound, and one that is made begins with the job for which it was made, which is in no queue; so
 * each job has a thread that is coming for it, or is refused, whatever becomes of others. A thread that has
 * been idle for some seconds ends; it joins the one that ended before it, so that one at most is
 * left to be joined.
 *
 * A job's states; all changes under the pool's lock:
 *     NEW     -> QUEUED     submit
 *     QUEUED  -> RUNNING    the thread that takes the oldest
 *     NEW     -> RUNNING    submit, of a spare: to a thread that it makes; and back if it cannot
 *     RUNNING -> DONE       that thread, when `run` has returned
 *     QUEUED  -> DONE       thread NULL. Result -ECANCELED: a thread found the waiter cancelled; or
 *                           an error: there is no thread, and none to be had
 *     QUEUED  -> WITHDRAWN  who submitted it
 * After DONE and `done`, in one hold of the lock, the pool does not touch the job any more.
 *
 * Interrupts. What a job runs may open a region, in which a system call may be cut short. The
 * thread opens and closes it under the lock. A signal is sent under the lock too, to the thread of
 * a RUNNING job that was asked to end and has its region open: so never to one that has left it,
 * runs another job, or is gone. A signal takes effect some time after it was sent; therefore the
 * thread has it blocked outside of regions. One that comes after the close stays pending until the
 * next opening, which lets it in before the region is open: it interrupts nothing. And one that
 * comes after the opening but before the system call is lost: who waits sends it again, with
 * pauses, until the region is closed. Once a job was asked to end it opens no region any more.
 */
#ifndef FILCH_SCHED_POOL_H
#define FILCH_SCHED_POOL_H

#include "sched/after.h"
#include "sched/link.h"
#include "sched/os/thread.h"

#include <filch/runtime.h>

struct filch__forks;
struct filch__job;
struct filch__pool_thread;

struct filch__job_ops {
    /* On a thread of the pool. */
    int (*run)(struct filch__job *job);
    /* Under the lock, once it is DONE. *after is done without the lock. */
    void (*done)(struct filch__job *job, struct filch__after *after);
};

enum filch__job_state {
    FILCH__JOB_NEW,
    FILCH__JOB_QUEUED,
    FILCH__JOB_RUNNING,
    FILCH__JOB_DONE,
    FILCH__JOB_WITHDRAWN,
};

/*
 * In the memory of who submits it, zero but for ops and waiter. Under the lock.
 *
 * waiter: whose cancel keeps it from being started from that moment on, not only from its
 * withdrawal: of a fiber that waits for it and nothing else, so that what is open there stands
 * still; or NULL.
 */
struct filch__job {
    struct filch__link link;           /* in the queue */
    const struct filch__job_ops *ops;  /* immutable, as is the next after the submit */
    struct filch__pool *pool;          /* NULL: it was not submitted */
    const struct filch__forks *waiter; /* see below; immutable */
    struct filch__pool_thread *thread; /* that has run it, or NULL */
    int result;                        /* of DONE */
    uint8_t state;
    bool asked; /* to end */
};

enum filch__pool_kind { FILCH__POOL_BLOCKING, FILCH__POOL_SPARE, FILCH__POOLS };

struct filch__pool {
    /* Immutable. */
    filch_runtime *rt;
    enum filch__pool_kind kind;
    uint32_t bound;
    int64_t patience; /* ns that a thread stays idle */
    /* Under lock. */
    pthread_mutex_t lock __attribute__((aligned(64)));
    struct filch__link queue;         /* the oldest first */
    struct filch__link idle;          /* threads, the last first */
    struct filch__pool_thread *ended; /* to be joined; it joins the one before */
    uint32_t threads;                 /* that live or are being made; futex */
    bool stop;
};

/*
 * Any thread, while rt lasts, and until the job is DONE or WITHDRAWN. The job may be DONE when it
 * returns. -ENOMEM, -EAGAIN: there is no thread, for a spare no other one, and none to be had;
 * -ESHUTDOWN: rt was lost to a fork(2). Then the job is NEW.
 */
int filch__pool_submit(filch_runtime *rt, enum filch__pool_kind kind, struct filch__job *job);

/* Any thread; not in the child of a fork(2). */
static inline void filch__pool_lock(struct filch__pool *pool)
{
    pthread_mutex_lock(&pool->lock);
}
static inline void filch__pool_unlock(struct filch__pool *pool)
{
    pthread_mutex_unlock(&pool->lock);
}

/* Under the lock, by who submitted it. False: it was not QUEUED any more. */
__attribute__((warn_unused_result)) bool filch__job_withdraw(struct filch__job *job);

/* Under the lock, of a RUNNING one: asks it to end. True: it was in a region, and got a signal. */
bool filch__job_interrupt(struct filch__job *job);

/* Of the calling thread, as filch_interruptible_begin and filch_interruptible_end. */
int filch__pool_region_begin(void);
void filch__pool_region_end(void);

/* The runtime to whose pool the calling thread belongs, or NULL. */
filch_runtime *filch__pool_of_thread(void);

/* The closer, there is no job: joins the threads, frees the pools. */
void filch__pools_end(filch_runtime *rt);

#endif
