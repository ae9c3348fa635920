/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Storms: calls that enter and leave regions at random while they are cancelled at random. None but
 * the cancelled is ever interrupted, and that only inside of its regions; each starts at most once,
 * and what borrowed is not touched after the end.
 */
#include "tests/blocking_check.h"

#include <sys/eventfd.h>

/* ---- regions and signals ---- */

struct storm_call {
    uint64_t random;  /* of fn */
    uint32_t doomed;  /* somebody is about to cancel it */
    uint32_t running; /* fn is between its start and its end */
    uint32_t runs;
    uint32_t regions, interruptions;
    int fd; /* never readable for long */
};

static uint32_t storm_interruptions;

/* A short system call. 0, or the error. */
static int short_call(struct storm_call *c)
{
    const struct timespec pause = {.tv_nsec = test_random(&c->random, 60000)};
    uint64_t count = 1;
    if (test_random(&c->random, 2))
        return nanosleep(&pause, NULL) == 0 ? 0 : -errno;
    bool good = write(c->fd, &count, sizeof count) == sizeof count &&
                read(c->fd, &count, sizeof count) == sizeof count;
    return good ? 0 : -errno;
}

static void compute(struct storm_call *c)
{
    for (uint32_t left = test_random(&c->random, 2000); left > 0; left--)
        filch__fence_compiler();
}

/* Some system calls in a region, perhaps one that does not end by itself. */
static void enter_region(struct storm_call *c)
{
    int rc = filch_interruptible_begin();
    CHECK(rc == 0 || (rc == -ECANCELED && flag_up(&c->doomed)));
    if (rc < 0)
        return;
    c->regions++;
    uint64_t count;
    bool forever = flag_up(&c->doomed) && test_random(&c->random, 2);
    for (uint32_t left = test_random(&c->random, 4); left > 0 && rc == 0; left--)
        rc = short_call(c);
    if (forever && rc == 0)
        rc = read(c->fd, &count, sizeof count) == sizeof count ? 0 : -errno;
    CHECK(rc == 0 || (rc == -EINTR && flag_up(&c->doomed)));
    CHECK(!forever || rc == -EINTR);
    c->interruptions += rc != 0;
    if (test_random(&c->random, 8))
        filch_interruptible_end(); /* else the next begin, or the end of fn */
}

static int storm_run(void *arg)
{
    struct storm_call *c = arg;
    c->runs++;
    raise_flag(&c->running);
    for (uint32_t left = 1 + test_random(&c->random, 6); left > 0; left--) {
        enter_region(c);
        filch_interruptible_end();
        compute(c);
        if (test_random(&c->random, 3) == 0)
            CHECK(short_call(c) == 0); /* outside */
    }
    if (test_random(&c->random, 4) == 0)
        enter_region(c);
    filch__store_release(&c->running, 0);
    return 5;
}

static int storm_doomed(void *arg)
{
    struct storm_call *c = arg;
    int rc = filch_blocking(storm_run, c);
    CHECK(!flag_up(&c->running) && c->runs <= 1);
    CHECK(rc == 5 ? c->runs == 1 : rc == -ECANCELED && c->runs == 0 && flag_up(&c->doomed));
    return 0;
}

/* One by one, each in the same memory as the one before: a signal too late meets the next. */
static void storm_one(struct storm_call *c, filch_runtime *rt, uint64_t *random)
{
    c->runs = c->regions = c->interruptions = 0;
    bool doomed = test_random(random, 3) == 0;
    filch__store_release(&c->doomed, doomed);
    int kind = (int)test_random(random, 3);
    uint32_t pause = test_random(random, 3000);
    filch_blocking_future b = FILCH_BLOCKING_FUTURE(storm_run, c);
    filch_handle *h;
    if (kind == 0) {
        REQUIRE(filch_spawn_future(&h, &b.future, sizeof b) == 0);
    } else if (kind == 1) {
        spawn_on(rt, &h, storm_doomed, c);
    } else {
        CHECK(filch_poll(&b.future, NULL) == FILCH_PENDING);
    }
    for (; doomed && pause > 0; pause--)
        filch__fence_compiler();
    if (doomed && test_random(random, 2))
        CHECK(filch_yield() == 0);
    if (kind == 2) {
        if (doomed)
            CHECK(filch_future_drop(&b.future) == 0);
        else
            CHECK(filch_await(&b.future) == 5);
        CHECK(c->runs == (uint32_t)b.started && (!b.started || b.future.result == 5));
    } else {
        if (doomed)
            CHECK(filch_abort(h) == 0);
        int result = join(h);
        CHECK(kind == 1 || result == 5 || (doomed && result == -ECANCELED));
    }
    CHECK(!flag_up(&c->running) && c->runs <= 1 && (doomed || c->runs == 1));
    CHECK(doomed || c->interruptions == 0);
    filch__add_acq_rel(&storm_interruptions, c->interruptions);
}

struct stormer {
    struct storm_call call;
    uint64_t random;
    filch_runtime *rt;
    long rounds;
};

static int storm_on(void *arg)
{
    struct stormer *s = arg;
    for (long i = 0; i < s->rounds; i++)
        storm_one(&s->call, s->rt, &s->random);
    return 0;
}

static void storm_with(int workers, int threads, uint64_t seed)
{
    enum { STORMERS = 12 };
    filch_runtime *rt = runtime_bounded(workers, threads);
    struct stormer s[STORMERS];
    filch_handle *h[STORMERS];
    for (int i = 0; i < STORMERS; i++) {
        s[i] = (struct stormer){.rt = rt, .rounds = sized(150, 700, 3000)};
        s[i].random = seed + (uint64_t)i * 977;
        s[i].call.random = s[i].random * 3;
        s[i].call.fd = eventfd(0, EFD_CLOEXEC);
        REQUIRE(s[i].call.fd >= 0);
        spawn_on(rt, &h[i], storm_on, &s[i]);
    }
    for (int i = 0; i < STORMERS; i++) {
        CHECK(join(h[i]) == 0);
        close(s[i].call.fd);
    }
    runtime_close(rt);
}

/* Until a call was interrupted in its region: on one CPU most are aborted before or after. */
static void storm(void)
{
    filch__store_relaxed(&storm_interruptions, 0u);
    do
        for (size_t w = 0; w < COUNT(worker_counts); w++)
            storm_with(worker_counts[w], 4 + (int)w * 2, test_seed() + w);
    while (filch__load_acquire(&storm_interruptions) == 0);
}

/* ---- the end of a runtime in the storm ---- */

static int storm_until_the_end(void *arg)
{
    struct storm_call *c = arg;
    int rc = 5;
    while (rc == 5) {
        c->runs = 0;
        rc = filch_blocking(storm_run, c);
        CHECK(!flag_up(&c->running));
        CHECK(rc == 5 ? c->runs == 1 : rc == -ECANCELED && c->runs == 0);
        filch_blocking_future b = FILCH_BLOCKING_FUTURE(storm_run, c);
        c->runs = 0;
        int awaited = filch_await(&b.future);
        CHECK(awaited == 5 || awaited == -ECANCELED);
        CHECK(c->runs == (uint32_t)b.started && !flag_up(&c->running));
    }
    return rc;
}

static void destroyed_in_the_storm(void)
{
    enum { TASKS = 10 };
    uint64_t random = test_seed();
    for (int i = 0; i < sized(20, 100, 600); i++) {
        filch_runtime *rt = runtime_bounded(worker_counts[i % 3], 1 + i % 5);
        struct storm_call c[TASKS];
        for (int k = 0; k < TASKS; k++) {
            c[k] = (struct storm_call){.random = random + (uint64_t)k, .doomed = 1};
            c[k].fd = eventfd(0, EFD_CLOEXEC);
            spawn_on(rt, NULL, storm_until_the_end, &c[k]);
        }
        for (uint32_t left = test_random(&random, 200); left > 0; left--)
            sched_yield();
        runtime_close(rt);
        for (int k = 0; k < TASKS; k++) {
            CHECK(!flag_up(&c[k].running));
            close(c[k].fd);
        }
    }
}

/* ---- ends against polls and drops ---- */

/* A waker of the user's, on whom nobody may call when the future has ended. */
struct bell {
    uint32_t rung, dead;
};

static void ring(void *data)
{
    struct bell *bell = data;
    CHECK(!flag_up(&bell->dead));
    tally(&bell->rung);
}

static void keep(void *data)
{
    (void)data;
}

static filch_waker same(void *data);
static const filch_waker_ops bell_ops = {ring, same, keep};

static filch_waker same(void *data)
{
    return (filch_waker){&bell_ops, data};
}

static int spin_a_little(void *arg)
{
    uint32_t n = *(uint32_t *)arg;
    for (; n > 0; n--)
        filch__fence_compiler();
    return 6;
}

/* Looks, with one waker or the other, until it is ready or enough. */
static void poll_and_drop(uint64_t *random)
{
    struct bell bells[2] = {{0}};
    filch_waker wakers[2] = {{&bell_ops, &bells[0]}, {&bell_ops, &bells[1]}};
    uint32_t n = test_random(random, 3000), last = 0;
    filch_blocking_future b = FILCH_BLOCKING_FUTURE(spin_a_little, &n);
    int rc = FILCH_PENDING;
    for (uint32_t looks = test_random(random, 20); looks > 0 && rc == FILCH_PENDING; looks--) {
        last = test_random(random, 2);
        rc = filch_poll(&b.future, &wakers[last]);
        for (uint32_t left = test_random(random, 1000); left > 0; left--)
            filch__fence_compiler();
    }
    if (rc == FILCH_PENDING && test_random(random, 2) && filch__load_relaxed(&b.future.state)) {
        SPIN_UNTIL(flag_up(&bells[last].rung));
        rc = filch_poll(&b.future, &wakers[last]);
        CHECK(rc == 6);
    }
    CHECK(rc == 6 || rc == FILCH_PENDING);
    CHECK(filch_future_drop(&b.future) == 0);
    CHECK(!b.started || b.future.result == 6);
    raise_flag(&bells[0].dead);
    raise_flag(&bells[1].dead);
    CHECK(bells[0].rung + bells[1].rung <= 1);
}

static int poll_and_drop_task(void *arg)
{
    uint64_t random = test_seed() + (uintptr_t)arg;
    for (long i = sized(500, 2500, 12000); i > 0; i--)
        poll_and_drop(&random);
    return 0;
}

static void *poll_and_drop_thread(void *arg)
{
    (void)poll_and_drop_task(arg);
    return NULL;
}

static void polled_and_dropped(void)
{
    filch_runtime *rt = runtime_bounded(2, 3);
    pthread_t threads[2];
    filch_handle *tasks[2];
    for (int i = 0; i < 2; i++) {
        threads[i] = thread_start(poll_and_drop_thread, (void *)(intptr_t)(i + 1));
        spawn_on(rt, &tasks[i], poll_and_drop_task, (void *)(intptr_t)(i + 3));
    }
    for (int i = 0; i < 2; i++) {
        thread_join(threads[i]);
        CHECK(join(tasks[i]) == 0);
    }
    runtime_close(rt);
}

/* ---- threads that end against jobs that come ---- */

static int call_and_pause(void *arg)
{
    struct stormer *s = arg;
    for (long i = 0; i < s->rounds; i++) {
        uint32_t n = test_random(&s->random, 300);
        CHECK(filch_blocking(spin_a_little, &n) == 6);
        for (n = test_random(&s->random, 30000); n > 0; n--)
            filch__fence_compiler();
    }
    return 0;
}

static void threads_end_while_jobs_come(void)
{
    for (int round = 0; round < 3; round++) {
        filch_runtime *rt = runtime_bounded(2, 3);
        struct stormer s[4];
        filch_handle *h[4];
        s[0] = (struct stormer){.rounds = 1};
        CHECK(filch_run(rt, call_and_pause, &s[0]) == 0);
        filch__pool_lock(rt->pools[FILCH__POOL_BLOCKING]);
        rt->pools[FILCH__POOL_BLOCKING]->patience = round * 20000;
        filch__pool_unlock(rt->pools[FILCH__POOL_BLOCKING]);
        for (int i = 0; i < 4; i++) {
            s[i] = (struct stormer){.rounds = sized(200, 1500, 6000)};
            s[i].random = test_seed() + (uint64_t)i;
            spawn_on(rt, &h[i], call_and_pause, &s[i]);
        }
        for (int i = 0; i < 4; i++)
            CHECK(join(h[i]) == 0);
        CHECK(pool_threads(rt) <= 3);
        runtime_close(rt);
    }
}

int main(void)
{
    run_case_within(120, "storm", storm);
    run_case_within(120, "destroyed_in_the_storm", destroyed_in_the_storm);
    run_case_within(120, "polled_and_dropped", polled_and_dropped);
    run_case_within(120, "threads_end_while_jobs_come", threads_end_while_jobs_come);
    return summary();
}
