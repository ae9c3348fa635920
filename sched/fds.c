/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/fds.h"

#include "sched/os/memory.h"
#include "sched/os/spin.h"

#include <errno.h>
#include <sys/epoll.h>

#define CHUNK_SHIFT 8
#define CHUNK       (1 << CHUNK_SHIFT)
/* Waits fired under one lock. */
#define BATCH 64

enum mode { UNREGISTERED, ONCE, EDGES };

struct filch__fd_entry {
    uint32_t lock;
    /* Under lock. */
    uint32_t generation;
    enum mode mode;
    struct filch__file file; /* that is registered */
    struct filch__link waiting;
    uint64_t pulse; /* written under lock but by drained; of EDGES */
};

/* Reports are counted in the upper half of a pulse. */
#define REPORT (UINT64_C(1) << 32)

#define EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP)
/* What concerns every try. */
#define ALWAYS (EPOLLERR | EPOLLHUP)

static uint64_t cookie_of(int fd, const struct filch__fd_entry *entry)
{
    return (uint64_t)entry->generation << 32 | (uint32_t)fd;
}

static struct filch__interest *interest_of(struct filch__link *link)
{
    return (struct filch__interest *)(void *)link;
}

/* ---- entries ---- */

static struct filch__fd_entry *find(struct filch__fds *fds, int fd)
{
    /* Pairs with add_chunk. */
    struct filch__fd_entry *chunk = filch__load_acquire(&fds->chunks[fd >> CHUNK_SHIFT]);
    return chunk ? &chunk[fd & (CHUNK - 1)] : NULL;
}

static struct filch__fd_entry *known(struct filch__fds *fds, int fd)
{
    return fd >= 0 && fd >> CHUNK_SHIFT < FILCH__FDS_CHUNKS ? find(fds, fd) : NULL;
}

static struct filch__fd_entry *make_chunk(struct filch__fds *fds)
{
    struct filch__fd_entry *chunk = filch__alloc(fds->arena, CHUNK * sizeof *chunk, 64);
    for (int i = 0; chunk && i < CHUNK; i++) {
        chunk[i] = (struct filch__fd_entry){.lock = 0};
        filch__link_init(&chunk[i].waiting);
    }
    return chunk;
}

static void add_chunk(struct filch__fds *fds, struct filch__fd_entry **at)
{
    struct filch__fd_entry *mine = make_chunk(fds);
    if (!mine)
        return;
    filch__spin_lock(&fds->lock);
    bool added = !*at;
    if (added)
        filch__store_release(at, mine);
    filch__spin_unlock(&fds->lock);
    if (!added)
        filch__free(fds->arena, mine, CHUNK * sizeof *mine, 64);
}

static int entry_of(struct filch__fds *fds, int fd, struct filch__fd_entry **entry)
{
    if (fd < 0)
        return -EBADF;
    if (fd >> CHUNK_SHIFT >= FILCH__FDS_CHUNKS)
        return filch__poller_is_open(fd) ? -ENOSPC : -EBADF;
    if (!find(fds, fd))
        add_chunk(fds, &fds->chunks[fd >> CHUNK_SHIFT]);
    *entry = find(fds, fd);
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

/* Fires those of a list whom the events concern, as many as there is room for; how many of them
 * left something. failure: negative, and concerns all; or 0. */
static int fire(struct filch__link *waiting, uint32_t events, int failure,
                struct filch__after *after, int room)
{
    int n = 0;
    struct filch__link *link = waiting->next;
    while (link != waiting && n < room) {
        struct filch__interest *interest = interest_of(link);
        link = link->next;
        uint32_t got = events & (interest->events | ALWAYS);
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

/* The number does not stand any more for the file that those here wait for. Leaves the lock for a
 * while. */
static void turn_away(struct filch__fd_entry *entry)
{
    struct filch__link waiting;
    struct filch__after after[BATCH];
    filch__link_init(&waiting);
    filch__link_splice(&waiting, &entry->waiting);
    entry->generation++;
    entry->mode = UNREGISTERED;
    filch__store_relaxed(&entry->pulse, 0);
    while (!filch__link_empty(&waiting)) {
        int n = fire(&waiting, 0, -EBADF, after, BATCH);
        filch__spin_unlock(&entry->lock);
        finish(after, n);
        filch__spin_lock(&entry->lock);
    }
}

static bool is_same(const struct filch__file *a, const struct filch__file *b)
{
    return a->device == b->device && a->number == b->number;
}

static int add(int poller, struct filch__fd_entry *entry, int fd, struct filch__file file,
               uint32_t events)
{
    bool once = !file.socket;
    uint64_t cookie = cookie_of(fd, entry);
    int rc = filch__poller_add(poller, fd, once, once ? events : EVENTS, cookie);
    if (rc == -EEXIST) { /* at an earlier time of the number */
        filch__poller_remove(poller, fd);
        rc = filch__poller_add(poller, fd, once, once ? events : EVENTS, cookie);
    }
    if (rc < 0)
        return rc;
    entry->mode = once ? ONCE : EDGES;
    entry->file = file;
    if (!once)
        filch__store_relaxed(&entry->pulse, REPORT);
    return 0;
}

/* Of one for once: for those who wait, and for `events`. */
static int set(int poller, struct filch__fd_entry *entry, int fd, uint32_t events)
{
    return filch__poller_set(poller, fd, wanted(entry) | events, cookie_of(fd, entry));
}

/* The registration for a wait for `events`. */
static int prepare(int poller, struct filch__fd_entry *entry, int fd, uint32_t events)
{
    struct filch__file file = filch__poller_identify(fd);
    if (entry->mode != UNREGISTERED && !is_same(&entry->file, &file))
        turn_away(entry);
    int rc = 0; /* somebody may have come, while the lock was left, for the same file */
    if (entry->mode == ONCE)
        rc = set(poller, entry, fd, events);
    if (rc == -ENOENT)
        turn_away(entry);
    if (entry->mode == UNREGISTERED)
        rc = add(poller, entry, fd, file, wanted(entry) | events);
    return rc;
}

int filch__fds_begin(struct filch__fds *fds, struct filch__interest *interest, int fd, bool blind)
{
    struct filch__fd_entry *entry;
    int rc = entry_of(fds, fd, &entry);
    if (rc < 0)
        return rc;
    interest->entry = entry;
    filch__spin_lock(&entry->lock);
    rc = prepare(fds->poller, entry, fd, interest->events);
    if (rc == 0 && blind && filch__load_relaxed(&entry->pulse) & (interest->events | ALWAYS))
        rc = 2;
    if (rc == 0) /* a report waits for the lock */
        filch__link_add(&entry->waiting, &interest->link);
    filch__spin_unlock(&entry->lock);
    return rc == -EPERM ? 1 : rc;
}

bool filch__fds_forget(struct filch__interest *interest)
{
    struct filch__fd_entry *entry = interest->entry;
    filch__spin_lock(&entry->lock);
    bool waits = interest->link.next;
    if (waits)
        take_out(interest);
    filch__spin_unlock(&entry->lock);
    return !waits;
}

int filch__fds_close(struct filch__fds *fds, int fd)
{
    struct filch__fd_entry *entry = known(fds, fd);
    if (!entry)
        return filch__poller_close_file(fd);
    filch__spin_lock(&entry->lock);
    while (entry->mode != UNREGISTERED || !filch__link_empty(&entry->waiting)) {
        filch__poller_remove(fds->poller, fd);
        turn_away(entry);
    }
    /* Still with the lock: a wait that begins now finds it closed. */
    int rc = filch__poller_close_file(fd);
    filch__spin_unlock(&entry->lock);
    return rc;
}

struct filch__glance filch__fds_glance(struct filch__fds *fds, int fd)
{
    struct filch__fd_entry *entry = known(fds, fd);
    uint64_t pulse = entry ? filch__load_acquire(&entry->pulse) : 0;
    return (struct filch__glance){pulse ? entry : NULL, pulse};
}

bool filch__glance_is_dry(const struct filch__glance *glance, uint32_t events)
{
    return glance->entry && !(glance->pulse & (events | ALWAYS));
}

void filch__glance_drained(const struct filch__glance *glance, uint32_t events)
{
    uint64_t pulse = glance->pulse;
    if (glance->entry)
        (void)filch__cas_acq_rel(&glance->entry->pulse, &pulse,
                                 pulse & ~(uint64_t)(events | ALWAYS));
}

/* Under the lock: who looks before it is left sees what may be there, or waits and is fired. */
static void beat(struct filch__fd_entry *entry, uint32_t events)
{
    uint64_t pulse = filch__load_relaxed(&entry->pulse);
    while (!filch__cas_acq_rel(&entry->pulse, &pulse, (pulse + REPORT) | events))
        ;
}

void filch__fds_report(struct filch__fds *fds, const struct filch__ready *ready)
{
    struct filch__after after[BATCH];
    int fd = (int)(uint32_t)ready->cookie, n = BATCH;
    struct filch__fd_entry *entry = find(fds, fd);
    filch__spin_lock(&entry->lock);
    if (entry->generation == ready->cookie >> 32 && entry->mode == EDGES)
        beat(entry, ready->events);
    while (n == BATCH && entry->generation == ready->cookie >> 32) {
        n = fire(&entry->waiting, ready->events, 0, after, BATCH);
        if (n < BATCH && entry->mode == ONCE && !filch__link_empty(&entry->waiting))
            (void)set(fds->poller, entry, fd, 0);
        filch__spin_unlock(&entry->lock);
        finish(after, n);
        filch__spin_lock(&entry->lock);
    }
    filch__spin_unlock(&entry->lock);
}

void filch__fds_free(struct filch__fds *fds)
{
    for (int i = 0; i < FILCH__FDS_CHUNKS; i++)
        filch__free(fds->arena, fds->chunks[i], CHUNK * sizeof *fds->chunks[i], 64);
}
