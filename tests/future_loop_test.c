/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wakers of the user's own: a small event loop on a plain thread polls filch's futures by hand.
 * Only what was woken is polled again; each clone is dropped.
 */
#include "tests/future_check.h"

/* One future of the loop's. Its waker is a reference of it. */
struct slot {
    filch_future *future;
    uint32_t woken, references;
    uint32_t wakes;
    bool done;
    int result;
};

static const filch_waker_ops slot_ops;

static void wake_slot(void *data)
{
    struct slot *s = data;
    tally(&s->wakes);
    raise_flag(&s->woken);
}

static filch_waker clone_slot(void *data)
{
    struct slot *s = data;
    tally(&s->references);
    return (filch_waker){&slot_ops, s};
}

static void drop_slot(void *data)
{
    struct slot *s = data;
    CHECK(filch__sub_acq_rel(&s->references, 1u) > 0);
}

static const filch_waker_ops slot_ops = {wake_slot, clone_slot, drop_slot};

/* Until all are ready. */
static void loop(struct slot *slots, int n)
{
    for (int i = 0; i < n; i++)
        slots[i].woken = 1;
    for (int left = n; left > 0; sched_yield())
        for (int i = 0; i < n; i++) {
            struct slot *s = &slots[i];
            if (s->done || !filch__exchange_acq_rel(&s->woken, 0u))
                continue;
            s->result = filch_poll(s->future, &(filch_waker){&slot_ops, s});
            s->done = s->result != FILCH_PENDING;
            left -= s->done;
        }
}

enum { EACH = 5, N = 3 * EACH };

struct party {
    filch_sleep_future sleep[EACH];
    filch_join_future join[EACH];
    struct event event[EACH];
    struct wait wait[EACH];
    struct slot slots[N];
    uint32_t flag[EACH];
    uint64_t random;
};

static void *raise_and_set(void *arg)
{
    struct party *p = arg;
    for (int i = 0; i < EACH; i++) {
        pause_a_little(&p->random);
        raise_flag(&p->flag[i]);
        event_set(&p->event[i], 5);
    }
    return NULL;
}

static void party_begin(struct party *p, filch_runtime *rt, int64_t when)
{
    *p = (struct party){.random = test_seed() + (uint64_t)when};
    for (int i = 0; i < EACH; i++) {
        filch_handle *h;
        spawn_on(rt, &h, wait_for_flag, &p->flag[i]);
        p->event[i] = (struct event)EVENT;
        p->sleep[i] = (filch_sleep_future)FILCH_SLEEP_FUTURE(when + i * 10000);
        p->join[i] = (filch_join_future)FILCH_JOIN_FUTURE(h);
        p->wait[i] = (struct wait)WAIT(&p->event[i]);
        p->slots[i].future = &p->sleep[i].future;
        p->slots[EACH + i].future = &p->join[i].future;
        p->slots[2 * EACH + i].future = &p->wait[i].future;
    }
}

static void a_loop_of_ones_own(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        for (int i = 0; i < sized(50, 150, 1000); i++) {
            struct party p;
            int64_t when = filch_now() + i % 7 * 10000;
            party_begin(&p, rt, when);
            pthread_t thread = thread_start(raise_and_set, &p);
            loop(p.slots, N);
            CHECK(filch_now() >= when + (EACH - 1) * 10000);
            thread_join(thread);
            for (int k = 0; k < N; k++)
                CHECK(p.slots[k].result == (k < 2 * EACH ? 0 : 5) && p.slots[k].references == 0);
            for (int k = 0; k < N; k++)
                CHECK(filch_poll(p.slots[k].future, NULL) == -EALREADY);
        }
        drain(rt);
        runtime_close(rt);
    }
}

/* Polled in turn with wakers of two loops: the last of them is woken, and once that is so it is
 * enough. */
static void the_last_waker_counts(void)
{
    filch_runtime *rt = runtime_open(2);
    for (int i = 0; i < sized(50, 250, 1500); i++) {
        struct slot slot[2] = {{.woken = 0}, {.woken = 0}};
        uint32_t flag = 0;
        filch_handle *h;
        spawn_on(rt, &h, wait_for_flag, &flag);
        filch_join_future end = FILCH_JOIN_FUTURE(h);
        filch_sleep_future pause = FILCH_SLEEP_FUTURE(filch_now() + 100000);
        filch_future *f = i & 1 ? &end.future : &pause.future;
        int rc = FILCH_PENDING;
        for (int k = 0; k < 2 + i % 3 && rc == FILCH_PENDING; k++)
            rc = filch_poll(f, &(filch_waker){&slot_ops, &slot[k & 1]});
        CHECK(i % 2 == 0 || rc == FILCH_PENDING);
        raise_flag(&flag);
        if (rc == FILCH_PENDING) {
            SPIN_UNTIL(flag_up(&slot[(1 + i % 3) & 1].woken));
            CHECK(filch_poll(f, NULL) == 0);
        }
        CHECK(slot[0].references == 0 && slot[1].references == 0);
        CHECK(slot[0].wakes + slot[1].wakes <= 2);
        if (!(i & 1))
            CHECK(join(h) == 0);
    }
    drain(rt);
    runtime_close(rt);
}

/* Dropped while the wake goes on: it is over when the drop has returned. */
static void drops_meet_wakes(void)
{
    filch_runtime *rt = runtime_open(2);
    uint64_t random = test_seed();
    for (int i = 0; i < sized(500, 2500, 15000); i++) {
        struct slot *s = calloc(1, sizeof *s);
        REQUIRE(s);
        uint32_t flag = 0;
        filch_handle *h;
        spawn_on(rt, &h, wait_for_flag, &flag);
        filch_join_future end = FILCH_JOIN_FUTURE(h);
        filch_sleep_future pause = FILCH_SLEEP_FUTURE(filch_now() + test_random(&random, 40000));
        filch_future *f = i & 1 ? &end.future : &pause.future;
        int rc = filch_poll(f, &(filch_waker){&slot_ops, s});
        raise_flag(&flag);
        pause_a_little(&random);
        CHECK(rc == 0 || filch_future_drop(f) == 0);
        memset(s, 0xee, sizeof *s);
        free(s);
        if (rc != 0 || !(i & 1))
            CHECK(join(h) == 0);
    }
    drain(rt);
    runtime_close(rt);
}

int main(void)
{
    (void)test_seed();
    RUN(a_loop_of_ones_own);
    RUN(the_last_waker_counts);
    RUN(drops_meet_wakes);
    return summary();
}
