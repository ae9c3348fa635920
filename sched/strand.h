/* SPDX-License-Identifier: Apache-2.0 */
/* A strand: what a fiber runs for a task whose own fiber is another. */
#ifndef FILCH_SCHED_STRAND_H
#define FILCH_SCHED_STRAND_H

#include "sched/fibers.h"
#include "sched/frames.h"
#include "sched/os/die.h"

/* On `me`, which runs nothing. `frame` is open until the strand ends, or NULL; what it has is set
 * before the strand can be looked at. */
static inline void filch__strand_begin(struct filch__fiber *me, void *task,
                                       const uint32_t *cancelled, struct filch__frame *frame,
                                       bool teamed)
{
    filch__fiber_set_task(me, task, cancelled);
    filch__store_relaxed(&me->role.teamed, teamed);
    if (filch__unlikely(frame != NULL)) {
        filch__store_relaxed(&me->frame, frame);
        filch__frames_restore(me, frame);
    }
}

static inline void filch__strand_end(struct filch__fiber *me, const struct filch__frame *frame)
{
    if (filch__unlikely(me->frame != frame))
        filch__die_named("a forked job has returned with a scope, shield or binding open",
                         filch__fiber_name ? filch__fiber_name(me->task) : NULL);
    filch__store_relaxed(&me->role.teamed, false);
    filch__fiber_clear_task(me);
}

#endif
