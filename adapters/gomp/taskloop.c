/* SPDX-License-Identifier: Apache-2.0 */
/* Loops whose iterations are divided among tasks. */
#include "adapters/gomp/loop.h"
#include "adapters/gomp/reduction.h"
#include "adapters/gomp/task.h"

/* How many tasks for a loop of so many iterations, as a clause says. */
static uint64_t tasks_of(const struct filch__omp_self *self, unsigned flags, uint64_t count,
                         uint64_t clause)
{
    uint64_t tasks = clause;
    if (flags & FILCH__OMP_TASK_GRAINSIZE)
        tasks = flags & FILCH__OMP_TASK_STRICT ? (count - 1) / clause + 1 : count / clause;
    else if (!clause)
        tasks = (uint64_t)self->region->size;
    return tasks < 1 ? 1 : tasks < count ? tasks : count;
}

/* Iterations of each, and how many have one more. With a strict grain size only the last has less. */
static void make_tasks(struct filch__omp_self *self, const struct filch__omp_share *loop,
                       struct filch__omp_order *order, uint64_t tasks, uint64_t grain)
{
    uint64_t each = loop->count / tasks, more = loop->count % tasks, at = 0;
    for (uint64_t i = 0; i < tasks; i++) {
        uint64_t length = grain ? grain : each + (i < more), left = loop->count - at;
        uint64_t end = at + (length < left ? length : left);
        uint64_t bounds[2] = {loop->first + at * loop->step,
                              end == loop->count ? loop->last : loop->first + end * loop->step};
        order->bounds = bounds;
        filch__omp_make_task(self, order);
        at = end;
    }
}

static void run(const struct filch__omp_share *loop, struct filch__omp_order *order, unsigned flags,
                unsigned long clause)
{
    struct filch__omp_self *self = filch__omp_self();
    bool grouped = !(flags & FILCH__OMP_TASK_NOGROUP);
    bool strict = flags & FILCH__OMP_TASK_GRAINSIZE && flags & FILCH__OMP_TASK_STRICT;
    order->now = !(flags & FILCH__OMP_TASK_IF);
    order->final = flags & FILCH__OMP_TASK_FINAL;
    if (grouped)
        filch__omp_group_begin(self);
    if (flags & FILCH__OMP_TASK_REDUCTION)
        GOMP_taskgroup_reduction_register(((uintptr_t **)order->data)[2]);
    if (loop->count)
        make_tasks(self, loop, order, tasks_of(self, flags, loop->count, clause),
                   strict ? clause : 0);
    if (grouped)
        filch__omp_group_end(self);
}

void GOMP_taskloop(void (*fn)(void *), void *data, void (*copy)(void *, void *), long size,
                   long align, unsigned flags, unsigned long clause, int priority, long first,
                   long last, long step)
{
    (void)priority;
    struct filch__omp_order order = {
        .fn = fn, .data = data, .copy = copy, .size = size, .align = align};
    struct filch__omp_share loop = filch__omp_loop_long(first, last, step, FILCH__OMP_STATIC, 0);
    run(&loop, &order, flags, clause);
}

void GOMP_taskloop_ull(void (*fn)(void *), void *data, void (*copy)(void *, void *), long size,
                       long align, unsigned flags, unsigned long clause, int priority,
                       unsigned long long first, unsigned long long last, unsigned long long step)
{
    (void)priority;
    struct filch__omp_order order = {
        .fn = fn, .data = data, .copy = copy, .size = size, .align = align};
    bool up = flags & FILCH__OMP_TASK_UP;
    struct filch__omp_share loop = filch__omp_loop_ull(up, first, last, step, FILCH__OMP_STATIC, 0);
    run(&loop, &order, flags, clause);
}
