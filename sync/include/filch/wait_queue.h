/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What everything that is waited for embeds: the queue of those who wait, and the place of one in
 * it, which stands in his future. The fields are filch's; zero is an empty queue, and nowhere.
 */
#ifndef FILCH_WAIT_QUEUE_H
#define FILCH_WAIT_QUEUE_H

#include <filch/future.h>

FILCH_BEGIN_DECLS

typedef struct filch_waiter {
    struct filch_waiter *next, *previous;
    uint64_t storage[6];
} filch_waiter;

typedef struct filch_wait_queue {
    filch_waiter *first, *last;
    uint32_t guard;
    uint32_t arrivals;
} filch_wait_queue;

#define FILCH_WAITER \
    {                \
        NULL, NULL,  \
        {            \
            0        \
        }            \
    }

#define FILCH_WAIT_QUEUE \
    {                    \
        NULL, NULL, 0, 0 \
    }

FILCH_END_DECLS

#endif
