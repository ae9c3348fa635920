/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE 1
#include "sched/os/poller.h"

#include "sched/os/clock.h"

#include <filch/base.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Reports fetched by one call. */
#define BATCH  128
#define SECOND 1000000000

_Static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLERR == POLLERR &&
                   EPOLLHUP == POLLHUP && EPOLLRDHUP == POLLRDHUP,
               "one set of numbers");

int filch__poller_open(void)
{
    int poller = epoll_create1(EPOLL_CLOEXEC);
    return poller < 0 ? -errno : poller;
}

void filch__poller_close(int poller)
{
    (void)close(poller);
}

struct filch__file filch__poller_identify(int fd)
{
    uint64_t cookie;
    socklen_t size = sizeof cookie;
    struct stat about;
    if (filch__likely(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0))
        return (struct filch__file){0, cookie, true};
    if (fstat(fd, &about) < 0)
        return (struct filch__file){0, 0, false};
    return (struct filch__file){about.st_dev, about.st_ino, S_ISSOCK(about.st_mode)};
}

bool filch__poller_is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

int filch__poller_close_file(int fd)
{
    return close(fd) < 0 ? -errno : 0;
}

static int control(int poller, int operation, int fd, uint32_t events, uint64_t cookie)
{
    struct epoll_event event = {.events = events, .data.u64 = cookie};
    return epoll_ctl(poller, operation, fd, &event) < 0 ? -errno : 0;
}

int filch__poller_add(int poller, int fd, bool once, uint32_t events, uint64_t cookie)
{
    return control(poller, EPOLL_CTL_ADD, fd, events | (once ? EPOLLONESHOT : EPOLLET), cookie);
}

int filch__poller_set(int poller, int fd, uint32_t events, uint64_t cookie)
{
    return control(poller, EPOLL_CTL_MOD, fd, events | EPOLLONESHOT, cookie);
}

void filch__poller_remove(int poller, int fd)
{
    (void)epoll_ctl(poller, EPOLL_CTL_DEL, fd, &(struct epoll_event){0});
}

int filch__poller_wait(int poller, struct filch__ready *ready, int most, bool block)
{
    struct epoll_event events[BATCH];
    int n = epoll_wait(poller, events, most < BATCH ? most : BATCH, block ? -1 : 0);
    for (int i = 0; i < n; i++)
        ready[i] = (struct filch__ready){events[i].data.u64, events[i].events};
    return n > 0 ? n : 0;
}

int filch__poller_wait_one(int fd, uint32_t events, int64_t deadline)
{
    struct pollfd one = {.fd = fd < 0 ? INT_MAX : fd, .events = (short)events};
    for (;;) {
        int64_t now = filch__now(), left = deadline > now ? deadline - now : 0;
        struct timespec timeout = {.tv_sec = left / SECOND, .tv_nsec = left % SECOND};
        int n = ppoll(&one, 1, deadline == FILCH__NEVER ? NULL : &timeout, NULL);
        if (n > 0)
            return one.revents & POLLNVAL ? -EBADF : one.revents;
        if (n == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}
