/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An argument that a free task must not get: the address of something on the stack of the task that
 * spawns it. Nothing keeps that frame until the free task has ended. Debug builds look, and say
 * once for each fn what they found; release builds do not.
 */
#ifndef FILCH_TASK_ARGUMENT_H
#define FILCH_TASK_ARGUMENT_H

#include <filch/task.h>

#ifndef NDEBUG

/* In a task or any thread, before the spawn of a free task. o may be NULL. */
void filch__argument_check(const filch_spawn_options *o, filch_fn *fn, const void *arg);

#else

static inline void filch__argument_check(const filch_spawn_options *o, filch_fn *fn,
                                         const void *arg)
{
    (void)o, (void)fn, (void)arg;
}

#endif

#endif
