/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regions: the parts of a task in which cancellation is one thing. A scope is a region with
 * children; a shield is one that cancellation from outside does not enter. They are frames, on the
 * stack of whoever opened them.
 *
 * The tree. What holds regions is a task (those that it opened outermost), a region (those opened
 * inside of it, by the same task or a forked job of it), or, on threads outside, the list of roots.
 * A scope holds tasks too. A holder's list is guarded by the holder's lock, which is a spin lock:
 * nothing under it suspends, calls the user, or runs longer than some dozen steps. Locks are
 * taken downwards in the tree: holder before held; the lock of a timer's wheel comes last.
 *
 * Life:  OPEN -> CLOSED, under the region's lock, when no child lives and nobody holds it: by the
 * closing opener, or for it by who took away the last of these while it waited in close. The
 * opener then unlinks it under the holder's lock, so who finds a region in a list may lock it.
 *
 * Cancel:  `flag` goes from 0 to a cause, once, under the region's lock; who does that takes a hold,
 * leaves the lock, tells what is inside (cancel.h) and gives the hold back. The cause's particulars
 * are written before the flag (release) and never change: read them after an acquire of it.
 * Once a scope is cancelled its timer is free for the grace period.
 *
 * A region that is opened looks at the flag of what encloses it under the holder's lock; who tells
 * a holder's regions sets the holder's flag first. One of them sees the other. The same goes for a
 * task that is spawned into a scope.
 *
 * Holds are counted apart from the lock's words by read-modify-write, since a timer takes one under
 * its wheel's lock; the timer is disarmed before the closer looks at the holds for the last time.
 */
#ifndef FILCH_TASK_REGION_H
#define FILCH_TASK_REGION_H

#include "sched/frames.h"
#include "sched/timers.h"
#include "task/task.h"

#include <errno.h>
#include <filch/scope.h>
#include <filch/shield.h>

enum filch__frame_kind { FILCH__FRAME_SCOPE, FILCH__FRAME_SHIELD, FILCH__FRAME_BINDING };

enum filch__region_life { FILCH__REGION_OPEN = 0x0be7, FILCH__REGION_CLOSED = 0xc105ed };

/* A cause beside the public ones: what encloses it was cancelled. */
#define FILCH__CAUSE_OUTER 0x100u

/* What the opener waits for. */
enum filch__region_wish { FILCH__WISH_NONE, FILCH__WISH_END, FILCH__WISH_NEXT };

struct filch__region {
    struct filch__frame frame; /* first; immutable while open, as is the next */
    struct filch_handle *task; /* the opener, NULL for a thread */

    /*
     * Under the region's own lock, but for the shared. One cache line: what each child touches, on
     * whichever worker.
     */
    uint32_t lock; /* from here to `inner` zero at first */
    uint32_t life;
    uint32_t holds; /* shared */
    uint32_t flag;  /* shared: 0, or the cause of its cancel */
    uint64_t live;  /* children; 0 of a shield */
    uint64_t succeeded;
    struct filch__link fresh; /* children that were not told of a cancel; of a scope */
    uint32_t rung;            /* futex of an opening thread */
    uint8_t wish;
    bool timed; /* the timer was armed */
    bool grace; /* ... for the grace period */

    struct filch__region *inner;  /* opened inside, by next */
    struct filch__fiber *waiter;  /* the opener, suspended for its wish */
    struct filch__runnable *kept; /* ended children for filch_scope_next, oldest first */
    int64_t deadline;             /* what the timer is armed for; FILCH_NEVER: nothing */

    uint32_t *holder_lock; /* immutable, as is the next */
    filch_runtime *rt;     /* of the timer, and of a scope's children */
    /* Under the holder's lock. */
    struct filch__region *next, **at;
    struct filch__timer timer;
    /* Of who cancels. */
    struct filch__region *told_next; /* list of regions still to be told: cancel.c */
    /* Written before the flag. */
    int code;
    int64_t cancelled_at;
    char by[FILCH__NAME];
};

static inline struct filch__region *filch__region_of(struct filch__frame *frame)
{
    return (struct filch__region *)(void *)frame;
}

/* The innermost region from this frame outwards, in the same task or thread; or NULL. */
static inline struct filch__region *filch__region_around(struct filch__frame *frame)
{
    while (frame && frame->kind == FILCH__FRAME_BINDING)
        frame = frame->outer;
    return frame ? filch__region_of(frame) : NULL;
}

/* In what follows `me` is the calling fiber, NULL on a thread outside. */

/*
 * By the opener: makes it the innermost frame of the caller. r->rt and r->frame.rt are set; the rest
 * of it is filled in. A scope that is opened where all is cancelled is cancelled.
 */
void filch__region_open(struct filch__region *r, struct filch__fiber *me,
                        enum filch__frame_kind kind);

/* 0: the caller may close it. Else what close says: -EINVAL, -EPERM, -EBUSY. */
static inline int filch__region_check(const struct filch__region *r, struct filch__fiber *me)
{
    if (filch__load_relaxed(&r->life) != FILCH__REGION_OPEN)
        return -EINVAL;
    if (r->frame.home != filch__frames_home(me))
        return -EPERM;
    return filch__frame_is_innermost(me, &r->frame) ? 0 : -EBUSY;
}

/*
 * By the opener, checked: waits for its end, closes it, and takes it out of the tree. It stays the
 * innermost frame. -ESHUTDOWN: its runtime is lost to a fork(2), so nobody was waited for.
 */
int filch__region_end(struct filch__region *r, struct filch__fiber *me);

/*
 * By the opener. Waits for the wish to come true and returns 0 with the lock held; with
 * `cancellable`, -ECANCELED when what encloses the region is cancelled, without the lock.
 */
int filch__region_await(struct filch__region *r, struct filch__fiber *me,
                        enum filch__region_wish wish, bool cancellable);

/*
 * Under the lock, after something has changed that the opener may wait for: if it is so the opener
 * is told. Returns its fiber, if that is of the calling worker's runtime, to be unparked without the
 * lock; else NULL.
 */
__attribute__((warn_unused_result)) struct filch__fiber *
filch__region_ring(struct filch__region *r);

/* What is waited for, on a region. */
extern const struct filch__topic filch__topic_region_end, filch__topic_region_next;

/* Without the lock: gives a hold back. The region may be gone afterwards. */
void filch__region_drop_hold(struct filch__region *r);

/* Any thread, under the lock, of an open region: (re-)arms or disarms the timer. It was started. */
void filch__region_set_deadline(struct filch__region *r, int64_t deadline);
/* Under the lock, of a cancelled scope with a grace period. */
void filch__region_arm_grace(struct filch__region *r, int64_t when);

/* Regions opened by threads; under their lock. */
extern uint32_t filch__roots_lock;
extern struct filch__region *filch__roots;
void filch__roots_forget(void);

#endif
