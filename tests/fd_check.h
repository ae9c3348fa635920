/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of file descriptors share: pairs of ends of several kinds, waits that are polled
 * by hand, and a fence behind which all earlier reports have been handled.
 */
#ifndef FILCH_TESTS_FD_CHECK_H
#define FILCH_TESTS_FD_CHECK_H

#include "tests/support.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define MS INT64_C(1000000)

/* What is written to `out` is read from `in`; of sockets both do both. */
struct pair {
    int in, out;
};

enum kind { UNIX, TCP, PIPE, KINDS };

static inline struct sockaddr_in loopback(void)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* A listener of TCP on loopback, and its address. */
static inline int listen_tcp(struct sockaddr_in *at, int type, int backlog)
{
    socklen_t length = sizeof *at;
    *at = loopback();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | type, 0);
    REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)at, length) == 0 && listen(fd, backlog) == 0);
    REQUIRE(getsockname(fd, (struct sockaddr *)at, &length) == 0);
    return fd;
}

static inline void set_blocking(int fd, bool blocking)
{
    int flags = fcntl(fd, F_GETFL);
    REQUIRE(flags >= 0);
    flags = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
    REQUIRE(fcntl(fd, F_SETFL, flags) == 0);
}

static inline struct pair tcp_pair(void)
{
    struct sockaddr_in at;
    int one = 1, listener = listen_tcp(&at, 0, 1), in = socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(in >= 0 && connect(in, (struct sockaddr *)&at, sizeof at) == 0);
    int out = accept(listener, NULL, NULL);
    REQUIRE(out >= 0 && setsockopt(out, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0);
    REQUIRE(setsockopt(in, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0);
    close(listener);
    return (struct pair){in, out};
}

/* In non-blocking mode. */
static inline struct pair pair_open(enum kind kind)
{
    int fd[2];
    struct pair p;
    if (kind == TCP) {
        p = tcp_pair();
    } else {
        REQUIRE((kind == PIPE ? pipe(fd) : socketpair(AF_UNIX, SOCK_STREAM, 0, fd)) == 0);
        p = (struct pair){fd[0], fd[1]};
    }
    set_blocking(p.in, false);
    set_blocking(p.out, false);
    return p;
}

static inline void pair_close(struct pair p)
{
    close(p.in);
    close(p.out);
}

static inline void put(int fd, char byte)
{
    CHECK(write(fd, &byte, 1) == 1);
}

/* The next byte; -1: none, or the end. */
static inline int get(int fd)
{
    char byte;
    return read(fd, &byte, 1) == 1 ? (unsigned char)byte : -1;
}

/* Writes until there is no room. */
static inline void fill(int fd)
{
    static const char zeros[4096];
    while (write(fd, zeros, sizeof zeros) > 0)
        ;
    while (write(fd, zeros, 1) > 0)
        ;
    CHECK(errno == EAGAIN);
}

static inline void drain_fd(int fd)
{
    char buffer[4096];
    while (read(fd, buffer, sizeof buffer) > 0)
        ;
}

/* ---- waits that are polled by hand ---- */

/* The number stands for fd's file from now on. -EBUSY: somebody else is about to get it (dup2(2)). */
static inline void take_number(int fd, int number)
{
    int rc;
    do
        rc = dup2(fd, number);
    while (rc < 0 && errno == EBUSY);
    REQUIRE(rc == number);
}

struct probe {
    filch_fd_future wait;
    uint32_t woken;
};

static inline void probe_wake(void *data)
{
    raise_flag(&((struct probe *)data)->woken);
}

static inline filch_waker probe_clone(void *data);

static inline void probe_drop_waker(void *data)
{
    (void)data;
}

static const filch_waker_ops probe_waker = {probe_wake, probe_clone, probe_drop_waker};

static inline filch_waker probe_clone(void *data)
{
    return (filch_waker){&probe_waker, data};
}

static inline int probe_poll(struct probe *p)
{
    return filch_poll(&p->wait.future, &(filch_waker){&probe_waker, p});
}

/* Its first poll: what that gives. */
static inline int probe_begin(struct probe *p, int fd, uint32_t events)
{
    *p = (struct probe){.wait = FILCH_FD_FUTURE(fd, events)};
    return probe_poll(p);
}

static inline bool probe_woken(const struct probe *p)
{
    return flag_up(&p->woken);
}

/* Waits, on the processor, until a pending one was woken: its result. */
static inline int probe_end(struct probe *p)
{
    SPIN_UNTIL(probe_woken(p));
    return probe_poll(p);
}

/* When it returns, what was there to be reported before has been: reports come in the order of
 * events. */
static inline void fence(void)
{
    struct pair p = pair_open(PIPE);
    struct probe probe;
    CHECK(probe_begin(&probe, p.in, FILCH_READABLE) == FILCH_PENDING);
    put(p.out, 'x');
    CHECK(probe_end(&probe) == FILCH_READABLE);
    pair_close(p);
}

/* ---- waits of tasks ---- */

/* A wait that counts its polls, so that it is known when it has begun. */
struct counted {
    filch_future future;
    filch_fd_future wait;
    uint32_t *polls;
};

static inline int counted_poll(filch_future *self, const filch_waker *waker)
{
    struct counted *c = (struct counted *)(void *)self;
    int rc = filch_poll(&c->wait.future, waker);
    tally(c->polls);
    return rc;
}

static inline void counted_drop(filch_future *self)
{
    CHECK(filch_future_drop(&((struct counted *)(void *)self)->wait.future) == 0);
}

static const filch_future_ops counted_ops = {"a counted wait", counted_poll, counted_drop};

static inline int wait_counted(int fd, uint32_t events, uint32_t *polls)
{
    struct counted c = {FILCH_FUTURE(&counted_ops), FILCH_FD_FUTURE(fd, events), polls};
    return filch_await(&c.future);
}

struct waiter {
    int fd;
    uint32_t events, polls;
    filch_handle *handle;
};

static inline int waiter_run(void *arg)
{
    struct waiter *w = arg;
    return wait_counted(w->fd, w->events, &w->polls);
}

/* Returns when it waits. In a task of rt, or off tasks where rt is given. */
static inline void waiter_start(struct waiter *w, filch_runtime *rt, int fd, uint32_t events)
{
    *w = (struct waiter){.fd = fd, .events = events};
    filch_spawn_options o = {.runtime = rt, .stack_size = 64 * 1024};
    REQUIRE(filch_spawn_with(&w->handle, &o, waiter_run, w) == 0);
    while (!flag_up(&w->polls))
        CHECK(filch_yield() == 0);
}

/* ---- where ---- */

/* The same, and on the calling thread, which the default runtime serves. */
static inline void everywhere(filch_fn *fn)
{
    in_task_of_each(fn);
    CHECK(fn(NULL) == 0);
}

#endif
