/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors that are none, of every kind that there is, wrong events, and a process that may open
 * no more. */
#include "tests/fd_check.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

/* ---- numbers and events ---- */

static int no_descriptors(void *rt)
{
    fence(); /* the reactor has its own descriptors from now on */
    struct pair p = pair_open(PIPE);
    pair_close(p);
    int none[] = {-1, INT_MIN, p.in, 100000, 1 << 22, INT_MAX - 1, INT_MAX};
    struct sockaddr_in at = loopback();
    char byte = 'x';
    (void)rt;
    for (size_t i = 0; i < COUNT(none); i++) {
        filch_fd_future f = FILCH_FD_FUTURE(none[i], FILCH_READABLE);
        int rc = filch_fd_wait(none[i], FILCH_READABLE, FILCH_NEVER);
        CHECK(rc == -EBADF);
        CHECK(filch_await(&f.future) == -EBADF);
        CHECK(filch_fd_wait(none[i], FILCH_HANGUP, 0) == -EBADF);
        CHECK(filch_read(none[i], &byte, 1) == -EBADF && filch_read(none[i], &byte, 0) == -EBADF);
        CHECK(filch_write(none[i], &byte, 1) == -EBADF);
        CHECK(filch_write_all(none[i], &byte, 1) == -EBADF);
        CHECK(filch_accept(none[i], NULL, NULL) == -EBADF);
        CHECK(filch_connect(none[i], (struct sockaddr *)&at, sizeof at) == -EBADF);
        CHECK(filch_close(none[i]) == -EBADF);
        if (filch__load_relaxed(&case_bad)) {
            fprintf(stderr, "descriptor %d, a wait gave %d\n", none[i], rc);
            return 0;
        }
    }
    return 0;
}

static void no_such_descriptors(void)
{
    everywhere(no_descriptors);
}

static int wrong_events(void *rt)
{
    static const uint32_t wrong[] = {0,
                                     2,
                                     FILCH_READABLE | 2,
                                     EPOLLET,
                                     EPOLLONESHOT,
                                     UINT32_MAX,
                                     0x40,
                                     EPOLLEXCLUSIVE | FILCH_READABLE};
    (void)rt;
    struct pair p = pair_open(UNIX);
    put(p.out, 'x');
    for (size_t i = 0; i < COUNT(wrong); i++) {
        filch_fd_future f = FILCH_FD_FUTURE(p.in, wrong[i]);
        CHECK(filch_fd_wait(p.in, wrong[i], FILCH_NEVER) == -EINVAL);
        CHECK(filch_await(&f.future) == -EINVAL && filch_await(&f.future) == -EALREADY);
    }
    pair_close(p);
    return 0;
}

static void wrong_events_refused(void)
{
    everywhere(wrong_events);
}

/* ---- kinds ---- */

static const char *const always_ready[] = {"/proc/self/exe", "/dev/null", "/dev/zero", "/"};

/* The bytes are there at once; what they never do cannot be waited for. */
static int ready_kinds(void *rt)
{
    (void)rt;
    for (size_t i = 0; i < COUNT(always_ready); i++) {
        int fd = open(always_ready[i], O_RDONLY | O_CLOEXEC);
        REQUIRE(fd >= 0);
        CHECK(filch_fd_wait(fd, FILCH_READABLE, FILCH_NEVER) == FILCH_READABLE);
        CHECK(filch_fd_wait(fd, FILCH_READABLE, 0) == FILCH_READABLE);
        CHECK(filch_fd_wait(fd, FILCH_READABLE | FILCH_WRITABLE | FILCH_PEER_CLOSED, FILCH_NEVER) ==
              (FILCH_READABLE | FILCH_WRITABLE));
        filch_fd_future f = FILCH_FD_FUTURE(fd, FILCH_PEER_CLOSED);
        CHECK(filch_await(&f.future) == -EPERM);
        CHECK(filch_fd_wait(fd, FILCH_PEER_CLOSED, filch_now() + 10 * MS) == -EPERM);
        CHECK(filch_fd_wait(fd, FILCH_HANGUP | FILCH_FD_ERROR, filch_now() + 10 * MS) == -EPERM);
        CHECK(filch_close(fd) == 0);
    }
    return 0;
}

static void kinds_that_are_always_ready(void)
{
    everywhere(ready_kinds);
}

static int event_kinds(void *rt)
{
    (void)rt;
    uint64_t n = 1;
    int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct probe w, outer;
    CHECK(filch_fd_wait(event, FILCH_WRITABLE, FILCH_NEVER) == FILCH_WRITABLE);
    CHECK(probe_begin(&w, event, FILCH_READABLE) == FILCH_PENDING);
    CHECK(write(event, &n, sizeof n) == sizeof n);
    CHECK(probe_end(&w) == FILCH_READABLE);
    n = 0;
    CHECK(filch_read(event, &n, sizeof n) == sizeof n && n == 1);

    int poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event wanted = {.events = EPOLLIN};
    CHECK(epoll_ctl(poller, EPOLL_CTL_ADD, event, &wanted) == 0);
    CHECK(probe_begin(&w, poller, FILCH_READABLE) == FILCH_PENDING);
    CHECK(probe_begin(&outer, event, FILCH_READABLE) == FILCH_PENDING);
    CHECK(filch_write(event, &n, sizeof n) == sizeof n); /* adds 1 */
    CHECK(probe_end(&w) == FILCH_READABLE && probe_end(&outer) == FILCH_READABLE);
    CHECK(epoll_wait(poller, &wanted, 1, 0) == 1);
    CHECK(filch_close(poller) == 0 && filch_close(event) == 0);

    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct itimerspec soon = {.it_value = {.tv_nsec = 1000000}};
    CHECK(timerfd_settime(timer, 0, &soon, NULL) == 0);
    CHECK(filch_read(timer, &n, sizeof n) == sizeof n && n == 1);
    CHECK(filch_fd_wait(timer, FILCH_READABLE, filch_now() + MS) == -ETIMEDOUT);
    CHECK(filch_close(timer) == 0);
    return 0;
}

static void events_pollers_and_timers(void)
{
    everywhere(event_kinds);
}

/* The signal is blocked in every thread. */
static int signal_kind(void *rt)
{
    (void)rt;
    sigset_t set;
    struct signalfd_siginfo info;
    struct probe w;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    CHECK(fd >= 0 && probe_begin(&w, fd, FILCH_READABLE) == FILCH_PENDING);
    CHECK(kill(getpid(), SIGUSR2) == 0);
    CHECK(probe_end(&w) == FILCH_READABLE);
    CHECK(filch_read(fd, &info, sizeof info) == sizeof info && info.ssi_signo == SIGUSR2);
    CHECK(filch_close(fd) == 0);
    return 0;
}

static void signals(void)
{
    everywhere(signal_kind);
}

/* ---- no more descriptors ---- */

/* While the process may open no more, until room is made. */
static void no_room(rlim_t *before)
{
    struct rlimit limit;
    int free = dup(0);
    REQUIRE(free >= 0 && close(free) == 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
    *before = limit.rlim_cur;
    limit.rlim_cur = (rlim_t)free;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(dup(0) == -1 && errno == EMFILE);
}

static void make_room(rlim_t before)
{
    struct rlimit limit;
    REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = before;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static int first_wait_without_room(void *rt)
{
    (void)rt;
    struct pair p = pair_open(UNIX);
    rlim_t before;
    no_room(&before);
    for (int i = 0; i < 3; i++) {
        CHECK(filch_fd_wait(p.in, FILCH_READABLE, FILCH_NEVER) == -EMFILE);
        CHECK(filch_fd_wait(p.in, FILCH_READABLE, 0) == -EMFILE);
    }
    make_room(before);
    struct waiter w;
    waiter_start(&w, rt, p.in, FILCH_READABLE);
    put(p.out, 'x');
    CHECK(join(w.handle) == FILCH_READABLE);
    pair_close(p);
    return 0;
}

/* One of its files can be opened, not the other: neither is left. */
static int first_wait_with_room_for_one(void *rt)
{
    struct pair p = pair_open(UNIX);
    rlim_t before;
    int spare = dup(0);
    (void)rt;
    no_room(&before);
    close(spare);
    for (int i = 0; i < 3; i++)
        CHECK(filch_fd_wait(p.in, FILCH_READABLE, FILCH_NEVER) == -EMFILE);
    spare = dup(0);
    CHECK(spare >= 0);
    make_room(before);
    put(p.out, 'x');
    CHECK(filch_fd_wait(p.in, FILCH_READABLE, FILCH_NEVER) == FILCH_READABLE);
    close(spare);
    pair_close(p);
    return 0;
}

static void the_first_wait_finds_no_room(void)
{
    in_task_of_each(first_wait_without_room);
    in_task_of_each(first_wait_with_room_for_one);
}

/* The connection is kept until there is room. */
static int accept_without_room(void *rt)
{
    (void)rt;
    struct sockaddr_in at;
    int listener = listen_tcp(&at, SOCK_NONBLOCK, 5), fd = socket(AF_INET, SOCK_STREAM, 0);
    rlim_t before;
    CHECK(filch_fd_wait(fd, FILCH_WRITABLE, FILCH_NEVER) > 0); /* now the reactor is there */
    REQUIRE(connect(fd, (struct sockaddr *)&at, sizeof at) == 0);
    no_room(&before);
    for (int i = 0; i < 3; i++)
        CHECK(filch_accept(listener, NULL, NULL) == -EMFILE);
    CHECK(filch_fd_wait(fd, FILCH_WRITABLE, FILCH_NEVER) == FILCH_WRITABLE);
    make_room(before);
    int accepted = filch_accept(listener, NULL, NULL);
    CHECK(accepted >= 0 && filch_close(accepted) == 0);
    close(fd);
    close(listener);
    return 0;
}

static void an_accept_finds_no_room(void)
{
    everywhere(accept_without_room);
}

int main(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    RUN(the_first_wait_finds_no_room);
    RUN(no_such_descriptors);
    RUN(wrong_events_refused);
    RUN(kinds_that_are_always_ready);
    RUN(events_pollers_and_timers);
    RUN(signals);
    RUN(an_accept_finds_no_room);
    return summary();
}
