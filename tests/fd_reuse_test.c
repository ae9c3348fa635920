/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closing while others wait, and numbers that are used again: who waited for the old file is told
 * so, or waits on, but never hears of the new one; who waits for the new one hears of that alone.
 */
#include "tests/fd_check.h"

static const uint32_t each_event[] = {FILCH_READABLE, FILCH_PEER_CLOSED, FILCH_HANGUP,
                                      FILCH_READABLE | FILCH_PEER_CLOSED, FILCH_FD_ERROR};

/* ---- filch_close ---- */

/* So many that wait for one descriptor, some with a stack. */
static void close_before(filch_runtime *rt, int n)
{
    struct pair p = pair_open(UNIX);
    struct waiter *w = calloc((size_t)n, sizeof *w);
    filch_handle **stackless = calloc((size_t)n, sizeof(filch_handle *));
    REQUIRE(w && stackless);
    for (int i = 0; i < n; i++) {
        uint32_t events = each_event[(size_t)i % COUNT(each_event)];
        if (i % 3 == 2) {
            struct counted c = {FILCH_FUTURE(&counted_ops), FILCH_FD_FUTURE(p.in, events),
                                &w[i].polls};
            filch_spawn_options o = {.runtime = rt};
            REQUIRE(filch_spawn_future_with(&stackless[i], &o, &c.future, sizeof c) == 0);
            while (!flag_up(&w[i].polls))
                CHECK(filch_yield() == 0);
        } else {
            waiter_start(&w[i], rt, p.in, events);
        }
    }
    CHECK(filch_close(p.in) == 0);
    for (int i = 0; i < n; i++)
        CHECK(join(i % 3 == 2 ? stackless[i] : w[i].handle) == -EBADF);
    CHECK(filch_close(p.in) == -EBADF);
    CHECK(filch_close(p.out) == 0); /* for which nobody ever waited */
    free(w);
    free(stackless);
}

static int close_wakes(void *rt)
{
    static const int counts[] = {1, 2, 63, 64, 65, 200};
    for (size_t i = 0; i < COUNT(counts); i++)
        close_before(rt, counts[i]);
    return 0;
}

static void close_wakes_all(void)
{
    in_task_of_each(close_wakes);
}

static void *await_on_thread(void *arg)
{
    struct waiter *w = arg;
    CHECK(wait_counted(w->fd, w->events, &w->polls) == -EBADF);
    return NULL;
}

/* Threads, which the default runtime serves, and wakers of one's own. */
static void close_wakes_threads(void)
{
    enum { THREADS = 4, PROBES = 150 };
    for (int round = 0; round < sized(5, 50, 500); round++) {
        struct pair p = pair_open(UNIX);
        struct waiter w[THREADS];
        struct probe probes[PROBES];
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++) {
            w[i] = (struct waiter){.fd = p.in, .events = each_event[i]};
            threads[i] = thread_start(await_on_thread, &w[i]);
        }
        for (int i = 0; i < PROBES; i++)
            CHECK(probe_begin(&probes[i], p.in, FILCH_READABLE) == FILCH_PENDING);
        for (int i = 0; i < THREADS; i++)
            SPIN_UNTIL(flag_up(&w[i].polls));
        CHECK(filch_close(p.in) == 0);
        for (int i = 0; i < PROBES; i++) {
            CHECK(probe_woken(&probes[i]));
            CHECK(probe_poll(&probes[i]) == -EBADF);
        }
        for (int i = 0; i < THREADS; i++)
            thread_join(threads[i]);
        close(p.out);
    }
}

/* ---- another file at the number ---- */

/* a's `in` gets b's file; with `kept` a's is open elsewhere, so the kernel knows of it still. */
static int replace(struct pair a, struct pair b, bool kept)
{
    int other = kept ? fcntl(a.in, F_DUPFD_CLOEXEC, 0) : -1;
    REQUIRE(!kept || other >= 0);
    take_number(b.in, a.in);
    return other;
}

/* The old file's events come before the new one's, or after, or are there when the new wait begins.
 * */
static void reuse(bool kept, int when)
{
    struct pair a = pair_open(UNIX), b = pair_open(UNIX);
    struct probe old, new, third;
    CHECK(probe_begin(&old, a.in, FILCH_READABLE) == FILCH_PENDING);
    int other = replace(a, b, kept);
    fence();
    CHECK(!probe_woken(&old));
    CHECK(probe_begin(&new, a.in, FILCH_READABLE) == FILCH_PENDING);
    CHECK(probe_woken(&old) && probe_poll(&old) == -EBADF);
    if (when == 0) {
        if (kept)
            put(a.out, 'a');
        else
            close(a.out);
        fence();
        CHECK(!probe_woken(&new));
    }
    put(b.out, 'b');
    CHECK(probe_end(&new) == FILCH_READABLE);
    CHECK(get(a.in) == 'b');
    CHECK(probe_begin(&third, a.in, FILCH_READABLE) == FILCH_PENDING);
    if (when == 1 && kept) {
        put(a.out, 'a');
        fence();
        CHECK(!probe_woken(&third));
    }
    put(b.out, 'c');
    CHECK(probe_end(&third) == FILCH_READABLE && get(a.in) == 'c');
    if (kept)
        CHECK(get(other) == (when == 2 ? -1 : 'a') && close(other) == 0);
    pair_close(b);
    close(a.in);
    if (when != 0 || kept)
        close(a.out);
}

static int reuse_each(void *rt)
{
    (void)rt;
    for (int i = 0; i < 6; i++)
        reuse(i % 2, i / 2);
    return 0;
}

static void new_file_at_an_old_number(void)
{
    everywhere(reuse_each);
}

/* 100 wait for the old file, and 100 for the new one. */
static int reuse_with_many(void *rt)
{
    enum { MANY = 100 };
    (void)rt;
    struct pair a = pair_open(UNIX), b = pair_open(TCP);
    struct probe old[MANY], new[MANY];
    for (int i = 0; i < MANY; i++)
        CHECK(probe_begin(&old[i], a.in, each_event[i % 5]) == FILCH_PENDING);
    int other = replace(a, b, true);
    for (int i = 0; i < MANY; i++)
        CHECK(probe_begin(&new[i], a.in, FILCH_READABLE) == FILCH_PENDING);
    for (int i = 0; i < MANY; i++)
        CHECK(probe_end(&old[i]) == -EBADF);
    close(a.out); /* a hang-up of the old file */
    fence();
    for (int i = 0; i < MANY; i++)
        CHECK(!probe_woken(&new[i]));
    put(b.out, 'b');
    for (int i = 0; i < MANY; i++)
        CHECK(probe_end(&new[i]) == FILCH_READABLE);
    close(other);
    close(a.in);
    pair_close(b);
    return 0;
}

static void many_at_an_old_number(void)
{
    everywhere(reuse_with_many);
}

/* The number stands for the first file again, whose registration has lasted. */
static int return_of_a_file(void *rt)
{
    (void)rt;
    struct pair a = pair_open(UNIX), b = pair_open(UNIX);
    struct probe first, second, third;
    int number = a.in;
    CHECK(probe_begin(&first, number, FILCH_READABLE) == FILCH_PENDING);
    int kept = replace(a, b, true);
    CHECK(probe_begin(&second, number, FILCH_READABLE) == FILCH_PENDING);
    CHECK(probe_end(&first) == -EBADF);
    take_number(kept, number); /* b is open elsewhere too */
    CHECK(probe_begin(&third, number, FILCH_READABLE) == FILCH_PENDING);
    put(b.out, 'b');
    fence();
    CHECK(!probe_woken(&third)); /* an event of b */
    put(a.out, 'a');
    if (!probe_woken(&third)) {
        CHECK(probe_end(&third) == FILCH_READABLE && get(number) == 'a');
    }
    CHECK(!probe_woken(&second) || probe_poll(&second) == -EBADF); /* never an event of a */
    (void)filch_future_drop(&second.wait.future);
    (void)filch_future_drop(&third.wait.future);
    close(kept);
    pair_close(a);
    pair_close(b);
    return 0;
}

static void the_first_file_comes_back(void)
{
    everywhere(return_of_a_file);
}

/* The number is not open for a while, and somebody asks meanwhile. */
static int ask_while_closed(void *rt)
{
    (void)rt;
    for (int kept = 0; kept < 2; kept++) {
        struct pair a = pair_open(UNIX);
        struct probe old, none, new;
        CHECK(probe_begin(&old, a.in, FILCH_READABLE) == FILCH_PENDING);
        int other = kept ? fcntl(a.in, F_DUPFD_CLOEXEC, 0) : -1;
        close(a.in);
        CHECK(probe_begin(&none, a.in, FILCH_READABLE) == -EBADF);
        CHECK(probe_end(&old) == -EBADF);
        if (kept) { /* the same file: the kernel has its registration still */
            put(a.out, 'a');
            fence();
            take_number(other, a.in);
            CHECK(probe_begin(&new, a.in, FILCH_READABLE) == FILCH_READABLE && get(a.in) == 'a');
            CHECK(probe_begin(&new, a.in, FILCH_READABLE) == FILCH_PENDING);
            CHECK(filch_future_drop(&new.wait.future) == 0);
            close(a.in);
            close(other);
        }
        close(a.out);
    }
    return 0;
}

static void a_number_that_is_not_open(void)
{
    everywhere(ask_while_closed);
}

/* A regular file, for which nobody ever waits, comes to stand at the number. */
static int become_regular(void *rt)
{
    (void)rt;
    FILE *file = tmpfile();
    REQUIRE(file);
    struct pair a = pair_open(UNIX);
    struct probe old, new;
    CHECK(probe_begin(&old, a.in, FILCH_READABLE) == FILCH_PENDING);
    take_number(fileno(file), a.in);
    CHECK(probe_begin(&new, a.in, FILCH_READABLE) == FILCH_READABLE);
    CHECK(probe_end(&old) == -EBADF);
    struct pair b = pair_open(UNIX);
    take_number(b.in, a.in);
    CHECK(probe_begin(&new, a.in, FILCH_READABLE) == FILCH_PENDING);
    put(b.out, 'b');
    CHECK(probe_end(&new) == FILCH_READABLE);
    fclose(file);
    pair_close(a);
    pair_close(b);
    return 0;
}

static void a_regular_file_at_an_old_number(void)
{
    everywhere(become_regular);
}

/* The old one is dropped or re-polled after its file has gone. */
static int late_moves(void *rt)
{
    (void)rt;
    struct pair a = pair_open(UNIX), b = pair_open(UNIX);
    struct probe dropped, moved, elsewhere = {.woken = 0};
    CHECK(probe_begin(&dropped, a.in, FILCH_READABLE) == FILCH_PENDING);
    CHECK(probe_begin(&moved, a.in, FILCH_READABLE) == FILCH_PENDING);
    take_number(b.in, a.in);
    CHECK(filch_future_drop(&dropped.wait.future) == 0);
    /* Another waker sets the registration anew: from then on it is a wait for the new file. */
    filch_waker waker = {&probe_waker, &elsewhere};
    CHECK(filch_poll(&moved.wait.future, &waker) == FILCH_PENDING);
    put(b.out, 'b');
    SPIN_UNTIL(probe_woken(&elsewhere));
    CHECK(!probe_woken(&dropped) && !probe_woken(&moved));
    CHECK(filch_poll(&moved.wait.future, &waker) == FILCH_READABLE);
    pair_close(a);
    pair_close(b);
    return 0;
}

static void late_drops_and_polls(void)
{
    everywhere(late_moves);
}

int main(void)
{
    RUN(close_wakes_all);
    RUN(close_wakes_threads);
    RUN(new_file_at_an_old_number);
    RUN(many_at_an_old_number);
    RUN(a_number_that_is_not_open);
    RUN(a_regular_file_at_an_old_number);
    RUN(late_drops_and_polls);
    RUN(the_first_file_comes_back);
    return summary();
}
