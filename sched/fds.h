/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who waits for which file descriptor.
 *
 * For each number there is an entry: those who wait, and how the file that the number stands for is
 * registered with the poller (os/poller.h). Sockets are registered for good, and each event is
 * reported when it comes, whether somebody waits or not: so an entry remembers in its pulse what
 * may be there. Other files are registered for one report: every wait sets the registration again,
 * for the events that all who wait there want, and after a report that did not concern them all it
 * is set for the rest; to set it is a look at the file.
 *
 * The pulse: what was reported, less what a read or write has found to be over since, and a count
 * of reports. Who is about to try takes a glance; if the try finds nothing it says so, and that
 * counts only if the pulse has not changed since the glance. A wait for what the pulse says may be
 * there does not begin: try again. So an event that comes between a try and the wait is not lost.
 * Zero: not registered so.
 *
 * Numbers are used again. Each wait looks whether the number still stands for the file that was
 * registered: by the file's identity, and where that is registered for one report by the kernel's
 * answer, -ENOENT. If not, the entry's generation changes, whoever waited for the old file learns
 * -EBADF, and reports of older generations are dropped. A report that is out of date wakes in vain:
 * who wants to be sure looks again. One thing goes unnoticed: eventfds and the like share their
 * identity, so where a number goes from one to another and back, with both open elsewhere, waits for
 * the two are taken for one.
 *
 * An entry's list and the fields of those in it are under the entry's lock, a spin lock that is
 * held over the system calls of a registration. A wait is forgotten by taking it out of the
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
 * does not wait. 2, with `blind`, which is for who has just tried: it does not wait, try again.
 * -EBADF, -ENOMEM, -ENOSPC.
 */
int filch__fds_begin(struct filch__fds *fds, struct filch__interest *interest, int fd, bool blind);

/* By who began it, once it does not wait any more or shall not: afterwards nobody here knows it.
 * True: it has fired. */
bool filch__fds_forget(struct filch__interest *interest);

/* Any thread. Closes fd; whoever waits for it learns -EBADF. What close(2) says. */
int filch__fds_close(struct filch__fds *fds, int fd);

/* The pulse of a socket, before a try to read or write. Any thread. */
struct filch__glance {
    struct filch__fd_entry *entry; /* NULL: not known */
    uint64_t pulse;
};
struct filch__glance filch__fds_glance(struct filch__fds *fds, int fd);
/* Not one of the events can be there: a try is in vain. */
bool filch__glance_is_dry(const struct filch__glance *glance, uint32_t events);
/* A try has found nothing. A short read is no proof: what is left may be behind a mark. */
void filch__glance_drained(const struct filch__glance *glance, uint32_t events);

/* Any thread: what the poller has reported. */
void filch__fds_report(struct filch__fds *fds, const struct filch__ready *ready);

#endif
