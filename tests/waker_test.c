/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clones of wakers: from everywhere, in every order, when what they wake is pending, has ended, or
 * has gone with its runtime, and while the runtime goes.
 */
#include "tests/future_check.h"

enum { FIBER, TASK, THREAD, KINDS };

/* Someone who awaits an event. */
struct subject {
    int kind, result;
    struct event event;
    filch_handle *task;
    pthread_t thread;
};

static int await_event(void *arg)
{
    struct subject *s = arg;
    struct wait wait = WAIT(&s->event);
    s->result = filch_await(&wait.future);
    return s->result;
}

static void *await_event_thread(void *arg)
{
    (void)await_event(arg);
    return NULL;
}

static void subject_begin(struct subject *s, int kind, filch_runtime *rt)
{
    filch_spawn_options o = {.runtime = rt};
    struct wait wait = WAIT(&s->event);
    *s = (struct subject){.kind = kind, .result = 99, .event = EVENT};
    if (kind == FIBER)
        spawn_on(rt, &s->task, await_event, s);
    else if (kind == TASK)
        REQUIRE(filch_spawn_future_with(&s->task, &o, &wait.future, sizeof wait) == 0);
    else
        s->thread = thread_start(await_event_thread, s);
    SPIN_UNTIL(polls_of(&s->event) > 0);
}

static int subject_end(struct subject *s)
{
    if (s->kind == THREAD)
        thread_join(s->thread);
    else
        s->result = join(s->task);
    CHECK(drops_of(&s->event) == 1);
    return s->result;
}

/* ---- threads that use clones ---- */

enum { THREADS = 4, CLONES = 4 };

struct users {
    filch_waker waker[THREADS][CLONES];
    pthread_t thread[THREADS];
    uint32_t ready, stop;
    long rounds; /* 0: until stop */
};

struct user {
    struct users *all;
    int index;
};

/* Wakes by its own clones, clones and drops them, and owns none in the end. */
static void *use_clones(void *arg)
{
    struct user user = *(struct user *)arg;
    struct users *all = user.all;
    filch_waker *mine = all->waker[user.index];
    uint64_t random = test_seed() + (uint64_t)user.index;
    tally(&all->ready);
    for (long i = 0; all->rounds ? i < all->rounds : !flag_up(&all->stop); i++) {
        filch_waker *w = &mine[test_random(&random, CLONES)];
        filch_wake(w);
        if (i % 7 == 0) {
            filch_waker other = filch_waker_clone(w);
            filch_waker_drop(w);
            filch_wake(w); /* nobody */
            *w = other;
        }
        if (i % 32 == 0)
            sched_yield();
    }
    for (int i = 0; i < CLONES; i++)
        filch_waker_drop(&mine[(i + user.index) % CLONES]);
    return NULL;
}

static struct user user_of[THREADS];

static void users_begin(struct users *all, struct subject *subjects, int n, long rounds)
{
    all->ready = all->stop = 0;
    all->rounds = rounds;
    for (int i = 0; i < THREADS; i++) {
        for (int k = 0; k < CLONES; k++)
            all->waker[i][k] = event_clone(&subjects[(i + k) % n].event);
        user_of[i] = (struct user){all, i};
        all->thread[i] = thread_start(use_clones, &user_of[i]);
    }
    SPIN_UNTIL(filch__load_acquire(&all->ready) == THREADS);
}

static void users_end(struct users *all)
{
    raise_flag(&all->stop);
    for (int i = 0; i < THREADS; i++)
        thread_join(all->thread[i]);
}

/* ---- cases ---- */

/* The last of a chain of clones, the others dropped, wakes as the first. */
static void a_clone_of_a_clone_wakes(void)
{
    filch_runtime *rt = runtime_open(2);
    for (int kind = 0; kind < KINDS; kind++)
        for (int i = 0; i < sized(200, 600, 2500); i++) {
            struct subject s;
            subject_begin(&s, kind, rt);
            filch_waker first = event_clone(&s.event);
            filch_waker second = filch_waker_clone(&first);
            if (i & 1)
                filch_waker_drop(&first);
            filch_waker third = filch_waker_clone(&second);
            filch_waker_drop(&second);
            event_set_silently(&s.event, 5);
            filch_wake(&third);
            CHECK(subject_end(&s) == 5);
            filch_wake(&third);
            filch_waker_drop(&third);
            filch_waker_drop(&first);
            filch_waker_drop(&first);
        }
    drain(rt);
    runtime_close(rt);
}

/* Wakes without a cause, a thousand and one: polled again, pending again, ended once. */
static void wakes_in_vain(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        for (int kind = 0; kind < KINDS; kind++) {
            struct subject s;
            subject_begin(&s, kind, rt);
            uint32_t before = polls_of(&s.event);
            for (int i = 0; i < 1000; i++)
                event_wake(&s.event);
            SPIN_UNTIL(polls_of(&s.event) > before);
            CHECK(drops_of(&s.event) == 0);
            CHECK(polls_of(&s.event) <= before + 1001);
            event_set(&s.event, 7);
            CHECK(subject_end(&s) == 7);
        }
        drain(rt);
        runtime_close(rt);
    }
}

/* From threads, while the subject is pending, ends, and has ended; then when the runtime has gone.
 * */
static void clones_live_longer(void)
{
    for (int i = 0; i < sized(30, 100, 500); i++) {
        struct subject s[KINDS];
        struct users before, after;
        filch_runtime *rt = runtime_open(worker_counts[i % 3]);
        for (int kind = 0; kind < KINDS; kind++)
            subject_begin(&s[kind], kind, rt);
        users_begin(&before, s, KINDS, 0);
        users_begin(&after, s, KINDS, 2000);
        for (int kind = 0; kind < KINDS; kind++) {
            event_set(&s[kind].event, kind);
            CHECK(subject_end(&s[kind]) == kind);
        }
        users_end(&after);
        drain(rt);
        runtime_close(rt);
        for (int look = 0; look < 5; look++)
            sched_yield();
        users_end(&before);
    }
}

/* Four threads wake, clone and drop while the runtime is destroyed with all of them pending. */
static void clones_meet_the_end_of_the_runtime(void)
{
    for (int i = 0; i < sized(300, 800, 3000) && !filch__load_relaxed(&case_bad); i++) {
        struct subject s[4];
        struct users users;
        filch_runtime *rt = runtime_open(1 + i % 3);
        for (int k = 0; k < 4; k++)
            subject_begin(&s[k], k % 2 ? FIBER : TASK, rt);
        users_begin(&users, s, 4, i % 4 == 0 ? 1 + i % 300 : 0);
        if (i % 5 == 0)
            filch_detach(s[1].task);
        runtime_close(rt);
        if (i % 2)
            users_end(&users);
        for (int k = 0; k < 4; k++)
            if (i % 5 || k != 1)
                CHECK(subject_end(&s[k]) == -ECANCELED);
        if (i % 2 == 0)
            users_end(&users);
    }
}

/* Clones of tasks that have ended wake fibers which do something else by then. */
static int sum_of_forks(void *arg)
{
    int n = (int)(intptr_t)arg;
    filch_job job = FILCH_JOB(sum_of_forks, (void *)(intptr_t)(n - 1));
    if (n < 2)
        return n;
    filch_fork(&job);
    int rest = sum_of_forks((void *)(intptr_t)(n - 2));
    return filch_sync(&job) + rest;
}

static int wait_in_many_ways(void *arg)
{
    int64_t deadline = filch_now() + 20000;
    filch_handle *h;
    filch_scope s;
    int rc = INT_MAX;
    struct event event = EVENT;
    struct wait wait = WAIT(&event);
    CHECK(filch_sleep_until(deadline) == 0 && filch_now() >= deadline);
    CHECK(filch_yield() == 0);
    CHECK(filch_spawn(&h, sum_of_forks, (void *)10) == 0);
    CHECK(filch_join(h, &rc) == 0 && rc == 55);
    CHECK(sum_of_forks((void *)12) == 144);
    CHECK(filch_scope_open(&s, NULL) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(filch_scope_spawn(&s, NULL, sum_of_forks, (void *)8) == 0);
    CHECK(filch_scope_close(&s) == 0);
    CHECK(filch_await_until(&wait.future, filch_now() + 20000) == -ETIMEDOUT);
    tally(arg);
    return 0;
}

static void late_wakes_disturb_nobody(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct subject s[16];
        struct users users;
        uint32_t done = 0;
        for (size_t i = 0; i < COUNT(s); i++)
            subject_begin(&s[i], FIBER, rt);
        users_begin(&users, s, (int)COUNT(s), 0);
        for (size_t i = 0; i < COUNT(s); i++) {
            event_set(&s[i].event, 1);
            CHECK(subject_end(&s[i]) == 1);
        }
        uint32_t n = (uint32_t)sized(300, 1200, 5000);
        for (uint32_t i = 0; i < n; i++) {
            spawn_on(rt, NULL, wait_in_many_ways, &done);
            SPIN_UNTIL(i < filch__load_acquire(&done) + 16);
        }
        drain(rt);
        CHECK(done == n);
        users_end(&users);
        runtime_close(rt);
    }
}

/* A thread ends, and with it what it slept on, but for its clones. */
static void clones_of_threads_that_ended(void)
{
    for (int i = 0; i < sized(100, 500, 2000); i++) {
        struct subject s;
        subject_begin(&s, THREAD, NULL);
        filch_waker w = event_clone(&s.event), other = filch_waker_clone(&w);
        event_set(&s.event, 1);
        filch_waker_drop(i & 1 ? &w : &other);
        CHECK(subject_end(&s) == 1);
        filch_waker last = filch_waker_clone(i & 1 ? &other : &w);
        filch_wake(&w);
        filch_wake(&other);
        filch_waker_drop(&w);
        filch_waker_drop(&other);
        CHECK(filch_wake_from_signal(&last) == 0);
        filch_waker_drop(&last);
        CHECK(!last.ops);
    }
}

static void wakers_that_wake_nobody(void)
{
    filch_waker none = {NULL, NULL};
    filch_wake(&none);
    filch_waker clone = filch_waker_clone(&none);
    CHECK(filch_waker_same(&none, &clone));
    CHECK(filch_wake_from_signal(&none) == 0);
    filch_waker_drop(&clone);
    filch_waker_drop(&none);
    struct event e = EVENT;
    struct wait wait = WAIT(&e);
    CHECK(filch_poll(&wait.future, NULL) == FILCH_PENDING);
    filch_waker owned = event_clone(&e);
    filch_wake(&owned);
    CHECK(filch_wake_from_signal(&owned) == 0);
    filch_waker_drop(&owned);
    event_set(&e, 3);
    CHECK(filch_poll(&wait.future, NULL) == 3 && drops_of(&e) == 1);
}

int main(void)
{
    (void)test_seed();
    RUN(clones_meet_the_end_of_the_runtime);
    RUN(clones_live_longer);
    RUN(late_wakes_disturb_nobody);
    RUN(a_clone_of_a_clone_wakes);
    RUN(wakes_in_vain);
    RUN(clones_of_threads_that_ended);
    RUN(wakers_that_wake_nobody);
    return summary();
}
