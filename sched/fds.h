/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who waits for which file descriptor.
 *
 * For each number there is an entry: those who wait, and whether the file that the number stood for
 * was registered with the poller. A registration reports once (os/poller.h): every wait sets it
 * again, for the events that all who wait there want, and after a report that did not concern them
 * all it is set for the rest. So an event cannot be lost between a look at the file and the wait:
 * setting a registration looks at the file.
 *
 * Numbers are used again. Only the kernel knows whether the number still stands for the same file:
 * setting says -ENOENT if not. Then the entry's generation changes, whoever waited for the old file
 * learns -EBADF, and reports of older generations are dropped. A report of the same file that is
 * out of date, because it was fetched before the registration was set anew, wakes in vain: who
 * wants to be sure looks again.
 *
 * The registration of an old file outlives its number where the file is open elsewhere, by a dup or
 * in a child process, and nobody can take it away then. So from the first change on the entry is
 * haunted: a registration that is there proves nothing, and the file's identity is looked at too.
 *
 * An entry's list and the fields of those in it are under the entry's lock, a spin lock that is
 * held over the system call that sets a registration. A wait is forgotten by taking it out of the
 * list; what was set stays so, and reports into the void once at most.
 */
#ifndef FILCH_SCHED_FDS_H
#define FILCH_SCHED_FDS_H

#include "sched/after.h"
#include "sched/link.h"
#include "sched/os/poller.h"

struct filch__arena;
struct filch__fd_entry;

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

/* Numbers are looked up in two steps; entries stay where they are. */
#define FILCH__FDS_CHUNKS (1 << 14)

struct filch__fds {
    int poller;                                        /* immutable */
    struct filch__arena *arena;                        /* immutable */
    uint32_t lock;                                     /* of who adds a chunk */
    struct filch__fd_entry *chunks[FILCH__FDS_CHUNKS]; /* written once each, released */
};

/* Of zeroed fds whose poller and arena are set; nobody waits any more. */
void filch__fds_free(struct filch__fds *fds);

/*
 * Any thread. events and fire are set. 0: it waits. 1: fd is of a kind that is always ready, and
 * does not wait. -EBADF, -ENOMEM, -ENOSPC.
 */
int filch__fds_begin(struct filch__fds *fds, struct filch__interest *interest, int fd);

/* By who began it, once it does not wait any more or shall not: afterwards nobody here knows it.
 * True: it has fired. */
bool filch__fds_forget(struct filch__interest *interest);

/* Any thread. Closes fd; whoever waits for it learns -EBADF. What close(2) says. */
int filch__fds_close(struct filch__fds *fds, int fd);

/*
 * A guess whether a read of the socket fd will find nothing, so that to wait at once saves a system
 * call: from how the last reads went. One in some is tried all the same, so a guess that was wrong
 * does not last. Any thread; a guess for an earlier file of the number may be as wrong.
 */
bool filch__fds_seem_dry(struct filch__fds *fds, int fd);
/* How the first try of a read went: there was nothing, or something. */
void filch__fds_note(struct filch__fds *fds, int fd, bool dry);

/* Any thread: what the poller has reported. */
void filch__fds_report(struct filch__fds *fds, const struct filch__ready *ready);

#endif
