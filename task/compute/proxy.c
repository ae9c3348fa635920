/* SPDX-License-Identifier: Apache-2.0 */
#include "task/compute/proxy.h"

#include "sched/admission.h"
#include "sched/blocks.h"
#include "sched/frames.h"

#include <errno.h>

static const uint32_t never;

int filch__proxy_begin(struct filch__proxy *p, filch_runtime *rt, struct filch__fiber *me)
{
    if (!filch__admit(rt, NULL))
        return -ESHUTDOWN;
    struct filch_handle *t = filch__block_alloc(rt, NULL, FILCH__BLOCK_COMMON);
    if (!t) {
        filch__unadmit(rt);
        return -ENOMEM;
    }
    *t = (struct filch_handle){
        .runnable.run = filch__task_run,
        .rt = rt,
        .block_size = FILCH__BLOCK_COMMON,
        .state = FILCH__TASK_SCHEDULER | FILCH__TASK_RUNNING,
    };
    p->task = t;
    p->frame = *filch__frames_home(me);
    p->cancelled = p->frame ? p->frame->cancelled : me ? me->cancelled : &never;
    filch__add_acq_rel(&rt->guests, 1);
    return 0;
}

void filch__proxy_end(struct filch__proxy *p)
{
    filch_runtime *rt = p->task->rt;
    filch__sub_acq_rel(&rt->guests, 1);
    filch__block_free(rt, NULL, p->task, FILCH__BLOCK_COMMON);
    filch__unadmit(rt);
}

void filch__proxy_sign(const struct filch__proxy *p, struct filch__call *call)
{
    call->rt = p->task->rt;
    call->task = p->task;
    call->frame = p->frame;
    call->cancelled = p->cancelled;
    call->poster = filch__fiber_current();
    call->teamed = filch__role_here()->teamed;
}
