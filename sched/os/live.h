/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting the live bytes of an arena without a contended word.
 *
 * The count is a sum of parts, each modulo 2^64, for a block may be added in one part and
 * subtracted in another. A part has one writer at a time (a cache), or is one of a few words that
 * threads spread over. Only the sum means something; a part alone may be "negative".
 */
#ifndef FILCH_SCHED_OS_LIVE_H
#define FILCH_SCHED_OS_LIVE_H

#include <filch/atomic.h>
#include <pthread.h>
#include <stddef.h>

enum { FILCH__LIVE_SHARDS = 8 };

/* A part with one writer at a time: in each cache. */
struct filch__live_part {
    size_t bytes;                         /* written by the cache's user, read by any */
    struct filch__live_part *next, *prev; /* under the lock of filch__live */
};

struct filch__live {
    struct {
        _Alignas(64) size_t bytes;
    } shard[FILCH__LIVE_SHARDS];
    pthread_mutex_t lock;
    struct filch__live_part *parts; /* under lock */
};

void filch__live_init(struct filch__live *live);
void filch__live_end(struct filch__live *live);

/* Any thread. */
void filch__live_attach(struct filch__live *live, struct filch__live_part *part);
void filch__live_detach(struct filch__live *live, struct filch__live_part *part);

/* Any thread. 0 where calls in flight make the sum "negative": a free was seen, its alloc not. */
size_t filch__live_sum(struct filch__live *live);

/* Number of the calling thread, modulo FILCH__LIVE_SHARDS; threads get numbers in turn. */
unsigned filch__live_slot(void);

/* Any thread. delta may be the negative of a size. */
static inline void filch__live_add(struct filch__live *live, unsigned slot, size_t delta)
{
    filch__add_relaxed(&live->shard[slot].bytes, delta);
}

/* The part's user. A plain addition, for nobody else writes. */
static inline void filch__live_part_add(struct filch__live_part *part, size_t delta)
{
    filch__store_relaxed(&part->bytes, part->bytes + delta);
}

#endif
