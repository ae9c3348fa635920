/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of a runtime.
 *
 * An arena holds all blocks of one runtime, so that what is live can be read exactly, unused pages
 * can be given back after a burst, and an end with live blocks is caught. Any thread allocates from
 * the arena itself; a worker has a cache in front of it, which is faster and serves one thread at a
 * time. memory_jemalloc.c and memory_libc.c implement this contract; a build compiles one of them.
 *
 * Sizes are in bytes and at least 1. A block is freed with the size and the alignment that it was
 * allocated with. A cache's block has the alignment filch__cache_align(size); under that condition
 * blocks pass freely between the caches of an arena and the arena: allocated by one, freed by
 * another.
 */
#ifndef FILCH_SCHED_OS_MEMORY_H
#define FILCH_SCHED_OS_MEMORY_H

#include <stddef.h>

struct filch__arena;
struct filch__cache;

/* Any thread. *a is the caller's, for filch__arena_destroy. -ENOMEM: no memory, or too many arenas.
 */
int filch__arena_create(struct filch__arena **a);

/*
 * Any thread, the last to touch the arena. All blocks must have been freed and all caches
 * destroyed: else it says so on standard error and aborts, for whoever still holds a block would
 * write into memory that is no longer his.
 */
void filch__arena_destroy(struct filch__arena *a);

/* Any thread. align is a power of two. NULL: no memory. */
void *filch__alloc(struct filch__arena *a, size_t size, size_t align);

/* Any thread. p may be NULL. */
void filch__free(struct filch__arena *a, void *p, size_t size, size_t align);

/*
 * Any thread. Bytes allocated and not yet freed, as the callers gave the sizes, through the arena
 * and through its caches. Exact once the calls it must count have returned and happen before this
 * one; while others are in flight each of them is counted or not.
 */
size_t filch__arena_live(struct filch__arena *a);

/*
 * Any thread. Gives unused pages back to the system, at once. What lies in a worker's cache stays:
 * filch__cache_flush first.
 */
void filch__arena_purge(struct filch__arena *a);

/* Alignment of a block of this size from a cache: a cache line where lines fit without waste. */
static inline size_t filch__cache_align(size_t size)
{
    return size != 0 && size % 64 == 0 ? 64 : _Alignof(max_align_t);
}

/*
 * Any thread. *c is the caller's, for filch__cache_destroy before the arena's end. -ENOMEM: no
 * memory, or too many caches in the process.
 */
int filch__cache_create(struct filch__cache **c, struct filch__arena *a);

/* One thread at a time: the users of a cache must be ordered among themselves. */
void filch__cache_destroy(struct filch__cache *c);
void *filch__cache_alloc(struct filch__cache *c, size_t size);        /* NULL: no memory */
void filch__cache_free(struct filch__cache *c, void *p, size_t size); /* p may be NULL */
void filch__cache_flush(struct filch__cache *c); /* hands its unused blocks to the arena */

#endif
