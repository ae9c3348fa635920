/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks: functions that run on the workers of a runtime, and the handles by which they are joined,
 * detached and aborted. A task that never waits is a plain call on a worker; one that waits leaves
 * the worker to others. Dropping a handle detaches, it does not stop the task.
 *
 *     static int greet(void *name) { return printf("hello, %s\n", (char *)name); }
 *     ...
 *     filch_handle *task;
 *     int rc = filch_spawn(&task, greet, "world");
 *     if (rc == 0)
 *         rc = filch_join(task, &result);
 *
 * Promises: fn runs at most once, and never if the task was aborted before it started. arg_drop
 * runs exactly once if the spawn succeeded, on a worker, before the end is reported. result_drop
 * runs exactly once if the task succeeded and nobody moved its result out. A task that finishes
 * has finished, whether or not somebody asked it to abort. errno and the floating-point control
 * words belong to the task: they stay its own over every wait.
 */
#ifndef FILCH_TASK_H
#define FILCH_TASK_H

#include <filch/runtime.h>

FILCH_BEGIN_DECLS

/* The right to join a task. Owned by one; every handle ends in a join or a detach. */
typedef struct filch_handle filch_handle;

/* Zero means default everywhere. */
typedef struct filch_spawn_options {
    const char *name;       /* for diagnosis; the first 31 bytes are copied */
    filch_runtime *runtime; /* default: that of the caller's task, else the process's */
    int worker;             /* n > 0: on worker n - 1 only; its forked jobs may run elsewhere */
    size_t stack_size;      /* bytes, at least FILCH_STACK_MIN; default: the runtime's */
    size_t arg_size;        /* move that many bytes of *arg into the task; fn gets the copy */
    void (*arg_drop)(void *arg);
    size_t result_size; /* bytes that fn may fill at filch_result_buffer() */
    void (*result_drop)(void *result);
    bool cancel_on_drop; /* detaching aborts */
} filch_spawn_options;

/*
 * Starts fn(arg) as a task. Any thread or task; does not suspend. On success *h, if h is not
 * NULL, is the caller's; with h == NULL the task is detached from birth. On failure the caller
 * still owns arg. -EINVAL: fn is NULL, or an option is out of range. -ENOMEM. -ESHUTDOWN: the
 * runtime is being destroyed, or was lost to a fork(2). Where it makes the default runtime: what
 * filch_runtime_create returns.
 */
FILCH_API int filch_spawn(filch_handle **h, filch_fn *fn, void *arg);
FILCH_API int filch_spawn_with(filch_handle **h, const filch_spawn_options *o, filch_fn *fn,
                               void *arg);

/*
 * Waits for the task's end and consumes the handle; *result, if result is not NULL, receives what
 * fn returned, or -ECANCELED if it was aborted before it started. In a task: suspends. On another
 * thread: blocks it. -EINVAL: h is NULL. -EDEADLK: the task joins itself. In the following cases
 * the handle stays the caller's as well: -ECANCELED: the calling task was cancelled. -ENOMEM: no
 * stack to go on with. -ESHUTDOWN: the runtime was lost to a fork(2).
 */
FILCH_API int filch_join(filch_handle *h, int *result);

/*
 * The same, and moves result_size bytes of the task's result to out if the task succeeded; else
 * out is untouched.
 */
FILCH_API int filch_join_into(filch_handle *h, int *result, void *out);

/* Drops the handle; the task goes on, unless it has cancel_on_drop. Any thread or task. h may be
 * NULL. Does not suspend; runs result_drop if the task has already succeeded. */
FILCH_API void filch_detach(filch_handle *h);

/*
 * Asks the task to end. If it has not started it never will; if it waits, its wait returns
 * -ECANCELED; if it runs it sees it at its next checkpoint; if it has finished nothing happens.
 * Any thread or task, any number of times, also oneself. Does not suspend, runs no destructor.
 * -EINVAL: h is NULL. While one thread joins h another may abort it only if the task cannot end
 * before the abort has returned; where that is not certain, use an abort handle made before.
 */
FILCH_API int filch_abort(filch_handle *h);

/* True once the task has ended and all its destructors of arg have run. Any thread or task. */
FILCH_API bool filch_finished(const filch_handle *h);

/*
 * Blocks the calling thread on one task: fn(arg) on rt (NULL: the default runtime). Returns what fn
 * returned, or -ESHUTDOWN, -ENOMEM and others as filch_spawn. In a task of any runtime it awaits
 * instead; if the caller is cancelled meanwhile fn's task is aborted, and waited for. -EINVAL: fn
 * is NULL.
 */
FILCH_API int filch_run(filch_runtime *rt, filch_fn *fn, void *arg);

/* The right to abort, without the right to join. May outlive the handle and the task. */
typedef struct filch_abort_handle filch_abort_handle;

/* Any thread or task. Never fail; the result is the caller's, for filch_abort_handle_drop. */
FILCH_API filch_abort_handle *filch_abort_handle_of(filch_handle *h);
FILCH_API filch_abort_handle *filch_abort_handle_clone(filch_abort_handle *a);
/* Like filch_abort and filch_finished. */
FILCH_API int filch_abort_handle_abort(filch_abort_handle *a);
FILCH_API bool filch_abort_handle_finished(const filch_abort_handle *a);
/* Does nothing to the task. a may be NULL. */
FILCH_API void filch_abort_handle_drop(filch_abort_handle *a);

/* ---- inside a task ---- */

/*
 * Lets everything that is ready on this worker run first. In a task: may suspend; -ECANCELED: the
 * task was cancelled (it has not yielded); -ENOMEM: no stack to go on with. On another thread:
 * yields the processor.
 */
FILCH_API int filch_yield(void);

/* -ECANCELED if the task was cancelled, else 0. Any thread or task; does not suspend. */
FILCH_API int filch_checkpoint(void);

/*
 * Runs fn(arg) when the task ends, whichever way, before arg_drop and before the end is reported;
 * the newest first. In a task, or a forked job of one; does not suspend. fn may wait, but what
 * cancelled the task cuts its waits short too, unless it begins a shield. -ENOMEM: not registered.
 * -EINVAL: fn is NULL, or no task runs here.
 */
FILCH_API int filch_defer(void (*fn)(void *arg), void *arg);

/* result_size bytes, aligned to 16, zero at first; NULL outside of a task or without result_size.
 */
FILCH_API void *filch_result_buffer(void);

/* The name of the task that runs here, "" if it has none, NULL outside of a task. Valid until the
 * task ends. */
FILCH_API const char *filch_task_name(void);

FILCH_END_DECLS

#endif
