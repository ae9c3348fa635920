/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "sched/fiber/slab.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Few enough bytes that a locked address space (mlockall) can bear a slab; one bit per slot. */
#define SLAB_BYTES ((size_t)16 * 1024 * 1024)
#define SLAB_SLOTS ((size_t)64)
#define RINGS      64

/* The header is the slab's first page, the slots follow. */
struct filch__slab {
    /* immutable */
    size_t map_size;
    size_t slot_size;
    uint64_t all; /* a bit for each slot */
    char *first;

    /* under the lock */
    struct filch__slab *next; /* in the ring of its slot size, while a slot is free */
    struct filch__slab *prev;
    uint64_t free;
    uint64_t guarded;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct filch__slab *rings[RINGS]; /* under the lock; sizes share one by their hash */
static struct filch__slab
    *spare; /* under the lock; empty, in its ring: spares a map and an unmap */

static struct filch__slab **ring_of(size_t slot_size)
{
    return &rings[slot_size / 4096 % RINGS];
}

/* Last: slots are taken from the first slab, so that the others may drain. */
static void ring_append(struct filch__slab *slab)
{
    struct filch__slab **ring = ring_of(slab->slot_size);

    if (*ring == NULL) {
        *ring = slab->next = slab->prev = slab;
        return;
    }
    slab->next = *ring;
    slab->prev = (*ring)->prev;
    slab->prev->next = slab;
    slab->next->prev = slab;
}

static void ring_remove(struct filch__slab *slab)
{
    struct filch__slab **ring = ring_of(slab->slot_size);

    if (*ring == slab)
        *ring = slab->next != slab ? slab->next : NULL;
    slab->next->prev = slab->prev;
    slab->prev->next = slab->next;
}

static struct filch__slab *ring_find(size_t slot_size)
{
    struct filch__slab *first = *ring_of(slot_size);
    struct filch__slab *slab = first;

    if (first == NULL)
        return NULL;
    do {
        if (slab->slot_size == slot_size)
            return slab;
        slab = slab->next;
    } while (slab != first);
    return NULL;
}

/*
 * MAP_STACK keeps huge pages away since Linux 6.7: else, where they are set to `always`, the first
 * touch of a large stack would cost 2 MiB. MAP_NORESERVE: address space is not memory that we will
 * use.
 */
void *filch__slab_map(size_t size)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK;

    return mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
}

static struct filch__slab *slab_create(size_t slot_size, size_t slots)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t map_size = page + slots * slot_size;
    struct filch__slab *slab = filch__slab_map(map_size);

    if (slab == MAP_FAILED)
        return NULL;
    *slab = (struct filch__slab){
        .map_size = map_size,
        .slot_size = slot_size,
        .all = UINT64_MAX >> (SLAB_SLOTS - slots),
        .first = (char *)slab + page,
    };
    slab->free = slab->all;
    return slab;
}

static struct filch__slab *slab_create_largest(size_t slot_size)
{
    size_t fit = SLAB_BYTES / slot_size;
    size_t slots = fit < 1 ? 1 : fit > SLAB_SLOTS ? SLAB_SLOTS : fit;
    struct filch__slab *slab = slab_create(slot_size, slots);

    /* Where address space is rationed, one may still fit. */
    return slab == NULL && slots > 1 ? slab_create(slot_size, 1) : slab;
}

char *filch__slab_take(size_t size, struct filch__slab **slab, bool *guarded)
{
    struct filch__slab *from;
    char *slot = NULL;

    pthread_mutex_lock(&lock);
    from = ring_find(size);
    if (from == NULL) {
        from = slab_create_largest(size);
        if (from != NULL)
            ring_append(from);
    }
    if (from != NULL) {
        int i = __builtin_ctzll(from->free);

        slot = from->first + (size_t)i * size;
        *slab = from;
        *guarded = from->guarded >> i & 1;
        from->free &= from->free - 1;
        if (from->free == 0)
            ring_remove(from);
        if (spare == from)
            spare = NULL;
    }
    pthread_mutex_unlock(&lock);
    return slot;
}

/* The lock is held. The slab in its ring that is to be unmapped, out of it now; or NULL. */
static struct filch__slab *slab_to_unmap(struct filch__slab *slab)
{
    struct filch__slab *victim;

    if (slab->free != slab->all)
        return NULL;
    if (slab->all == 1) {
        victim = slab;
    } else {
        victim = spare;
        spare = slab;
    }
    if (victim != NULL)
        ring_remove(victim);
    return victim;
}

void filch__slab_give(struct filch__slab *slab, char *slot, bool guarded)
{
    uint64_t bit = (uint64_t)1 << ((size_t)(slot - slab->first) / slab->slot_size);
    struct filch__slab *victim;

    /* Before others can take it. */
    madvise(slot, slab->slot_size, MADV_DONTNEED);
    pthread_mutex_lock(&lock);
    if (slab->free == 0)
        ring_append(slab);
    slab->free |= bit;
    if (guarded)
        slab->guarded |= bit;
    else
        slab->guarded &= ~bit;
    victim = slab_to_unmap(slab);
    pthread_mutex_unlock(&lock);

    /* It fails where it would make a hole and the process has all the mappings it may have. */
    if (victim != NULL && munmap(victim, victim->map_size) != 0) {
        pthread_mutex_lock(&lock);
        ring_append(victim);
        pthread_mutex_unlock(&lock);
    }
}

void filch__slab_before_fork(void)
{
    pthread_mutex_lock(&lock);
}

void filch__slab_after_fork(void)
{
    pthread_mutex_unlock(&lock);
}
