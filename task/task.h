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
#include "sched/link.h"
#include "sched/runtime.h"
#include "task/state.h"

#include <filch/task.h>
#include <string.h>

/*
 * Who waits for a task's end: the address of its fiber, if that is one of the task's own runtime;
 * or of what is tagged.
 */
enum {
    FILCH__JOINER_FOREIGN = 1, /* a fiber of another runtime */
    FILCH__JOINER_THREAD = 2,  /* a futex, which gets 1 when the task has ended */
    FILCH__JOINER_WAKER = 3,   /* a waker */
    FILCH__JOINER_TAGS = 3,
};

/* A fiber that waits on behalf of a task whose main fiber is another; on its stack. */
struct filch__strand {
    struct filch__fiber *fiber;
    struct filch__strand *next;
};

/* Names are kept in so many bytes, the zero included; longer ones are cut. */
#define FILCH__NAME 32

static inline void filch__name_copy(char *to, const char *from)
{
    size_t length = strnlen(from, FILCH__NAME - 1);
    memcpy(to, from, length);
    memset(to + length, 0, FILCH__NAME - length);
}

struct filch__scope;
struct filch__region;

/* What a task has beyond fn and arg. Immutable after the spawn. */
struct filch__task_extra {
    void (*arg_drop)(void *arg);
    void (*result_drop)(void *result);
    void *result;
    size_t result_size;
    struct filch__worker *pinned;
    struct filch__fiber *own_fiber; /* made for it, if it has a stack size of its own */
    bool cancel_on_drop;
    char name[FILCH__NAME];
};

struct filch_handle {
    struct filch__runnable runnable; /* first: what the scheduler queues */
    /* Immutable after the spawn. */
    filch_fn *fn;
    void *arg;
    filch_runtime *rt;
    struct filch__task_extra *extra; /* or NULL */
    struct filch__scope *scope;      /* whose child it is, or NULL */
    uint32_t block_size;
    /* Written by the task's worker before it publishes the end. */
    int32_t result;
    /* Shared. */
    uint32_t state;                /* state.h */
    uint32_t cancelled;            /* what filch_cancelled reads: 0 or a cause */
    uint32_t lock;                 /* spin lock of the next three */
    bool kept;                     /* its handle is the scope's; immutable */
    struct filch__fiber *fiber;    /* on which fn runs; NULL before and after */
    struct filch__strand *strands; /* other fibers that wait in it */
    struct filch__region *regions; /* the outermost that it has open: region.h */
    uintptr_t joiner;              /* valid with JOINER in the state */
    struct filch__link siblings;   /* under the scope's lock */
};

_Static_assert(sizeof(struct filch_handle) <= 128,
               "a task without extra fits a block of the common size");

static inline struct filch_handle *filch__task_of_sibling(struct filch__link *link)
{
    return (struct filch_handle *)(void *)((char *)link - offsetof(struct filch_handle, siblings));
}

/* The worker on which alone it runs, or NULL. */
static inline struct filch__worker *filch__task_pinned(const struct filch_handle *t)
{
    return t->extra ? t->extra->pinned : NULL;
}

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

/* After fn has returned, or a poll: runs what was deferred, and ends the process where a frame is
 * open. */
void filch__task_clean_up(struct filch_handle *t, struct filch__fiber *fiber);
/* The end of a task that has its result, on the fiber that ran it. Returns the fiber to go on with,
 * or NULL. */
struct filch__fiber *filch__task_finish(struct filch_handle *t);

/* filch_spawn_with and filch_scope_spawn_with: scope may be NULL. */
int filch__task_spawn(struct filch__scope *scope, filch_handle **h, const filch_spawn_options *o,
                      filch_fn *fn, void *arg);

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
 * the fiber; the waiter looks at filch_cancelled before each park. topic, on: for a dump.
 */
void filch__wait_enter(struct filch_handle *t, struct filch__strand *strand);
void filch__wait_leave(struct filch_handle *t, struct filch__strand *strand);

static inline void filch__wait_begin(struct filch__strand *strand, struct filch__fiber *fiber,
                                     const struct filch__topic *topic, const void *on)
{
    struct filch_handle *t = fiber->task;
    strand->fiber = fiber;
    filch__fiber_begin_wait(fiber, topic, on);
    if (filch__unlikely(t && filch__load_relaxed(&t->fiber) != fiber))
        filch__wait_enter(t, strand);
}

static inline void filch__wait_end(struct filch__strand *strand)
{
    struct filch_handle *t = strand->fiber->task;
    filch__fiber_end_wait(strand->fiber);
    if (filch__unlikely(t && filch__load_relaxed(&t->fiber) != strand->fiber))
        filch__wait_leave(t, strand);
}

/* On the worker that ends the task: no aborter will look at its fiber any more. */
void filch__task_forget_fiber(struct filch_handle *t);

/*
 * Waits until t has ended and nobody but holders of references touches it. The caller owns the
 * handle and no other join of it is going on. With cancellable, -ECANCELED when the calling task is
 * cancelled; -ENOMEM; -ESHUTDOWN.
 */
int filch__task_await_end(struct filch_handle *t, bool cancellable);

/* Of a task that has finished: its finisher is between its last two steps; waits for the second.
 * -ESHUTDOWN: it never comes. */
int filch__task_await_release(const struct filch_handle *t);

/* Consumes the handle of a task that was awaited, moves the result to out if that is not NULL, and
 * returns what the task returned. */
int filch__task_take(struct filch_handle *h, void *out);

#endif
