/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of channels share: channels of each kind, futures that wait in one, a balance of
 * what was sent. */
#ifndef FILCH_TESTS_CHANNEL_CHECK_H
#define FILCH_TESTS_CHANNEL_CHECK_H

#include "sched/os/spin.h"
#include "tests/future_check.h"

#include <filch/channel.h>
#include <filch/scope.h>

static const size_t capacities[] = {0, 1, 3, 64, FILCH_UNBOUNDED};

static inline void channel_open(filch_channel *c, size_t size, size_t capacity,
                                void (*item_drop)(void *item))
{
    filch_channel_options o = {.item_size = size, .capacity = capacity, .item_drop = item_drop};
    REQUIRE(filch_channel_create(c, &o) == 0);
}

static inline void channel_end(filch_channel *c)
{
    CHECK(filch_channel_destroy(c) == 0);
}

/* How many have come to wait in that queue of c, so far. */
static inline uint32_t arrivals(filch_channel *c, const filch_wait_queue *q)
{
    filch__spin_lock(&c->senders.guard);
    uint32_t count = q->arrivals;
    filch__spin_unlock(&c->senders.guard);
    return count;
}

/* One that waits in a channel, and knows how often it was woken. */
struct entry {
    filch_send_future send;
    filch_receive_future receive;
    uint64_t item;
    uint32_t woken;
};

static inline void entry_wake(void *data)
{
    tally(&((struct entry *)data)->woken);
}

static const filch_waker_ops entry_waker = {.wake = entry_wake};

/* To send `item`, or to receive; in place. */
static inline void entry_init(struct entry *e, filch_channel *c, uint64_t item)
{
    *e = (struct entry){.send = FILCH_SEND_FUTURE(c, &e->item),
                        .receive = FILCH_RECEIVE_FUTURE(c, &e->item),
                        .item = item};
}

static inline int entry_poll(struct entry *e, filch_future *f)
{
    return filch_poll(f, &(filch_waker){&entry_waker, e});
}

static inline int send_poll(struct entry *e)
{
    return entry_poll(e, &e->send.future);
}

static inline int receive_poll(struct entry *e)
{
    return entry_poll(e, &e->receive.future);
}

static inline uint32_t woken(const struct entry *e)
{
    return filch__load_acquire(&e->woken);
}

static inline bool woken_once(struct entry *e)
{
    return filch__exchange_acq_rel(&e->woken, 0u) == 1;
}

/* One number, there and then; must be possible. */
static inline void put(filch_channel *c, uint64_t item)
{
    CHECK(filch_channel_try_send(c, &item) == 0);
}

static inline uint64_t take(filch_channel *c)
{
    uint64_t item = UINT64_MAX;
    CHECK(filch_channel_try_receive(c, &item) == 0);
    return item;
}

/* Empty, and it works: as if nobody had been there. Not of a rendezvous. */
static inline bool is_good(filch_channel *c)
{
    uint64_t item = 0;
    if (filch_channel_length(c) != 0 || filch_channel_try_receive(c, &item) != -EAGAIN)
        return false;
    for (uint64_t i = 0; i < 3 && i < c->items.room; i++)
        put(c, i + 7);
    for (uint64_t i = 0; i < 3 && i < c->items.room; i++)
        if (take(c) != i + 7)
            return false;
    return filch_channel_length(c) == 0;
}

/* What was sent, and what came: as many, and their sum, which tells items that were lost from those
 * that came twice. */
struct balance {
    uint64_t sent, sent_sum, came, came_sum;
};

/* Numbers that are different, and whose sums are. */
static inline uint64_t number_of(uint64_t i)
{
    uint64_t state = i;
    uint64_t high = test_random(&state, UINT32_MAX);
    return high << 32 | test_random(&state, UINT32_MAX);
}

static inline void count_sent(struct balance *b, uint64_t item)
{
    filch__add_acq_rel(&b->sent, UINT64_C(1));
    filch__add_acq_rel(&b->sent_sum, item);
}

static inline void count_came(struct balance *b, uint64_t item)
{
    filch__add_acq_rel(&b->came, UINT64_C(1));
    filch__add_acq_rel(&b->came_sum, item);
}

static inline bool is_balanced(const struct balance *b)
{
    if (b->sent == b->came && b->sent_sum == b->came_sum)
        return true;
    fprintf(stderr, "sent %" PRIu64 ", came %" PRIu64 "\n", b->sent, b->came);
    return false;
}

#endif
