/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/frames.h"

/* Not in line: a compiler may compute its address before a switch of fibers and use it after. */
__attribute__((noinline)) struct filch__frame **filch__frames_of_thread(void)
{
    static __thread struct filch__frame *innermost;
    return &innermost;
}

struct filch__frame *filch__frame_of_job(struct filch__fiber *victim, uintptr_t position)
{
    /* Where a frame is open around the fork, this load sees it or a later one. */
    if (!filch__load_relaxed(&victim->frame))
        return NULL;
    filch__spin_lock(&victim->frame_lock);
    struct filch__frame *frame = filch__load_relaxed(&victim->frame);
    while (frame && frame->home == &victim->frame && frame->position > position)
        frame = frame->outer;
    filch__spin_unlock(&victim->frame_lock);
    return frame;
}
