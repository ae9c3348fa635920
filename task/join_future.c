/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a task as a future. */
#include "task/blame.h"
#include "task/future.h"
#include "task/task.h"
#include "task/waker.h"

static filch_join_future *join_of(filch_future *f)
{
    return (filch_join_future *)(void *)f;
}

/* True: the task, which has not ended, knows it no more. False: it will be woken, if it was not
 * yet. */
static bool withdraw(filch_join_future *j)
{
    if (filch__state_remove_joiner(&j->handle->state) == FILCH__JOIN_FINISHED)
        return false;
    j->waker = (filch_waker){NULL, NULL};
    return true;
}

static int poll_join(filch_future *self, const filch_waker *waker)
{
    filch_join_future *j = join_of(self);
    if (!j->handle)
        return -EINVAL;
    if (j->handle == filch__task_current())
        return -EDEADLK;
    if (!filch_finished(j->handle)) {
        if (filch__load_relaxed(&j->handle->rt->lost))
            return -ESHUTDOWN;
        if (j->waker.ops && filch_waker_same(&j->waker, waker))
            return FILCH_PENDING;
        if (!j->waker.ops || withdraw(j)) {
            j->waker = *waker;
            filch__store_relaxed(&j->handle->joiner, (uintptr_t)&j->waker | FILCH__JOINER_WAKER);
            if (filch__state_add_joiner(&j->handle->state) == FILCH__JOIN_WAIT)
                return FILCH_PENDING;
        }
    }
    filch_handle *h = j->handle;
    j->handle = NULL;
    int rc = filch__task_await_release(h);
    if (rc == 0)
        rc = filch__task_take(h, j->out);
    return rc == FILCH_PENDING ? -EOVERFLOW : rc;
}

/* Not ready: the handle is the caller's again. An end that comes just now must be done with the
 * waker. */
static void drop_join(filch_future *self)
{
    filch_join_future *j = join_of(self);
    if (j->handle && j->waker.ops && !withdraw(j))
        (void)filch__task_await_release(j->handle);
}

FILCH_API const filch_future_ops filch_join_future_ops = {"the end of task", poll_join, drop_join};

static void explain(const filch_future *f, struct filch__blame *blame)
{
    blame->kind = FILCH__BLAME_TASK;
    blame->object = blame->who = ((const filch_join_future *)(const void *)f)->handle;
}
FILCH__EXPLAIN(filch_join_future_ops, explain)
