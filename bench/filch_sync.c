/* SPDX-License-Identifier: Apache-2.0 */

/* Locks and channels. */

#include "bench/filch_peer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LOCKERS 64
#define SENDERS 4
#define SLOTS   64

/* Runs in a task; returns the result to be checked. */
typedef uint64_t work_fn(uint64_t count, unsigned workers);

struct work {
    work_fn *fn;
    uint64_t count;
    unsigned workers;
    uint64_t check;
    int64_t nanoseconds;
};

static int timed(void *p)
{
    struct work *w = p;
    int64_t start = bench_now();
    w->check = w->fn(w->count, w->workers);
    w->nanoseconds = bench_now() - start;
    return 0;
}

static int measure(work_fn *fn, uint64_t count, unsigned workers, struct bench_result *out)
{
    struct work warm = {.fn = fn, .count = count < 1000 ? count : 1000, .workers = workers};
    struct work work = {.fn = fn, .count = count, .workers = workers};
    filch_runtime *rt = filch_bench_runtime(workers);
    must(filch_run(rt, timed, &warm), "run");
    must(filch_run(rt, timed, &work), "run");
    must(filch_runtime_destroy(rt), "destroy");
    out->value = (double)work.nanoseconds / (double)count;
    snprintf(out->check, sizeof(out->check), "%" PRIu64, work.check);
    return 0;
}

/* ---- a channel forth and one back ---- */

struct table {
    filch_channel forth, back;
    uint64_t rounds;
};

static int return_each(void *p)
{
    struct table *t = p;
    for (uint64_t i = 0; i < t->rounds; i++) {
        uint64_t number;
        must(filch_channel_receive(&t->forth, &number), "receive");
        number++;
        must(filch_channel_send(&t->back, &number), "send");
    }
    return 0;
}

/* The number grows by one in each round. */
static uint64_t play_ping_pong(uint64_t rounds, unsigned workers)
{
    (void)workers;
    uint64_t forth[1], back[1], number = 0;
    struct table t = {FILCH_CHANNEL(forth), FILCH_CHANNEL(back), rounds};
    filch_handle *returner;
    must(filch_spawn(&returner, return_each, &t), "spawn");
    for (uint64_t i = 0; i < rounds; i++) {
        must(filch_channel_send(&t.forth, &number), "send");
        must(filch_channel_receive(&t.back, &number), "receive");
    }
    must(filch_join(returner, NULL), "join");
    return number;
}

int filch_bench_ping_pong(uint64_t rounds, unsigned workers, struct bench_result *out)
{
    return measure(play_ping_pong, rounds, workers, out);
}

/* ---- a mutex ---- */

struct counter {
    filch_mutex mutex;
    uint64_t value, times;
};

static int add(void *p)
{
    struct counter *c = p;
    uint64_t times = c->times;
    for (uint64_t i = 0; i < times; i++) {
        must(filch_mutex_lock(&c->mutex), "lock");
        c->value++;
        must(filch_mutex_unlock(&c->mutex), "unlock");
    }
    return 0;
}

static uint64_t add_together(uint64_t count, unsigned workers)
{
    (void)workers;
    struct counter c = {FILCH_MUTEX, 0, count / LOCKERS};
    filch_handle *locker[LOCKERS];
    for (int i = 0; i < LOCKERS; i++)
        must(filch_spawn(&locker[i], add, &c), "spawn");
    for (int i = 0; i < LOCKERS; i++)
        must(filch_join(locker[i], NULL), "join");
    return c.value;
}

/* count is a multiple of the lockers. */
int filch_bench_mutex64(uint64_t count, unsigned workers, struct bench_result *out)
{
    return measure(add_together, count, workers, out);
}

static uint64_t add_alone(uint64_t count, unsigned workers)
{
    (void)workers;
    struct counter c = {FILCH_MUTEX, 0, count};
    (void)add(&c);
    return c.value;
}

int filch_bench_mutex_uncontended(uint64_t count, unsigned workers, struct bench_result *out)
{
    return measure(add_alone, count, workers, out);
}

/* ---- a channel of many ---- */

struct sender {
    filch_channel *numbers;
    uint64_t first, count;
    filch_handle *handle;
};

struct receiver {
    filch_channel *numbers;
    uint64_t sum;
    filch_handle *handle;
};

static int send_all(void *p)
{
    const struct sender *s = p;
    for (uint64_t number = s->first; number < s->first + s->count; number++)
        must(filch_channel_send(s->numbers, &number), "send");
    return 0;
}

static int receive_all(void *p)
{
    struct receiver *r = p;
    uint64_t number, sum = 0;
    while (filch_channel_receive(r->numbers, &number) == 0)
        sum += number;
    r->sum = sum;
    return 0;
}

/* The numbers from 1 to count, and the sum of those that were received. */
static uint64_t send_and_receive(uint64_t count, unsigned workers)
{
    (void)workers;
    uint64_t slots[SLOTS], each = count / SENDERS, sum = 0;
    filch_channel numbers = FILCH_CHANNEL(slots);
    struct sender sender[SENDERS];
    struct receiver receiver[SENDERS];
    for (unsigned i = 0; i < SENDERS; i++) {
        sender[i] = (struct sender){&numbers, i * each + 1, each, NULL};
        receiver[i] = (struct receiver){&numbers, 0, NULL};
        must(filch_spawn(&sender[i].handle, send_all, &sender[i]), "spawn");
        must(filch_spawn(&receiver[i].handle, receive_all, &receiver[i]), "spawn");
    }
    for (unsigned i = 0; i < SENDERS; i++)
        must(filch_join(sender[i].handle, NULL), "join");
    must(filch_channel_close(&numbers), "close");
    for (unsigned i = 0; i < SENDERS; i++) {
        must(filch_join(receiver[i].handle, NULL), "join");
        sum += receiver[i].sum;
    }
    return sum;
}

/* count is a multiple of the senders. */
int filch_bench_channel4x4(uint64_t count, unsigned workers, struct bench_result *out)
{
    return measure(send_and_receive, count, workers, out);
}

/* ---- a lock of readers ---- */

struct shared {
    filch_rwlock lock;
    uint64_t value;
};

struct reader {
    struct shared *shared;
    uint64_t times, sum;
    filch_handle *handle;
};

static int read_often(void *p)
{
    struct reader *r = p;
    struct shared *s = r->shared;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < r->times; i++) {
        must(filch_rwlock_read_lock(&s->lock), "read lock");
        sum += s->value;
        must(filch_rwlock_read_unlock(&s->lock), "read unlock");
    }
    r->sum = sum;
    return 0;
}

/* One reader for each worker; the operations of all count. */
static uint64_t read_together(uint64_t count, unsigned workers)
{
    struct shared s = {FILCH_RWLOCK, 1};
    struct reader *reader = calloc(workers, sizeof(*reader));
    uint64_t sum = 0;
    if (reader == NULL)
        bench_fail("readers", 0);
    for (unsigned i = 0; i < workers; i++) {
        reader[i].shared = &s;
        reader[i].times = count * (i + 1) / workers - count * i / workers;
        must(filch_spawn(&reader[i].handle, read_often, &reader[i]), "spawn");
    }
    for (unsigned i = 0; i < workers; i++) {
        must(filch_join(reader[i].handle, NULL), "join");
        sum += reader[i].sum;
    }
    free(reader);
    return sum;
}

int filch_bench_rwlock_read(uint64_t count, unsigned workers, struct bench_result *out)
{
    return measure(read_together, count, workers, out);
}
