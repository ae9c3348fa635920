/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fibers: what a worker runs on, and the one way to wait.
 *
 * Every fiber runs the scheduler's loop, and what it runs is a plain call from that loop. When
 * something waits, its fiber is left as it stands and the worker goes on with another one, whose
 * loop has nothing on it. A fiber that is free has only its loop on its stack.
 *
 * Waiting is a token. The states of `wait`, and who moves between them (all read-modify-write,
 * release/acquire, so that what a waker wrote before is seen after the park):
 *     RUNNING   -> NOTIFIED    unpark, any thread
 *     RUNNING   -> SUSPENDED   the worker that left the fiber, after the switch
 *     NOTIFIED  -> RUNNING     the fiber itself or that worker: the park returns at once
 *     SUSPENDED -> RUNNING     unpark, any thread, which then queues the fiber
 * A park may return without cause: whoever parks looks at its condition again.
 *
 * A hand-over (filch__park_for) suspends by a plain store, which may wipe out a token. That is
 * right because two kinds of wakers exist then: the end of what was handed over, which comes later
 * on the same thread or after it, and interrupts (aborts, the runtime's end), which are rare and
 * pay for it:
 *     owner      S: wait = SUSPENDED   light barrier   L: load interrupted, and if so
 *                SUSPENDED -> RUNNING by compare and swap, and if that is won queue the fiber
 *     interrupt  SUSPENDED -> RUNNING at once, or else RUNNING -> NOTIFIED for common parks, then
 *                I: interrupted = 1    heavy barrier   W: SUSPENDED -> RUNNING if it is that by now
 * Either L sees I or W sees S. The fiber itself takes `interrupted` away, when it runs again and
 * before it looks at what it waited for. Tokens of anybody else that are lost were without cause,
 * or who waits for them counts his parks (task/await.c).
 *
 * The structures of fibers are freed only with their runtime's memory, though their stacks may go
 * earlier: a thief may look at the fiber that a worker ran a moment ago, and wakers name fibers.
 */
#ifndef FILCH_SCHED_FIBERS_H
#define FILCH_SCHED_FIBERS_H

#include <filch/forks.h>

#include "sched/fiber/context.h"
#include "sched/fiber/stack.h"
#include "sched/holder.h"
#include "sched/role.h"
#include "sched/runnable.h"

struct filch__worker;
struct filch__frame;

enum filch__wait { FILCH__RUNNING, FILCH__NOTIFIED, FILCH__SUSPENDED };

struct filch__blames;

/* What is waited for, of one kind: a dump shows it. */
struct filch__topic {
    const char *name;
    /* Of the upper floor: who can end a wait on `on`. NULL: it ends by itself, or by a thief. */
    void (*explain)(const void *on, struct filch__blames *blames);
};

/* What a fiber waits for, for whoever looks at it from outside: `on` may be followed as look.h
 * says, where the topic does. */
struct filch__waiting {
    const struct filch__topic *topic; /* NULL: it does not wait */
    const void *on;
    int64_t since; /* when it suspended, to some milliseconds; 0: not yet; negative: not before */
};

/*
 * By cache lines, for a fiber that has waited long is in none of the caches: what a resumption and
 * the end of a task need stands together. (o): owner-only, the thread that runs it or the worker
 * that holds it free. (i): immutable. The rest is shared.
 */
struct filch__fiber {
    struct filch__forks forks; /* first: forks and fiber have one address */

    struct filch__worker *worker; /* (o) that runs it now */
    void *task;                   /* of the upper floor: for what this runs; thieves copy it */
    const uint32_t *cancelled;    /* what filch_cancelled reads outside of all frames of the task */
    void *cleanup;                /* of the upper floor: to be done when the task ends */
    struct filch__frame *frame;   /* the innermost: frames.h */
    struct filch__worker *pinned; /* resumes only there; set before the fiber can suspend */
    bool own_size;                /* (o) its stack was made for one task, do not reuse it */
    uint32_t parks;               /* owner-written: how often it was parked: await.c, look.h */
    struct filch__context context; /* (o) its first word ends the line */

    uint32_t offered; /* `offer` is queued */
    uint32_t frame_lock;
    struct filch__slot *awaited; /* the stolen job whose end this fiber waits for */

    struct filch__waiting waiting;
    struct filch__runnable resume;
    struct filch__fiber *next_free; /* (o) */
    struct filch_runtime *rt;       /* (i) */
    uint32_t wait;
    uint16_t interrupted; /* see above */
    uint16_t deaf;        /* waits for something that an interrupt does not bring */

    _Alignas(FILCH__HOLDER_ALIGN) struct filch__holder holder; /* (o) */
    struct filch__holder *guest; /* (o) not NULL: holds instead, a task without a stack */
    struct filch__role role;     /* (o), and thieves copy `teamed` */

    struct filch__stack stack;        /* (o) map is NULL while it has none */
    size_t room;                      /* bytes of its stack */
    struct filch__fiber *next_all;    /* (i) */
    struct filch__runnable offer;     /* queued while it is suspended with jobs to steal */
    struct filch__runnable play;      /* runs the job below */
    struct filch__fiber *loot_victim; /* (o) forks.h: the job that it was made for */
    struct filch__slot *loot_slot;    /* owner-written: the stolen job that it runs, or shall run */
    struct filch__worker *holds;      /* owner-written: that it holds while it awaits a thief */
};

#define FILCH__LINE 64
_Static_assert(offsetof(struct filch__fiber, worker) % FILCH__LINE == 0 &&
                   offsetof(struct filch__fiber, context) % FILCH__LINE == FILCH__LINE - 8 &&
                   offsetof(struct filch__fiber, waiting) % FILCH__LINE == 0,
               "hot lines of a fiber");

/* What threads outside of any runtime fork on: see forks.h. */
extern struct filch__forks filch__forks_foreign[];

/* Any thread. NULL off workers. */
static inline struct filch__fiber *filch__fiber_current(void)
{
    struct filch__forks *forks = filch__forks_current();
    return forks == filch__forks_foreign ? NULL : (struct filch__fiber *)(void *)forks;
}

/* The same on a worker. */
static inline struct filch__fiber *filch__fiber_here(void)
{
    return (struct filch__fiber *)(void *)filch__forks_current();
}

/*
 * Blocks of tasks are aligned to lines, and no other runnable has the place in a line that a
 * fiber's `resume` has: so its address tells what it is, when it may not be looked into.
 */
static inline bool filch__fiber_is_resume(const struct filch__runnable *r)
{
    return (uintptr_t)r % FILCH__LINE == offsetof(struct filch__fiber, resume) % FILCH__LINE;
}
_Static_assert(offsetof(struct filch__fiber, offer) % FILCH__LINE !=
                       offsetof(struct filch__fiber, resume) % FILCH__LINE &&
                   offsetof(struct filch__fiber, play) % FILCH__LINE !=
                       offsetof(struct filch__fiber, resume) % FILCH__LINE &&
                   offsetof(struct filch__fiber, resume) % FILCH__LINE != 0,
               "the address of a runnable tells whether it resumes a fiber");

static inline struct filch__fiber *filch__fiber_of_resume(struct filch__runnable *r)
{
    return (struct filch__fiber *)(void *)((char *)r - offsetof(struct filch__fiber, resume));
}

/*
 * A fiber with a stack of `size` bytes and nothing on it; from the worker's cache where it can.
 * w may be NULL for a size other than the runtime's. NULL: no memory.
 */
struct filch__fiber *filch__fiber_acquire(struct filch_runtime *rt, struct filch__worker *w,
                                          size_t size);
/* Back to the worker's cache, or its stack to the system. Nothing runs on it. */
void filch__fiber_release(struct filch__worker *w, struct filch__fiber *fiber);
/* On w's thread, about to sleep: gives some stacks of the cache back. True: there are more that
 * should go; look for work first. */
bool filch__fibers_shrink(struct filch__worker *w);
/* Of a runtime whose threads have ended. */
void filch__fibers_drop_stacks(struct filch_runtime *rt);
/* The structures, which wakers keep as long as the runtime's memory: nobody has any more. */
void filch__fibers_free(struct filch_runtime *rt);

/*
 * On a fiber. Suspends until an unpark, or without cause. The worker meanwhile runs other things.
 * 0, or -ENOMEM: there is no other fiber to go on with; nothing happened.
 */
int filch__park(void);

/*
 * A park on the way out of a section that is guarded by a spin lock, which it leaves: suspends by a
 * plain store, as a hand-over does, before the lock is left. So who takes the lock finds the fiber
 * suspended, unless it was interrupted or woken without cause. False: that cannot be done here;
 * nothing happened, and the lock is held.
 */
bool filch__park_leaving(uint32_t *lock);

/* On fiber `me`: its next park would return at once. */
static inline bool filch__park_is_over(const struct filch__fiber *me)
{
    return filch__load_relaxed(&me->wait) == FILCH__NOTIFIED;
}

/* On a fiber, before a wait that must not fail: 0: its next parks will not. Or -ENOMEM. */
int filch__park_prepare(void);

/* After a prepare: the fiber on which the next park_for runs what it is given. */
struct filch__fiber *filch__park_next(struct filch__worker *w);

/* A park after a prepare, with `first` being the next thing that the worker runs. */
void filch__park_for(struct filch__runnable *first);

/* After a prepare, on a fiber that stays with its worker (hold.h): runs r, which works for a task, on
 * another one, until that ends: true; or suspends. */
bool filch__fiber_run_aside(struct filch__runnable *r);

/* Any thread. The fiber's next or present park returns. */
void filch__unpark(struct filch__fiber *fiber);

/*
 * The same for a cause that may strike at any time, whatever the fiber is doing. Begin, then as it
 * returns: WAKE: filch__unpark_claimed. END: a heavy barrier, then end. Begin may be called under a
 * spin lock, what follows better not. The cause is visible before begin, by a read-modify-write.
 */
enum filch__interrupt { FILCH__INTERRUPT_NOTHING, FILCH__INTERRUPT_WAKE, FILCH__INTERRUPT_END };
__attribute__((warn_unused_result)) enum filch__interrupt
filch__interrupt_begin(struct filch__fiber *fiber);
void filch__interrupt_end(struct filch__fiber *fiber);

/*
 * Around a wait that no interrupt cuts short: none wakes it in vain. Dekker's pair: the fiber
 * clears `deaf`, fence, then looks at its flags before it waits for anything else; who interrupts
 * sets a flag, by or before a read-modify-write with release, then looks at `deaf`, sequentially
 * consistent.
 */
static inline void filch__fiber_set_deaf(struct filch__fiber *fiber)
{
    filch__store_relaxed(&fiber->deaf, 1);
}
static inline void filch__fiber_clear_deaf(struct filch__fiber *fiber)
{
    filch__store_relaxed(&fiber->deaf, 0);
    filch__fence_seq_cst();
}

/*
 * The two halves of an unpark by a run function. claim: true if the fiber was suspended; then the
 * caller returns filch__unpark_next of it to the loop: the fiber, or NULL if it cannot run here and
 * was queued where it can.
 */
__attribute__((warn_unused_result)) bool filch__unpark_claim(struct filch__fiber *fiber);
__attribute__((warn_unused_result)) struct filch__fiber *
filch__unpark_next(struct filch__fiber *fiber);

/* The first half where it is suspended; else false, and nothing happened. */
__attribute__((warn_unused_result)) static inline bool
filch__unpark_claim_suspended(struct filch__fiber *fiber)
{
    uint32_t suspended = FILCH__SUSPENDED;
    return filch__cas_acq_rel(&fiber->wait, &suspended, FILCH__RUNNING);
}

/* Any thread, of a fiber that was claimed, or has left to yield: queues it where it can run. */
void filch__unpark_claimed(struct filch__fiber *fiber);

/* On a fiber. Lets all that is ready here run first. 0, or -ENOMEM as above. */
int filch__fiber_yield(void);

/* On the fiber, which runs nothing so far: a task, or a job of one, begins. */
static inline void filch__fiber_set_task(struct filch__fiber *fiber, void *task,
                                         const uint32_t *cancelled)
{
    filch__store_release(&fiber->task, task); /* with what it points to, for those who look on */
    fiber->cancelled = cancelled;
    fiber->forks.cancelled = cancelled;
}

/* That has ended. */
void filch__fiber_clear_task(struct filch__fiber *fiber);

/* Around a wait of the fiber: what a dump says of it. */
static inline void filch__fiber_begin_wait(struct filch__fiber *fiber,
                                           const struct filch__topic *topic, const void *on)
{
    filch__store_relaxed(&fiber->waiting.since, 0);
    filch__store_relaxed(&fiber->waiting.on, on);
    filch__store_release(&fiber->waiting.topic, topic);
}

static inline void filch__fiber_end_wait(struct filch__fiber *fiber)
{
    filch__store_relaxed(&fiber->waiting.topic, NULL);
}

/* Names a task to whoever reads a diagnosis; set by the upper floor before there are tasks.
 * Callable in a signal handler. */
extern const char *(*filch__fiber_name)(const void *task);
/* See fiber/overflow.h. */
bool filch__fiber_describe(const void *addr, char *name, size_t cap);

/* Run function of a fiber that is ready. */
struct filch__fiber *filch__fiber_run_resume(struct filch__runnable *resume);

/* In the child of a fork(2): the calling thread runs no fiber of any runtime that works. */
void filch__fiber_forget(void);

/* Hook of a switch: the fiber that was left has nothing on it. */
void filch__fiber_release_left(struct filch__fiber *left);

#endif
