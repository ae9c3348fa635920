/* SPDX-License-Identifier: Apache-2.0 */
/* What a task asks of itself. */
#include "sched/os/clock.h"
#include "task/task.h"

#include <filch/fork.h>

#include <errno.h>

int filch_yield(void)
{
    if (filch_cancelled())
        return -ECANCELED;
    if (filch__fiber_current())
        return filch__fiber_yield();
    filch__os_yield();
    return 0;
}

int filch_checkpoint(void)
{
    return filch_cancelled() ? -ECANCELED : 0;
}

void *filch_result_buffer(void)
{
    struct filch_handle *t = filch__task_current();
    return t && t->extra && t->extra->result_size ? t->extra->result : NULL;
}

const char *filch_task_name(void)
{
    struct filch_handle *t = filch__task_current();
    return t ? filch__task_name(t) : NULL;
}
