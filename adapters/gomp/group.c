/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for tasks: taskwait, taskgroup, taskyield. */
#include "adapters/gomp/task.h"

#include "adapters/gomp/reduction.h"
#include "adapters/gomp/wait.h"

#include <sched.h>
#include <stdlib.h>

static bool no_children(void *ctx)
{
    const struct filch__omp_task *task = ctx;
    return filch__load_seq_cst(&task->children) == 0;
}

void GOMP_taskwait(void)
{
    struct filch__omp_self *self = filch__omp_self();
    filch__omp_wait(self, FILCH__OMP_DESCENDANTS, no_children, self->task);
}

void GOMP_taskwait_depend(void **depend)
{
    filch__omp_await_dependences(filch__omp_self(), depend);
}

void GOMP_taskyield(void)
{
    if (!filch__omp_run_descendant(filch__omp_self(), false))
        sched_yield();
}

/* ---- groups ---- */

void filch__omp_group_begin(struct filch__omp_self *self)
{
    struct filch__omp_task *task = self->task;
    struct filch__omp_group *group = filch__omp_alloc(16, sizeof *group);
    group->outer = task->group;
    group->reductions = group->outer ? group->outer->reductions : NULL;
    task->group = group;
}

static bool group_is_empty(void *ctx)
{
    const struct filch__omp_group *group = ctx;
    return filch__load_seq_cst(&group->tasks) == 0;
}

void filch__omp_group_end(struct filch__omp_self *self)
{
    struct filch__omp_group *group = self->task->group;
    filch__omp_wait(self, FILCH__OMP_DESCENDANTS, group_is_empty, group);
    self->task->group = group->outer;
    free(group);
}

void GOMP_taskgroup_start(void)
{
    filch__omp_group_begin(filch__omp_self());
}

void GOMP_taskgroup_end(void)
{
    filch__omp_group_end(filch__omp_self());
}
