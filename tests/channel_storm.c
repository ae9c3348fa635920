/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels at random: of any kind, with any number of senders and receivers, tasks and threads, that
 * wait in any way and are cancelled all the time. Each item comes once, in the order of its sender.
 * Who has received the last frees the channel at once; or who has sent it, in a rendezvous.
 */
#include "tests/channel_check.h"

enum { MOST = 5, EACH = 40 };

struct item {
    uint32_t sender, number;
};

/* In memory of its own, which the last one frees. */
struct pool {
    filch_channel channel;
    filch_runtime *rt;
    size_t capacity;
    uint32_t senders, receivers;
    uint32_t impatient; /* waits that end early, of 16 */
    bool plain;         /* no futures, no tries */
    bool sender_frees;
};

struct party {
    struct pool *pool;
    uint32_t *left;  /* items that are still to come, or to go */
    uint32_t *ended; /* parties */
    uint64_t random;
    uint32_t index;
};

static bool is_hurry(int rc)
{
    return rc == -ECANCELED || rc == -ETIMEDOUT || rc == -EAGAIN;
}

/* One send or receive on a thread, or a task, which may be in vain. */
static int once(struct party *p, struct item *item, bool sends)
{
    filch_channel *c = &p->pool->channel;
    bool hurry = test_random(&p->random, 16) < p->pool->impatient;
    int64_t soon = filch_now() + test_random(&p->random, 20000);
    filch_send_future send = FILCH_SEND_FUTURE(c, item);
    filch_receive_future receive = FILCH_RECEIVE_FUTURE(c, item);
    filch_sleep_future pause = FILCH_SLEEP_FUTURE(soon);
    filch_future *f = sends ? &send.future : &receive.future, *either[] = {f, &pause.future};
    filch_scope s;
    int rc;
    switch (p->pool->plain ? hurry : test_random(&p->random, 3) + 3 * hurry) {
    case 1: /* the wait of a task is cancelled, a thread's is not */
        REQUIRE(filch_scope_open(
                    &s, &(filch_scope_options){.runtime = p->pool->rt, .deadline = soon}) == 0);
        rc = sends ? filch_channel_send(c, item) : filch_channel_receive(c, item);
        (void)filch_scope_close(&s);
        return rc;
    case 2:
        return filch_await(f);
    case 3:
        return filch_await_until(f, soon);
    case 4:
        rc = filch_select(either, 2);
        rc = rc == 0 ? f->result : rc == 1 ? -ETIMEDOUT : rc;
        filch_future_drop_all(either, 2);
        return rc;
    case 5:
        return sends ? filch_channel_try_send(c, item) : filch_channel_try_receive(c, item);
    default:
        return sends ? filch_channel_send(c, item) : filch_channel_receive(c, item);
    }
}

static void until_done(struct party *p, struct item *item, bool sends)
{
    int rc;
    while (is_hurry(rc = once(p, item, sends)))
        if (rc == -EAGAIN)
            (void)filch_yield();
    CHECK(rc == 0);
}

/* After its last touch of the channel. */
static void end_one(struct party *p, struct pool *pool, bool frees)
{
    if (filch__sub_acq_rel(p->left, 1u) != 1 || !frees)
        return;
    CHECK(filch_channel_destroy(&pool->channel) == 0);
    memset(pool, 0xa5, sizeof *pool);
    free(pool);
}

static int send_all(void *party)
{
    struct party *p = party;
    struct pool *pool = p->pool;
    bool frees = pool->sender_frees;
    uint32_t *ended = p->ended;
    for (uint32_t i = 0; i < EACH; i++) {
        struct item item = {p->index, i};
        until_done(p, &item, true);
        CHECK(item.sender == p->index && item.number == i);
        if (frees)
            end_one(p, pool, true);
    }
    tally(ended);
    return 0;
}

static int receive_all(void *party)
{
    struct party *p = party;
    struct pool *pool = p->pool;
    bool frees = !pool->sender_frees;
    uint32_t next[MOST] = {0}, *ended = p->ended;
    uint32_t count = EACH * pool->senders / pool->receivers +
                     (p->index < EACH * pool->senders % pool->receivers);
    for (uint32_t i = 0; i < count; i++) {
        struct item item = {MOST, 0};
        until_done(p, &item, false);
        REQUIRE(item.sender < MOST);
        CHECK(item.number >= next[item.sender]);
        next[item.sender] = item.number + 1;
        if (frees)
            end_one(p, pool, true);
    }
    tally(ended);
    return 0;
}

static void *send_all_on_thread(void *party)
{
    (void)send_all(party);
    return NULL;
}

static void *receive_all_on_thread(void *party)
{
    (void)receive_all(party);
    return NULL;
}

/* share: of all, in 4, that are threads. */
static void play(filch_runtime *rt, uint64_t *random, bool sender_frees, uint32_t share)
{
    struct party p[2 * MOST];
    pthread_t thread[2 * MOST];
    uint32_t ended = 0, threads = 0;
    struct pool *pool = malloc(sizeof *pool);
    REQUIRE(pool);
    *pool = (struct pool){.rt = rt,
                          .capacity = sender_frees ? 0 : capacities[test_random(random, 5)],
                          .senders = 1 + test_random(random, MOST),
                          .receivers = 1 + test_random(random, MOST),
                          .impatient = test_random(random, 3) * 6,
                          .plain = sender_frees || test_random(random, 2),
                          .sender_frees = sender_frees};
    channel_open(&pool->channel, sizeof(struct item), pool->capacity, NULL);
    uint32_t senders = pool->senders, all = senders + pool->receivers, left = EACH * senders;
    for (uint32_t i = 0; i < all; i++)
        p[i] = (struct party){pool, &left, &ended, test_random(random, UINT32_MAX),
                              i < senders ? i : i - senders};
    for (uint32_t i = 0; i < all; i++) {
        if (test_random(random, 4) < share)
            thread[threads++] =
                thread_start(i < senders ? send_all_on_thread : receive_all_on_thread, &p[i]);
        else
            spawn_on(rt, NULL, i < senders ? send_all : receive_all, &p[i]);
    }
    for (uint32_t i = 0; i < threads; i++)
        thread_join(thread[i]);
    SPIN_UNTIL(filch__load_acquire(&ended) == all);
    CHECK(filch__load_acquire(&left) == 0);
}

static void play_often(bool sender_frees, uint32_t share, long times)
{
    uint64_t random = test_seed();
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        for (long i = 0; i < times && !filch__load_relaxed(&case_bad); i++)
            play(rt, &random, sender_frees, share);
        drain(rt);
        runtime_close(rt);
    }
}

static void freed_by_who_receives_the_last(void)
{
    play_often(false, 0, sized(100, 1000, 20000));
}

static void threads_too(void)
{
    play_often(false, 2, sized(20, 200, 3000));
}

static void freed_by_who_sends_the_last(void)
{
    play_often(true, 0, sized(100, 1000, 20000));
    play_often(true, 2, sized(20, 200, 3000));
}

int main(void)
{
    RUN(freed_by_who_receives_the_last);
    RUN(threads_too);
    RUN(freed_by_who_sends_the_last);
    return summary();
}
