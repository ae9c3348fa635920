/* SPDX-License-Identifier: Apache-2.0 */
/* Who the caller is, as the holder of a lock. */
#ifndef FILCH_TASK_HOLDER_H
#define FILCH_TASK_HOLDER_H

#include "sched/fibers.h"

/* The calling thread's, outside of workers. What it holds when it ends is orphaned. NULL: no
 * memory. */
struct filch__holder *filch__holder_of_thread(void);

/* The same, which may have held nothing so far. */
const struct filch__holder *filch__holder_place(void);

/* What the calling thread, which is outside, has locked and not unlocked is orphaned now. */
void filch__holder_leave(void);

/* NULL: no memory, on a thread outside. */
static inline struct filch__holder *filch__holder_current(void)
{
    struct filch__fiber *fiber = filch__fiber_current();
    if (filch__unlikely(!fiber))
        return filch__holder_of_thread();
    return filch__unlikely(fiber->guest != NULL) ? fiber->guest : &fiber->holder;
}

#endif
