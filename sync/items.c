/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/items.h"

#include "sched/os/fault.h"

#include <stdlib.h>

/* Bytes of a chunk's items, about. */
#define CHUNK 4000

/* The chunks of a channel: the oldest, from which is taken; the newest, to which is added; one that
 * is empty, kept. */
enum { OLDEST, NEWEST, SPARE };

struct chunk {
    struct chunk *newer;
    size_t end; /* slots that were pushed to */
    _Alignas(16) unsigned char slots[];
};

static size_t slots_of_chunk(size_t size)
{
    return size < CHUNK ? CHUNK / size : 1;
}

static struct chunk *chunk_of(const filch_channel_items *items, int which)
{
    return items->chunks[which];
}

bool filch__items_want_chunk(const filch_channel_items *items)
{
    const struct chunk *newest = chunk_of(items, NEWEST);
    return items->room == FILCH_UNBOUNDED && !items->chunks[SPARE] &&
           (!newest || newest->end == slots_of_chunk(items->size));
}

void *filch__items_chunk(size_t size)
{
    size_t bytes = slots_of_chunk(size) * size;
    if (bytes > SIZE_MAX - sizeof(struct chunk) || filch__fault_alloc())
        return NULL;
    return malloc(sizeof(struct chunk) + bytes);
}

void *filch__items_give_chunk(filch_channel_items *items, void *chunk)
{
    if (items->chunks[SPARE])
        return chunk;
    items->chunks[SPARE] = chunk;
    return NULL;
}

static void *push_to_chunk(filch_channel_items *items)
{
    struct chunk *newest = chunk_of(items, NEWEST);
    if (!newest || newest->end == slots_of_chunk(items->size)) {
        struct chunk *fresh = chunk_of(items, SPARE);
        items->chunks[SPARE] = NULL;
        fresh->newer = NULL;
        fresh->end = 0;
        if (newest)
            newest->newer = fresh;
        else
            items->chunks[OLDEST] = fresh;
        items->chunks[NEWEST] = newest = fresh;
    }
    return newest->slots + newest->end++ * items->size;
}

void *filch__items_push_slot(filch_channel_items *items)
{
    size_t count = items->count++;
    if (filch__unlikely(items->room == FILCH_UNBOUNDED))
        return push_to_chunk(items);
    size_t at = count < items->room - items->first ? items->first + count
                                                   : count - (items->room - items->first);
    return items->slots + at * items->size;
}

void *filch__items_oldest(const filch_channel_items *items)
{
    if (filch__unlikely(items->room == FILCH_UNBOUNDED))
        return chunk_of(items, OLDEST)->slots + items->first * items->size;
    return items->slots + items->first * items->size;
}

static void *forget_in_chunk(filch_channel_items *items)
{
    struct chunk *oldest = chunk_of(items, OLDEST);
    if (items->count == 0) { /* it is the newest too */
        items->first = oldest->end = 0;
        return NULL;
    }
    if (items->first < oldest->end)
        return NULL;
    items->chunks[OLDEST] = oldest->newer;
    items->first = 0;
    return filch__items_give_chunk(items, oldest);
}

void *filch__items_forget(filch_channel_items *items)
{
    items->count--;
    items->first++;
    if (filch__unlikely(items->room == FILCH_UNBOUNDED))
        return forget_in_chunk(items);
    if (items->first == items->room)
        items->first = 0;
    return NULL;
}

void filch__items_free_chunks(filch_channel_items *items)
{
    free(items->chunks[OLDEST]);
    free(items->chunks[SPARE]);
    items->chunks[OLDEST] = items->chunks[NEWEST] = items->chunks[SPARE] = NULL;
}
