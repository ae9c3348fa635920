/* SPDX-License-Identifier: Apache-2.0 */
/* Channels: waits that end early, at the very moment that they are served. Each item comes once, or
 * is still its sender's. */
#include "tests/channel_check.h"

#include <filch/shield.h>

/* What the tasks of a case share. */
struct arena {
    filch_channel channel;
    filch_runtime *rt;
    struct balance balance;
    uint64_t next, random;
    uint32_t waiting, stop, got, missed;
};

static uint64_t fresh(struct arena *a)
{
    return number_of(filch__add_acq_rel(&a->next, UINT64_C(1)));
}

/* On runtimes of each size, with a channel of each kind: in a task, and on a thread. */
static void on_each(filch_fn *in_task, filch_fn *on_thread)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++)
        for (size_t k = 0; k < COUNT(capacities); k++) {
            filch_runtime *rt = runtime_open(worker_counts[w]);
            struct arena a = {.rt = rt, .random = test_seed() + w * 8 + k};
            channel_open(&a.channel, sizeof(uint64_t), capacities[k], NULL);
            CHECK(!in_task || filch_run(rt, in_task, &a) == 0);
            CHECK(!on_thread || on_thread(&a) == 0);
            drain(rt);
            CHECK(filch_channel_length(&a.channel) == 0 && is_balanced(&a.balance));
            channel_end(&a.channel);
            runtime_close(rt);
        }
}

/* ---- cancels ---- */

static int send_once(void *arena)
{
    struct arena *a = arena;
    uint64_t item = fresh(a), same = item;
    tally(&a->waiting);
    int rc = filch_channel_send(&a->channel, &item);
    CHECK(item == same);
    if (rc == 0)
        count_sent(&a->balance, item);
    return rc;
}

static int send_once_by_future(void *arena)
{
    struct arena *a = arena;
    uint64_t item = fresh(a);
    filch_send_future f = FILCH_SEND_FUTURE(&a->channel, &item);
    tally(&a->waiting);
    int rc = filch_await(&f.future);
    if (rc == 0)
        count_sent(&a->balance, item);
    return rc;
}

static int receive_once(void *arena)
{
    struct arena *a = arena;
    uint64_t item = 0;
    tally(&a->waiting);
    int rc = filch_channel_receive(&a->channel, &item);
    CHECK((rc == 0) == (item != 0));
    if (rc == 0)
        count_came(&a->balance, item);
    return rc;
}

static int receive_once_by_future(void *arena)
{
    struct arena *a = arena;
    uint64_t item = 0;
    filch_receive_future f = FILCH_RECEIVE_FUTURE(&a->channel, &item);
    tally(&a->waiting);
    int rc = filch_await(&f.future);
    CHECK((rc == 0) == (item != 0));
    if (rc == 0)
        count_came(&a->balance, item);
    return rc;
}

static filch_fn *const sends[] = {send_once, send_once_by_future};
static filch_fn *const receives[] = {receive_once, receive_once_by_future};

static void put_one(struct arena *a)
{
    uint64_t item = fresh(a);
    if (filch_channel_try_send(&a->channel, &item) == 0)
        count_sent(&a->balance, item);
}

static bool take_one(struct arena *a)
{
    uint64_t item;
    if (filch_channel_try_receive(&a->channel, &item) < 0)
        return false;
    count_came(&a->balance, item);
    return true;
}

struct cancel {
    filch_scope *scope; /* NULL: the task alone */
    filch_handle *h;
};

static int cancel(void *arg)
{
    struct cancel *c = arg;
    return c->scope ? filch_scope_cancel(c->scope, 0) : filch_abort(c->h);
}

/* As take_one; in a rendezvous it waits a little, for a future that sends meets nobody else. */
static bool meet_one(struct arena *a)
{
    uint64_t item;
    filch_receive_future f = FILCH_RECEIVE_FUTURE(&a->channel, &item);
    if (take_one(a))
        return true;
    if (!a->channel.rendezvous || filch_await_until(&f.future, filch_now() + 20000) < 0)
        return false;
    count_came(&a->balance, item);
    return true;
}

/* Whoever was not cancelled: there is something for all. kind: as below. The caller may be
 * cancelled. */
static void come_through(struct arena *a, filch_handle *h[], int n, uint32_t kind)
{
    filch_shield shield;
    CHECK(filch_shield_begin(&shield, 0) == 0);
    for (int i = 0; i < n; i++)
        while (!filch_finished(h[i])) {
            if (kind > 0)
                put_one(a);
            CHECK(filch_yield() == 0);
            if (kind != 1)
                (void)meet_one(a);
        }
    CHECK(filch_shield_end(&shield) == 0);
}

/* Some wait, to send (kind 0), to receive (1) or either (2); cancels of them meet what they wait for: by the caller, before
 * it or after it, or by somebody else. */
static void cancel_at_the_grant(struct arena *a)
{
    enum { WAITERS = 3 };
    filch_handle *h[WAITERS], *canceller = NULL;
    filch_scope s;
    uint32_t order = test_random(&a->random, 4), whole = test_random(&a->random, 2);
    uint32_t kind = test_random(&a->random, 3);
    filch__store_release(&a->waiting, 0u);
    for (uint32_t i = test_random(&a->random, 5); kind == 0 && i > 0; i--)
        put_one(a);
    REQUIRE(filch_scope_open(
                &s, &(filch_scope_options){.policy = FILCH_SUPERVISE, .runtime = a->rt}) == 0);
    for (int i = 0; i < WAITERS; i++) {
        filch_fn *const *fn = (kind == 2 ? test_random(&a->random, 2) : kind) ? receives : sends;
        CHECK(filch_scope_spawn(&s, &h[i], fn[test_random(&a->random, 2)], a) == 0);
    }
    struct cancel c = {whole ? &s : NULL, h[test_random(&a->random, WAITERS)]};
    while (order && filch__load_acquire(&a->waiting) < WAITERS)
        CHECK(filch_yield() == 0);
    if (order == 2)
        CHECK(filch_scope_spawn(&s, &canceller, cancel, &c) == 0);
    if (order == 3)
        CHECK(cancel(&c) == 0);
    pause_a_little(&a->random);
    if (kind == 0)
        (void)take_one(a);
    else
        put_one(a);
    if (order < 2)
        CHECK(cancel(&c) == 0);
    come_through(a, h, WAITERS, kind);
    (void)filch_scope_close(&s);
    CHECK(!canceller || join(canceller) == 0 || whole);
    for (int i = 0; i < WAITERS; i++) {
        int rc = join(h[i]);
        CHECK(rc == 0 || (rc == -ECANCELED && (whole || h[i] == c.h)));
        tally(rc == 0 ? &a->got : &a->missed);
    }
    while (take_one(a))
        ;
    CHECK(is_balanced(&a->balance));
}

static int cancel_often(void *arena)
{
    for (long i = 0; i < sized(30, 1000, 10000) && !filch__load_relaxed(&case_bad); i++)
        cancel_at_the_grant(arena);
    return 0;
}

static void cancels_at_the_grant(void)
{
    on_each(cancel_often, cancel_often);
}

static int wait_cancelled(void *arena)
{
    struct arena *a = arena;
    uint64_t item = 1;
    filch_send_future send = FILCH_SEND_FUTURE(&a->channel, &item);
    filch_receive_future receive = FILCH_RECEIVE_FUTURE(&a->channel, &item);
    SPIN_UNTIL(filch_cancelled());
    CHECK(filch_channel_send(&a->channel, &item) == -ECANCELED);
    CHECK(filch_channel_receive(&a->channel, &item) == -ECANCELED);
    CHECK(filch_channel_send(NULL, &item) == -EINVAL);
    CHECK(filch_channel_receive(NULL, &item) == -EINVAL);
    CHECK(filch_await(&send.future) == -ECANCELED && filch_await(&receive.future) == -ECANCELED);
    CHECK(filch_channel_length(&a->channel) == 0);
    return 0;
}

static int cancel_first(void *arena)
{
    struct arena *a = arena;
    filch_handle *h;
    spawn_on(a->rt, &h, wait_cancelled, a);
    SPIN_UNTIL(totals_of(a->rt).tasks_live > 0);
    CHECK(filch_abort(h) == 0);
    int rc = join(h);
    CHECK(rc == 0 || rc == -ECANCELED);
    return 0;
}

static void cancelled_before(void)
{
    on_each(NULL, cancel_first);
}

/* ---- deadlines, selects, drops ---- */

/* Once, for a very short time. */
static int try_somehow(struct arena *a, uint64_t *random, bool task)
{
    filch_channel *c = &a->channel;
    bool sends_it = test_random(random, 2);
    int64_t soon = filch_now() + test_random(random, 20000);
    uint64_t item = sends_it ? fresh(a) : 0, two = 0;
    filch_send_future send = FILCH_SEND_FUTURE(c, &item);
    filch_receive_future receive = FILCH_RECEIVE_FUTURE(c, &item);
    filch_receive_future other = FILCH_RECEIVE_FUTURE(c, &two);
    filch_sleep_future pause = FILCH_SLEEP_FUTURE(soon);
    filch_future *f = sends_it ? &send.future : &receive.future;
    filch_future *either[] = {f, &pause.future, &other.future};
    filch_scope s;
    int rc;
    switch (test_random(random, 5)) {
    case 0: /* a thread would wait for ever */
        if (!task)
            return -ETIMEDOUT;
        REQUIRE(filch_scope_open(&s, &(filch_scope_options){.deadline = soon}) == 0);
        rc = sends_it ? filch_channel_send(c, &item) : filch_channel_receive(c, &item);
        (void)filch_scope_close(&s);
        break;
    case 1:
        rc = filch_await_until(f, soon);
        break;
    case 2:
        rc = filch_select(either, 2);
        rc = rc == 0 ? f->result : -ETIMEDOUT;
        filch_future_drop_all(either, 2);
        break;
    case 3: /* which may meet itself */
        rc = filch_select(either, 3);
        if (rc == 2 && other.future.result == 0)
            count_came(&a->balance, two);
        else
            CHECK(two == 0);
        rc = rc == 0 ? f->result : -ETIMEDOUT;
        filch_future_drop_all(either, 3);
        break;
    default:
        rc = filch_poll(f, NULL);
        pause_a_little(random);
        CHECK(filch_future_drop(f) == 0);
    }
    if (rc == 0 && sends_it)
        count_sent(&a->balance, item);
    else if (rc == 0)
        count_came(&a->balance, item);
    return rc;
}

static void try_again_and_again(struct arena *a, bool task)
{
    uint64_t random = test_seed() + filch__add_acq_rel(&a->waiting, 1u);
    while (!flag_up(&a->stop)) {
        int rc = try_somehow(a, &random, task);
        CHECK(rc == 0 || rc == -ETIMEDOUT || rc == -ECANCELED || rc == FILCH_PENDING);
        tally(rc == 0 ? &a->got : &a->missed);
        if (test_random(&random, 16) == 0)
            CHECK(filch_yield() == 0);
    }
}

static int try_in_task(void *arena)
{
    try_again_and_again(arena, true);
    return 0;
}

static void *try_on_thread(void *arena)
{
    try_again_and_again(arena, false);
    return NULL;
}

static int try_on(void *arena)
{
    struct arena *a = arena;
    enum { TASKS = 6, THREADS = 2 };
    uint32_t enough = (uint32_t)sized(500, 8000, 70000);
    pthread_t threads[THREADS];
    for (int i = 0; i < TASKS; i++)
        spawn_on(a->rt, NULL, try_in_task, a);
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(try_on_thread, a);
    SPIN_UNTIL(filch__load_acquire(&a->got) > enough && filch__load_acquire(&a->missed) > enough);
    raise_flag(&a->stop);
    for (int i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    drain(a->rt);
    while (take_one(a))
        ;
    return 0;
}

static void timeouts_and_selects_at_the_grant(void)
{
    on_each(NULL, try_on);
}

/* ---- the runtime's end ---- */

/* While tasks wait; somebody comes meanwhile. */
static void the_runtime_ends(void)
{
    enum { TASKS = 12 };
    uint64_t random = test_seed();
    for (long i = 0; i < sized(30, 300, 3000); i++) {
        struct arena a = {.rt = runtime_open(worker_counts[i % 3]), .random = random};
        filch_handle *h[TASKS];
        channel_open(&a.channel, sizeof(uint64_t), capacities[i % 5], NULL);
        filch_fn *const *fn = test_random(&random, 2) ? sends : receives;
        for (int k = 0; k < TASKS; k++)
            spawn_on(a.rt, &h[k], fn[k % 2], &a);
        if (i % 4)
            SPIN_UNTIL(filch__load_acquire(&a.waiting) == TASKS);
        for (uint32_t k = test_random(&random, TASKS); k > 0; k--)
            if (fn == receives)
                put_one(&a);
            else
                (void)take_one(&a);
        runtime_close(a.rt);
        for (int k = 0; k < TASKS; k++) {
            int rc = join(h[k]);
            CHECK(rc == -ECANCELED || rc == 0);
        }
        while (take_one(&a))
            ;
        CHECK(is_balanced(&a.balance));
        channel_end(&a.channel);
    }
}

int main(void)
{
    RUN(cancels_at_the_grant);
    RUN(cancelled_before);
    RUN(timeouts_and_selects_at_the_grant);
    RUN(the_runtime_ends);
    return summary();
}
