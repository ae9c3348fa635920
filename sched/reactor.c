/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/reactor.h"

#include "sched/os/clock.h"
#include "sched/os/event.h"
#include "sched/os/futex.h"
#include "sched/os/memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

/* Address space: what fires is short. */
#define REACTOR_STACK (256 * 1024)
/* Reports fetched in one go. */
#define BATCH 128
/* How often the thread looks, nanoseconds, and how many looks that find somebody asking send it to
 * deep sleep. */
#define TICK  1000000
#define QUIET 16
/* It stands in after so many looks between which no worker has asked. */
#define MISSED 2

#define COOKIE_BELL UINT64_MAX

/* ---- the role ---- */

static bool take_role(struct filch__reactor *reactor, uint32_t who)
{
    uint32_t nobody = FILCH__ROLE_NOBODY;
    return !filch__load_relaxed(&reactor->role) && filch__cas_seq_cst(&reactor->role, &nobody, who);
}

/* After something that the thread, if it sleeps deeply, would have to look after. */
static void see_to_thread(struct filch__reactor *reactor)
{
    uint32_t deep = FILCH__WATCH_DEEP;
    if (filch__likely(filch__load_seq_cst(&reactor->watch) != FILCH__WATCH_DEEP) ||
        filch__load_seq_cst(&reactor->role) != FILCH__ROLE_NOBODY ||
        !filch__cas_seq_cst(&reactor->watch, &deep, FILCH__WATCH_TICKING))
        return;
    filch__futex_wake(&reactor->watch, 1);
}

static void give_role_back(struct filch__reactor *reactor)
{
    filch__store_seq_cst(&reactor->role, FILCH__ROLE_NOBODY);
    see_to_thread(reactor);
}

/* By the holder of the role. How many reports there were. */
static int ask(struct filch__reactor *reactor, bool block)
{
    struct filch__ready ready[BATCH];
    int reports = 0;
    int n = filch__poller_wait(reactor->fds.poller, ready, BATCH, block);
    for (int i = 0; i < n; i++) {
        if (ready[i].cookie == COOKIE_BELL)
            continue;
        filch__fds_report(&reactor->fds, &ready[i]);
        reports++;
    }
    return reports;
}

bool filch__reactor_ask(struct filch__worker *w)
{
    struct filch__reactor *reactor = filch__reactor_of(w->rt);
    if (!reactor || !take_role(reactor, 1 + w->index))
        return false;
    int reports = ask(reactor, false);
    filch__store_relaxed(&reactor->asked, reactor->asked + 1);
    give_role_back(reactor);
    return reports > 0;
}

bool filch__reactor_sleep(struct filch__worker *w)
{
    struct filch__reactor *reactor = filch__reactor_of(w->rt);
    if (!reactor || !take_role(reactor, 1 + w->index))
        return false;
    if (filch__load_seq_cst(&w->idle))
        (void)ask(reactor, true);
    filch__store_relaxed(&reactor->asked, reactor->asked + 1);
    give_role_back(reactor);
    return true;
}

void filch__reactor_wake(struct filch__worker *w)
{
    struct filch__reactor *reactor = filch__load_seq_cst(&w->rt->reactor);
    if (reactor && filch__load_seq_cst(&reactor->role) == 1 + w->index)
        filch__event_raise(reactor->bell);
}

int filch__reactor_begin(struct filch_runtime *rt, struct filch__interest *interest, int fd,
                         bool blind)
{
    struct filch__reactor *reactor = filch__reactor_of(rt);
    int rc = filch__fds_begin(&reactor->fds, interest, fd, blind);
    if (rc == 0) {
        filch__fence_seq_cst();
        see_to_thread(reactor);
    }
    return rc;
}

/* ---- the thread ---- */

/* Until a worker asks again. */
static void stand_in(struct filch__reactor *reactor)
{
    if (!take_role(reactor, FILCH__ROLE_THREAD))
        return;
    if (filch__load_seq_cst(&reactor->watch) != FILCH__WATCH_STOP)
        (void)ask(reactor, true);
    filch__store_seq_cst(&reactor->role, FILCH__ROLE_NOBODY);
}

static void sleep_deeply(struct filch__reactor *reactor)
{
    uint32_t ticking = FILCH__WATCH_TICKING;
    if (!filch__cas_seq_cst(&reactor->watch, &ticking, FILCH__WATCH_DEEP))
        return;
    see_to_thread(reactor);
    while (filch__load_acquire(&reactor->watch) == FILCH__WATCH_DEEP)
        filch__futex_wait(&reactor->watch, FILCH__WATCH_DEEP, FILCH_NEVER);
}

static void *reactor_main(void *arg)
{
    struct filch__reactor *reactor = arg;
    uint32_t asked = filch__load_relaxed(&reactor->asked);
    int quiet = 0, missed = 0;
    while (filch__load_acquire(&reactor->watch) != FILCH__WATCH_STOP) {
        uint32_t now_asked = filch__load_relaxed(&reactor->asked);
        if (filch__load_relaxed(&reactor->role) != FILCH__ROLE_NOBODY) {
            quiet++;
        } else {
            quiet = 0;
            missed = now_asked == asked ? missed + 1 : 0;
            if (missed >= MISSED)
                stand_in(reactor);
        }
        asked = now_asked;
        if (quiet >= QUIET) {
            sleep_deeply(reactor);
            quiet = 0;
        }
        filch__futex_wait(&reactor->watch, FILCH__WATCH_TICKING, filch__now() + TICK);
    }
    return NULL;
}

/* ---- its making and its end ---- */

/* Whatever it is made of so far. */
static void discard(struct filch__reactor *reactor)
{
    struct filch__arena *arena = reactor->fds.arena;
    filch__fds_free(&reactor->fds);
    if (reactor->fds.poller >= 0)
        filch__poller_close(reactor->fds.poller);
    if (reactor->bell >= 0)
        filch__event_close(reactor->bell);
    filch__free(arena, reactor, sizeof *reactor, 64);
}

static int open_files(struct filch__reactor *reactor)
{
    reactor->fds.poller = filch__poller_open();
    if (reactor->fds.poller < 0)
        return reactor->fds.poller;
    reactor->bell = filch__event_open();
    if (reactor->bell < 0)
        return reactor->bell;
    return filch__poller_add(reactor->fds.poller, reactor->bell, false, EPOLLIN, COOKIE_BELL);
}

/* Under the lock. */
static int create(struct filch_runtime *rt)
{
    struct filch__reactor *reactor = filch__alloc(rt->arena, sizeof *reactor, 64);
    if (!reactor)
        return -ENOMEM;
    memset(reactor, 0, sizeof *reactor);
    reactor->rt = rt;
    reactor->bell = -1;
    reactor->fds.arena = rt->arena;
    char name[32];
    snprintf(name, sizeof name, "%.10s/fds", rt->name);
    int rc = open_files(reactor);
    if (rc == 0)
        rc = filch__thread_create(&reactor->thread, reactor_main, reactor, REACTOR_STACK, name);
    if (rc < 0) {
        discard(reactor);
        return rc;
    }
    filch__store_seq_cst(&rt->reactor, reactor);
    return 0;
}

int filch__reactor_start(struct filch_runtime *rt)
{
    if (filch__unlikely(filch__load_relaxed(&rt->lost)))
        return -ESHUTDOWN;
    if (filch__likely(filch__reactor_of(rt) != NULL))
        return 0;
    pthread_mutex_lock(&rt->reactor_lock);
    int rc = rt->reactor ? 0 : create(rt);
    pthread_mutex_unlock(&rt->reactor_lock);
    return rc;
}

void filch__reactor_end(struct filch_runtime *rt)
{
    struct filch__reactor *reactor = filch__reactor_of(rt);
    if (!reactor)
        return;
    filch__store_seq_cst(&reactor->watch, FILCH__WATCH_STOP);
    filch__futex_wake(&reactor->watch, 1);
    filch__event_raise(reactor->bell);
    filch__thread_join(&reactor->thread);
    discard(reactor);
    rt->reactor = NULL;
}
