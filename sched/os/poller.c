/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE 1
#include "sched/os/poller.h"

#include "sched/os/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
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

struct filch__file_id filch__poller_identify(int fd)
{
    struct stat about;
    if (fstat(fd, &about) < 0)
        return (struct filch__file_id){0, 0};
    return (struct filch__file_id){about.st_dev, about.st_ino};
}

bool filch__poller_is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

int filch__poller_close_file(int fd)
{
    return close(fd) < 0 ? -errno : 0;
}

int filch__poller_set(int poller, int fd, bool add, uint32_t events, uint64_t cookie)
{
    struct epoll_event event = {.events = events | EPOLLONESHOT, .data.u64 = cookie};
    return epoll_ctl(poller, add ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) < 0 ? -errno : 0;
}

int filch__poller_listen(int poller, int fd, uint64_t cookie)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = cookie};
    return epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
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
