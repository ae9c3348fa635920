/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/gomp/task.h"

#include "adapters/gomp/wait.h"

static bool descends(const struct filch__omp_task *task, const struct filch__omp_task *from)
{
    while (task && task != from)
        task = task->parent;
    return task;
}

static void unlink_task(struct filch__omp_queue *queue, struct filch__omp_task *task)
{
    *(task->older ? &task->older->newer : &queue->oldest) = task->newer;
    *(task->newer ? &task->newer->older : &queue->newest) = task->older;
    filch__store_relaxed(&queue->length, queue->length - 1);
}

/* From the newest or the oldest on. from: only what descends from it; NULL: any. depth: at so many
 * at most. */
static struct filch__omp_task *take(struct filch__omp_queue *queue, bool newest,
                                    const struct filch__omp_task *from, int depth)
{
    if (filch__load_relaxed(&queue->length) == 0)
        return NULL;
    filch__omp_lock(&queue->lock);
    struct filch__omp_task *task = newest ? queue->newest : queue->oldest;
    while (task && from && !descends(task, from))
        task = --depth > 0 ? newest ? task->older : task->newer : NULL;
    if (task)
        unlink_task(queue, task);
    filch__omp_unlock(&queue->lock);
    return task;
}

static bool take_and_run(struct filch__omp_self *self, const struct filch__omp_task *from,
                         int depth)
{
    struct filch__omp_region *r = self->region;
    struct filch__omp_task *task = take(&self->queue, true, from, depth);
    for (int i = 1; !task && i < r->size; i++)
        task = take(&r->selves[(self->rank + i) % r->size].queue, false, from, depth);
    if (!task)
        return false;
    filch__omp_run_task(self, task);
    return true;
}

bool filch__omp_run_any(struct filch__omp_self *self)
{
    return take_and_run(self, NULL, INT_MAX);
}

bool filch__omp_run_descendant(struct filch__omp_self *self, bool all)
{
    return take_and_run(self, self->task, all ? INT_MAX : 4);
}

void filch__omp_push(struct filch__omp_self *self, struct filch__omp_task *task)
{
    struct filch__omp_region *r = task->region;
    struct filch__omp_queue *queue = self ? &self->queue : &r->selves[0].queue;
    filch__omp_lock(&queue->lock);
    task->newer = NULL;
    task->older = queue->newest;
    *(queue->newest ? &queue->newest->newer : &queue->oldest) = task;
    queue->newest = task;
    filch__store_relaxed(&queue->length, queue->length + 1);
    filch__omp_unlock(&queue->lock);
    filch__fence_seq_cst();
    if (self && self->member)
        filch_team_rally(self->member);
    filch__omp_notify(r);
}
