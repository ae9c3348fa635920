/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which file descriptors are ready: the kernel's epoll, where each registration reports once and is
 * then silent until it is set again. A registration is of the open file, not of the number alone:
 * it goes when the last descriptor of the file is closed.
 */
#ifndef FILCH_SCHED_OS_POLLER_H
#define FILCH_SCHED_OS_POLLER_H

#include <stdbool.h>
#include <stdint.h>

struct filch__ready {
    uint64_t cookie;
    uint32_t events; /* of <sys/epoll.h> */
};

/* A poller, closed on exec, for filch__poller_close. -EMFILE, -ENFILE, -ENOMEM. */
int filch__poller_open(void);
void filch__poller_close(int poller);

/*
 * Any thread. Registers fd. Once: from now on, and also if that is so already, its events are
 * reported one time, with the cookie. Else: each time that one comes, and now if there are some.
 * -EEXIST: it is registered. -EBADF: fd is not open. -EPERM: it is of a kind that is always ready.
 * -ENOMEM, -ENOSPC: too many.
 */
int filch__poller_add(int poller, int fd, bool once, uint32_t events, uint64_t cookie);
/* Of one that is registered for once: anew. -ENOENT: it is not. */
int filch__poller_set(int poller, int fd, uint32_t events, uint64_t cookie);
/* Any thread. fd may be registered or not, or closed. */
void filch__poller_remove(int poller, int fd);

/*
 * Which file fd stands for: by the numbers of sockets, pipes and what has a name; others share
 * theirs. All zero: it is not open.
 */
struct filch__file {
    uint64_t device, number;
    bool socket;
};
struct filch__file filch__poller_identify(int fd);
bool filch__poller_is_open(int fd);

/* close(2). */
int filch__poller_close_file(int fd);

/* Blocks the thread until something is to be reported: how much, at most `most`. 0: no cause. With
 * block false it does not wait. */
int filch__poller_wait(int poller, struct filch__ready *ready, int most, bool block);

/* Blocks the thread until one of the events is there: which; -ETIMEDOUT at the deadline, -EBADF,
 * -ENOMEM. */
int filch__poller_wait_one(int fd, uint32_t events, int64_t deadline);

#endif
