/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's move from one of its fibers to another.
 *
 * What makes the fiber that is left visible to others (its suspension, its place in a queue, its
 * return to the cache) must not happen before it has been left, so it is done on the other side:
 * the worker's hook, run first thing by whoever arrives.
 */
#ifndef FILCH_SCHED_SWITCH_H
#define FILCH_SCHED_SWITCH_H

#include "sched/idle.h"

/*
 * Names the fiber that the thread runs. Like filch__forks_current this must not use an address of a
 * thread-local that was computed on another thread.
 */
static inline void filch__forks_enter(struct filch__forks *forks)
{
#if defined(__x86_64__) && !defined(__ILP32__)
    uintptr_t at;
    __asm__ volatile("movq filch__forks_self@gottpoff(%%rip), %0\n\tmovq %1, %%fs:(%0)"
                     : "=&r"(at)
                     : "r"(forks)
                     : "memory");
#else
    filch__forks_enter_far(forks);
#endif
}

/* First thing on a fiber after a switch to it. */
static inline void filch__fiber_arrive(struct filch__fiber *fiber)
{
    struct filch__worker *w = fiber->worker;
    void (*hook)(struct filch__fiber *) = w->hook;
    if (hook) {
        w->hook = NULL;
        hook(w->left);
    }
}

/*
 * On `me`. The worker moves to `to`, and there calls hook(me). Returns when `me` is resumed,
 * perhaps by another worker.
 */
__attribute__((always_inline)) static inline void
filch__fiber_switch(struct filch__fiber *me, struct filch__fiber *to,
                    void (*hook)(struct filch__fiber *))
{
    struct filch__worker *w = me->worker;
    w->hook = hook;
    w->left = me;
    FILCH__COUNT(w, switches);
    if (filch__unlikely(me->forks.counted)) {
        filch__store_relaxed(&w->counters.forks, w->counters.forks + me->forks.counted);
        filch__store_relaxed(&me->forks.counted, 0);
    }
    to->worker = w;
    filch__store_release(&w->current, to);
    filch__forks_enter(&to->forks);
    filch__idle_attend(w);
    filch__context_switch(&me->context, &to->context);
    filch__fiber_arrive(me);
}

#endif
