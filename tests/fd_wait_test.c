/* SPDX-License-Identifier: Apache-2.0 */
/* Waits for file descriptors: each event, at once and later; deadlines, cancels, select, wakers,
 * crowds. */
#include "tests/fd_check.h"

/* ---- events ---- */

static int readable_and_writable(void *rt)
{
    (void)rt;
    for (int kind = 0; kind < KINDS; kind++) {
        struct pair p = pair_open((enum kind)kind);
        struct probe r, w;
        CHECK(probe_begin(&r, p.in, FILCH_READABLE) == FILCH_PENDING);
        CHECK(filch_fd_wait(p.out, FILCH_WRITABLE, FILCH_NEVER) == FILCH_WRITABLE);
        put(p.out, 'x');
        CHECK(probe_end(&r) == FILCH_READABLE);
        CHECK(filch_fd_wait(p.in, FILCH_READABLE, FILCH_NEVER) == FILCH_READABLE);
        fill(p.out);
        CHECK(probe_begin(&w, p.out, FILCH_WRITABLE) == FILCH_PENDING);
        fence();
        CHECK(!probe_woken(&w));
        drain_fd(p.in);
        CHECK(probe_end(&w) == FILCH_WRITABLE);
        pair_close(p);
    }
    return 0;
}

static void at_once_and_later(void)
{
    everywhere(readable_and_writable);
}

enum { BOTH_WAYS = FILCH_READABLE | FILCH_WRITABLE };

/* Of a socket of that kind whose peer does something: what each wait gives, later and then at once.
 * */
static void peer_does(enum kind kind, void (*act)(int peer), uint32_t asked, uint32_t got)
{
    for (int late = 0; late < 2; late++) {
        struct pair p = pair_open(kind);
        struct probe w;
        if (late)
            CHECK(probe_begin(&w, p.in, asked) == FILCH_PENDING);
        act(p.out);
        int rc = late ? probe_end(&w) : filch_fd_wait(p.in, asked, FILCH_NEVER);
        CHECK(rc == (int)got);
        close(p.in);
        (void)close(p.out);
    }
}

static void shut_write(int fd)
{
    CHECK(shutdown(fd, SHUT_WR) == 0);
}

static void close_fd(int fd)
{
    CHECK(close(fd) == 0);
}

static void reset(int fd)
{
    CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger)) ==
          0);
    close_fd(fd);
}

static int peers(void *rt)
{
    enum { GONE = FILCH_PEER_CLOSED | FILCH_HANGUP, RESET = GONE | FILCH_FD_ERROR };
    (void)rt;
    peer_does(UNIX, shut_write, FILCH_PEER_CLOSED, FILCH_PEER_CLOSED);
    peer_does(UNIX, shut_write, FILCH_READABLE, FILCH_READABLE);
    peer_does(UNIX, close_fd, FILCH_PEER_CLOSED, GONE);
    peer_does(UNIX, close_fd, FILCH_READABLE | FILCH_PEER_CLOSED, FILCH_READABLE | GONE);
    peer_does(UNIX, close_fd, FILCH_HANGUP, FILCH_HANGUP);
    peer_does(UNIX, close_fd, FILCH_FD_ERROR, FILCH_HANGUP); /* though not asked for */
    peer_does(TCP, shut_write, FILCH_PEER_CLOSED, FILCH_PEER_CLOSED);
    peer_does(TCP, shut_write, FILCH_READABLE, FILCH_READABLE);
    peer_does(TCP, close_fd, FILCH_PEER_CLOSED, FILCH_PEER_CLOSED);
    peer_does(TCP, close_fd, FILCH_READABLE | FILCH_PEER_CLOSED,
              FILCH_READABLE | FILCH_PEER_CLOSED);
    peer_does(TCP, reset, FILCH_PEER_CLOSED, RESET);
    peer_does(TCP, reset, FILCH_HANGUP, FILCH_HANGUP | FILCH_FD_ERROR);
    peer_does(PIPE, close_fd, FILCH_READABLE, FILCH_HANGUP);
    peer_does(PIPE, close_fd, FILCH_PEER_CLOSED, FILCH_HANGUP);
    return 0;
}

static void what_peers_do(void)
{
    everywhere(peers);
}

static int several(void *rt)
{
    (void)rt;
    struct pair p = pair_open(UNIX), q = pair_open(PIPE);
    struct probe w;
    put(p.out, 'x');
    CHECK(filch_fd_wait(p.in, BOTH_WAYS, FILCH_NEVER) == BOTH_WAYS);
    CHECK(filch_fd_wait(p.in, BOTH_WAYS | FILCH_PEER_CLOSED, FILCH_NEVER) == BOTH_WAYS);
    close(p.out);
    CHECK(filch_fd_wait(p.in, BOTH_WAYS | FILCH_PEER_CLOSED, FILCH_NEVER) ==
          (BOTH_WAYS | FILCH_PEER_CLOSED | FILCH_HANGUP));
    close(p.in);
    fill(q.out);
    CHECK(probe_begin(&w, q.out, FILCH_PEER_CLOSED) == FILCH_PENDING);
    close(q.in);
    CHECK(probe_end(&w) == FILCH_FD_ERROR); /* a pipe that nobody reads */
    close(q.out);
    return 0;
}

static void several_events(void)
{
    everywhere(several);
}

/* ---- deadlines ---- */

static int deadlines(void *rt)
{
    static const int64_t past[] = {0, -1, 1};
    (void)rt;
    struct pair p = pair_open(UNIX);
    for (size_t i = 0; i < COUNT(past); i++) {
        CHECK(filch_fd_wait(p.in, FILCH_READABLE, past[i]) == -ETIMEDOUT);
        CHECK(filch_fd_wait(p.in, FILCH_WRITABLE, past[i]) == FILCH_WRITABLE);
    }
    int64_t soon = filch_now() + 2 * MS;
    CHECK(filch_fd_wait(p.in, FILCH_READABLE, soon) == -ETIMEDOUT && filch_now() >= soon);
    put(p.out, 'x');
    for (size_t i = 0; i < COUNT(past); i++)
        CHECK(filch_fd_wait(p.in, FILCH_READABLE, past[i]) == FILCH_READABLE);
    CHECK(filch_fd_wait(p.in, FILCH_READABLE, filch_now() + 3600 * 1000 * MS) == FILCH_READABLE);
    pair_close(p);
    return 0;
}

static void deadlines_of_waits(void)
{
    everywhere(deadlines);
}

static int long_past(void *rt)
{
    (void)rt;
    struct pair p = pair_open(UNIX);
    CHECK(filch_fd_wait(p.in, FILCH_READABLE, INT64_MIN) == -ETIMEDOUT);
    CHECK(filch_fd_wait(p.in, FILCH_READABLE, INT64_MIN + 1) == -ETIMEDOUT);
    pair_close(p);
    return 0;
}

static void a_deadline_long_past(void)
{
    everywhere(long_past);
}

/* ---- cancels ---- */

static int cancels(void *rt)
{
    struct pair p = pair_open(UNIX);
    struct waiter w;
    waiter_start(&w, rt, p.in, FILCH_READABLE);
    CHECK(filch_abort(w.handle) == 0 && join(w.handle) == -ECANCELED);
    filch_scope s;
    REQUIRE(filch_scope_open(&s, NULL) == 0);
    w = (struct waiter){.fd = p.in, .events = FILCH_READABLE};
    CHECK(filch_scope_spawn(&s, &w.handle, waiter_run, &w) == 0);
    while (!flag_up(&w.polls))
        CHECK(filch_yield() == 0);
    CHECK(filch_scope_cancel(&s, 7) == 0);
    CHECK(filch_fd_wait(p.out, FILCH_WRITABLE, FILCH_NEVER) == -ECANCELED); /* ready or not */
    CHECK(filch_scope_close(&s) == -ECANCELED && join(w.handle) == -ECANCELED);
    put(p.out, 'x');
    waiter_start(&w, rt, p.in, FILCH_READABLE);
    CHECK(join(w.handle) == FILCH_READABLE);
    pair_close(p);
    return 0;
}

static void cancelled_waits(void)
{
    in_task_of_each(cancels);
}

static void the_runtime_ends(void)
{
    enum { WAITERS = 30 };
    for (int i = 0; i < sized(15, 150, 1500); i++) {
        filch_runtime *rt = runtime_open(worker_counts[i % 3]);
        struct pair p = pair_open(UNIX);
        struct waiter w[WAITERS];
        for (int k = 0; k < WAITERS; k++) {
            w[k] = (struct waiter){.fd = k % 2 ? p.in : p.out, .events = FILCH_READABLE};
            spawn_on(rt, &w[k].handle, waiter_run, &w[k]);
        }
        SPIN_UNTIL(i % 4 == 0 || flag_up(&w[i % WAITERS].polls));
        if (i % 5 == 4)
            CHECK(shutdown(p.in, SHUT_RDWR) == 0); /* events come at the same time */
        runtime_close(rt);
        for (int k = 0; k < WAITERS; k++) {
            int rc = join(w[k].handle);
            CHECK(rc == -ECANCELED || (i % 5 == 4 && rc > 0));
        }
        pair_close(p);
    }
}

/* ---- select, and moves of a wait ---- */

static int select_both(void *rt)
{
    (void)rt;
    struct pair p = pair_open(TCP);
    filch_fd_future ready = FILCH_FD_FUTURE(p.in, FILCH_READABLE);
    filch_sleep_future pause = FILCH_SLEEP_FUTURE(filch_now() + MS);
    filch_future *either[] = {&ready.future, &pause.future};
    CHECK(filch_select(either, 2) == 1 && pause.future.result == 0);
    CHECK(!filch_future_ended(&ready.future));
    pause = (filch_sleep_future)FILCH_SLEEP_FUTURE(FILCH_NEVER);
    put(p.out, 'x');
    CHECK(filch_select(either, 2) == 0 && ready.future.result == FILCH_READABLE);
    CHECK(filch_await(&ready.future) == -EALREADY);
    CHECK(filch_future_drop(&pause.future) == 0 && get(p.in) == 'x');
    fence(); /* or the report of what is gone would be taken for news */
    /* The pending one is dropped, and the descriptor waited for anew. */
    ready = (filch_fd_future)FILCH_FD_FUTURE(p.in, FILCH_READABLE);
    pause = (filch_sleep_future)FILCH_SLEEP_FUTURE(filch_now() + MS / 10);
    CHECK(filch_select(either, 2) == 1 && filch_future_drop(&ready.future) == 0);
    put(p.out, 'y');
    CHECK(filch_fd_wait(p.in, FILCH_READABLE, FILCH_NEVER) == FILCH_READABLE);
    pair_close(p);
    return 0;
}

static void select_with_a_sleep(void)
{
    everywhere(select_both);
}

static int wakers(void *rt)
{
    (void)rt;
    struct pair p = pair_open(UNIX);
    struct probe w, other = {.woken = 0};
    filch_waker second = {&probe_waker, &other};
    CHECK(probe_begin(&w, p.in, FILCH_READABLE) == FILCH_PENDING);
    CHECK(filch_poll(&w.wait.future, &second) == FILCH_PENDING);
    put(p.out, 'x');
    SPIN_UNTIL(probe_woken(&other));
    CHECK(!probe_woken(&w)); /* what the first poll got is not good any more */
    CHECK(probe_poll(&w) == FILCH_READABLE && probe_poll(&w) == -EALREADY);
    /* Nobody is woken; the look says it. */
    struct probe quiet = {.wait = FILCH_FD_FUTURE(p.out, FILCH_READABLE)};
    CHECK(filch_poll(&quiet.wait.future, NULL) == FILCH_PENDING);
    put(p.in, 'y');
    SPIN_UNTIL(filch_poll(&quiet.wait.future, NULL) == FILCH_READABLE);
    /* Ready but never looked at; pending and never woken. */
    CHECK(get(p.out) == 'y' && get(p.in) == 'x');
    CHECK(probe_begin(&w, p.out, FILCH_READABLE) == FILCH_PENDING);
    CHECK(probe_begin(&other, p.out, FILCH_PEER_CLOSED) == FILCH_PENDING);
    put(p.in, 'z');
    SPIN_UNTIL(probe_woken(&w));
    CHECK(filch_future_drop(&w.wait.future) == 0);
    CHECK(!probe_woken(&other) && filch_future_drop(&other.wait.future) == 0);
    CHECK(filch_fd_wait(p.out, FILCH_READABLE, FILCH_NEVER) == FILCH_READABLE);
    pair_close(p);
    return 0;
}

static void other_wakers(void)
{
    everywhere(wakers);
}

/* ---- crowds ---- */

static const uint32_t crowd_events[] = {FILCH_READABLE, FILCH_WRITABLE, FILCH_PEER_CLOSED,
                                        FILCH_READABLE | FILCH_PEER_CLOSED};

/* n wait for one end: those who read are woken by a byte, then those who write by room, the rest by
 * the end. */
static void crowd(filch_runtime *rt, int n)
{
    struct pair p = pair_open(UNIX);
    struct waiter *w = calloc((size_t)n, sizeof *w);
    REQUIRE(w);
    fill(p.in);
    for (int i = 0; i < n; i++)
        waiter_start(&w[i], rt, p.in, crowd_events[i % 4]);
    put(p.out, 'x');
    for (int i = 0; i < n; i++)
        if (crowd_events[i % 4] & FILCH_READABLE)
            CHECK(join(w[i].handle) == FILCH_READABLE);
    fence();
    for (int i = 0; i < n; i++)
        CHECK(crowd_events[i % 4] & FILCH_READABLE || !filch_finished(w[i].handle));
    drain_fd(p.out);
    for (int i = 0; i < n; i++)
        if (crowd_events[i % 4] == FILCH_WRITABLE)
            CHECK(join(w[i].handle) == FILCH_WRITABLE);
    CHECK(shutdown(p.out, SHUT_WR) == 0);
    for (int i = 0; i < n; i++)
        if (crowd_events[i % 4] == FILCH_PEER_CLOSED)
            CHECK(join(w[i].handle) == FILCH_PEER_CLOSED);
    free(w);
    pair_close(p);
}

static int crowds(void *rt)
{
    static const int counts[] = {2, 3, 4, 100, 400};
    for (size_t i = 0; i < COUNT(counts); i++)
        crowd(rt, counts[i]);
    return 0;
}

static void many_of_one_descriptor(void)
{
    in_task_of_each(crowds);
}

/* More by one event than are fired under one lock; of all kinds of wakers. */
static int one_event_for_all(void *rt)
{
    enum { N = 200 };
    struct pair p = pair_open(TCP);
    struct probe probes[N];
    filch_handle *stackless[N];
    for (int i = 0; i < N; i++) {
        filch_fd_future f = FILCH_FD_FUTURE(p.in, FILCH_READABLE);
        filch_spawn_options o = {.runtime = rt};
        CHECK(probe_begin(&probes[i], p.in, FILCH_READABLE) == FILCH_PENDING);
        REQUIRE(filch_spawn_future_with(&stackless[i], &o, &f.future, sizeof f) == 0);
    }
    put(p.out, 'x');
    for (int i = 0; i < N; i++) {
        CHECK(probe_end(&probes[i]) == FILCH_READABLE);
        CHECK(join(stackless[i]) == FILCH_READABLE);
    }
    pair_close(p);
    return 0;
}

static void more_than_fire_at_once(void)
{
    everywhere(one_event_for_all);
}

int main(void)
{
    RUN(at_once_and_later);
    RUN(what_peers_do);
    RUN(several_events);
    RUN(deadlines_of_waits);
    RUN(cancelled_waits);
    RUN(the_runtime_ends);
    RUN(select_with_a_sleep);
    RUN(other_wakers);
    RUN(many_of_one_descriptor);
    RUN(more_than_fire_at_once);
    RUN(a_deadline_long_past);
    return summary();
}
