/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scopes: tasks that end together. What is spawned into a scope has ended when its close returns,
 * whatever happens; a cancel reaches every task in it, and in the scopes that these have opened.
 * So a child may use its parent's stack. A scope is opened inside the innermost one of the caller,
 * else it belongs to the caller's task: an abort of that task cancels it.
 *
 *     int fetch_both(struct page *a, struct page *b)
 *     {
 *         filch_scope s;
 *         int rc = filch_scope_open(&s, &(filch_scope_options){.deadline = filch_now() + SECOND});
 *         if (rc < 0)
 *             return rc;
 *         filch_scope_spawn(&s, NULL, fetch, a); // a failure cancels the other
 *         filch_scope_spawn(&s, NULL, fetch, b);
 *         return filch_scope_close(&s);          // 0, the first failure, or -ETIMEDOUT
 *     }
 *
 * Cancellation is level-triggered: until the scope's end each wait and each checkpoint in it
 * returns -ECANCELED, which says that what was asked for did not happen. Inside a shield (shield.h)
 * it is not seen.
 *
 * Whatever comes first at the scope decides what its close returns:
 *     a failure                         the child's code, and with FILCH_FAIL_FAST the rest is cancelled
 *     a success, with FILCH_RACE        0, and the rest is cancelled
 *     the scope's own deadline          -ETIMEDOUT
 *     filch_scope_cancel, a cancel or   -ECANCELED
 *     deadline further out, an abort
 *     of the opener, the runtime's end
 *     the last child's end              0, or with FILCH_RACE the first failure
 * Where two of them meet:
 *     two winners of a race             the first to end is the winner; the other has ended too, its
 *                                       handle gives its value
 *     cancel, and the last child's end  while the opener waits in close: the first counts. A cancel
 *                                       that comes second returns -EINVAL, the scope has closed; a
 *                                       child that ends second keeps its value
 *     cancel before close, no child     -ECANCELED: the scope was open
 *     failure after cancel, or after    is in the report; what came first is returned
 *     the deadline
 *     outer deadline, shield, deadline  inside the shield only the inner deadline counts, and the
 *     inside it                         inner close says -ETIMEDOUT or what came first there; after
 *                                       the shield's end the outer one is seen; the outer close says
 *                                       -ETIMEDOUT
 *     cancel from another thread        as from a task: the first counts
 *     spawn after cancel                the task is admitted cancelled: fn never runs, arg_drop does
 * A child that was cancelled and returns -ECANCELED has not failed, nor has one that was aborted
 * through its handle; a child that returns a value although it was cancelled has succeeded.
 */
#ifndef FILCH_SCOPE_H
#define FILCH_SCOPE_H

#include <filch/future.h>

FILCH_BEGIN_DECLS

/* Storage of a scope, from its open to its close, and for filch_scope_report afterwards. */
typedef struct filch_scope {
    uint64_t opaque[104];
} __attribute__((aligned(64))) filch_scope;

/* A scope that is not open: its close says -EINVAL. */
#define FILCH_SCOPE_INIT \
    {                    \
        {                \
            0            \
        }                \
    }

typedef enum filch_policy {
    FILCH_FAIL_FAST, /* the first failure cancels the rest */
    FILCH_SUPERVISE, /* failures are collected, nothing is cancelled */
    FILCH_RACE       /* the first success cancels the rest */
} filch_policy;

/* Zero means default everywhere. */
typedef struct filch_scope_options {
    const char *name; /* for diagnosis; not copied */
    filch_policy policy;
    bool collect;     /* ended children are kept for filch_scope_next */
    int64_t deadline; /* CLOCK_MONOTONIC, ns; the scope is cancelled then. 0: none */
    int64_t grace;    /* ns after a cancel; children that still run then are named. 0: never */
    filch_runtime *runtime; /* of the children; default: the caller's, else the process's */
    /* Called on a thread of the runtime; must neither suspend nor use the scope. */
    void (*on_failure)(void *ctx, const char *task, int result); /* of each child that fails */
    void (*on_overdue)(void *ctx, const char *task); /* default: a line on standard error */
    void *ctx;
} filch_scope_options;

/*
 * Opens a scope. In a task or on any thread; does not suspend. o may be NULL. Must be closed by the
 * same task (and in the same forked job), or thread, after what was opened inside of it; a task or
 * thread that ends with a scope open ends the process with a line that says so. On a thread outside
 * a cancel does not reach the thread's own waits, but for filch_scope_next. -EINVAL: an option is
 * out of range, or a callback of the runtime calls, which is no task. -EBUSY: s is open. -ENOMEM;
 * -EAGAIN: no thread for the timers. -ESHUTDOWN: the runtime is being destroyed, or lost to a
 * fork(2).
 */
FILCH_API int filch_scope_open(filch_scope *s, const filch_scope_options *o);

/*
 * Starts fn(arg) as a child of the scope. Like filch_spawn, from any thread or task while the scope
 * is open, also by its children while its opener waits in close. With h == NULL a result is dropped
 * at its end, or kept for filch_scope_next; else the handle may outlive the scope. -EINVAL: the
 * scope is not open, or the option `runtime` names another one than the scope's.
 */
FILCH_API int filch_scope_spawn(filch_scope *s, filch_handle **h, filch_fn *fn, void *arg);
FILCH_API int filch_scope_spawn_with(filch_scope *s, filch_handle **h, const filch_spawn_options *o,
                                     filch_fn *fn, void *arg);
/* The same for a future, as filch_spawn_future_with. o may be NULL. */
FILCH_API int filch_scope_spawn_future(filch_scope *s, filch_handle **h,
                                       const filch_spawn_options *o, filch_future *f, size_t size);

/*
 * Cancels everything in the scope, and says why: reason is yours, and readable by the cancelled.
 * Any thread or task, while s is valid memory; returns when all was told, waits for nobody. 0 also
 * where it was cancelled before: the first reason stays. -EINVAL: the scope has closed.
 */
FILCH_API int filch_scope_cancel(filch_scope *s, int reason);

/*
 * Waits for every child, then runs what filch_scope_defer registered, and closes the scope. Returns
 * what the table above says. By its opener; suspends, or blocks a thread; not cut short by a
 * cancel, which makes its children end. Without effect: -EINVAL: not open. -EPERM: another task,
 * job or thread opened it. -EBUSY: something is open inside of it, or a job was forked there and
 * not synced. Closed, but nobody was waited for: -ESHUTDOWN: the runtime is lost to a fork(2).
 */
FILCH_API int filch_scope_close(filch_scope *s);

/*
 * Of a scope with `collect`: the next child that ended, in the order of ending. *ended is the
 * caller's, and its join need not wait; where the scope is cancelled join it inside a shield.
 * Children with a handle of their own are not among them; those not taken are dropped at the close.
 * By the opener; may suspend. The scope's own cancel does not cut it short: the children end soon,
 * and are handed out. -ENOENT: no child is left. -ECANCELED: what encloses the scope is cancelled.
 * -EINVAL: not open, or without `collect`. -EPERM, -EBUSY, -ESHUTDOWN: as filch_scope_close.
 */
FILCH_API int filch_scope_next(filch_scope *s, filch_handle **ended);

/*
 * Moves the deadline; 0 and FILCH_NEVER take it away. Any thread or task while the scope is open.
 * -EALREADY: the scope was cancelled. -EINVAL: not open. -ENOMEM, -EAGAIN: as filch_scope_open.
 */
FILCH_API int filch_scope_set_deadline(filch_scope *s, int64_t deadline);

/* The least deadline of the caller's scopes and shields that are not cancelled, up to the nearest
 * shield; or FILCH_NEVER. Any thread or task. */
FILCH_API int64_t filch_deadline(void);

/*
 * Runs fn(arg) when the scope closes, after the children's end, the newest first, on the opener, in
 * what encloses the scope. Any thread or task while the scope is open. -ENOMEM. -EINVAL: fn is
 * NULL, or the scope is not open.
 */
FILCH_API int filch_scope_defer(filch_scope *s, void (*fn)(void *arg), void *arg);

/* ---- seen from foreign code ---- */

/* Any thread while s is valid memory. */
FILCH_API bool filch_scope_cancelled(const filch_scope *s);
/*
 * A word that is zero until the scope is cancelled, to be read by atomic loads, until the close. By
 * the opener. NULL: not open. Unlike filch_cancelled it is not set by a shutdown of the runtime in
 * a scope that did not ask for it or for the event by then.
 */
FILCH_API const uint32_t *filch_scope_flag(filch_scope *s);
/*
 * An eventfd that becomes readable when the scope is cancelled; the scope's, which closes it. Not
 * to be written. Any thread while the scope is open. -EMFILE, -ENFILE, -ENOMEM; -EINVAL: not open.
 */
FILCH_API int filch_scope_event(filch_scope *s);

/* ---- what happened ---- */

typedef enum filch_cause_kind {
    FILCH_CAUSE_NONE,     /* not cancelled */
    FILCH_CAUSE_ABORT,    /* filch_abort of the task */
    FILCH_CAUSE_CANCEL,   /* filch_scope_cancel; code is its reason */
    FILCH_CAUSE_DEADLINE, /* of a scope or shield */
    FILCH_CAUSE_FAILURE,  /* a child failed; code is what it returned */
    FILCH_CAUSE_WON,      /* a child won the race; code is what it returned */
    FILCH_CAUSE_SHUTDOWN  /* filch_runtime_destroy */
} filch_cause_kind;

/* Why, and where it began. */
typedef struct filch_cause {
    filch_cause_kind kind;
    int code;
    char scope[32]; /* name of the scope that was cancelled, "" if it has none */
    char task[32];  /* who cancelled, failed or won; "" if it has no name */
} filch_cause;

/* Why the caller is cancelled. In a task, or a thread with a scope open; does not suspend. -ENOENT:
 * it is not. -EINVAL: out is NULL. */
FILCH_API int filch_cancel_cause(filch_cause *out);

typedef struct filch_failure {
    int result;
    char task[32];
} filch_failure;

#define FILCH_FAILURES_MAX 8

typedef struct filch_report {
    int result;     /* what close returned, or would return now */
    uint64_t ended; /* children; the sum of the next three */
    uint64_t succeeded, failed, cancelled;
    uint32_t overdue;      /* those that still ran after the grace period */
    uint32_t failures_len; /* the first FILCH_FAILURES_MAX of those that failed, in order */
    filch_failure failures[FILCH_FAILURES_MAX];
    filch_cause cause;      /* why the scope was cancelled */
    int64_t cancel_latency; /* ns from the cancel to the last child's end; -1: not cancelled, or no
                               child has ended last since */
    char last[32];          /* that child's name */
} filch_report;

/* By the opener, while the scope is open and after its close, while s is valid memory. -EINVAL: out
 * is NULL, or s was never open. */
FILCH_API int filch_scope_report(filch_scope *s, filch_report *out);

FILCH_END_DECLS

#endif
