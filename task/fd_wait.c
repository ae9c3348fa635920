/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for a file descriptor. */
#include <filch/fd.h>

#include "sched/os/poller.h"
#include "sched/reactor.h"
#include "task/alarm.h"
#include "task/fd.h"
#include "task/future.h"

#include <sys/epoll.h>

_Static_assert(FILCH_READABLE == EPOLLIN && FILCH_WRITABLE == EPOLLOUT &&
                   FILCH_FD_ERROR == EPOLLERR && FILCH_HANGUP == EPOLLHUP &&
                   FILCH_PEER_CLOSED == EPOLLRDHUP,
               "events have the system's numbers");

#define EVENTS (FILCH_READABLE | FILCH_WRITABLE | FILCH_FD_ERROR | FILCH_HANGUP | FILCH_PEER_CLOSED)

struct wait {
    struct filch__interest interest; /* first; entry is NULL before the first begin */
    struct filch__signal signal;
    filch_runtime *rt;
};

_Static_assert(sizeof(struct wait) <= sizeof((filch_fd_future *)0)->storage, "storage of a wait");

static struct wait *wait_of(filch_fd_future *f)
{
    return (struct wait *)(void *)f->storage;
}

static void fire(struct filch__interest *interest, struct filch__after *after)
{
    filch__signal_fire(&((struct wait *)(void *)interest)->signal, after);
}

/* True: it has fired. */
static bool forget(struct wait *w)
{
    if (filch__unlikely(filch__load_relaxed(&w->rt->lost)))
        return false;
    bool fired = filch__fds_forget(&w->interest);
    if (fired)
        filch__signal_settle(&w->signal);
    return fired;
}

/* Of a kind that is always ready. */
static int always_ready(uint32_t events)
{
    int ready = (int)(events & (FILCH_READABLE | FILCH_WRITABLE));
    return ready ? ready : -EPERM;
}

static int begin(filch_fd_future *f, const filch_waker *waker, bool blind)
{
    struct filch__worker *worker = filch__worker_current();
    struct wait *w = wait_of(f);
    filch_runtime *rt = NULL;
    int rc = filch__runtime_get(worker ? worker->rt : NULL, &rt);
    if (rc == 0)
        rc = filch__reactor_start(rt);
    if (rc < 0)
        return rc;
    filch__signal_arm(&w->signal, waker);
    w->interest.events = f->events;
    w->interest.fire = fire;
    w->rt = rt;
    rc = filch__reactor_begin(rt, &w->interest, f->fd, blind);
    if (rc != 0)
        w->interest.entry = NULL;
    return rc == 0   ? FILCH_PENDING
           : rc < 0  ? rc
           : rc == 1 ? always_ready(f->events)
                     : (int)f->events;
}

static int poll_with(filch_fd_future *f, const filch_waker *waker, bool blind)
{
    struct wait *w = wait_of(f);
    if (!w->interest.entry)
        return begin(f, waker, blind);
    if (!filch__signal_rung(&w->signal)) {
        if (filch__unlikely(filch__load_relaxed(&w->rt->lost)))
            return -ESHUTDOWN;
        if (filch_waker_same(&w->signal.waker, waker))
            return FILCH_PENDING;
        if (!forget(w))
            return begin(f, waker, blind);
    }
    return w->interest.result;
}

static int poll_blindly(filch_future *self, const filch_waker *waker)
{
    return poll_with((filch_fd_future *)(void *)self, waker, true);
}

static int poll_fd(filch_future *self, const filch_waker *waker)
{
    filch_fd_future *f = (filch_fd_future *)(void *)self;
    if (!f->events || f->events & ~EVENTS)
        return -EINVAL;
    int rc = poll_with(f, waker, false);
    if (rc != FILCH_PENDING)
        return rc;
    /* A look while it waits: what comes now is reported. */
    rc = filch__poller_wait_one(f->fd, f->events, 0);
    return rc > 0 ? rc : FILCH_PENDING;
}

static void drop_fd(filch_future *self)
{
    struct wait *w = wait_of((filch_fd_future *)(void *)self);
    if (w->interest.entry)
        (void)forget(w);
}

FILCH_API const filch_future_ops filch_fd_future_ops = {"a file descriptor", poll_fd, drop_fd};

static const filch_future_ops blind_ops = {"a file descriptor", poll_blindly, drop_fd};

int filch__fd_wait_blindly(int fd, uint32_t events)
{
    filch_fd_future f = {FILCH_FUTURE(&blind_ops), fd, events, {0}};
    return filch__fiber_current() ? filch_await(&f.future)
                                  : filch__poller_wait_one(fd, events, FILCH_NEVER);
}

/* The poller knows kinds that have no other events, as poll(2) does not. */
int filch_fd_wait(int fd, uint32_t events, int64_t deadline)
{
    filch_fd_future f = FILCH_FD_FUTURE(fd, events);
    if (events & ~EVENTS || filch__fiber_current() || !(events & (FILCH_READABLE | FILCH_WRITABLE)))
        return filch_await_until(&f.future, deadline);
    return filch__poller_wait_one(fd, events, deadline);
}
