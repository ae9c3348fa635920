/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime: a fixed set of worker threads, each with deques of its own, that steal from each
 * other. A process may have several. Where a function takes a runtime, NULL means the process's
 * default runtime, made at first use with default options, which lives until the process ends.
 *
 *     filch_runtime *rt;
 *     int rc = filch_runtime_create(&rt, &(filch_options){.workers = 4, .name = "render"});
 *     if (rc < 0)
 *         return rc;
 *     rc = filch_run(rt, render, &scene);
 *     filch_runtime_destroy(rt);
 */
#ifndef FILCH_RUNTIME_H
#define FILCH_RUNTIME_H

#include <filch/base.h>

FILCH_BEGIN_DECLS

/* Most workers of one runtime. */
#define FILCH_WORKERS_MAX 1024
/* Most threads of one runtime for filch_blocking, and what is their bound when nothing else is
 * said. */
#define FILCH_BLOCKING_THREADS_MAX     4096
#define FILCH_BLOCKING_THREADS_DEFAULT 64
/* Bytes: the smallest stack of a task, and what it gets when nothing else is said. */
#define FILCH_STACK_MIN     (16 * 1024)
#define FILCH_STACK_DEFAULT (1024 * 1024)
#define FILCH_STACK_MAX     ((size_t)1 << 40)

/* Zero means default everywhere. */
typedef struct filch_options {
    int workers;       /* threads; default: the CPUs that this process may really use */
    bool pin;          /* bind worker i to the i-th CPU of the affinity mask, round robin */
    size_t stack_size; /* bytes of address space per task; default FILCH_STACK_DEFAULT */
    const char *name;  /* prefix of the thread names, copied; default "filch" */
    /*
     * Called when a task that nobody can join any more has failed, other than by -ECANCELED: on a
     * worker, or in the filch_detach of a task that has failed already. A detach after the start
     * of filch_runtime_destroy does not call it.
     */
    void (*on_failure)(void *ctx, const char *task_name, int result);
    void *on_failure_ctx;
    int blocking_threads; /* of filch_blocking, at most; default FILCH_BLOCKING_THREADS_DEFAULT */
} filch_options;

/*
 * Starts a runtime. Any thread or task; does not suspend. *rt is the caller's, to be destroyed.
 * -EINVAL: rt is NULL, workers negative or above FILCH_WORKERS_MAX, blocking_threads negative or
 * above FILCH_BLOCKING_THREADS_MAX, stack_size below FILCH_STACK_MIN. -ENOMEM, -EAGAIN: no memory
 * or threads; nothing is left behind.
 */
FILCH_API int filch_runtime_create(filch_runtime **rt, const filch_options *opt);

/*
 * Ends a runtime: cancels every task, runs every destructor, joins the threads, frees all memory.
 * New tasks are refused from the start with -ESHUTDOWN. Blocks the calling thread, which must not
 * be one that runs a task, or a call of filch_blocking on this runtime (-EDEADLK). Handles that are
 * still held stay valid, their tasks have ended; the last of them frees what is left. Waits for
 * scopes that threads have open on it. -EINVAL: rt is NULL. -EALREADY: somebody else is destroying
 * it. -EBUSY: the caller itself has a scope open on it, or is in a loop of it. In a child of fork(2)
 * the threads do not exist: -ESHUTDOWN, nothing is freed; a task that forked must not return there,
 * but _exit or exec.
 */
FILCH_API int filch_runtime_destroy(filch_runtime *rt);

/* How many workers rt has. Any thread or task. NULL: of the default runtime. */
FILCH_API int filch_runtime_workers(filch_runtime *rt);

/* Counts of one worker since its start. */
typedef struct filch_stats {
    uint64_t spawns;        /* tasks that it spawned */
    uint64_t tasks;         /* tasks that it ended */
    uint64_t forks;         /* counted forks (filch_fork_counted) */
    uint64_t forks_stolen;  /* forked jobs that it took from another worker */
    uint64_t steals;        /* tasks and ready fibers that it took from another worker */
    uint64_t failed_steals; /* looks at another worker that found nothing */
    uint64_t parks;         /* times that it went to sleep */
    uint64_t wakes;         /* times that it woke another worker */
    uint64_t switches;      /* switches from one fiber to another */
} filch_stats;

/*
 * Reads the counts of worker `worker` (from 0), while it runs. Any thread or task; does not
 * suspend. -EINVAL: no such worker, or out is NULL.
 */
FILCH_API int filch_runtime_stats(filch_runtime *rt, int worker, filch_stats *out);

/* Counts of a whole runtime. */
typedef struct filch_totals {
    int64_t tasks_live; /* tasks spawned and not ended, and scopes that threads have open */
    uint64_t failures;  /* tasks that failed with nobody to join them */
    size_t bytes;       /* memory that the runtime holds for tasks and queues */
    size_t fibers;      /* fibers that have a stack */
} filch_totals;

/* Any thread or task; does not suspend. -EINVAL: out is NULL. -ESHUTDOWN: lost to a fork(2). */
FILCH_API int filch_runtime_totals(filch_runtime *rt, filch_totals *out);

FILCH_END_DECLS

#endif
