/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads, writes, accepts and connects that wait.
 *
 * Each is tried first, without blocking whatever mode the descriptor is in, and only what would
 * block waits. The ways to do so: for sockets MSG_DONTWAIT; for the rest RWF_NOWAIT, where the
 * kernel knows it for this kind of file; else the plain call after a wait.
 */
#define _GNU_SOURCE 1
#include "task/fd.h"

#include "sched/reactor.h"

#include <errno.h>
#include <fcntl.h>
#include <filch/fork.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum way { WAY_SOCKET, WAY_NOWAIT, WAY_PLAIN };

struct transfer {
    int fd;
    bool writes;
    enum way way;
    struct iovec data;
};

static ssize_t by_socket(const struct transfer *t)
{
    return t->writes ? send(t->fd, t->data.iov_base, t->data.iov_len, MSG_DONTWAIT | MSG_NOSIGNAL)
                     : recv(t->fd, t->data.iov_base, t->data.iov_len, MSG_DONTWAIT);
}

/* What the poller calls always ready, though a look at it without waiting may fail. */
static bool is_regular(int fd)
{
    struct stat about;
    return fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
}

/*
 * SIGPIPE of a write to a pipe is kept from threads outside; workers block all signals. It is the
 * thread's own, so it is pending when the write has failed, and is taken away unless it was before.
 */
static ssize_t quietly(ssize_t (*put)(const struct transfer *t), const struct transfer *t)
{
    sigset_t pipe, old, pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe, &old);
    ssize_t n = put(t);
    int error = errno;
    if (n < 0 && error == EPIPE && !sigismember(&pending, SIGPIPE))
        (void)sigtimedwait(&pipe, NULL, &(struct timespec){.tv_sec = 0});
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = error;
    return n;
}

static ssize_t without_wait(const struct transfer *t)
{
    return t->writes ? pwritev2(t->fd, &t->data, 1, -1, RWF_NOWAIT)
                     : preadv2(t->fd, &t->data, 1, -1, RWF_NOWAIT);
}

/* After a wait. A pipe that is writable has room for so much; a terminal for some bytes. */
static size_t room_of(const struct transfer *t)
{
    size_t room = is_regular(t->fd) ? t->data.iov_len : isatty(t->fd) ? 64 : PIPE_BUF;
    return t->data.iov_len < room ? t->data.iov_len : room;
}

static ssize_t plainly(const struct transfer *t)
{
    return t->writes ? write(t->fd, t->data.iov_base, room_of(t))
                     : read(t->fd, t->data.iov_base, t->data.iov_len);
}

/* -EAGAIN: wait, then try again. */
static ssize_t attempt(struct transfer *t)
{
    for (;;) {
        ssize_t (*put)(const struct transfer *) = t->way == WAY_SOCKET   ? by_socket
                                                  : t->way == WAY_NOWAIT ? without_wait
                                                                         : plainly;
        bool loud = t->writes && t->way != WAY_SOCKET && !filch__fiber_current();
        ssize_t n = filch__unlikely(loud) ? quietly(put, t) : put(t);
        if (filch__likely(n >= 0))
            return n;
        if (errno == ENOTSOCK && t->way == WAY_SOCKET) {
            t->way = WAY_NOWAIT;
        } else if ((errno == EOPNOTSUPP || errno == EINVAL || errno == ESPIPE) &&
                   t->way == WAY_NOWAIT) {
            t->way = WAY_PLAIN;
            return -EAGAIN;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
}

/* Of the caller's runtime, if it has any. */
static struct filch__fds *fds_here(void)
{
    struct filch__worker *w = filch__worker_current();
    struct filch__reactor *reactor = w ? filch__reactor_of(w->rt) : NULL;
    return reactor ? &reactor->fds : NULL;
}

static struct filch__glance glance_at(int fd)
{
    struct filch__fds *fds = fds_here();
    return fds ? filch__fds_glance(fds, fd) : (struct filch__glance){NULL, 0};
}

static ssize_t transfer(struct transfer *t)
{
    uint32_t event = t->writes ? FILCH_WRITABLE : FILCH_READABLE;
    if (filch_cancelled())
        return -ECANCELED;
    if (t->data.iov_len == 0) /* a wait would be for nothing */
        t->way = WAY_PLAIN;
    for (;;) {
        struct filch__glance glance = glance_at(t->fd);
        if (!filch__glance_is_dry(&glance, event)) {
            ssize_t n = attempt(t);
            if (n != -EAGAIN)
                return n;
            filch__glance_drained(&glance, event);
            if (t->way == WAY_NOWAIT && is_regular(t->fd)) {
                t->way = WAY_PLAIN;
                continue;
            }
        }
        int rc = filch__fd_wait_blindly(t->fd, event);
        if (rc < 0)
            return rc;
    }
}

ssize_t filch_read(int fd, void *buffer, size_t n)
{
    struct transfer t = {.fd = fd, .data = {buffer, n}};
    return transfer(&t);
}

ssize_t filch_write(int fd, const void *buffer, size_t n)
{
    struct transfer t = {.fd = fd, .writes = true, .data = {(void *)buffer, n}};
    return transfer(&t);
}

ssize_t filch_write_all(int fd, const void *buffer, size_t n)
{
    struct transfer t = {.fd = fd, .writes = true, .data = {(void *)buffer, n}};
    while (t.data.iov_len > 0) {
        t.way = WAY_SOCKET; /* the plain way is for after a wait */
        ssize_t written = transfer(&t);
        if (written < 0)
            return written;
        t.data.iov_base = (char *)t.data.iov_base + written;
        t.data.iov_len -= (size_t)written;
    }
    return (ssize_t)n;
}

/* Errors of one connection, which is gone, and not of accepting. */
static bool is_passing(int error)
{
    return error == EINTR || error == ECONNABORTED || error == EPROTO;
}

int filch_accept(int fd, struct sockaddr *address, unsigned *length)
{
    if (filch_cancelled())
        return -ECANCELED;
    int flags = fcntl(fd, F_GETFL);
    bool wait_first = flags >= 0 && !(flags & O_NONBLOCK);
    for (;;) {
        int rc = wait_first ? filch_fd_wait(fd, FILCH_READABLE, FILCH_NEVER) : 0;
        if (rc < 0)
            return rc;
        int accepted = accept4(fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted >= 0)
            return accepted;
        if (errno != EAGAIN && !is_passing(errno))
            return -errno;
        wait_first |= errno == EAGAIN;
    }
}

/* Of a socket in non-blocking mode. Asked again, the kernel says what became of it. */
static int connect_and_wait(int fd, const struct sockaddr *address, unsigned length)
{
    for (bool asked = false;; asked = true) {
        if (connect(fd, address, length) == 0 || (asked && errno == EISCONN))
            return 0;
        if (errno == EINTR)
            continue;
        if (errno != EINPROGRESS && errno != EALREADY)
            return -errno;
        int rc = filch_fd_wait(fd, FILCH_WRITABLE, FILCH_NEVER);
        if (rc < 0)
            return rc;
    }
}

int filch_connect(int fd, const struct sockaddr *address, unsigned length)
{
    if (filch_cancelled())
        return -ECANCELED;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return -errno;
    bool blocking = !(flags & O_NONBLOCK);
    if (blocking && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    int rc = connect_and_wait(fd, address, length);
    if (blocking)
        (void)fcntl(fd, F_SETFL, flags);
    return rc;
}

int filch_close(int fd)
{
    struct filch__worker *w = filch__worker_current();
    filch_runtime *rt = w ? w->rt : filch__runtime_default();
    struct filch__reactor *reactor = rt ? filch__reactor_of(rt) : NULL;
    return reactor ? filch__fds_close(&reactor->fds, fd) : filch__poller_close_file(fd);
}
