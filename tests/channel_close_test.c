/* SPDX-License-Identifier: Apache-2.0 */
/* Channels: both ends, and what nobody received. */
#include "tests/channel_check.h"

/* ---- the ends ---- */

static int both_ends(void *rt)
{
    (void)rt;
    for (size_t k = 1; k < COUNT(capacities); k++)
        for (int receiving = 0; receiving < 2; receiving++) {
            filch_channel c;
            uint64_t item = 5;
            channel_open(&c, sizeof item, capacities[k], NULL);
            filch_send_future send = FILCH_SEND_FUTURE(&c, &item);
            filch_receive_future receive = FILCH_RECEIVE_FUTURE(&c, &item);
            filch_channel_closed_future closed = FILCH_CHANNEL_CLOSED_FUTURE(&c);
            put(&c, 1);
            for (int times = 0; times < 3; times++)
                CHECK((receiving ? filch_channel_close_receiving(&c) : filch_channel_close(&c)) ==
                      0);
            CHECK(filch_channel_send(&c, &item) == -EPIPE && item == 5);
            CHECK(filch_channel_try_send(&c, &item) == -EPIPE);
            CHECK(filch_await(&send.future) == -EPIPE && filch_await(&closed.future) == 0);
            CHECK(filch_channel_length(&c) == !receiving);
            if (!receiving)
                CHECK(filch_channel_receive(&c, &item) == 0 && item == 1);
            item = 5;
            CHECK(filch_channel_receive(&c, &item) == -EPIPE);
            CHECK(filch_channel_try_receive(&c, &item) == -EPIPE);
            CHECK(filch_await(&receive.future) == -EPIPE && item == 5);
            CHECK(filch_channel_close(&c) == 0 && filch_channel_close_receiving(&c) == 0);
            channel_end(&c);
        }
    return 0;
}

static int send_5(void *channel)
{
    uint64_t item = 5;
    return filch_channel_send(channel, &item);
}

static int receive_5(void *channel)
{
    uint64_t item = 5;
    int rc = filch_channel_receive(channel, &item);
    CHECK(item == 5);
    return rc;
}

static int wait_for_end(void *channel)
{
    filch_channel_closed_future closed = FILCH_CHANNEL_CLOSED_FUTURE(channel);
    return filch_await(&closed.future);
}

/* More wait than are told in one go. */
static int wake_all(void *rt)
{
    enum { N = 50 };
    for (size_t k = 0; k < COUNT(capacities); k++)
        for (int how = 0; how < 4; how++) {
            bool sends = how & 1 && capacities[k] != FILCH_UNBOUNDED;
            static filch_channel c;
            filch_handle *h[N + 1];
            struct entry e;
            channel_open(&c, sizeof(uint64_t), capacities[k], NULL);
            for (uint64_t i = 0; sends && i < capacities[k]; i++)
                put(&c, 3);
            spawn_on(rt, &h[N], wait_for_end, &c);
            for (int i = 0; i < N; i++)
                spawn_on(rt, &h[i], sends ? send_5 : receive_5, &c);
            filch_wait_queue *q = sends ? &c.senders : &c.receivers;
            while (arrivals(&c, q) < N || arrivals(&c, &c.watchers) < 1)
                CHECK(filch_yield() == 0);
            entry_init(&e, &c, 5);
            CHECK((sends ? send_poll(&e) : receive_poll(&e)) == FILCH_PENDING);
            CHECK(filch_channel_destroy(&c) == -EBUSY);
            CHECK((how & 2 ? filch_channel_close(&c) : filch_channel_close_receiving(&c)) == 0);
            CHECK((sends ? send_poll(&e) : receive_poll(&e)) == -EPIPE && e.item == 5);
            for (int i = 0; i < N; i++)
                CHECK(join(h[i]) == -EPIPE);
            CHECK(join(h[N]) == 0 && woken(&e) == 1);
            channel_end(&c);
        }
    return 0;
}

static int destroy_busy(void *rt)
{
    (void)rt;
    filch_channel c;
    struct entry e, late;
    channel_open(&c, sizeof(uint64_t), 1, NULL);
    entry_init(&e, &c, 4);
    filch_channel_closed_future closed = FILCH_CHANNEL_CLOSED_FUTURE(&c);
    CHECK(filch_poll(&closed.future, NULL) == FILCH_PENDING);
    CHECK(filch_channel_destroy(&c) == -EBUSY && filch_future_drop(&closed.future) == 0);
    CHECK(receive_poll(&e) == FILCH_PENDING && filch_channel_destroy(&c) == -EBUSY);
    put(&c, 1); /* promised */
    CHECK(filch_channel_length(&c) == 0 && filch_channel_destroy(&c) == -EBUSY);
    CHECK(filch_future_drop(&e.receive.future) == 0 && filch_channel_length(&c) == 1);
    CHECK(send_poll(&e) == FILCH_PENDING && filch_channel_destroy(&c) == -EBUSY);
    CHECK(take(&c) == 1 && filch_channel_destroy(&c) == -EBUSY); /* promised */
    CHECK(filch_channel_close(&c) == 0 && filch_channel_destroy(&c) == -EBUSY);
    CHECK(send_poll(&e) == -EPIPE && e.item == 4); /* a promise is not kept after the end */
    channel_end(&c);
    channel_open(&c, sizeof(uint64_t), 3, NULL);
    entry_init(&e, &c, 4);
    entry_init(&late, &c, 4);
    CHECK(receive_poll(&e) == FILCH_PENDING && receive_poll(&late) == FILCH_PENDING);
    put(&c, 1);
    CHECK(filch_channel_close(&c) == 0 && woken(&late) == 0); /* it may be given back */
    CHECK(filch_future_drop(&e.receive.future) == 0 && woken_once(&late));
    CHECK(filch_channel_close_receiving(&c) == 0 && receive_poll(&late) == -EPIPE);
    CHECK(late.item == 4);
    channel_end(&c);
    return 0;
}

static void closed_from_either_side(void)
{
    everywhere(both_ends);
    everywhere(wake_all);
    everywhere(destroy_busy);
}

/* ---- what nobody received ---- */

static struct {
    filch_mutex mutex;
    filch_channel others;
    uint32_t dropped[300];
} heap;

/* Under no lock: it may do anything. */
static void drop_item(void *item)
{
    uint64_t i;
    memcpy(&i, item, sizeof i);
    REQUIRE(i < COUNT(heap.dropped));
    CHECK(filch_mutex_lock(&heap.mutex) == 0);
    heap.dropped[i]++;
    CHECK(filch_mutex_unlock(&heap.mutex) == 0);
    CHECK(filch_channel_send(&heap.others, &i) == 0);
}

static uint32_t drops(uint64_t i)
{
    return heap.dropped[i];
}

static int drop_once(void *rt)
{
    (void)rt;
    for (size_t k = 1; k < COUNT(capacities); k++)
        for (int how = 0; how < 4; how++) {
            filch_channel c;
            struct entry e;
            uint64_t n = capacities[k] < COUNT(heap.dropped) ? capacities[k] : COUNT(heap.dropped);
            memset(heap.dropped, 0, sizeof heap.dropped);
            channel_open(&heap.others, sizeof(uint64_t), FILCH_UNBOUNDED, NULL);
            channel_open(&c, sizeof(uint64_t), capacities[k], drop_item);
            entry_init(&e, &c, 0);
            if (how == 3)
                CHECK(receive_poll(&e) == FILCH_PENDING);
            for (uint64_t i = 0; i < n; i++)
                put(&c, i);
            if (how == 0)
                CHECK(take(&c) == 0);
            if (how == 1)
                CHECK(filch_channel_close(&c) == 0 && take(&c) == 0);
            if (how >= 2)
                CHECK(filch_channel_close_receiving(&c) == 0);
            if (how == 3) /* promised to it: gone all the same */
                CHECK(receive_poll(&e) == -EPIPE);
            channel_end(&c);
            for (uint64_t i = 0; i < n; i++)
                CHECK(drops(i) == (i > 0 || how >= 2));
            CHECK(filch_channel_length(&heap.others) == n - (how < 2));
            channel_end(&heap.others);
        }
    return 0;
}

static void dropped_once(void)
{
    everywhere(drop_once);
}

int main(void)
{
    RUN(closed_from_either_side);
    RUN(dropped_once);
    return summary();
}
