/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A broadcast: every receiver gets every item that is sent after it has subscribed. Senders never
 * wait: of the items only the newest are kept, as many as there are slots, and a receiver that has
 * fallen behind is told how many it has missed.
 *
 *     static struct tick slots[64];
 *     static filch_broadcast ticks = FILCH_BROADCAST(slots);
 *     ...
 *     filch_broadcast_send(&ticks, &t);                      // any thread or task
 *     ...
 *     filch_broadcast_receiver r = FILCH_BROADCAST_RECEIVER;
 *     filch_broadcast_subscribe(&r, &ticks);
 *     while (filch_broadcast_receive(&r, &t, &missed) == 0)  // a task, or a thread
 *         draw(&t, missed);
 *     filch_broadcast_unsubscribe(&r);
 *
 * Items are bytes, copied to each receiver, and overwritten without a word: send what needs a
 * destructor by a count of references of your own. They are copied under a spin lock: send a large
 * one by its address.
 */
#ifndef FILCH_BROADCAST_H
#define FILCH_BROADCAST_H

#include <filch/wait_queue.h>

FILCH_BEGIN_DECLS

/* The fields are filch's. Stays in place while anybody uses it. */
typedef struct filch_broadcast {
    filch_wait_queue queue;
    unsigned char *slots;
    size_t capacity, size; /* slots; bytes of an item */
    size_t next;           /* the slot of the next item */
    uint64_t sent;
    size_t receivers;
    uint32_t leaving;
    uint8_t closed, owns_slots;
} filch_broadcast;

/* Over an array, which lasts as long as it. Its items are the array's elements. */
#define FILCH_BROADCAST(array)                                                       \
    {                                                                                \
        FILCH_WAIT_QUEUE, (unsigned char *)(array), sizeof(array) / sizeof *(array), \
            sizeof *(array), 0, 0, 0, 0, 0, 0,                                       \
    }

typedef struct filch_broadcast_options {
    size_t item_size; /* bytes; 0: items are only counted */
    size_t capacity;  /* items that are kept; at least 1 */
} filch_broadcast_options;

/* Makes one with slots of its own, for filch_broadcast_destroy. -EINVAL: NULL, or capacity 0;
 * -EOVERFLOW: the size of its slots; -ENOMEM. */
FILCH_API int filch_broadcast_create(filch_broadcast *b, const filch_broadcast_options *o);

/* Frees the slots it was created with, and then it is closed; one over an array is as a new one.
 * -EBUSY: somebody is subscribed, or a send or close is still at work; nothing was done. */
FILCH_API int filch_broadcast_destroy(filch_broadcast *b);

/* Copies *item to all who are subscribed. Any thread or task; does not suspend. 0, also where
 * nobody is; -EPIPE: closed; -EINVAL: NULL, but for item size 0. */
FILCH_API int filch_broadcast_send(filch_broadcast *b, const void *item);

/* Nothing more will be sent; receivers may still receive what they have not. Any thread or task,
 * any number of times; does not suspend. -EINVAL: NULL. */
FILCH_API int filch_broadcast_close(filch_broadcast *b);

/* Receivers that are subscribed just now; 0 for NULL. Any thread or task. */
FILCH_API size_t filch_broadcast_receivers(const filch_broadcast *b);

/* Used by one task or thread at a time. The fields are filch's. Stays in place while it is
 * waited for. */
typedef struct filch_broadcast_receiver {
    filch_broadcast *broadcast; /* NULL: not subscribed */
    uint64_t received;          /* of all that were sent: these many, or missed */
    uint32_t waiting;           /* futures of it; under the guard */
} filch_broadcast_receiver;

#define FILCH_BROADCAST_RECEIVER \
    {                            \
        NULL, 0, 0               \
    }

/* From now on r gets what is sent, until it is unsubscribed. 0, also where b is closed; -EBUSY: r
 * is subscribed already, or for unsubscribe: a future of it waits; -EINVAL: NULL, or for
 * unsubscribe: r is not subscribed. Any thread or task; they do not suspend. */
FILCH_API int filch_broadcast_subscribe(filch_broadcast_receiver *r, filch_broadcast *b);
FILCH_API int filch_broadcast_unsubscribe(filch_broadcast_receiver *r);

/*
 * Copies to *item the oldest item that r has not received and that is kept, and to *missed, unless
 * it is NULL, how many before it have been overwritten since the last one. Suspends its task, or
 * blocks its thread, while there is none (-EAGAIN of try, which does not suspend). 0. Else outputs
 * and r are as they were: -EPIPE: closed, and r has received all; -EINVAL: NULL, but for item size
 * 0, or r is not subscribed; -ECANCELED, -ENOMEM as filch_await. In what uses r.
 */
FILCH_API int filch_broadcast_receive(filch_broadcast_receiver *r, void *item, uint64_t *missed);
FILCH_API int filch_broadcast_try_receive(filch_broadcast_receiver *r, void *item,
                                          uint64_t *missed);

/* Receiving as a future: results as above. The poll that is ready receives; where it is dropped r
 * has received nothing. */
typedef struct filch_broadcast_receive_future {
    filch_future future;
    filch_broadcast_receiver *receiver;
    void *item;
    uint64_t *missed;
    filch_waiter waiter;
} filch_broadcast_receive_future;

extern FILCH_API const filch_future_ops filch_broadcast_receive_future_ops;

#define FILCH_BROADCAST_RECEIVE_FUTURE(receiver, item, missed)                           \
    {                                                                                    \
        FILCH_FUTURE(&filch_broadcast_receive_future_ops), (receiver), (item), (missed), \
            FILCH_WAITER,                                                                \
    }

FILCH_END_DECLS

#endif
