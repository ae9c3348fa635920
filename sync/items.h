/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The items of a channel, oldest first, moved by their bytes. Whoever calls holds the channel's
 * guard, but where said otherwise. A ring has as many as its room; chunks have any number, and are
 * allocated by who sends, without the guard, before there is room.
 */
#ifndef FILCH_SYNC_ITEMS_H
#define FILCH_SYNC_ITEMS_H

#include <filch/channel.h>

#include <string.h>

static inline void filch__item_move(void *to, const void *from, size_t size)
{
    if (filch__likely(size == sizeof(uint64_t)))
        memcpy(to, from, sizeof(uint64_t));
    else if (size > 0)
        memcpy(to, from, size);
}

/* Slots that are free, for a ring; for chunks always some, though memory for one may be wanted. */
static inline size_t filch__items_free(const filch_channel_items *items)
{
    return items->room - items->count;
}

/* A push would need a chunk. */
bool filch__items_want_chunk(const filch_channel_items *items);
/* Without the guard. NULL: no memory. */
void *filch__items_chunk(size_t size);
/* Takes the chunk, unless there is one already: returns what the caller shall free, or NULL. */
__attribute__((warn_unused_result)) void *filch__items_give_chunk(filch_channel_items *items,
                                                                  void *chunk);

/* Where the next one goes; there is room. */
void *filch__items_push_slot(filch_channel_items *items);

static inline void filch__items_push(filch_channel_items *items, const void *item)
{
    filch__item_move(filch__items_push_slot(items), item, items->size);
}

/* Where the oldest is; there is one. */
void *filch__items_oldest(const filch_channel_items *items);
/* It has been moved away: returns what the caller shall free without the guard, or NULL. */
__attribute__((warn_unused_result)) void *filch__items_forget(filch_channel_items *items);

__attribute__((warn_unused_result)) static inline void *filch__items_pop(filch_channel_items *items,
                                                                         void *item)
{
    filch__item_move(item, filch__items_oldest(items), items->size);
    return filch__items_forget(items);
}

/* An item comes, and the oldest of all goes, past others that are promised: in their order. Returns
 * what the caller shall free without the guard, or NULL. */
__attribute__((warn_unused_result)) static inline void *
filch__items_exchange(filch_channel_items *items, void *to, const void *item)
{
    if (filch__likely(items->count == 0)) {
        filch__item_move(to, item, items->size);
        return NULL;
    }
    void *chunk = filch__items_pop(items, to);
    filch__items_push(items, item);
    return chunk;
}

/* Without the guard, when nobody else has the channel: frees the chunks, which are empty. */
void filch__items_free_chunks(filch_channel_items *items);

#endif
