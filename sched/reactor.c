/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/reactor.h"

#include "sched/os/event.h"
#include "sched/os/memory.h"
#include "sched/os/poller.h"
#include "sched/os/spin.h"
#include "sched/os/thread.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

/* Address space: what fires is short. */
#define REACTOR_STACK (256 * 1024)
/* Numbers are looked up in two steps; entries stay where they are. */
#define CHUNK_SHIFT 8
#define CHUNK       (1 << CHUNK_SHIFT)
#define CHUNKS      (1 << 14)
/* Reports handled, and waits fired under one lock, in one go. */
#define BATCH 64
/* The reactor's own event. */
#define COOKIE_STOP UINT64_MAX

struct filch__fd_entry {
    uint32_t lock;
    /* Under lock. */
    uint32_t generation;
    bool registered;
    struct filch__link waiting;
};

struct filch__reactor {
    int poller, stop; /* immutable, as is the thread */
    filch__thread thread;
    uint32_t lock;                          /* of who adds a chunk */
    struct filch__fd_entry *chunks[CHUNKS]; /* written once each, released */
};

static uint64_t cookie_of(int fd, const struct filch__fd_entry *entry)
{
    return (uint64_t)entry->generation << 32 | (uint32_t)fd;
}

static struct filch__interest *interest_of(struct filch__link *link)
{
    return (struct filch__interest *)(void *)link;
}

/* ---- entries ---- */

static struct filch__fd_entry *find(struct filch__reactor *reactor, int fd)
{
    /* Pairs with add_chunk. */
    struct filch__fd_entry *chunk = filch__load_acquire(&reactor->chunks[fd >> CHUNK_SHIFT]);
    return chunk ? &chunk[fd & (CHUNK - 1)] : NULL;
}

static struct filch__fd_entry *make_chunk(struct filch_runtime *rt)
{
    struct filch__fd_entry *chunk = filch__alloc(rt->arena, CHUNK * sizeof *chunk, 64);
    for (int i = 0; chunk && i < CHUNK; i++) {
        chunk[i] = (struct filch__fd_entry){.lock = 0};
        filch__link_init(&chunk[i].waiting);
    }
    return chunk;
}

static void add_chunk(struct filch_runtime *rt, struct filch__fd_entry **at)
{
    struct filch__fd_entry *mine = make_chunk(rt);
    if (!mine)
        return;
    filch__spin_lock(&rt->reactor->lock);
    bool added = !*at;
    if (added)
        filch__store_release(at, mine);
    filch__spin_unlock(&rt->reactor->lock);
    if (!added)
        filch__free(rt->arena, mine, CHUNK * sizeof *mine, 64);
}

static int entry_of(struct filch_runtime *rt, int fd, struct filch__fd_entry **entry)
{
    if (fd < 0)
        return -EBADF;
    if (fd >> CHUNK_SHIFT >= CHUNKS)
        return -ENOSPC;
    if (!find(rt->reactor, fd))
        add_chunk(rt, &rt->reactor->chunks[fd >> CHUNK_SHIFT]);
    *entry = find(rt->reactor, fd);
    return *entry ? 0 : -ENOMEM;
}

/* ---- waiting; all under the entry's lock ---- */

static uint32_t wanted(const struct filch__fd_entry *entry)
{
    uint32_t events = 0;
    for (struct filch__link *link = entry->waiting.next; link != &entry->waiting; link = link->next)
        events |= interest_of(link)->events;
    return events;
}

static void take_out(struct filch__interest *interest)
{
    filch__link_remove(&interest->link);
    interest->link.next = NULL;
}

/* Fires those of a list whom the events concern, as many as there is room for; how many of them left
 * something. failure: negative, and concerns all; or 0. */
static int fire(struct filch__link *waiting, uint32_t events, int failure,
                struct filch__after *after, int room)
{
    int n = 0;
    struct filch__link *link = waiting->next;
    while (link != waiting && n < room) {
        struct filch__interest *interest = interest_of(link);
        link = link->next;
        uint32_t got = events & (interest->events | EPOLLERR | EPOLLHUP);
        if (!got && failure == 0)
            continue;
        take_out(interest);
        interest->result = failure < 0 ? failure : (int)got;
        after[n].fn = NULL;
        interest->fire(interest, &after[n]);
        n += after[n].fn != NULL;
    }
    return n;
}

static void finish(const struct filch__after *after, int n)
{
    for (int i = 0; i < n; i++)
        after[i].fn(after[i].arg);
}

/* The number does not stand any more for the file that those here wait for. Leaves the lock for a while. */
static void turn_away(struct filch__fd_entry *entry)
{
    struct filch__link waiting;
    struct filch__after after[BATCH];
    filch__link_init(&waiting);
    filch__link_splice(&waiting, &entry->waiting);
    entry->generation++;
    entry->registered = false;
    while (!filch__link_empty(&waiting)) {
        int n = fire(&waiting, 0, -EBADF, after, BATCH);
        filch__spin_unlock(&entry->lock);
        finish(after, n);
        filch__spin_lock(&entry->lock);
    }
}

/* Sets the registration for those who wait, and for `events`. */
static int set(int poller, struct filch__fd_entry *entry, int fd, uint32_t events)
{
    uint32_t all = wanted(entry) | events;
    int rc = filch__poller_set(poller, fd, !entry->registered, all, cookie_of(fd, entry));
    if (rc == -ENOENT || rc == -EBADF || rc == -EPERM)
        turn_away(entry);
    all = wanted(entry) | events; /* somebody may have come meanwhile */
    if (rc == -ENOENT && all)
        rc = filch__poller_set(poller, fd, true, all, cookie_of(fd, entry));
    if (rc == -EEXIST)
        rc = filch__poller_set(poller, fd, false, all, cookie_of(fd, entry));
    if (rc == 0)
        entry->registered = true;
    return rc;
}

int filch__reactor_begin(struct filch_runtime *rt, struct filch__interest *interest, int fd)
{
    struct filch__fd_entry *entry;
    int rc = entry_of(rt, fd, &entry);
    if (rc < 0)
        return rc;
    interest->entry = entry;
    filch__spin_lock(&entry->lock);
    rc = set(rt->reactor->poller, entry, fd, interest->events);
    if (rc == 0) /* a report comes by the reactor, who takes the lock */
        filch__link_add(&entry->waiting, &interest->link);
    filch__spin_unlock(&entry->lock);
    return rc == -EPERM ? 1 : rc;
}

bool filch__reactor_forget(struct filch__interest *interest)
{
    struct filch__fd_entry *entry = interest->entry;
    filch__spin_lock(&entry->lock);
    bool waits = interest->link.next;
    if (waits)
        take_out(interest);
    filch__spin_unlock(&entry->lock);
    return !waits;
}

void filch__reactor_close(struct filch_runtime *rt, int fd)
{
    struct filch__reactor *reactor = filch__load_acquire(&rt->reactor);
    if (!reactor || fd < 0 || fd >> CHUNK_SHIFT >= CHUNKS || !find(reactor, fd))
        return;
    struct filch__fd_entry *entry = find(reactor, fd);
    filch__spin_lock(&entry->lock);
    if (entry->registered)
        filch__poller_remove(reactor->poller, fd);
    turn_away(entry);
    filch__spin_unlock(&entry->lock);
}

/* ---- the thread ---- */

static void report(struct filch__reactor *reactor, const struct filch__ready *ready)
{
    struct filch__after after[BATCH];
    int fd = (int)(uint32_t)ready->cookie;
    struct filch__fd_entry *entry = find(reactor, fd);
    int n = 0;
    filch__spin_lock(&entry->lock);
    if (entry->generation == ready->cookie >> 32) {
        n = fire(&entry->waiting, ready->events, 0, after, BATCH);
        if (!filch__link_empty(&entry->waiting))
            (void)set(reactor->poller, entry, fd, 0);
    }
    filch__spin_unlock(&entry->lock);
    finish(after, n);
}

static void *reactor_main(void *arg)
{
    struct filch__reactor *reactor = arg;
    struct filch__ready ready[BATCH];
    for (;;) {
        int n = filch__poller_wait(reactor->poller, ready, BATCH, true);
        for (int i = 0; i < n; i++) {
            if (ready[i].cookie == COOKIE_STOP)
                return NULL;
            report(reactor, &ready[i]);
        }
    }
}

/* Whatever it is made of so far. */
static void discard(struct filch_runtime *rt, struct filch__reactor *reactor)
{
    if (reactor->poller >= 0)
        filch__poller_close(reactor->poller);
    if (reactor->stop >= 0)
        filch__event_close(reactor->stop);
    for (int i = 0; i < CHUNKS; i++)
        filch__free(rt->arena, reactor->chunks[i], CHUNK * sizeof *reactor->chunks[i], 64);
    filch__free(rt->arena, reactor, sizeof *reactor, 64);
}

static int open_files(struct filch__reactor *reactor)
{
    reactor->poller = filch__poller_open();
    if (reactor->poller < 0)
        return reactor->poller;
    reactor->stop = filch__event_open();
    if (reactor->stop < 0)
        return reactor->stop;
    return filch__poller_set(reactor->poller, reactor->stop, true, EPOLLIN, COOKIE_STOP);
}

/* Under the lock. */
static int create(struct filch_runtime *rt)
{
    struct filch__reactor *reactor = filch__alloc(rt->arena, sizeof *reactor, 64);
    if (!reactor)
        return -ENOMEM;
    memset(reactor, 0, sizeof *reactor);
    reactor->stop = -1;
    char name[32];
    snprintf(name, sizeof name, "%.10s/fds", rt->name);
    int rc = open_files(reactor);
    if (rc == 0)
        rc = filch__thread_create(&reactor->thread, reactor_main, reactor, REACTOR_STACK, name);
    if (rc < 0) {
        discard(rt, reactor);
        return rc;
    }
    filch__store_release(&rt->reactor, reactor);
    return 0;
}

int filch__reactor_start(struct filch_runtime *rt)
{
    if (filch__unlikely(filch__load_relaxed(&rt->lost)))
        return -ESHUTDOWN;
    /* Pairs with create: who sees the reactor sees what it points to. */
    if (filch__likely(filch__load_acquire(&rt->reactor)))
        return 0;
    pthread_mutex_lock(&rt->reactor_lock);
    int rc = rt->reactor ? 0 : create(rt);
    pthread_mutex_unlock(&rt->reactor_lock);
    return rc;
}

void filch__reactor_end(struct filch_runtime *rt)
{
    struct filch__reactor *reactor = filch__load_acquire(&rt->reactor);
    if (!reactor)
        return;
    filch__event_raise(reactor->stop);
    filch__thread_join(&reactor->thread);
    discard(rt, reactor);
    rt->reactor = NULL;
}
