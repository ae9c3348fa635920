/* SPDX-License-Identifier: Apache-2.0 */
#include "task/cancel.h"

#include <errno.h>

static int abort_task(struct filch_handle *t)
{
    if (!t)
        return -EINVAL;
    filch__task_set_cause(t, FILCH_CAUSE_ABORT);
    if (filch__state_abort(&t->state) == FILCH__ABORT_NOTIFY && !filch__load_relaxed(&t->rt->lost))
        filch__cancel_inside(t);
    return 0;
}

static struct filch_handle *task_of(const filch_abort_handle *a)
{
    return (struct filch_handle *)(void *)a;
}

int filch_abort(filch_handle *h)
{
    return abort_task(h);
}

filch_abort_handle *filch_abort_handle_of(filch_handle *h)
{
    if (h)
        filch__state_ref(&h->state);
    return (filch_abort_handle *)(void *)h;
}

filch_abort_handle *filch_abort_handle_clone(filch_abort_handle *a)
{
    return filch_abort_handle_of(task_of(a));
}

int filch_abort_handle_abort(filch_abort_handle *a)
{
    return abort_task(task_of(a));
}

bool filch_abort_handle_finished(const filch_abort_handle *a)
{
    return filch_finished(task_of(a));
}

void filch_abort_handle_drop(filch_abort_handle *a)
{
    if (a && filch__state_unref(&task_of(a)->state) == FILCH__LAST_FREE)
        filch__task_free(task_of(a));
}
