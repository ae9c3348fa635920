/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract of memory.h on a jemalloc arena of its own.
 *
 * jemalloc's automatic thread caches are bypassed: what lay in one at the arena's end would be
 * freed into nothing. A cache of ours is an explicit jemalloc thread cache, which is not
 * thread-safe. Calls without a cache find one in a few shards, taken by the caller's try-lock;
 * where the lock is held they go to the arena under jemalloc's locks, and nobody ever waits for a
 * thread that was preempted. Each call gives jemalloc the alignment as well as the size, for the
 * two together select the size class, at the allocation and at the free.
 */
#define _GNU_SOURCE 1
#include "sched/os/memory.h"

#include "sched/os/clock.h"
#include "sched/os/die.h"
#include "sched/os/fault.h"
#include "sched/os/live.h"
#include <errno.h>
#include <jemalloc/jemalloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

struct filch__cache {
    _Alignas(64) struct filch__live_part part;
    /* Immutable. */
    struct filch__arena *arena;
    unsigned tcache;
    int flags; /* of mallocx: arena and tcache */
};

struct shard {
    _Alignas(64) unsigned held; /* the try-lock: 1 while a thread uses the shard */
    /* Under held. */
    bool asked; /* for a tcache, at the first use */
    bool cached;
    unsigned tcache; /* where cached */
    int flags;       /* of mallocx: arena, and tcache or none */
};

struct filch__arena {
    struct filch__live live;
    struct shard shard[FILCH__LIVE_SHARDS];
    /* Immutable. */
    unsigned index;
    int flags; /* of mallocx: arena and no tcache */
};

static int align_flag(size_t align)
{
    return MALLOCX_LG_ALIGN(__builtin_ctzl(align));
}

/* name holds one %u, for the arena's index. */
static int on_arena(const char *name, unsigned index)
{
    char path[48];
    snprintf(path, sizeof path, name, index);
    return mallctl(path, NULL, NULL, NULL, 0);
}

static int on_tcache(const char *name, unsigned tcache)
{
    return mallctl(name, NULL, NULL, &tcache, sizeof tcache);
}

static int create_id(const char *name, unsigned *id)
{
    size_t size = sizeof *id;
    return mallctl(name, id, &size, NULL, 0);
}

/* Acquire pairs with the release in unlock: the shard as its last user left it. */
static bool try_lock(struct shard *s)
{
    return filch__load_relaxed(&s->held) == 0 && filch__exchange_acquire(&s->held, 1u) == 0;
}

static void unlock(struct shard *s)
{
    filch__store_release(&s->held, 0u);
}

/* Under the lock. The flags for mallocx, with a tcache unless jemalloc has none to give. */
static int shard_flags(const struct filch__arena *a, struct shard *s)
{
    if (!s->asked) {
        s->asked = true;
        s->cached = create_id("tcache.create", &s->tcache) == 0;
        if (s->cached)
            s->flags = MALLOCX_ARENA(a->index) | MALLOCX_TCACHE(s->tcache);
    }
    return s->flags;
}

int filch__arena_create(struct filch__arena **a)
{
    struct filch__arena *arena =
        filch__fault_alloc() ? NULL : aligned_alloc(_Alignof(struct filch__arena), sizeof *arena);
    if (arena == NULL)
        return -ENOMEM;
    if (create_id("arenas.create", &arena->index) != 0) {
        free(arena);
        return -ENOMEM;
    }
    filch__live_init(&arena->live);
    arena->flags = MALLOCX_ARENA(arena->index) | MALLOCX_TCACHE_NONE;
    for (int i = 0; i < FILCH__LIVE_SHARDS; i++)
        arena->shard[i] = (struct shard){.flags = arena->flags};
    *a = arena;
    return 0;
}

void filch__arena_destroy(struct filch__arena *a)
{
    if (a->live.parts != NULL)
        filch__die("an arena is destroyed before its caches");
    if (filch__arena_live(a) != 0)
        filch__die("an arena is destroyed with live blocks");
    for (int i = 0; i < FILCH__LIVE_SHARDS; i++) {
        if (a->shard[i].cached)
            on_tcache("tcache.destroy", a->shard[i].tcache);
    }
    if (on_arena("arena.%u.destroy", a->index) != 0)
        filch__die("an arena cannot be destroyed");
    filch__live_end(&a->live);
    free(a);
}

void *filch__alloc(struct filch__arena *a, size_t size, size_t align)
{
    if (filch__fault_alloc())
        return NULL;
    unsigned slot = filch__live_slot();
    struct shard *s = &a->shard[slot];
    void *p;
    if (try_lock(s)) {
        p = mallocx(size, shard_flags(a, s) | align_flag(align));
        unlock(s);
    } else {
        p = mallocx(size, a->flags | align_flag(align));
    }
    if (p != NULL)
        filch__live_add(&a->live, slot, size);
    return p;
}

void filch__free(struct filch__arena *a, void *p, size_t size, size_t align)
{
    if (p == NULL)
        return;
    unsigned slot = filch__live_slot();
    struct shard *s = &a->shard[slot];
    filch__live_add(&a->live, slot, -size);
    if (try_lock(s)) {
        sdallocx(p, size, shard_flags(a, s) | align_flag(align));
        unlock(s);
    } else {
        sdallocx(p, size, a->flags | align_flag(align));
    }
}

size_t filch__arena_live(struct filch__arena *a)
{
    return filch__live_sum(&a->live);
}

void filch__arena_purge(struct filch__arena *a)
{
    for (int i = 0; i < FILCH__LIVE_SHARDS; i++) {
        struct shard *s = &a->shard[i];
        while (!try_lock(s))
            filch__os_yield();
        if (s->cached)
            on_tcache("tcache.flush", s->tcache);
        unlock(s);
    }
    on_arena("arena.%u.purge", a->index);
}

int filch__cache_create(struct filch__cache **c, struct filch__arena *a)
{
    struct filch__cache *cache =
        filch__fault_alloc() ? NULL : aligned_alloc(_Alignof(struct filch__cache), sizeof *cache);
    if (cache == NULL)
        return -ENOMEM;
    if (create_id("tcache.create", &cache->tcache) != 0) {
        free(cache);
        return -ENOMEM;
    }
    cache->arena = a;
    cache->flags = MALLOCX_ARENA(a->index) | MALLOCX_TCACHE(cache->tcache);
    filch__live_attach(&a->live, &cache->part);
    *c = cache;
    return 0;
}

void filch__cache_destroy(struct filch__cache *c)
{
    on_tcache("tcache.destroy", c->tcache);
    filch__live_detach(&c->arena->live, &c->part);
    free(c);
}

void *filch__cache_alloc(struct filch__cache *c, size_t size)
{
    if (filch__fault_alloc())
        return NULL;
    void *p = mallocx(size, c->flags | align_flag(filch__cache_align(size)));
    if (p != NULL)
        filch__live_part_add(&c->part, size);
    return p;
}

void filch__cache_free(struct filch__cache *c, void *p, size_t size)
{
    if (p == NULL)
        return;
    filch__live_part_add(&c->part, -size);
    sdallocx(p, size, c->flags | align_flag(filch__cache_align(size)));
}

void filch__cache_flush(struct filch__cache *c)
{
    on_tcache("tcache.flush", c->tcache);
}
