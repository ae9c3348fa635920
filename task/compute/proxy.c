/* SPDX-License-Identifier: Apache-2.0 */
#include "task/compute/proxy.h"

#include "sched/admission.h"
#include "sched/blocks.h"
#include "sched/frames.h"
#include "sched/hold.h"
#include "sched/os/clock.h"
#include "sched/os/die.h"
#include "sched/os/futex.h"
#include "task/cancel.h"

#include <filch/fork.h>

#include <errno.h>

static const uint32_t never;
static const filch_local key;

/* It has an fn, as all tasks that are not stackless; nobody starts it. */
static int never_run(void *arg)
{
    (void)arg;
    filch__die("a proxy was run");
}

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
        .fn = never_run,
        .rt = rt,
        .block_size = FILCH__BLOCK_COMMON,
        .state = FILCH__TASK_SCHEDULER | FILCH__TASK_RUNNING,
    };
    p->task = t;
    p->binding = (filch_binding){{0}};
    if (me && !me->frame)
        (void)filch_local_bind(&p->binding, &key, NULL);
    p->frame = *filch__frames_home(me);
    p->cancelled = p->frame ? p->frame->cancelled : &never;
    filch__add_acq_rel(&rt->guests, 1);
    return 0;
}

void filch__proxy_end(struct filch__proxy *p)
{
    filch_runtime *rt = p->task->rt;
    (void)filch_local_unbind(&p->binding);
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

/* By the caller, who is cancelled, as its flags say by now. */
static void cancel(struct filch__proxy *p)
{
    filch__task_set_cause(p->task, FILCH_CAUSE_CANCEL); /* of what is opened from now on */
    filch__cancel_inside(p->task);
}

void filch__proxy_close(struct filch__proxy *p, struct filch__call *call)
{
    static const struct filch__topic topic = {"those who came to its call", NULL};
    struct filch__strand strand;
    bool told = false;
    if (filch__unlikely(filch__load_relaxed(&call->rt->lost)))
        filch__die("a loop's body has returned in the child of a fork(2) that it made");
    if (filch__call_withdraw(call))
        return;
    if (call->poster)
        filch__wait_begin(&strand, call->poster, &topic, call);
    struct filch__hold hold = {.looks = 0};
    while (!filch__call_is_over(call)) {
        if (!told && (filch_cancelled() || filch__load_acquire(p->cancelled))) {
            told = true;
            cancel(p);
        }
        if (call->holder && !filch__hold_is_spent(&hold))
            (void)filch__call_hold_on(call, &hold);
        else
            filch__call_wait(call, p->frame && !told ? filch__now() + FILCH__NAP : FILCH_NEVER);
    }
    if (call->poster)
        filch__wait_end(&strand);
}
