/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/fibers.h"

static __thread struct filch__role of_thread;

/* A fiber's thread may change, so its address is not to be known where there is a fiber. */
__attribute__((noinline)) static struct filch__role *thread_role(void)
{
    return &of_thread;
}

struct filch__role *filch__role_here(void)
{
    struct filch__fiber *me = filch__fiber_current();
    return me ? &me->role : thread_role();
}
