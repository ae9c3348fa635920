/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames: what the code that runs on a fiber has open. They nest like calls, each says where
 * filch_cancelled looks inside of it, and a job belongs to the frame in which it was forked, also
 * when another worker steals it.
 *
 * A fiber names its innermost frame. A thief must find that of the fork, not one that the owner
 * opened since: a frame notes how far the fork stack was when it was opened, so a job at or above
 * that position was forked inside. The thief looks after it has the job, and before the job is done;
 * the frame of the fork stays open that long, since its close comes after the job's sync. For the
 * frames above:
 *   - Nothing forked and not synced on this fiber when it was opened: no thief has a job of this
 *     fiber then, nor while the frame is being opened or closed, and every later job is inside.
 *     Plain stores will do: the fork publishes them.
 *   - Else a thief may look just now: frame_lock, by both.
 * Threads outside of any runtime have frames too; nobody steals from them.
 */
#ifndef FILCH_SCHED_FRAMES_H
#define FILCH_SCHED_FRAMES_H

#include "sched/fibers.h"
#include "sched/os/spin.h"
#include "sched/runtime.h"

/* Immutable while it is open. */
struct filch__frame {
    struct filch__frame *outer; /* NULL: the outermost of its task or thread */
    struct filch__frame **home; /* the word of the fiber or thread that names the innermost */
    uintptr_t position;         /* 0: nothing had been forked */
    const uint32_t *cancelled;  /* what filch_cancelled reads inside */
    const uint32_t *closing;
    struct filch_runtime *rt; /* one that waits for its end, or NULL */
    uint32_t kind;            /* of the upper floor */
};

/* The calling thread's, off workers. */
struct filch__frame **filch__frames_of_thread(void);
/* On a thread off workers that has a frame: from now on it may not end while it has one. */
void filch__frames_watch_thread(void);

/* The word that names the caller's innermost frame. */
static inline struct filch__frame **filch__frames_home(struct filch__fiber *fiber)
{
    return filch__likely(fiber != NULL) ? &fiber->frame : filch__frames_of_thread();
}

static inline bool filch__frames_has_forks(const struct filch__fiber *fiber)
{
    return fiber && fiber->forks.split.tail != fiber->forks.split.base;
}

/* The flags that filch_cancelled reads on `fiber` are those of `frame`, or of the task. */
static inline void filch__frames_restore(struct filch__fiber *fiber,
                                         const struct filch__frame *frame)
{
    fiber->forks.cancelled = frame ? frame->cancelled : fiber->cancelled;
    fiber->forks.closing = frame ? frame->closing : &fiber->rt->closing;
}

/* On `fiber`, which may be NULL on a thread outside; frame->outer and its flags are set. */
static inline void filch__frame_push(struct filch__fiber *fiber, struct filch__frame *frame)
{
    frame->home = filch__frames_home(fiber);
    frame->position = 0;
    if (filch__unlikely(filch__frames_has_forks(fiber))) {
        frame->position = fiber->forks.split.tail;
        filch__spin_lock(&fiber->frame_lock);
        filch__store_relaxed(frame->home, frame);
        filch__spin_unlock(&fiber->frame_lock);
    } else {
        filch__store_relaxed(frame->home, frame);
    }
    if (filch__likely(fiber != NULL))
        filch__frames_restore(fiber, frame);
    else
        filch__frames_watch_thread();
}

/* Whether the caller has opened it here, and nothing inside of it is open or forked any more. */
static inline bool filch__frame_is_innermost(struct filch__fiber *fiber,
                                             const struct filch__frame *frame)
{
    return *frame->home == frame &&
           (!fiber || (frame->position ? fiber->forks.split.tail == frame->position
                                       : !filch__frames_has_forks(fiber)));
}

/* Of the innermost frame. */
static inline void filch__frame_pop(struct filch__fiber *fiber, struct filch__frame *frame)
{
    if (filch__unlikely(frame->position && fiber)) {
        filch__spin_lock(&fiber->frame_lock);
        filch__store_relaxed(frame->home, frame->outer);
        filch__spin_unlock(&fiber->frame_lock);
    } else {
        filch__store_relaxed(frame->home, frame->outer);
    }
    if (fiber)
        filch__frames_restore(fiber, frame->outer);
}

/* Thief, between the steal and the job's end: the frame in which it was forked, or NULL. */
struct filch__frame *filch__frame_of_job(struct filch__fiber *victim, uintptr_t position);

#endif
