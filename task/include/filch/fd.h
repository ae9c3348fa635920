/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File descriptors: waiting until one is ready, and reads, writes, accepts and connects that wait.
 * They are served while every worker computes.
 *
 *     static int echo(void *arg)
 *     {
 *         int fd = (int)(intptr_t)arg;
 *         char line[256];
 *         ssize_t n = 1;
 *         while (n > 0 && (n = filch_read(fd, line, sizeof line)) > 0)
 *             n = filch_write_all(fd, line, (size_t)n);
 *         filch_close(fd);
 *         return (int)n;
 *     }
 *
 * All are for tasks, which they suspend, and for other threads, which they block. They work with
 * descriptors in blocking mode too, but where others read from, write to or accept on the same file
 * at the same time, and for terminals, O_NONBLOCK should be set: else a call may find nothing left,
 * or too little room, after its wait, and block its worker. Regular files are always ready: for
 * what takes long on them see filch_blocking. Several may wait for one descriptor, for different
 * events or the same.
 *
 * Close with filch_close what tasks may wait for: they get -EBADF. After a plain close(2) they wait
 * on, until they are cancelled or the number is waited for anew, but are never woken for another
 * file that has got the number. (Eventfds and the like, which the system does not tell apart, are
 * where a number goes from one to another and back while both are open elsewhere.)
 */
#ifndef FILCH_FD_H
#define FILCH_FD_H

#include <filch/future.h>

#include <sys/types.h>

FILCH_BEGIN_DECLS

/* Events, as bits. */
#define FILCH_READABLE    0x0001u /* there is data, an end, or a connection to accept */
#define FILCH_WRITABLE    0x0004u
#define FILCH_FD_ERROR    0x0008u /* always waited for */
#define FILCH_HANGUP      0x0010u /* both directions are closed; always waited for */
#define FILCH_PEER_CLOSED 0x2000u /* the other side will send no more, or is gone */

struct sockaddr;

/*
 * Waits until one of the events is there, at once if one is already, or until a deadline
 * (FILCH_NEVER: none). The events that are there, > 0. They are what was so a moment ago: a read
 * may still find nothing. -ECANCELED: the caller was cancelled. -ETIMEDOUT. -EBADF: fd is not open,
 * or was closed by filch_close meanwhile. -EINVAL: events is 0 or has others. -EPERM: fd is of a
 * kind that has no such event. -ENOMEM, -ENOSPC, -EMFILE, -ENFILE, -EAGAIN: the system has no room
 * for the wait or for what serves it. -ESHUTDOWN: the runtime was lost to a fork(2).
 */
FILCH_API int filch_fd_wait(int fd, uint32_t events, int64_t deadline);

/* The same as a future; its result is the events. Off tasks it is served by the default runtime. */
typedef struct filch_fd_future {
    filch_future future;
    int fd;
    uint32_t events;
    uint64_t storage[9];
} filch_fd_future;

extern FILCH_API const filch_future_ops filch_fd_future_ops;

#define FILCH_FD_FUTURE(fd, events)                         \
    {                                                       \
        FILCH_FUTURE(&filch_fd_future_ops), (fd), (events), \
        {                                                   \
            0                                               \
        }                                                   \
    }

/*
 * Like read(2) and write(2), but that they wait until there is something to read, or room: how many
 * bytes, perhaps fewer than n; 0: the end of the file. -EPIPE without a signal. Else as the system
 * calls and filch_fd_wait. If the caller was cancelled, -ECANCELED: nothing was read or written.
 */
FILCH_API ssize_t filch_read(int fd, void *buffer, size_t n);
FILCH_API ssize_t filch_write(int fd, const void *buffer, size_t n);

/* Writes n bytes, by as many writes as it takes: n. On failure some may have been written. */
FILCH_API ssize_t filch_write_all(int fd, const void *buffer, size_t n);

/*
 * Like accept(2): a new descriptor, the caller's, with O_NONBLOCK and O_CLOEXEC. address and length
 * may be NULL. Errors of accept(2), -EMFILE among them, and of filch_fd_wait.
 */
FILCH_API int filch_accept(int fd, struct sockaddr *address, unsigned *length);

/* Like connect(2): 0, or what came of it. -EAGAIN: the backlog of a Unix socket is full. After
 * another error the socket is good for nothing but to be closed. */
FILCH_API int filch_connect(int fd, const struct sockaddr *address, unsigned length);

/*
 * Like close(2), any thread or task; does not suspend, but close(2) itself may block. Tasks of the
 * caller's runtime (off tasks: of the default one) that wait for fd get -EBADF; a thread that is
 * blocked in one of these calls is not told.
 */
FILCH_API int filch_close(int fd);

FILCH_END_DECLS

#endif
