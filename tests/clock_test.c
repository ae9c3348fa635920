/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that fires timers: it comes with the first, once, sleeps without a timeout where there
 * is nothing to fire, is woken by what is earlier and by nothing else, and goes with the runtime.
 */
#define _GNU_SOURCE 1
#include "sched/os/fault.h"
#include "sched/os/memory.h"
#include "tests/alarm.h"
#include "tests/threads.h"

#include <sys/wait.h>

static void await_sleep(filch_runtime *rt, int64_t until)
{
    SPIN_UNTIL(filch__load_acquire(&rt->clock->sleeps_until) == until);
}

/* In ns: the time of a tick at or after t, as the clock sees it. */
static int64_t tick_after(int64_t t)
{
    int64_t tick = INT64_C(1) << FILCH__WHEEL_TICK_SHIFT;
    return (t + tick - 1) & -tick;
}

static void sleeps(filch_runtime *rt, int workers)
{
    (void)workers;
    struct filch__clock *clock = rt->clock;
    await_sleep(rt, FILCH_NEVER); /* no timer, no timeout */
    struct alarm late = {0}, later = {0}, soon = {0};
    int64_t hour = filch__now() + HOUR;
    arm_at(&late, rt, hour);
    await_sleep(rt, tick_after(hour));
    uint32_t bell = filch__load_acquire(&clock->bell);
    arm_at(&later, rt, hour + HOUR);
    CHECK(filch__load_acquire(&clock->bell) == bell); /* not woken */
    arm_at(&soon, rt, filch__now() + MS);
    CHECK(filch__load_acquire(&clock->bell) == bell + 1);
    await_fire(&soon);
    CHECK(filch__timer_disarm(&late.timer) && filch__timer_disarm(&later.timer));
    CHECK(late.fired == 0 && later.fired == 0 && soon.fired == 1);
}

static void sleeps_and_wakes(void)
{
    on_each_size(sleeps);
}

static void pause_below(uint64_t *random, uint32_t n)
{
    for (uint32_t left = test_random(random, n); left > 0; left--)
        filch__fence_compiler();
}

/* The waiter goes on, and arms, while the clock is on its way to sleep. */
static void report_and_linger(void *alarm)
{
    struct alarm *a = alarm;
    static uint64_t random; /* one clock at a time */
    filch__store_release(&a->after, 1u);
    pause_below(&random, 500);
}

/* So many times the clock goes to sleep while somebody arms. */
static void wakes(filch_runtime *rt, int workers)
{
    (void)workers;
    uint64_t random = test_seed();
    for (long i = sized(10000, 30000, 100000); i > 0; i--) {
        struct alarm a = {.later = report_and_linger};
        if (i % 8 == 0)
            await_sleep(rt, FILCH_NEVER);
        pause_below(&random, 100);
        arm_at(&a, rt, filch__now() + i % 3 * 10000);
        for (int looks = 0; !filch__load_acquire(&a.after); looks++)
            if (looks > 20000)
                filch__os_yield();
        CHECK(a.fired == 1);
    }
}

static void no_wake_is_lost(void)
{
    on_each_size(wakes);
}

static void no_wake_is_lost_fences(void)
{
    filch__asymmetric = false;
    on_each_size(wakes);
    filch__barrier_init_process();
}

struct starter {
    filch_runtime *rt;
    uint32_t *arrived;
};

static void *start_thread(void *arg)
{
    struct starter *s = arg;
    tally(s->arrived);
    SPIN_UNTIL(filch__load_acquire(s->arrived) == 4);
    CHECK(filch__timers_start(s->rt) == 0);
    struct alarm a = {0};
    arm_at(&a, s->rt, filch__now());
    await_fire(&a);
    return NULL;
}

static void one_clock(void)
{
    for (int round = 0; round < 50; round++) {
        filch_runtime *rt;
        filch_options o = {.workers = 1, .name = "a-long-name-of-it"};
        REQUIRE(filch_runtime_create(&rt, &o) == 0);
        CHECK(!rt->clock);
        size_t before = filch__arena_live(rt->arena);
        uint32_t arrived = 0;
        struct starter s = {rt, &arrived};
        pthread_t thread[4];
        for (int i = 0; i < 4; i++)
            thread[i] = thread_start(start_thread, &s);
        for (int i = 0; i < 4; i++)
            thread_join(thread[i]);
        CHECK(filch__arena_live(rt->arena) - before ==
              sizeof(struct filch__clock) + 2 * sizeof(struct filch__timers));
        SPIN_UNTIL(threads_named("a-long-nam/time") == 1);
        CHECK(filch_runtime_destroy(rt) == 0);
        SPIN_UNTIL(threads_named("a-long-nam/time") == 0);
    }
}

/* In all states: the thread starts, sleeps, is about to fire. */
static void destroyed(void)
{
    for (int round = 0; round < 300; round++) {
        filch_runtime *rt = open_with_clock(worker_counts[round % 3]);
        struct alarm a = {0};
        if (round % 4 == 1)
            await_sleep(rt, FILCH_NEVER);
        if (round % 4 > 1)
            arm_at(&a, rt, filch__now() + (round % 4 == 2 ? HOUR : 20000));
        if (round % 4 > 1)
            CHECK(filch__timer_disarm(&a.timer) == !filch__load_acquire(&a.fired));
        runtime_close(rt);
    }
}

/* Nothing of it is touched there; a new one works. */
static void lost_to_fork(void)
{
    filch_runtime *rt = open_with_clock(2);
    pid_t pid = fork();
    if (pid == 0) {
        bool good = filch__timers_start(rt) == -ESHUTDOWN;
        filch_runtime *mine;
        struct alarm a = {0};
        /* ThreadSanitizer lets no child of threads make threads. */
        if (good && !WITH_TSAN) {
            REQUIRE(filch_runtime_create(&mine, NULL) == 0 && filch__timers_start(mine) == 0);
            arm_at(&a, mine, filch__now() + MS);
            await_fire(&a);
            good = filch_runtime_destroy(mine) == 0;
        }
        _exit(good ? 0 : 1);
    }
    int status;
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
    runtime_close(rt);
}

#ifdef FILCH_FAULTS
static void refused_once(filch_runtime *rt, enum filch__fault_kind kind, int error)
{
    size_t before = filch__arena_live(rt->arena);
    filch__fault_arm(kind, 0, false);
    CHECK(filch__timers_start(rt) == error);
    filch__fault_arm(kind, -1, false);
    CHECK(!rt->clock && filch__arena_live(rt->arena) == before);
}

static void refused(void)
{
    for (size_t i = 0; i < COUNT(worker_counts); i++) {
        filch_runtime *rt = runtime_open(worker_counts[i]);
        for (int k = 0; k < 3; k++) {
            refused_once(rt, FILCH__FAULT_ALLOC, -ENOMEM);
            refused_once(rt, FILCH__FAULT_THREAD, -EAGAIN);
        }
        if (i > 0) {
            CHECK(filch__timers_start(rt) == 0);
            struct alarm a = {0};
            arm_at(&a, rt, filch__now() + MS);
            await_fire(&a);
            filch__fault_arm(FILCH__FAULT_ALLOC, 0, true);
            filch__fault_arm(FILCH__FAULT_THREAD, 0, true);
            CHECK(filch__timers_start(rt) == 0); /* nothing is asked for any more */
            filch__fault_arm(FILCH__FAULT_ALLOC, -1, false);
            filch__fault_arm(FILCH__FAULT_THREAD, -1, false);
        }
        runtime_close(rt);
    }
}
#endif

int main(void)
{
    RUN(sleeps_and_wakes);
    run_case_within(300, "no_wake_is_lost", no_wake_is_lost);
    run_case_within(300, "no_wake_is_lost_fences", no_wake_is_lost_fences);
    RUN(one_clock);
    RUN(destroyed);
    RUN(lost_to_fork);
#ifdef FILCH_FAULTS
    RUN(refused);
#endif
    return summary();
}
