/* SPDX-License-Identifier: Apache-2.0 */
#include "task/compute/values.h"

#include "sched/os/fault.h"

#include <errno.h>
#include <filch/fork.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS_MAX 1024
/* Of values larger than LARGE bytes. */
#define BLOCKS_MAX_LARGE 256
#define LARGE            4096
/* Indices of a chunk that nobody chose, as soon as there are AUTO_CHUNKS such chunks. */
#define AUTO_GRAIN  256
#define AUTO_CHUNKS 256

/* Cheap bodies get chunks that are worth it, dear ones are many. */
static uint64_t auto_grain(uint64_t length, uint64_t blocks_max)
{
    uint64_t grain = (length - 1) / AUTO_CHUNKS + 1;
    if (grain > AUTO_GRAIN)
        grain = AUTO_GRAIN;
    uint64_t least = (length - 1) / blocks_max + 1;
    return grain > least ? grain : least;
}

int filch__values_init(struct filch__values *v, int64_t first, int64_t last, int64_t grain,
                       size_t size, unsigned extra)
{
    uint64_t length = (uint64_t)last - (uint64_t)first;
    uint64_t blocks_max = size > LARGE ? BLOCKS_MAX_LARGE : BLOCKS_MAX;
    if (size > PTRDIFF_MAX / (2 * BLOCKS_MAX))
        return -ENOMEM;
    v->first = first;
    v->last = last;
    v->grain = grain ? (uint64_t)grain : auto_grain(length, blocks_max);
    uint64_t chunks = (length - 1) / v->grain + 1;
    uint64_t chunks_each = (chunks - 1) / blocks_max + 1;
    v->blocks = (chunks - 1) / chunks_each + 1;
    v->span = v->blocks == 1 ? length : v->grain * chunks_each;
    v->size = size;
    v->stride = (size + 63) / 64 * 64;
    v->failure = 0;

    size_t values = (v->blocks + extra) * v->stride;
    size_t all = values + (v->blocks + 63) / 64 * 64;
    v->heap = NULL;
    v->value = v->room;
    if (all > sizeof v->room) {
        v->heap = filch__fault_alloc() ? NULL : aligned_alloc(64, all);
        if (!v->heap)
            return -ENOMEM;
        v->value = v->heap;
    }
    v->mark = (uint8_t *)v->value + values;
    memset(v->mark, 0, v->blocks);
    return 0;
}

void filch__values_release(struct filch__values *v)
{
    free(v->heap);
}

void filch__value_reset(void *value, size_t size, void (*identity)(void *value, void *ctx),
                        void *ctx)
{
    if (identity)
        identity(value, ctx);
    else
        memset(value, 0, size);
}

/* first + n, at most last. */
static int64_t advance(int64_t first, int64_t last, uint64_t n)
{
    return n < (uint64_t)last - (uint64_t)first ? (int64_t)((uint64_t)first + n) : last;
}

struct filch__chunks filch__chunks_of(const struct filch__values *v, uint64_t block)
{
    int64_t first = advance(v->first, v->last, block * v->span);
    int64_t end = advance(first, v->last, v->span);
    return (struct filch__chunks){first, advance(first, end, v->grain), end};
}

int filch__chunks_next(const struct filch__values *v, struct filch__chunks *c)
{
    if (c->last == c->end)
        return 0;
    c->first = c->last;
    c->last = advance(c->first, c->end, v->grain);
    return filch__load_relaxed(&v->failure) || filch_cancelled() ? -ECANCELED : 1;
}
