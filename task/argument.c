/* SPDX-License-Identifier: Apache-2.0 */
#include "task/argument.h"

#include "sched/os/die.h"
#include "sched/os/spin.h"
#include "task/task.h"

#ifndef NDEBUG

/* The last functions of which it was said. */
#define SAID 64

static bool is_news(filch_fn *fn)
{
    static uint32_t lock;
    static filch_fn *said[SAID];
    static uint32_t next;
    bool news = true;
    filch__spin_lock(&lock);
    for (uint32_t i = 0; i < SAID && news; i++)
        news = said[i] != fn;
    if (news)
        said[next++ % SAID] = fn;
    filch__spin_unlock(&lock);
    return news;
}

void filch__argument_check(const filch_spawn_options *o, filch_fn *fn, const void *arg)
{
    const struct filch__fiber *fiber = filch__fiber_current();
    if (!fiber || !fiber->task || !fn || (o && o->arg_size))
        return;
    uintptr_t at = (uintptr_t)arg, base = (uintptr_t)fiber->stack.base;
    if (at - base >= fiber->stack.size || !is_news(fn))
        return;
    filch__say(
        "a free task was given the address of something on its spawner's stack, which may end "
        "first (use a scope, or arg_size)",
        o && o->name ? o->name : filch__task_name(fiber->task));
}

#else

/* A unit must not be empty. */
typedef int filch__argument_is_not_checked;

#endif
