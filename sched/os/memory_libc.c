/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of memory.h on the C library's allocator, which knows no arenas: only the count is
 * ours. */
#define _GNU_SOURCE 1
#include "sched/os/memory.h"

#include "sched/os/die.h"
#include "sched/os/fault.h"
#include "sched/os/live.h"
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

struct filch__arena {
    struct filch__live live;
};

struct filch__cache {
    _Alignas(64) struct filch__live_part part;
    struct filch__arena *arena;
};

static void *allocate(size_t size, size_t align)
{
    if (filch__fault_alloc())
        return NULL;
    if (align <= _Alignof(max_align_t))
        return malloc(size);
    void *p;
    return posix_memalign(&p, align, size) == 0 ? p : NULL;
}

int filch__arena_create(struct filch__arena **a)
{
    struct filch__arena *arena = allocate(sizeof *arena, _Alignof(struct filch__arena));
    if (arena == NULL)
        return -ENOMEM;
    filch__live_init(&arena->live);
    *a = arena;
    return 0;
}

void filch__arena_destroy(struct filch__arena *a)
{
    if (a->live.parts != NULL)
        filch__die("an arena is destroyed before its caches");
    if (filch__arena_live(a) != 0)
        filch__die("an arena is destroyed with live blocks");
    filch__live_end(&a->live);
    free(a);
}

void *filch__alloc(struct filch__arena *a, size_t size, size_t align)
{
    void *p = allocate(size, align);
    if (p != NULL)
        filch__live_add(&a->live, filch__live_slot(), size);
    return p;
}

void filch__free(struct filch__arena *a, void *p, size_t size, size_t align)
{
    (void)align;
    if (p != NULL)
        filch__live_add(&a->live, filch__live_slot(), -size);
    free(p);
}

size_t filch__arena_live(struct filch__arena *a)
{
    return filch__live_sum(&a->live);
}

void filch__arena_purge(struct filch__arena *a)
{
    (void)a;
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

int filch__cache_create(struct filch__cache **c, struct filch__arena *a)
{
    struct filch__cache *cache = allocate(sizeof *cache, _Alignof(struct filch__cache));
    if (cache == NULL)
        return -ENOMEM;
    cache->arena = a;
    filch__live_attach(&a->live, &cache->part);
    *c = cache;
    return 0;
}

void filch__cache_destroy(struct filch__cache *c)
{
    filch__live_detach(&c->arena->live, &c->part);
    free(c);
}

void *filch__cache_alloc(struct filch__cache *c, size_t size)
{
    void *p = allocate(size, filch__cache_align(size));
    if (p != NULL)
        filch__live_part_add(&c->part, size);
    return p;
}

void filch__cache_free(struct filch__cache *c, void *p, size_t size)
{
    if (p != NULL)
        filch__live_part_add(&c->part, -size);
    free(p);
}

void filch__cache_flush(struct filch__cache *c)
{
    (void)c;
}
