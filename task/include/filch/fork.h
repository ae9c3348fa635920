/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fork-join: a job is offered to other workers, its owner goes on, and the sync runs the job
 * itself if nobody took it. A fork with its sync costs about what a call costs, so fork freely,
 * down to the smallest piece. Storage is the caller's; nesting is strict: a frame syncs what it
 * forked, the newest first, before it returns.
 *
 *     static int fib(int n);
 *     static int fib_job(void *n) { return fib((int)(intptr_t)n); }
 *     static int fib(int n)
 *     {
 *         if (n < 2)
 *             return n;
 *         filch_job job = FILCH_JOB(fib_job, (void *)(intptr_t)(n - 1));
 *         filch_fork(&job);
 *         int b = fib(n - 2);
 *         return b + filch_sync(&job);
 *     }
 *
 * A job belongs to the task that forked it, and to the scope in which it was forked:
 * filch_cancelled there speaks of those. It may wait, spawn, open scopes and fork. A fork can be
 * stolen at once; an idle worker that has a CPU takes it within some microseconds (1 ms is the bound
 * that the tests hold), also while the owner computes without ever calling filch. Exempt are jobs
 * beyond the fork stack's room, one for each 16 bytes of the stack_size; they run at their sync.
 */
#ifndef FILCH_FORK_H
#define FILCH_FORK_H

#include <filch/forks.h>

FILCH_BEGIN_DECLS

/* A forked job. The fields are filch's; initialise with FILCH_JOB. */
typedef struct filch_job {
    filch_fn *fn;
    void *arg;
    uintptr_t position; /* of its slot */
} filch_job;

/* fn is called once, with arg, on this worker or another. */
#define FILCH_JOB(fn, arg) \
    {                      \
        (fn), (arg), 0     \
    }

/*
 * Offers the job. Any thread or task; does not suspend, does not fail. On a thread that runs no
 * task the job simply runs at its sync.
 */
FILCH_API FILCH_INLINE void filch_fork(filch_job *job)
{
    struct filch__forks *forks = filch__forks_current();
    uintptr_t position = filch__load_relaxed(&forks->split.tail);
    struct filch__slot *slot = (struct filch__slot *)position;
    filch__store_relaxed(&slot->fn, job->fn);
    filch__store_relaxed(&slot->arg, job->arg);
    filch__store_release(&forks->split.tail, position + sizeof *slot);
    job->position = position;
    /* Published, then the look for sleepers: sched/idle.h. */
    filch__fence_compiler();
    if (filch__unlikely(position >= filch__load_relaxed(&forks->split.limit)))
        job->position = filch__fork_slow(position);
}

/*
 * The same, and counts the fork for filch_runtime_stats: a tenth dearer. Define FILCH_COUNT_FORKS
 * before including this to have each filch_fork count.
 */
FILCH_API FILCH_INLINE void filch_fork_counted(filch_job *job)
{
    struct filch__forks *forks = filch__forks_current();
    filch__store_relaxed(&forks->counted, forks->counted + 1);
    filch_fork(job);
}

#ifdef FILCH_COUNT_FORKS
#define filch_fork filch_fork_counted
#endif

/*
 * Returns what the job's fn returned, running it now if nobody has taken it. In the frame that
 * forked it, after all younger forks of the same task were synced. May suspend, if another worker
 * has the job; it waits for the job's end whatever happens, also when the task is cancelled.
 */
FILCH_API FILCH_INLINE int filch_sync(filch_job *job)
{
    struct filch__forks *forks = filch__forks_current();
    uintptr_t position = job->position;
    filch__store_relaxed(&forks->split.tail, position);
    /* The hardware's half of this fence is the thief's membarrier: sched/split.h. */
    filch__fence_compiler();
    if (filch__unlikely(position < filch__load_relaxed(&forks->split.bound))) {
        int64_t result = filch__sync_slow(position);
        if (result != FILCH__MINE)
            return (int)result;
    }
    return job->fn(job->arg);
}

/* True if the task that runs here, or the scope that is open here, was cancelled: stop soon. Any
 * thread or task; a few loads. Off tasks false: see filch_scope_cancelled. */
FILCH_API FILCH_INLINE bool filch_cancelled(void)
{
    const struct filch__forks *forks = filch__forks_current();
    return filch__load_relaxed(forks->cancelled) || filch__load_relaxed(forks->closing);
}

/*
 * The same, but where the task or its scope is cancelled a job that nobody has taken is not run any
 * more: -ECANCELED. A job that has started is waited for, and gives what it returned.
 */
FILCH_API FILCH_INLINE int filch_sync_unless_cancelled(filch_job *job)
{
    if (filch__unlikely(filch_cancelled()))
        return filch__sync_skip(job->position);
    return filch_sync(job);
}

/* Runs f(a) and g(b), perhaps at the same time. Returns the first failure of the two, else 0. */
FILCH_API FILCH_INLINE int filch_invoke2(filch_fn *f, void *a, filch_fn *g, void *b)
{
    filch_job job = FILCH_JOB(g, b);
    filch_fork(&job);
    int first = f(a);
    int second = filch_sync(&job);
    return first < 0 ? first : second < 0 ? second : 0;
}

/* The same for three. */
FILCH_API FILCH_INLINE int filch_invoke3(filch_fn *f, void *a, filch_fn *g, void *b, filch_fn *h,
                                         void *c)
{
    filch_job job = FILCH_JOB(h, c);
    filch_fork(&job);
    int first = filch_invoke2(f, a, g, b);
    int third = filch_sync(&job);
    return first < 0 ? first : third < 0 ? third : 0;
}

FILCH_END_DECLS

#endif
