/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reactor of a runtime: who waits for which file descriptor, and the thread that tells them. It is
 * made with the first wait.
 *
 * For each number there is an entry: those who wait, and whether the file that the number stood for was registered
 * with the poller. A registration reports once (os/poller.h): every wait sets it again, for the events that all
 * who wait there want, and after a report the reactor does so for those that it did not concern. So an event cannot be lost
 * between a look at the file and the wait: setting a registration looks at the file.
 *
 * Numbers are used again. Only the kernel knows whether the number still stands for the same file: setting says
 * -ENOENT if not. Then the entry's generation changes, whoever waited for the old file learns -EBADF, and reports
 * of older generations are dropped. A report of the same file that is out of date, because
 * it was fetched before the registration was set anew, wakes in vain: who wants to be sure looks again.
 *
 * An entry's list and the fields of those in it are under the entry's lock, a spin lock that is held over the system
 * call that sets a registration. A wait is forgotten by taking it out of the list; what
 * was set stays so, and reports into the void once at most.
 */
#ifndef FILCH_SCHED_REACTOR_H
#define FILCH_SCHED_REACTOR_H

#include "sched/after.h"
#include "sched/link.h"
#include "sched/runtime.h"

/* One wait, in the memory of whoever waits. */
struct filch__interest {
    struct filch__link link; /* zero before the first begin */
    struct filch__fd_entry *entry;
    /* Immutable while it waits. */
    uint32_t events;
    /* Written before `fire`: what is ready, or a negative errno. */
    int result;
    /* Called with the entry's lock held, like that of a timer (timers.h). */
    void (*fire)(struct filch__interest *interest, struct filch__after *after);
};

/* Any thread, before the first wait. -ENOMEM, -EAGAIN, -EMFILE, -ENFILE. -ESHUTDOWN: lost to a fork(2). */
int filch__reactor_start(struct filch_runtime *rt);

/* The closer, no worker runs, nobody waits: joins the thread, frees all. */
void filch__reactor_end(struct filch_runtime *rt);

/*
 * Any thread. events and fire are set. 0: it waits. 1: fd is of a kind that is always ready, and
 * does not wait. -EBADF, -ENOMEM, -ENOSPC.
 */
int filch__reactor_begin(struct filch_runtime *rt, struct filch__interest *interest, int fd);

/* By who began it, once it does not wait any more or shall not: afterwards the reactor does not know it. True: it has fired. */
bool filch__reactor_forget(struct filch__interest *interest);

/* Any thread. fd is about to be closed: whoever waits for it learns -EBADF. */
void filch__reactor_close(struct filch_runtime *rt, int fd);

#endif
