/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The task: one block of memory, from the spawn until the last reference goes.
 *
 * The block holds the structure, then the options that few tasks have, then the moved argument and
 * the result. A handle is its address, and so is an abort handle.
 */
#ifndef FILCH_TASK_TASK_H
#define FILCH_TASK_TASK_H

#include "sched/fibers.h"
#include "sched/runtime.h"
#include "task/state.h"

#include <filch/task.h>

/* Who waits for a task's end; on the waiter's stack. */
struct filch__joiner {
    struct filch__fiber *fiber; /* or NULL, and then: */
    uint32_t ended;             /* futex of a thread: 1 when the task has ended */
};

/* A fiber that waits on behalf of a task whose main fiber is another; on its stack. */
struct filch__strand {
    struct filch__fiber *fiber;
    struct filch__strand *next;
};

/* What a task has beyond fn and arg. Immutable after the spawn. */
struct filch__task_extra {
    void (*arg_drop)(void *arg);
    void (*result_drop)(void *result);
    void *result;
    size_t result_size;
    struct filch__worker *pinned;
    struct filch__fiber *own_fiber; /* made for it, if it has a stack size of its own */
    bool cancel_on_drop;
    char name[32];
};

struct filch_handle {
    struct filch__runnable runnable; /* first: what the scheduler queues */
    /* Immutable after the spawn. */
    filch_fn *fn;
    void *arg;
    filch_runtime *rt;
    struct filch__task_extra *extra; /* or NULL */
    uint32_t block_size;
    /* Written by the task's worker before it publishes the end. */
    int32_t result;
    /* Shared. */
    uint32_t state;                    /* state.h */
    uint32_t cancelled;                /* what filch_cancelled reads */
    uint32_t lock;                     /* spin lock of the two below */
    struct filch__fiber *fiber;        /* on which fn runs; NULL before and after */
    struct filch__strand *strands;     /* other fibers that wait in it */
    struct filch__joiner *joiner;      /* valid with JOINER in the state */
    struct filch__fiber *joiner_fiber; /* the joiner's, if it is one of the task's own runtime */
};

_Static_assert(sizeof(struct filch_handle) <= 128, "a plain task fits a block of the common size");

/* The task that the calling fiber works for, or NULL. */
static inline struct filch_handle *filch__task_current(void)
{
    struct filch__fiber *fiber = filch__fiber_current();
    return fiber ? fiber->task : NULL;
}

/* Run function of a task. */
struct filch__fiber *filch__task_run(struct filch__runnable *r);
/* The same for a task whose joiner has made the start transition. */
struct filch__fiber *filch__task_run_started(struct filch__runnable *r);
/* Run function of a task that has a fiber of its own: moves there first. */
struct filch__fiber *filch__task_run_own(struct filch__runnable *r);

/* Its name, or "". Lives as long as the task. */
const char *filch__task_name(const void *task);

/* The last reference is gone. Any thread. */
void filch__task_free(struct filch_handle *t);
/* Nobody will join it: if it failed, which would be lost, the runtime is told. */
void filch__task_report(struct filch_handle *t);
/* The task succeeded and nobody takes its result. */
void filch__task_drop_result(struct filch_handle *t);

/*
 * A wait of the current task, between begin and end on one fiber. After begin, an abort unparks
 * the fiber; the waiter looks at filch_cancelled before each park.
 */
void filch__wait_enter(struct filch_handle *t, struct filch__strand *strand);
void filch__wait_leave(struct filch_handle *t, struct filch__strand *strand);

static inline void filch__wait_begin(struct filch__strand *strand, struct filch__fiber *fiber)
{
    struct filch_handle *t = fiber->task;
    strand->fiber = fiber;
    if (filch__unlikely(t && filch__load_relaxed(&t->fiber) != fiber))
        filch__wait_enter(t, strand);
}

static inline void filch__wait_end(struct filch__strand *strand)
{
    struct filch_handle *t = strand->fiber->task;
    if (filch__unlikely(t && filch__load_relaxed(&t->fiber) != strand->fiber))
        filch__wait_leave(t, strand);
}

/* Any thread that holds a reference. Wakes every wait in the task. */
void filch__task_wake_waits(struct filch_handle *t);
/* On the worker that ends the task: no aborter will look at its fiber any more. */
void filch__task_forget_fiber(struct filch_handle *t);

/*
 * Waits until t has ended and nobody but holders of references touches it. The caller owns the
 * handle and no other join of it is going on. With cancellable, -ECANCELED when the calling task is
 * cancelled; -ENOMEM; -ESHUTDOWN.
 */
int filch__task_await_end(struct filch_handle *t, bool cancellable);

#endif
