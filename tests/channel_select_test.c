/* SPDX-License-Identifier: Apache-2.0 */
/* Channels in selects: with anything else, on both sides; what loses has neither sent nor received. */
#include "tests/channel_check.h"

#include <filch/fd.h>

/* ---- with anything else ---- */

enum { SEND, RECEIVE, JOIN, SLEEP, READ, LOCK, CLOSED, BRANCHES };

/* What each branch waits for: nothing of it is there. */
struct mix {
    filch_channel full, empty, open;
    filch_mutex mutex;
    int fd[2];
    uint32_t go, held;
    pthread_t holder;
    filch_handle *task;
    uint64_t item, got;
    filch_send_future send;
    filch_receive_future receive;
    filch_join_future join;
    filch_sleep_future sleep;
    filch_fd_future read;
    filch_lock_future lock;
    filch_channel_closed_future closed;
    filch_future *branches[BRANCHES];
};

static void *hold(void *mix)
{
    struct mix *m = mix;
    CHECK(filch_mutex_lock(&m->mutex) == 0);
    raise_flag(&m->held);
    SPIN_UNTIL(flag_up(&m->go));
    CHECK(filch_mutex_unlock(&m->mutex) == 0);
    return NULL;
}

/* capacity: of those to send to and to receive from. */
static void mix_open(struct mix *m, filch_runtime *rt, size_t capacity, int winner)
{
    *m = (struct mix){.mutex = FILCH_MUTEX, .item = 7};
    channel_open(&m->full, sizeof m->item, capacity, NULL);
    channel_open(&m->empty, sizeof m->item, capacity, NULL);
    channel_open(&m->open, sizeof m->item, 1, NULL);
    for (uint64_t i = 0; i < capacity; i++)
        put(&m->full, i);
    REQUIRE(pipe(m->fd) == 0);
    m->holder = thread_start(hold, m);
    SPIN_UNTIL(flag_up(&m->held));
    spawn_on(rt, &m->task, wait_for_flag, &m->go);
    int64_t when = winner == SLEEP ? filch_now() + 100000 : FILCH_NEVER;
    m->send = (filch_send_future)FILCH_SEND_FUTURE(&m->full, &m->item);
    m->receive = (filch_receive_future)FILCH_RECEIVE_FUTURE(&m->empty, &m->got);
    m->join = (filch_join_future)FILCH_JOIN_FUTURE(m->task);
    m->sleep = (filch_sleep_future)FILCH_SLEEP_FUTURE(when);
    m->read = (filch_fd_future)FILCH_FD_FUTURE(m->fd[0], FILCH_READABLE);
    m->lock = (filch_lock_future)FILCH_LOCK_FUTURE(&m->mutex);
    m->closed = (filch_channel_closed_future)FILCH_CHANNEL_CLOSED_FUTURE(&m->open);
    filch_future *const branches[] = {&m->send.future,  &m->receive.future, &m->join.future,
                                      &m->sleep.future, &m->read.future,    &m->lock.future,
                                      &m->closed.future};
    memcpy(m->branches, branches, sizeof branches);
}

struct act {
    struct mix *mix;
    int winner;
    uint64_t random;
};

/* Makes that branch ready. */
static void *act(void *arg)
{
    struct act *a = arg;
    struct mix *m = a->mix;
    uint64_t item = 9;
    pause_a_little(&a->random);
    switch (a->winner) {
    case SEND:
        CHECK(filch_channel_receive(&m->full, &item) == 0);
        CHECK(item == (m->full.rendezvous ? 7 : 0));
        break;
    case RECEIVE:
        CHECK(filch_channel_send(&m->empty, &item) == 0);
        break;
    case READ:
        CHECK(write(m->fd[1], "x", 1) == 1);
        break;
    case CLOSED:
        CHECK(filch_channel_close_receiving(&m->open) == 0);
        break;
    case SLEEP:
        break;
    default: /* a task ends, and the mutex is free */
        raise_flag(&m->go);
    }
    return NULL;
}

static void mix_close(struct mix *m, int winner)
{
    uint64_t item, n = m->full.rendezvous ? 0 : m->full.items.room;
    filch_future_drop_all(m->branches, BRANCHES);
    raise_flag(&m->go);
    thread_join(m->holder);
    CHECK((m->got == 9) == (winner == RECEIVE));
    CHECK(filch_channel_length(&m->full) == n && filch_channel_length(&m->empty) == 0);
    for (uint64_t i = winner == SEND; i < n; i++)
        CHECK(take(&m->full) == i);
    CHECK(winner != SEND || n == 0 || take(&m->full) == 7);
    CHECK(filch_channel_try_receive(&m->full, &item) == -EAGAIN);
    channel_end(&m->full);
    channel_end(&m->empty);
    channel_end(&m->open);
    close(m->fd[0]);
    close(m->fd[1]);
}

static int select_any(void *rt)
{
    static struct mix m;
    uint64_t random = test_seed();
    for (long i = 0; i < sized(3, 20, 500); i++)
        for (int winner = 0; winner < BRANCHES; winner++) {
            mix_open(&m, rt, test_random(&random, 3), winner);
            struct act a = {&m, winner, random};
            pthread_t thread = thread_start(act, &a);
            int won = filch_select(m.branches, BRANCHES);
            bool either = winner == JOIN || winner == LOCK;
            CHECK(either ? won == JOIN || won == LOCK : won == winner);
            CHECK(won < 0 || m.branches[won]->result >= 0);
            thread_join(thread);
            if (won != JOIN) {
                CHECK(filch_future_drop(&m.join.future) == 0);
                raise_flag(&m.go);
                CHECK(join(m.task) == 0);
            }
            if (won == LOCK)
                CHECK(filch_mutex_unlock(&m.mutex) == 0);
            mix_close(&m, winner);
        }
    return 0;
}

static void any_branch_wins(void)
{
    everywhere(select_any);
}

/* ---- one item, two channels ---- */

struct ways {
    filch_channel c[2];
    struct balance balance;
    filch_runtime *rt;
    uint32_t stop, ended;
    uint32_t won[2];
    long each;
};

static uint32_t seeds;

/* The same item to either: sent once. */
static int send_to_either(void *ways)
{
    struct ways *w = ways;
    for (long i = 0; i < w->each; i++) {
        uint64_t item = number_of((uint64_t)filch__add_acq_rel(&seeds, 1u));
        filch_send_future a = FILCH_SEND_FUTURE(&w->c[0], &item);
        filch_send_future b = FILCH_SEND_FUTURE(&w->c[1], &item);
        filch_future *either[] = {&a.future, &b.future};
        int won = filch_select(either, 2);
        CHECK(won >= 0 && either[won]->result == 0);
        filch_future_drop_all(either, 2);
        count_sent(&w->balance, item);
    }
    tally(&w->ended);
    return 0;
}

/* From both, until both are closed. */
static int receive_from_either(void *ways)
{
    struct ways *w = ways;
    uint64_t item[2] = {0, 0};
    bool open[2] = {true, true};
    filch_receive_future f[2];
    filch_future *either[2] = {NULL, NULL};
    while (open[0] || open[1]) {
        for (int i = 0; i < 2; i++)
            if (open[i] && !either[i]) {
                f[i] = (filch_receive_future)FILCH_RECEIVE_FUTURE(&w->c[i], &item[i]);
                either[i] = &f[i].future;
            }
        int won = filch_select(either, 2);
        REQUIRE(won >= 0);
        int rc = either[won]->result;
        CHECK(rc == 0 || rc == -EPIPE);
        either[won] = NULL;
        open[won] = rc == 0;
        if (rc == 0) {
            count_came(&w->balance, item[won]);
            tally(&w->won[won]);
        }
    }
    tally(&w->ended);
    return 0;
}

static void *send_on_thread(void *ways)
{
    (void)send_to_either(ways);
    return NULL;
}

static void *receive_on_thread(void *ways)
{
    (void)receive_from_either(ways);
    return NULL;
}

/* Both sides in selects, also of a rendezvous. */
static void both_sides_of(size_t capacity, int workers, int receivers)
{
    enum { SENDERS = 3 };
    struct ways w = {.rt = runtime_open(workers), .each = sized(200, 2000, 40000)};
    pthread_t thread[2];
    for (int i = 0; i < 2; i++)
        channel_open(&w.c[i], sizeof(uint64_t), capacity, NULL);
    for (int i = 0; i < SENDERS; i++)
        spawn_on(w.rt, NULL, send_to_either, &w);
    for (int i = 0; i < receivers; i++)
        spawn_on(w.rt, NULL, receive_from_either, &w);
    thread[0] = thread_start(send_on_thread, &w);
    thread[1] = thread_start(receive_on_thread, &w);
    thread_join(thread[0]);
    SPIN_UNTIL(filch__load_acquire(&w.ended) >= SENDERS + 1);
    for (int i = 0; i < 2; i++)
        CHECK(filch_channel_close(&w.c[i]) == 0);
    thread_join(thread[1]);
    drain(w.rt);
    CHECK(is_balanced(&w.balance) && w.balance.sent == (uint64_t)w.each * (SENDERS + 1));
    CHECK(w.won[0] > 0 && w.won[1] > 0);
    for (int i = 0; i < 2; i++)
        channel_end(&w.c[i]);
    runtime_close(w.rt);
}

static void both_sides(void)
{
    for (size_t k = 0; k < COUNT(capacities); k++)
        for (size_t i = 0; i < COUNT(worker_counts); i++)
            both_sides_of(capacities[k], worker_counts[i], 1 + (int)k % 2 * 2);
}

/* ---- fairness ---- */

/* Of branches that are always ready each wins its share. */
static int share_out(void *rt)
{
    (void)rt;
    enum { N = 4, EACH = 2000 };
    filch_channel c[N];
    uint32_t won[N] = {0};
    uint64_t item;
    for (int i = 0; i < N; i++)
        channel_open(&c[i], sizeof item, 2, NULL);
    for (int k = 0; k < N * EACH; k++) {
        filch_receive_future f[N];
        filch_future *any[N];
        for (int i = 0; i < N; i++) {
            f[i] = (filch_receive_future)FILCH_RECEIVE_FUTURE(&c[i], &item);
            any[i] = &f[i].future;
            if (filch_channel_length(&c[i]) == 0)
                put(&c[i], (uint64_t)i);
        }
        int first = filch_select(any, N);
        REQUIRE(first >= 0);
        CHECK(f[first].future.result == 0 && item == (uint64_t)first);
        won[first]++;
        filch_future_drop_all(any, N);
    }
    for (int i = 0; i < N; i++) { /* 10 times what is to be expected of chance */
        CHECK(won[i] > EACH - 400 && won[i] < EACH + 400);
        CHECK(filch_channel_length(&c[i]) <= 1);
        (void)filch_channel_close_receiving(&c[i]);
        channel_end(&c[i]);
    }
    return 0;
}

static void each_its_share(void)
{
    everywhere(share_out);
}

int main(void)
{
    RUN(any_branch_wins);
    RUN(both_sides);
    RUN(each_its_share);
    return summary();
}
