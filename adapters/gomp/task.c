/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/gomp/task.h"

#include "adapters/gomp/wait.h"

#include <stdlib.h>
#include <string.h>

/* A thread with so many ready tasks runs a new one at once. */
enum { ENOUGH = 64 };

void filch__omp_reference(struct filch__omp_task *task)
{
    filch__add_relaxed(&task->references, 1u);
}

void filch__omp_unreference(struct filch__omp_task *task)
{
    /* The last one sees what all others did with it. Implicit tasks have no count: their threads
     * outlive their children. */
    while (task->fn && filch__sub_acq_rel(&task->references, 1u) == 1) {
        struct filch__omp_task *parent = task->parent;
        free(task->follower);
        free(task);
        task = parent;
    }
}

/* ---- the end ---- */

/* A part of it, its body or its event, has ended. self as for filch__omp_push. */
static void end_part(struct filch__omp_self *self, struct filch__omp_task *task)
{
    struct filch__omp_task *parent = task->parent;
    struct filch__omp_region *r = task->region;
    struct filch__omp_group *group = task->group;
    if (filch__sub_seq_cst(&task->parts, 1u) > 1)
        return;
    filch__omp_forget_children(task);
    filch__omp_let_followers_go(self, task);
    if (group)
        filch__sub_seq_cst(&group->tasks, UINT64_C(1));
    filch__sub_seq_cst(&parent->children, UINT64_C(1));
    filch__omp_notify(r);
    filch__omp_unreference(task);
}

void filch__omp_run_task(struct filch__omp_self *self, struct filch__omp_task *task)
{
    struct filch__omp_task *outer = self->task;
    struct filch__omp_icv *icv = self->icv;
    self->task = task;
    self->icv = &task->icv;
    task->fn(task->arg);
    self->task = outer;
    self->icv = icv;
    end_part(self, task);
}

/* ---- the start ---- */

static struct filch__omp_task *allocate(const struct filch__omp_order *order)
{
    size_t align = order->align > 16 ? (size_t)order->align : 16;
    size_t size = order->size > 0 ? (size_t)order->size : 0;
    size_t offset = (sizeof(struct filch__omp_task) + align - 1) / align * align;
    struct filch__omp_task *task =
        align > 16 ? aligned_alloc(align, (offset + size + align - 1) / align * align)
                   : malloc(offset + size);
    if (!task)
        filch__omp_die("GOMP_task", "no memory");
    *task = (struct filch__omp_task){
        .fn = order->fn, .arg = (char *)task + offset, .references = 1, .blockers = 1, .parts = 1};
    return task;
}

/* As a child of what runs here. */
static struct filch__omp_task *make(struct filch__omp_self *self,
                                    const struct filch__omp_order *order)
{
    struct filch__omp_task *task = allocate(order), *parent = self->task;
    task->parent = parent;
    task->group = parent->group;
    task->region = self->region;
    task->icv = *self->icv;
    task->final = order->final || parent->final;
    filch__omp_reference(parent);
    filch__add_relaxed(&parent->children, UINT64_C(1));
    if (task->group)
        filch__add_relaxed(&task->group->tasks, UINT64_C(1));
    return task;
}

/* The program's data, from which it may run at once. */
static void take_data(struct filch__omp_task *task, const struct filch__omp_order *order, bool now)
{
    if (order->event) {
        task->parts = 2;
        *order->event = task;
        filch__add_seq_cst(&task->region->detached, 1u);
    }
    if (order->copy)
        order->copy(task->arg, order->data);
    else if (now && !order->bounds)
        task->arg = order->data;
    else if (order->size > 0)
        memcpy(task->arg, order->data, (size_t)order->size);
    if (order->bounds)
        memcpy(task->arg, order->bounds, 2 * sizeof(long));
}

static bool may_begin(void *ctx)
{
    const struct filch__omp_task *task = ctx;
    return filch__load_seq_cst(&task->blockers) == 0;
}

static bool has_ended(void *ctx)
{
    const struct filch__omp_task *task = ctx;
    return filch__load_seq_cst(&task->parts) == 0;
}

void filch__omp_make_task(struct filch__omp_self *self, const struct filch__omp_order *order)
{
    bool now = order->now || self->task->final || filch__omp_is_root(self);
    struct filch__omp_task *task = make(self, order);
    take_data(task, order, now);
    if (order->depend && !filch__omp_is_root(self))
        filch__omp_depend(task, order->depend, now);
    bool ready = filch__sub_seq_cst(&task->blockers, 1u) == 1;
    if (now) {
        filch__omp_reference(task);
        filch__omp_wait(self, FILCH__OMP_DESCENDANTS, may_begin, task);
        filch__omp_run_task(self, task);
        filch__omp_wait(self, FILCH__OMP_DESCENDANTS, has_ended, task);
        filch__omp_unreference(task);
    } else if (!ready) {
        return;
    } else if (self->region->size == 1 || filch__load_relaxed(&self->queue.length) >= ENOUGH) {
        filch__omp_run_task(self, task);
    } else {
        filch__omp_push(self, task);
    }
}

static void do_nothing(void *arg)
{
    (void)arg;
}

void filch__omp_await_dependences(struct filch__omp_self *self, void **depend)
{
    static const struct filch__omp_order nothing = {.fn = do_nothing};
    if (filch__omp_is_root(self))
        return;
    struct filch__omp_task *task = make(self, &nothing);
    filch__omp_depend(task, depend, true);
    filch__sub_seq_cst(&task->blockers, 1u);
    filch__omp_wait(self, FILCH__OMP_DESCENDANTS, may_begin, task);
    filch__omp_run_task(self, task);
}

void GOMP_task(void (*fn)(void *), void *data, void (*copy)(void *, void *), long size, long align,
               bool condition, unsigned flags, void **depend, int priority, void *event)
{
    (void)priority;
    struct filch__omp_order order = {
        .fn = fn,
        .data = data,
        .copy = copy,
        .size = size,
        .align = align,
        .depend = flags & FILCH__OMP_TASK_DEPEND ? depend : NULL,
        .event = flags & FILCH__OMP_TASK_DETACH ? event : NULL,
        .now = !condition,
        .final = flags & FILCH__OMP_TASK_FINAL,
    };
    filch__omp_make_task(filch__omp_self(), &order);
}

/* ---- events ---- */

/* Where the caller is no thread of the region that may be the last of it: so it is not told, and looks
 * by itself (wait.c). */
void omp_fulfill_event(uintptr_t event)
{
    struct filch__omp_task *task = (struct filch__omp_task *)event;
    struct filch__omp_region *r = task->region;
    struct filch__omp_self *self = filch__omp_self();
    bool inside = self->region == r;
    end_part(inside ? self : NULL, task);
    filch__sub_seq_cst(&r->detached, 1u);
    if (inside)
        filch__omp_notify(r);
}
