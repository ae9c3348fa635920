/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reactor of a runtime: who asks the poller which file descriptors are ready (fds.h), and when.
 * It is made with the first wait.
 *
 * A worker that runs out of work asks, without blocking, and gets a batch; one that falls asleep
 * with nobody else asking does so in the poller. So what a report makes ready starts where it was
 * reported. While every worker computes, the reactor's own thread asks.
 *
 * `role` says who may ask: NOBODY, a worker by 1 + index, or the THREAD; taken by compare and swap,
 * given back by its holder. A holder that blocks is woken by the bell, an event that the poller
 * reports.
 *     P, about to block:       role = P       load P's `idle`; still set: block
 *     W, waking worker P:      P's idle = 0   load role; if it is P: ring the bell
 * All are sequentially consistent, so one of them sees the other. A ring that P did not need wakes
 * the next one that blocks, in vain.
 *
 * The thread sleeps deeply while somebody blocks in the poller; from when nobody does it looks each
 * millisecond. If no worker has asked between some of its looks, it takes the role and blocks
 * there itself until there is a report. `watch` is DEEP, TICKING or STOP:
 *     thread:         watch = DEEP   load role; NOBODY: watch = TICKING, do not sleep
 *     giving back:    role = NOBODY  load watch; DEEP: watch = TICKING, wake the thread
 *     a first wait:   registers      the same loads
 * The same again. So a wait is looked after within some milliseconds, however the workers are busy.
 */
#ifndef FILCH_SCHED_REACTOR_H
#define FILCH_SCHED_REACTOR_H

#include "sched/fds.h"
#include "sched/os/thread.h"
#include "sched/runtime.h"

enum { FILCH__ROLE_NOBODY, FILCH__ROLE_THREAD = INT32_MAX };

enum filch__watch_word { FILCH__WATCH_TICKING, FILCH__WATCH_DEEP, FILCH__WATCH_STOP };

struct filch__reactor {
    /* Shared. */
    uint32_t role __attribute__((aligned(64)));
    uint32_t watch; /* futex of the thread */
    uint32_t asked; /* changes when a worker has asked */
    /* Immutable. */
    struct filch_runtime *rt __attribute__((aligned(64)));
    int bell;
    filch__thread thread;
    struct filch__fds fds;
};

/* Any thread, before the first wait. -ENOMEM, -EAGAIN, -EMFILE, -ENFILE. -ESHUTDOWN: lost to a
 * fork(2). */
int filch__reactor_start(struct filch_runtime *rt);

/* The closer, no worker runs, nobody waits: joins the thread, frees all. */
void filch__reactor_end(struct filch_runtime *rt);

/* Any thread, after filch__reactor_start(rt): as filch__fds_begin. */
int filch__reactor_begin(struct filch_runtime *rt, struct filch__interest *interest, int fd,
                         bool blind);

/* On w's thread, of its runtime's reactor, if there is one. True: something was reported. */
bool filch__reactor_ask(struct filch__worker *w);

/* The same, asleep: blocks until there is a report or w is woken. False: there is no
 * reactor, or somebody else has the role, and nothing was done. */
bool filch__reactor_sleep(struct filch__worker *w);

/* Any thread, after w->idle was set to 0. */
void filch__reactor_wake(struct filch__worker *w);

/* The reactor of rt, or NULL. Pairs with its making. Who wakes looks for it sequentially
 * consistent: see above. */
static inline struct filch__reactor *filch__reactor_of(const struct filch_runtime *rt)
{
    return filch__load_acquire(&rt->reactor);
}

#endif
