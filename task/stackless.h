/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks without a stack: a future that was moved into a task's block, and is polled where it is
 * each time that its waker is woken (turn.h). A poll is a plain call on the worker's fiber, which
 * has the task as its own meanwhile; should it suspend, the fiber is a strand of the task like that
 * of a stolen job. Between polls the task is in no queue and on no fiber: the roster of the worker
 * that spawned it knows it.
 *
 * An abort or a cancel is a wake after the flag: the turn that follows drops the future.
 */
#ifndef FILCH_TASK_STACKLESS_H
#define FILCH_TASK_STACKLESS_H

#include "task/task.h"
#include "task/turn.h"

#include <filch/future.h>

struct filch__stackless {
    struct filch_handle task;                                  /* first; its fn is NULL */
    _Alignas(FILCH__HOLDER_ALIGN) struct filch__holder holder; /* of the polling worker */
    uint32_t turn;
    uint16_t roster; /* immutable: the worker's index, or their count for threads outside */
    uint16_t turns;  /* begun so far, modulo 2^16; of the polling worker */
    struct filch__link entry; /* under the roster's lock */
    _Alignas(16) unsigned char future[];
};

static inline bool filch__task_is_stackless(const struct filch_handle *t)
{
    return !t->fn;
}

static inline struct filch__stackless *filch__stackless_of(struct filch_handle *t)
{
    return (struct filch__stackless *)(void *)t;
}

static inline struct filch__stackless *filch__stackless_of_entry(struct filch__link *entry)
{
    return (struct filch__stackless *)(void *)((char *)entry -
                                               offsetof(struct filch__stackless, entry));
}

static inline filch_future *filch__stackless_future(struct filch__stackless *s)
{
    return (filch_future *)(void *)s->future;
}

/* Of a task that is otherwise complete, before it is queued: moves the future in. w:
 * filch__worker_of the runtime. */
void filch__stackless_begin(struct filch_handle *t, struct filch__worker *w, filch_future *f,
                            size_t size);

/* The two halves of a wake, by who may touch the task. True: it stays until it was queued, which
 * the caller owes. */
__attribute__((warn_unused_result)) static inline bool
filch__stackless_claim(struct filch_handle *t)
{
    return filch__turn_wake(&filch__stackless_of(t)->turn) == FILCH__TURN_QUEUE;
}

void filch__stackless_queue(struct filch_handle *t);

/* Run function. */
struct filch__fiber *filch__stackless_run(struct filch__runnable *r);

#endif
