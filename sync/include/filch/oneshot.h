/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A oneshot: one item of any size, moved by its bytes, once, from one sender to one receiver: the
 * answer to a request. Either side may give up, and the other learns of it.
 *
 *     struct answer slot;
 *     struct request r = {.question = q, .answer = FILCH_ONESHOT(slot)};
 *     ask(&r);
 *     ...
 *     if (compute(r->question, &a) == 0)          // another task, or a thread
 *         filch_oneshot_send(&r->answer, &a);
 *     else
 *         filch_oneshot_close(&r->answer);        // there will be none
 *     ...
 *     rc = filch_oneshot_receive(&r.answer, &a);  // 0, or -EPIPE: none; r may go
 *
 * One side is the last to use it, and knows: the receiver once he has received or -EPIPE says that
 * nothing will come; the sender once he is refused (-EPIPE), or told that it is closed. The other
 * one does not touch it any more. The item is copied under a spin lock.
 */
#ifndef FILCH_ONESHOT_H
#define FILCH_ONESHOT_H

#include <filch/wait_queue.h>

FILCH_BEGIN_DECLS

/* The fields are filch's. Stays in place while anybody uses it. */
typedef struct filch_oneshot {
    filch_wait_queue receiver; /* its guard is the oneshot's */
    filch_wait_queue watcher;
    void *slot;
    size_t size;
    void (*item_drop)(void *item);
    uint32_t state;
} filch_oneshot;

/* Over a variable, which holds the item from the sending to the receiving. */
#define FILCH_ONESHOT(object)                                                   \
    {                                                                           \
        FILCH_WAIT_QUEUE, FILCH_WAIT_QUEUE, &(object), sizeof(object), NULL, 0, \
    }

/* The same over `size` bytes at slot, which stay the caller's. item_drop, or NULL: of an item that
 * nobody received. -EINVAL: o is NULL, or slot is, and size is not 0. */
FILCH_API int filch_oneshot_init(filch_oneshot *o, void *slot, size_t size,
                                 void (*item_drop)(void *item));

/* Optional. Drops an item that nobody received, on the caller. -EBUSY: somebody waits, nothing was
 * done. Else it is as a new one. */
FILCH_API int filch_oneshot_destroy(filch_oneshot *o);

/* Moves *item into it. Any thread or task; does not suspend. 0: the item has been sent. Else it
 * stays the caller's: -EPIPE: one was sent before, or it is closed from either side; -EINVAL: NULL,
 * but for item size 0. */
FILCH_API int filch_oneshot_send(filch_oneshot *o, const void *item);

/*
 * Moves the item to *item. Suspends its task, or blocks its thread, while there is none (-EAGAIN of
 * try, which does not suspend). 0: the item is the caller's. Else *item is as it was: -EPIPE:
 * closed without one, or it was received before; -EBUSY: another one waits for it; -EINVAL: NULL,
 * but for item size 0; -ECANCELED, -ENOMEM as filch_await: the item, if it was sent just then, is
 * there yet. Any thread or task.
 */
FILCH_API int filch_oneshot_receive(filch_oneshot *o, void *item);
FILCH_API int filch_oneshot_try_receive(filch_oneshot *o, void *item);

/* The sender will send nothing. Any thread or task; does not suspend. 0: the receiver is the last;
 * 1: it was over before, with no effect on an item that was sent: if none was, the sender is the
 * last; -EINVAL: NULL. */
FILCH_API int filch_oneshot_close(filch_oneshot *o);

/* The receiver will not receive. Any thread or task; does not suspend. 0: the sender is the last;
 * 1: it was over before, an item that was there was dropped, on the caller, before this returns,
 * and the receiver is the last; -EINVAL: NULL. */
FILCH_API int filch_oneshot_close_receiving(filch_oneshot *o);

/* True: a send would be refused; so it is for NULL. Any thread or task. */
FILCH_API bool filch_oneshot_is_closed(filch_oneshot *o);

/* Receiving as a future: results as above. The item is moved by the poll that is ready; until then,
 * and where it is dropped, it stays in the oneshot. */
typedef struct filch_oneshot_receive_future {
    filch_future future;
    filch_oneshot *oneshot;
    void *item;
    filch_waiter waiter;
} filch_oneshot_receive_future;

/* 0 once a send would be refused: so a sender that is still computing learns that nobody listens.
 * -EBUSY: another one waits for that; -EINVAL. */
typedef struct filch_oneshot_closed_future {
    filch_future future;
    filch_oneshot *oneshot;
    filch_waiter waiter;
} filch_oneshot_closed_future;

extern FILCH_API const filch_future_ops filch_oneshot_receive_future_ops,
    filch_oneshot_closed_future_ops;

#define FILCH_ONESHOT_RECEIVE_FUTURE(oneshot, item)                                      \
    {                                                                                    \
        FILCH_FUTURE(&filch_oneshot_receive_future_ops), (oneshot), (item), FILCH_WAITER \
    }
#define FILCH_ONESHOT_CLOSED_FUTURE(oneshot)                                    \
    {                                                                           \
        FILCH_FUTURE(&filch_oneshot_closed_future_ops), (oneshot), FILCH_WAITER \
    }

FILCH_END_DECLS

#endif
