/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks. They are ready in the queue of the thread that made them, or that ended what they waited
 * for. The owner takes the newest, others the oldest; threads at a barrier take any, threads that wait
 * inside of a task only what descends from it. A task that was begun stays with its thread.
 *
 * A task is freed with its last reference: its own until it has ended, one of each child that has
 * not, and those of tables of dependences.
 */
#ifndef FILCH_GOMP_TASK_H
#define FILCH_GOMP_TASK_H

#include "adapters/gomp/gomp.h"

/* Takes a task and runs it: any, or one that descends from the task that runs here. all: looks at
 * each that is queued, not only where one is likely. */
bool filch__omp_run_any(struct filch__omp_self *self);
bool filch__omp_run_descendant(struct filch__omp_self *self, bool all);

/* ---- task.c ---- */

/* Of a task to be made. */
struct filch__omp_order {
    void (*fn)(void *);
    void *data;
    void (*copy)(void *to, void *from);
    long size, align; /* of its copy of data */
    void **depend;    /* or NULL */
    void **event;     /* receives the event that must come before it ends, or NULL */
    void *bounds;     /* of a taskloop: its two first words; or NULL */
    bool now;         /* the thread goes on when it has ended */
    bool final;
};

void filch__omp_make_task(struct filch__omp_self *self, const struct filch__omp_order *order);

/* A task without code, which stands for what waits here for the dependences. */
void filch__omp_await_dependences(struct filch__omp_self *self, void **depend);

/* On its thread; ends it, unless an event must come. */
void filch__omp_run_task(struct filch__omp_self *self, struct filch__omp_task *task);

void filch__omp_reference(struct filch__omp_task *task);
void filch__omp_unreference(struct filch__omp_task *task);

/* ---- group.c ---- */

/* The task that runs here opens a group for tasks that it and what descends from it make; and waits
 * for their end. reductions: of the group, NULL: those of the group around it. */
void filch__omp_group_begin(struct filch__omp_self *self);
void filch__omp_group_end(struct filch__omp_self *self);

/* ---- queue.c ---- */

/* A task is ready. self: the caller's thread, or NULL if it is none of the region. */
void filch__omp_push(struct filch__omp_self *self, struct filch__omp_task *task);

/* ---- depend.c ---- */

/*
 * The task, a child of the one that runs here, begins after those that the list names: its blockers
 * are increased by as many as have not ended. now: no later one will wait for it.
 */
void filch__omp_depend(struct filch__omp_task *task, void **list, bool now);

/* The task has ended: what waited for it goes on. */
void filch__omp_let_followers_go(struct filch__omp_self *self, struct filch__omp_task *task);

/* The table of the children's dependences is not needed any more. */
void filch__omp_forget_children(struct filch__omp_task *task);

#endif
