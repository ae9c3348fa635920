/* SPDX-License-Identifier: Apache-2.0 */
/* Channels: first in, first out; who waits is served in the order of arrival, whoever leaves. */
#include "sync/channel.h"
#include "tests/channel_check.h"

/* ---- who waits ---- */

enum { N = 30 };

enum leaving { STAYS, LEAVES, LEAVES_GRANTED, LEAVINGS };

static void choose(enum leaving how[], uint64_t *random, uint32_t kinds)
{
    for (int i = 0; i < N; i++)
        how[i] = (enum leaving)test_random(random, kinds);
}

/* Receivers wait; items come one by one. Returns how many were received. */
static void receivers_in_order(size_t capacity, uint64_t *random, uint32_t kinds)
{
    filch_channel c;
    struct entry e[N], moved = {.woken = 0};
    enum leaving how[N];
    uint64_t sent = 1;
    int at = 0;
    enum { MOVED = 7 };
    channel_open(&c, sizeof(uint64_t), capacity, NULL);
    choose(how, random, kinds);
    for (int i = 0; i < N; i++) {
        entry_init(&e[i], &c, 0);
        CHECK(receive_poll(&e[i]) == FILCH_PENDING);
    }
    CHECK(entry_poll(&moved, &e[MOVED].receive.future) == FILCH_PENDING); /* keeps its place */
    for (int i = 0; i < N; i++)
        if (how[i] == LEAVES)
            CHECK(filch_future_drop(&e[i].receive.future) == 0);
    bool there = false; /* an item that somebody has given back */
    for (int i = 0; i < N; i++) {
        struct entry *waker = i == MOVED ? &moved : &e[i];
        if (how[i] == LEAVES)
            continue;
        if (!there)
            put(&c, sent);
        for (int j = i; j < N; j++)
            CHECK(woken(j == MOVED ? &moved : &e[j]) == (j == i));
        CHECK(woken(waker) == 1 && filch_channel_length(&c) == 0);
        there = how[i] == LEAVES_GRANTED;
        if (there) {
            CHECK(filch_future_drop(&e[i].receive.future) == 0 && e[i].item == 0);
        } else {
            CHECK(receive_poll(&e[i]) == 0 && e[i].item == sent++);
            at++;
        }
    }
    if (there)
        CHECK(take(&c) == sent);
    CHECK(capacity == 0 || is_good(&c));
    channel_end(&c);
}

/* Senders wait; items are taken one by one. */
static void senders_in_order(size_t capacity, uint64_t *random, uint32_t kinds)
{
    filch_channel c;
    struct entry e[N];
    enum leaving how[N];
    uint64_t next = 0;
    channel_open(&c, sizeof(uint64_t), capacity, NULL);
    choose(how, random, kinds);
    for (uint64_t i = 0; i < capacity; i++)
        put(&c, i);
    for (int i = 0; i < N; i++) {
        entry_init(&e[i], &c, 0);
        CHECK(send_poll(&e[i]) == FILCH_PENDING);
    }
    for (int i = 0; i < N; i++)
        if (how[i] == LEAVES)
            CHECK(filch_future_drop(&e[i].send.future) == 0);
    bool room = false; /* that somebody has given back */
    for (int i = 0; i < N; i++) {
        if (how[i] == LEAVES)
            continue;
        if (!room)
            CHECK(take(&c) == next++);
        for (int j = i; j < N; j++)
            CHECK(woken(&e[j]) == (j == i));
        uint64_t other = 99;
        CHECK(filch_channel_try_send(&c, &other) == -EAGAIN); /* it was promised */
        room = how[i] == LEAVES_GRANTED;
        if (room) {
            CHECK(filch_future_drop(&e[i].send.future) == 0);
        } else {
            e[i].item = next + capacity - 1; /* moved by the poll that is ready */
            CHECK(send_poll(&e[i]) == 0);
        }
    }
    while (filch_channel_length(&c) > 0)
        CHECK(take(&c) == next++);
    CHECK(is_good(&c));
    channel_end(&c);
}

/* Senders wait in a rendezvous: the first is told of a receiver, and again of the next. */
static void rendezvous_in_order(uint64_t *random, uint32_t kinds)
{
    filch_channel c;
    struct entry e[N], r[2];
    enum leaving how[N];
    channel_open(&c, sizeof(uint64_t), 0, NULL);
    choose(how, random, kinds);
    for (int i = 0; i < N; i++) {
        entry_init(&e[i], &c, (uint64_t)i);
        CHECK(send_poll(&e[i]) == FILCH_PENDING);
    }
    for (int i = 0; i < N; i++) {
        entry_init(&r[0], &c, 99);
        entry_init(&r[1], &c, 99);
        if (how[i] == LEAVES)
            CHECK(filch_future_drop(&e[i].send.future) == 0 && !woken(&e[i]));
        CHECK(receive_poll(&r[0]) == FILCH_PENDING);
        if (how[i] == LEAVES) { /* the next was told, and is too late */
            CHECK(i + 1 == N || woken_once(&e[i + 1]));
            CHECK(filch_future_drop(&r[0].receive.future) == 0);
            CHECK(i + 1 == N || send_poll(&e[i + 1]) == FILCH_PENDING);
            continue;
        }
        CHECK(woken_once(&e[i]) && receive_poll(&r[1]) == FILCH_PENDING && !woken(&e[i]));
        if (how[i] == LEAVES_GRANTED) { /* it was only told; the next is instead */
            CHECK(filch_future_drop(&e[i].send.future) == 0);
            CHECK(i + 1 == N || woken_once(&e[i + 1]));
            CHECK(filch_future_drop(&r[0].receive.future) == 0);
            CHECK(filch_future_drop(&r[1].receive.future) == 0);
            CHECK(i + 1 == N || send_poll(&e[i + 1]) == FILCH_PENDING);
            continue;
        }
        CHECK(send_poll(&e[i]) == 0 && woken_once(&r[0]) && !woken(&r[1]));
        CHECK(i + 1 == N || woken_once(&e[i + 1]));          /* of the second receiver */
        CHECK(filch_future_drop(&r[0].receive.future) == 0); /* hands it on */
        CHECK(woken_once(&r[1]) && receive_poll(&r[1]) == 0 && r[1].item == (uint64_t)i);
        CHECK(i + 1 == N || send_poll(&e[i + 1]) == FILCH_PENDING);
        for (int j = i + 1; j < N; j++)
            CHECK(!woken(&e[j]));
    }
    channel_end(&c);
}

static int futures_in_order(void *rt)
{
    (void)rt;
    uint64_t random = test_seed();
    for (int i = 0; i < sized(10, 50, 1000); i++) {
        uint32_t kinds = i ? LEAVINGS : 1;
        for (size_t k = 0; k < COUNT(capacities); k++)
            receivers_in_order(capacities[k], &random, kinds);
        senders_in_order(1, &random, kinds);
        senders_in_order(3, &random, kinds);
        rendezvous_in_order(&random, kinds);
    }
    return 0;
}

static void who_comes_first(void)
{
    everywhere(futures_in_order);
}

/* ---- tasks that wait ---- */

struct queue {
    filch_channel channel;
    uint64_t next;
    uint32_t waiting;
};

static int receive_in_turn(void *queue)
{
    struct queue *q = queue;
    uint64_t item = 0;
    tally(&q->waiting);
    int rc = filch_channel_receive(&q->channel, &item);
    return rc < 0 ? rc : (int)item;
}

static int send_in_turn(void *queue)
{
    struct queue *q = queue;
    uint64_t item = filch__add_acq_rel(&q->waiting, 1u);
    return filch_channel_send(&q->channel, &item);
}

/* All wait in one queue: the i-th that was not aborted gets the i-th item, or its item comes so. */
static void tasks_wait(size_t capacity, bool senders, uint64_t *random)
{
    filch_runtime *rt = runtime_open(2);
    struct queue q = {.next = 0};
    filch_handle *h[N];
    bool aborted[N];
    uint64_t next = 0;
    channel_open(&q.channel, sizeof(uint64_t), capacity, NULL);
    for (uint64_t i = 0; senders && i < capacity; i++)
        put(&q.channel, 1000);
    for (int i = 0; i < N; i++) {
        spawn_on(rt, &h[i], senders ? send_in_turn : receive_in_turn, &q);
        filch_wait_queue *wait = senders ? &q.channel.senders : &q.channel.receivers;
        SPIN_UNTIL(arrivals(&q.channel, wait) == (uint32_t)i + 1);
        aborted[i] = test_random(random, 3) == 0;
    }
    for (int i = 0; i < N; i++)
        if (aborted[i])
            CHECK(filch_abort(h[i]) == 0 && join(h[i]) == -ECANCELED);
    for (uint64_t i = 0; senders && i < capacity; i++)
        CHECK(take(&q.channel) == 1000);
    for (int i = 0; i < N; i++) {
        if (aborted[i])
            continue;
        if (senders)
            CHECK(take(&q.channel) == (uint64_t)i && join(h[i]) == 0);
        else
            put(&q.channel, ++next);
    }
    next = 0;
    for (int i = 0; !senders && i < N; i++)
        if (!aborted[i])
            CHECK(join(h[i]) == (int)++next);
    CHECK(filch_channel_length(&q.channel) == 0);
    channel_end(&q.channel);
    runtime_close(rt);
}

static void tasks_in_order(void)
{
    uint64_t random = test_seed();
    for (int i = 0; i < sized(3, 20, 300); i++) {
        for (size_t k = 0; k < COUNT(capacities); k++)
            tasks_wait(capacities[k], false, &random);
        for (size_t k = 0; k < 3; k++)
            tasks_wait(capacities[k], true, &random);
    }
}

/* ---- items ---- */

/* What is promised to a future may be given back: no later item has overtaken it meanwhile. */
static void in_spite_of_promises(void)
{
    for (size_t k = 0; k < COUNT(capacities); k++) {
        filch_runtime *rt = runtime_open(2);
        struct queue q = {.next = 0};
        struct entry e;
        filch_handle *h;
        uint64_t second = 2, third = 3;
        channel_open(&q.channel, sizeof(uint64_t), capacities[k], NULL);
        entry_init(&e, &q.channel, 0);
        CHECK(receive_poll(&e) == FILCH_PENDING);
        put(&q.channel, 1); /* promised */
        CHECK(woken_once(&e));
        spawn_on(rt, &h, receive_in_turn, &q);
        SPIN_UNTIL(arrivals(&q.channel, &q.channel.receivers) == 2);
        put(&q.channel, second);
        CHECK(join(h) == 1); /* the oldest */
        if (capacities[k] > 1) {
            put(&q.channel, third);
            CHECK(filch_channel_length(&q.channel) == 1);
        }
        CHECK(filch_future_drop(&e.receive.future) == 0);
        CHECK(take(&q.channel) == 2);
        CHECK(capacities[k] <= 1 || take(&q.channel) == 3);
        channel_end(&q.channel);
        runtime_close(rt);
    }
}

/* The same where the later one's sender waits in a rendezvous. */
static void in_spite_of_promises_of_a_rendezvous(void)
{
    filch_runtime *rt = runtime_open(2);
    struct queue q = {.waiting = 2};
    struct entry e;
    filch_handle *h;
    channel_open(&q.channel, sizeof(uint64_t), 0, NULL);
    entry_init(&e, &q.channel, 0);
    CHECK(receive_poll(&e) == FILCH_PENDING);
    put(&q.channel, 1);
    spawn_on(rt, &h, send_in_turn, &q); /* 2 */
    SPIN_UNTIL(arrivals(&q.channel, &q.channel.senders) == 1);
    CHECK(take(&q.channel) == 1 && join(h) == 0);
    CHECK(receive_poll(&e) == 0 && e.item == 2);
    channel_end(&q.channel);
    runtime_close(rt);
}

/* ---- a pair that comes apart ---- */

static bool is_asleep(filch_waiter *w)
{
    struct filch__fiber *fiber = filch__node_of(w)->signal.waker.data;
    return filch__load_acquire(&fiber->wait) == FILCH__SUSPENDED;
}

/* In a rendezvous a task waits to receive, another to send, behind a future. This one goes, and the
 * sender is cancelled at that moment: the receiver stays the first, and gets what comes next. The
 * test has the guard meanwhile, and drops the future itself. */
static void come_apart(void)
{
    filch_runtime *rt = runtime_open(2);
    struct queue q = {.next = 0};
    struct entry first;
    struct filch__channel_debt debt;
    filch_handle *receiver, *sender;
    filch_channel *c = &q.channel;
    channel_open(c, sizeof(uint64_t), 0, NULL);
    entry_init(&first, c, 3);
    CHECK(send_poll(&first) == FILCH_PENDING);
    spawn_on(rt, &receiver, receive_in_turn, &q);
    SPIN_UNTIL(arrivals(c, &c->receivers) == 1 && is_asleep(c->receivers.first));
    spawn_on(rt, &sender, send_in_turn, &q);
    SPIN_UNTIL(arrivals(c, &c->senders) == 2 && woken(&first) == 1);
    filch__channel_lock(c);
    filch_waiter *leaver = first.send.waiter.next;
    CHECK(filch_abort(sender) == 0);
    SPIN_UNTIL(filch__load_acquire(&filch__node_of(leaver)->place) == FILCH__LEAVING);
    filch__waiters_remove(&c->senders, &first.send.waiter);
    filch__waiter_reset(&first.send.waiter);
    filch__channel_debt_begin(&debt);
    filch__channel_settle(c, &debt);
    CHECK(join(sender) == -ECANCELED && !filch_finished(receiver));
    CHECK(arrivals(c, &c->receivers) == 1 && filch_future_drop(&first.send.future) == 0);
    put(c, 9);
    CHECK(join(receiver) == 9);
    channel_end(c);
    runtime_close(rt);
}

static void a_pair_comes_apart(void)
{
    for (int i = 0; i < sized(20, 200, 2000); i++)
        come_apart();
}

int main(void)
{
    RUN(who_comes_first);
    RUN(tasks_in_order);
    RUN(in_spite_of_promises);
    RUN(in_spite_of_promises_of_a_rendezvous);
    RUN(a_pair_comes_apart);
    return summary();
}
