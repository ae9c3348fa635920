/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wakes in a signal handler: of fibers, threads and tasks without a stack, while what the handler
 * interrupts, a thread outside or a worker, is anywhere in filch. None is lost.
 */
#include "tests/future_check.h"

/*
 * One subject at a time, whose waker stays the same. The handler counts and wakes; the subject is
 * ready when it has seen all of them.
 */
static struct {
    filch_waker waker; /* a clone, while has_waker */
    uint32_t has_waker;
    uint32_t fired, handled, seen, want;
    uint32_t bad;
} post;

static void handler(int signal)
{
    (void)signal;
    int saved = errno;
    errno = 42;
    filch__add_acq_rel(&post.fired, 1u);
    if (!flag_up(&post.has_waker) || filch_wake_from_signal(&post.waker) != 0 || errno != 42)
        raise_flag(&post.bad);
    tally(&post.handled);
    errno = saved;
}

/* ThreadSanitizer puts a handler off until what it interrupted calls into the C library: here, or,
 * where that is a fiber, perhaps never. */
static int poll_post(filch_future *self, const filch_waker *waker)
{
    (void)self;
    if (WITH_TSAN)
        usleep(0);
    if (!flag_up(&post.has_waker)) {
        post.waker = filch_waker_clone(waker);
        raise_flag(&post.has_waker);
    }
    uint32_t seen = filch__load_acquire(&post.fired);
    filch__store_release(&post.seen, seen);
    return seen >= filch__load_relaxed(&post.want) ? 9 : FILCH_PENDING;
}

static const filch_future_ops post_ops = {"a signal", poll_post, NULL};

static int await_post(void *arg)
{
    (void)arg;
    filch_future f = FILCH_FUTURE(&post_ops);
    return filch_await(&f);
}

static void post_begin(void)
{
    uint32_t *const counts[] = {&post.has_waker, &post.fired, &post.handled, &post.seen, &post.bad};
    for (size_t i = 0; i < COUNT(counts); i++)
        filch__store_relaxed(counts[i], 0u);
    filch__store_relaxed(&post.want, (uint32_t)sized(1000, 2500, 8000));
}

/* The subject has ended, and the signals too. */
static void post_end(void)
{
    CHECK(!flag_up(&post.bad));
    CHECK(filch__load_acquire(&post.seen) == post.want);
    CHECK(filch__load_acquire(&post.fired) == post.want);
    filch_waker_drop(&post.waker);
}

/* Sends what is wanted to the thread; every few times the subject must have noticed. */
static void bombard(pthread_t target)
{
    SPIN_UNTIL(flag_up(&post.has_waker));
    uint64_t random = test_seed();
    for (uint32_t i = 1; i <= post.want; i++) {
        REQUIRE(pthread_kill(target, SIGUSR1) == 0);
        SPIN_UNTIL(filch__load_acquire(&post.handled) == i);
        if (test_random(&random, 3) == 0)
            SPIN_UNTIL(filch__load_acquire(&post.seen) == i);
        pause_a_little(&random);
    }
}

/* ---- the targets ---- */

enum { FIBER, TASK, THREAD, KINDS };

struct target {
    filch_runtime *rt;
    pthread_t thread;
    uint32_t ready, stop;
};

static int nothing(void *arg)
{
    (void)arg;
    return 1;
}

static int fork_a_tree(void *arg)
{
    int n = (int)(intptr_t)arg;
    filch_job job = FILCH_JOB(fork_a_tree, (void *)(intptr_t)(n - 1));
    if (n < 2)
        return n;
    filch_fork(&job);
    int rest = fork_a_tree((void *)(intptr_t)(n - 2));
    return filch_sync(&job) + rest;
}

/* Uses what filch has, until stopped. */
static int work(void *arg)
{
    struct target *t = arg;
    while (!flag_up(&t->stop)) {
        struct event e = EVENT;
        struct wait wait = WAIT(&e);
        filch_handle *h;
        filch_spawn_options o = {.runtime = t->rt};
        CHECK(filch_poll(&wait.future, NULL) == FILCH_PENDING);
        CHECK(filch_future_drop(&wait.future) == 0);
        REQUIRE(filch_spawn_with(&h, &o, nothing, NULL) == 0);
        CHECK(join(h) == 1);
        CHECK(fork_a_tree((void *)6) == 8);
        struct wait ready = WAIT(&e);
        e = (struct event)EVENT;
        REQUIRE(filch_spawn_future_with(&h, &o, &ready.future, sizeof ready) == 0);
        event_set(&e, 2);
        CHECK(join(h) == 2);
        filch_yield();
        sched_yield();
    }
    return 0;
}

static void take_signals(struct target *t)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    REQUIRE(pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0);
    t->thread = pthread_self();
    raise_flag(&t->ready);
}

static int work_on_worker(void *arg)
{
    take_signals(arg);
    return work(arg);
}

static void *work_on_thread(void *arg)
{
    take_signals(arg);
    (void)work(arg);
    return NULL;
}

/* The subject itself is hit, a thread. */
static void *await_on_thread(void *arg)
{
    struct target *t = arg;
    take_signals(t);
    CHECK(await_post(NULL) == 9);
    SPIN_UNTIL(flag_up(&t->stop)); /* pthread_kill wants it alive */
    return NULL;
}

static filch_handle *subject_begin(int kind, filch_runtime *rt)
{
    filch_handle *h;
    filch_future f = FILCH_FUTURE(&post_ops);
    filch_spawn_options o = {.runtime = rt};
    post_begin();
    if (kind == FIBER)
        spawn_on(rt, &h, await_post, NULL);
    else
        REQUIRE(filch_spawn_future_with(&h, &o, &f, sizeof f) == 0);
    return h;
}

static void *await_post_thread(void *arg)
{
    CHECK(await_post(arg) == 9);
    return NULL;
}

static void hit(struct target *t, int kind)
{
    filch_handle *h = NULL;
    pthread_t thread;
    SPIN_UNTIL(flag_up(&t->ready));
    if (kind != THREAD) {
        h = subject_begin(kind, t->rt);
    } else {
        post_begin();
        thread = thread_start(await_post_thread, NULL);
    }
    bombard(t->thread);
    if (kind != THREAD)
        CHECK(join(h) == 9);
    else
        thread_join(thread);
    post_end();
}

static void a_thread_that_works_is_hit(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        struct target t = {.rt = runtime_open(worker_counts[w])};
        pthread_t thread = thread_start(work_on_thread, &t);
        for (int kind = 0; kind < KINDS; kind++)
            hit(&t, kind);
        raise_flag(&t.stop);
        thread_join(thread);
        drain(t.rt);
        runtime_close(t.rt);
    }
}

static void a_worker_that_works_is_hit(void)
{
    if (WITH_TSAN)
        return;
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        struct target t = {.rt = runtime_open(worker_counts[w])};
        filch_spawn_options o = {.runtime = t.rt, .worker = 1};
        filch_handle *h;
        REQUIRE(filch_spawn_with(&h, &o, work_on_worker, &t) == 0);
        for (int kind = 0; kind < KINDS; kind++)
            hit(&t, kind);
        raise_flag(&t.stop);
        CHECK(join(h) == 0);
        drain(t.rt);
        runtime_close(t.rt);
    }
}

static int take_signals_here(void *arg)
{
    take_signals(arg);
    return 0;
}

/* It sleeps most of the time, or runs the subject that it wakes. */
static void an_idle_worker_is_hit(void)
{
    if (WITH_TSAN)
        return;
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        struct target t = {.rt = runtime_open(worker_counts[w])};
        filch_spawn_options o = {.runtime = t.rt, .worker = 1};
        filch_handle *h;
        REQUIRE(filch_spawn_with(&h, &o, take_signals_here, &t) == 0);
        CHECK(join(h) == 0);
        for (int kind = 0; kind < KINDS; kind++)
            hit(&t, kind);
        drain(t.rt);
        runtime_close(t.rt);
    }
}

static void the_thread_that_waits_is_hit(void)
{
    struct target t = {.rt = NULL};
    post_begin();
    pthread_t thread = thread_start(await_on_thread, &t);
    SPIN_UNTIL(flag_up(&t.ready));
    bombard(t.thread);
    raise_flag(&t.stop);
    thread_join(thread);
    post_end();
}

/* ---- what cannot be woken so, and what has gone ---- */

static void wake_flag(void *flag)
{
    raise_flag(flag);
}

static filch_waker clone_flag(void *flag);

static void drop_flag(void *flag)
{
    (void)flag;
}

static const filch_waker_ops flag_ops = {wake_flag, clone_flag, drop_flag};

static filch_waker clone_flag(void *flag)
{
    return (filch_waker){&flag_ops, flag};
}

static void wakers_of_others(void)
{
    uint32_t flag = 0;
    filch_waker w = {&flag_ops, &flag};
    CHECK(filch_wake_from_signal(&w) == -ENOTSUP && !flag_up(&flag));
    filch_wake(&w);
    CHECK(flag_up(&flag));
}

static void wakes_of_what_has_gone(void)
{
    for (int kind = 0; kind < THREAD; kind++) {
        struct event e = EVENT;
        struct wait wait = WAIT(&e);
        filch_runtime *rt = runtime_open(2);
        filch_spawn_options o = {.runtime = rt};
        filch_handle *h;
        post_begin();
        if (kind == FIBER)
            spawn_on(rt, &h, await_post, NULL);
        else
            REQUIRE(filch_spawn_future_with(&h, &o, &wait.future, sizeof wait) == 0);
        if (kind == FIBER) {
            SPIN_UNTIL(flag_up(&post.has_waker));
        } else {
            SPIN_UNTIL(polls_of(&e) > 0);
            post.waker = event_clone(&e);
            raise_flag(&post.has_waker);
        }
        runtime_close(rt);
        REQUIRE(raise(SIGUSR1) == 0);
        CHECK(filch_wake_from_signal(&post.waker) == 0);
        CHECK(join(h) == -ECANCELED);
        REQUIRE(raise(SIGUSR1) == 0);
        CHECK(post.handled == 2 && !flag_up(&post.bad));
        filch_waker_drop(&post.waker);
    }
}

int main(void)
{
    (void)test_seed();
    struct sigaction action = {.sa_handler = handler}; /* waits are interrupted */
    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
    RUN(a_worker_that_works_is_hit);
    RUN(a_thread_that_works_is_hit);
    RUN(an_idle_worker_is_hit);
    RUN(the_thread_that_waits_is_hit);
    RUN(wakers_of_others);
    RUN(wakes_of_what_has_gone);
    return summary();
}
