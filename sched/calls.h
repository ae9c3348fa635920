/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls: who wants other workers to come to what it does posts a call on its stack, workers answer
 * it, and it is closed when those that came have left. A fork offers work to who looks for some; a
 * call is for threads outside, on whose fork stacks nobody looks, and for teams, which need so many
 * workers and need them soon.
 *
 * Posted calls are in a list of the runtime, under its lock. A worker answers the oldest that wants
 * more: an urgent one before anything else that it could run, another one when it has run out of
 * work, and once in a while. What a worker sees without the lock are two counts:
 *     poster  wanted + n (under the lock)   light barrier   load sleepers: as for any new work (idle.h)
 * `due` counts the answers that are wanted or have not left. Who withdraws the call takes off those
 * that nobody has given. The last worker leaves by one read-modify-write, after which it does not
 * touch the call: the poster's fiber is waked by its address, a thread by that of the word.
 */
#ifndef FILCH_SCHED_CALLS_H
#define FILCH_SCHED_CALLS_H

#include "sched/link.h"
#include "sched/runnable.h"
#include "sched/worker.h"

struct filch__hold;

/* Of one runtime. */
struct filch__calls {
    uint32_t lock;
    uint32_t wanted;           /* answers to all that is posted; written under the lock, */
    uint32_t urgent;           /* as is this: those to urgent ones */
    struct filch__link posted; /* oldest first; under the lock, as is the rest: */
    bool turn_taken;           /* of teams: a team runs */
    struct filch__link turns;  /* those who wait for it, oldest first */
};

struct filch__call {
    /* Immutable while it is posted. */
    void (*run)(struct filch__call *call,
                uint32_t number); /* number: from 1, by order of answers */
    struct filch_runtime *rt;     /* whose workers are called */
    void *task;                   /* for which they work, as the next three: strand.h */
    const uint32_t *cancelled;
    struct filch__frame *frame;
    bool teamed;
    bool urgent;
    struct filch__fiber *poster;  /* NULL: a thread */
    struct filch__worker *holder; /* the poster's, if it holds that; or NULL */
    int cpu;                      /* where it was posted */
    /* Under the lock of the calls. */
    struct filch__link link;
    uint32_t wanted;
    uint32_t answered;
    /* Shared. */
    uint32_t due;    /* see above, and in the top bit: the poster must be waked; futex */
    uint32_t beside; /* who came was on the poster's CPU: the poster is not to spin */
};

void filch__calls_init(struct filch__calls *calls);

/* By the poster, who has filled in what is immutable. At most `wanted` workers come. Others may be
 * counted as due beforehand, who come by other ways. */
void filch__call_post(struct filch__call *call, uint32_t wanted);

/* By who was due, the last touch of the call. On a worker of call->rt it returns the fiber to go on
 * with, or NULL; elsewhere NULL. */
struct filch__fiber *filch__call_leave(struct filch__call *call);

/* By the poster: who has not answered by now never will. Returns how many. */
uint32_t filch__call_recall(struct filch__call *call);

/* By the poster, once: nobody answers it any more. True: those that came leave so soon that it is
 * over. */
bool filch__call_withdraw(struct filch__call *call);

/* By the poster: all that were wanted have come and left, or it was withdrawn, and those that came
 * have left. Nobody touches it any more. */
static inline bool filch__call_is_over(const struct filch__call *call)
{
    return (filch__load_acquire(&call->due) << 1) == 0;
}

/* By the poster: waits for that, or less: until the deadline on a thread, an interrupt on a fiber, or
 * without cause. */
void filch__call_wait(struct filch__call *call, int64_t deadline);

/* By a poster that holds its thread: the same by filch__hold_on. */
bool filch__call_hold_on(struct filch__call *call, struct filch__hold *hold);

/* By the poster: withdraws it, and waits until it is over. */
void filch__call_close(struct filch__call *call);

/* On w's thread: the answer to a call, to be run next; NULL: there is none. */
struct filch__runnable *filch__calls_answer(struct filch__worker *w, bool urgent);

#endif
