/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels: items of any size, moved by their bytes from many senders to many receivers, first in,
 * first out. A channel is bounded by the slots that it has; or unbounded; or a rendezvous, where a
 * send waits for a receiver.
 *
 *     static int slots[64];
 *     static filch_channel numbers = FILCH_CHANNEL(slots);
 *     ...
 *     for (int i = 0; filch_channel_send(&numbers, &i) == 0; i++)    // a task
 *         ;
 *     ...
 *     while (filch_channel_receive(&numbers, &i) == 0)               // another, or a thread
 *         sum += i;
 *
 * Who must wait is served in the order of arrival. filch_channel_send and filch_channel_receive
 * suspend their task, or block their thread; as futures they can be awaited with a deadline, and be
 * branches of filch_select: a branch that loses has neither sent nor received.
 *
 * Who has received the last item may free the channel at once, though its sender is still on its way
 * out; in a rendezvous of filch_channel_send and filch_channel_receive either side may. Where a
 * receiving future that a rendezvous has an item for is dropped, the item stays for the next.
 */
#ifndef FILCH_CHANNEL_H
#define FILCH_CHANNEL_H

#include <filch/wait_queue.h>

FILCH_BEGIN_DECLS

/* Where the items are: a ring of slots, or chunks of them, one after the other. */
typedef struct filch_channel_items {
    unsigned char *slots; /* the ring, or NULL */
    size_t room;          /* slots of the ring; FILCH_UNBOUNDED: chunks */
    size_t size;          /* bytes of an item */
    size_t first, count;  /* first: where the oldest is in the ring, or in its chunk */
    void *chunks[3];
} filch_channel_items;

/* The fields are filch's. Stays in place while anybody uses it. */
typedef struct filch_channel {
    filch_wait_queue senders; /* its guard is the channel's */
    filch_wait_queue receivers, watchers;
    filch_channel_items items;
    size_t promised_items, promised_slots;
    void (*item_drop)(void *item);
    uint8_t rendezvous, no_sending, no_receiving, owns_slots;
} filch_channel;

/* A bounded channel over an array, which lasts as long as it. Its items are the array's elements. */
#define FILCH_CHANNEL(array)                         \
    {                                                \
        .items = {                                   \
            .slots = (unsigned char *)(array),       \
            .room = sizeof(array) / sizeof *(array), \
            .size = sizeof *(array),                 \
        }                                            \
    }

#define FILCH_UNBOUNDED SIZE_MAX

typedef struct filch_channel_options {
    size_t item_size;              /* bytes; 0: items are only counted */
    size_t capacity;               /* items; 0: a rendezvous; FILCH_UNBOUNDED */
    void (*item_drop)(void *item); /* of each that nobody received; NULL: nothing to do */
} filch_channel_options;

/* Makes a channel with slots of its own, for filch_channel_destroy. -EINVAL: NULL; -EOVERFLOW: the
 * size of its slots; -ENOMEM. */
FILCH_API int filch_channel_create(filch_channel *c, const filch_channel_options *o);

/* Drops what nobody received and frees the slots. -EBUSY: somebody waits, nothing was done. */
FILCH_API int filch_channel_destroy(filch_channel *c);

/*
 * Moves *item into the channel, or to who waits for it. Suspends or blocks while there is no room
 * (-EAGAIN of try). 0: the item is the channel's. Else it stays the caller's: -EPIPE: closed, from
 * either side; -ECANCELED; -ENOMEM; -EINVAL: NULL. Any thread or task.
 */
FILCH_API int filch_channel_send(filch_channel *c, const void *item);
FILCH_API int filch_channel_try_send(filch_channel *c, const void *item);

/*
 * Moves the oldest item to *item. Suspends or blocks while there is none (-EAGAIN of try, which in a
 * rendezvous does not meet a future that sends: that needs one who waits). 0: the item is the
 * caller's. Else *item is as it was: -EPIPE: closed and empty; -ECANCELED; -ENOMEM;
 * -EINVAL: NULL, but for item size 0. Any thread or task.
 */
FILCH_API int filch_channel_receive(filch_channel *c, void *item);
FILCH_API int filch_channel_try_receive(filch_channel *c, void *item);

/* Nothing more will be sent; what is there may still be received. From any thread or task, any
 * number of times; wakes all who wait for what cannot come any more. The channel lasts until it has
 * returned. -EINVAL: NULL. */
FILCH_API int filch_channel_close(filch_channel *c);

/* Nobody will receive any more: as above, and drops what is there (on the caller, before it
 * returns). */
FILCH_API int filch_channel_close_receiving(filch_channel *c);

/* Items that could be received just now. */
FILCH_API size_t filch_channel_length(filch_channel *c);

/* As futures: 0, or errors as above. The item is moved by the poll that is ready, from or to where
 * the future names; until then, and where it is dropped, it stays where it is. */
typedef struct filch_send_future {
    filch_future future;
    filch_channel *channel;
    const void *item;
    filch_waiter waiter;
} filch_send_future;

typedef struct filch_receive_future {
    filch_future future;
    filch_channel *channel;
    void *item;
    filch_waiter waiter;
} filch_receive_future;

/* 0 once a send would be refused: so a producer that has nothing to send learns that nobody
 * listens. */
typedef struct filch_channel_closed_future {
    filch_future future;
    filch_channel *channel;
    filch_waiter waiter;
} filch_channel_closed_future;

extern FILCH_API const filch_future_ops filch_send_future_ops, filch_receive_future_ops,
    filch_channel_closed_future_ops;

#define FILCH_SEND_FUTURE(channel, item)                                      \
    {                                                                         \
        FILCH_FUTURE(&filch_send_future_ops), (channel), (item), FILCH_WAITER \
    }
#define FILCH_RECEIVE_FUTURE(channel, item)                                      \
    {                                                                            \
        FILCH_FUTURE(&filch_receive_future_ops), (channel), (item), FILCH_WAITER \
    }
#define FILCH_CHANNEL_CLOSED_FUTURE(channel)                                    \
    {                                                                           \
        FILCH_FUTURE(&filch_channel_closed_future_ops), (channel), FILCH_WAITER \
    }

FILCH_END_DECLS

#endif
