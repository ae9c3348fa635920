/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several open, wait, write, close and open again as fast as they can, so that numbers are used
 * again all the time, in every way of closing. Each wait is for a file of its own, so it hears of
 * what was done to that file and of nothing else: who is told of a byte finds it, and it is the
 * right one.
 */
#include "tests/fd_check.h"

/* What becomes of a file that somebody waits for. */
enum fate {
    WRITE,          /* it gets a byte */
    PEER_GOES,      /* the other end is closed */
    CLOSE,          /* filch_close */
    CLOSE_SILENTLY, /* close(2), and the waiter is cancelled */
    REPLACE,        /* another file comes to stand at the number, and is waited for */
    REPLACE_KEPT,   /* the same, and the old file stays open elsewhere and gets a byte */
    DROP,           /* the wait is given up, and begun anew */
    FATES
};

struct storm {
    filch_runtime *rt;
    long rounds;
    uint32_t index;
    uint32_t bytes; /* that were read, and were right */
    struct waiter old, new;
};

/* There is exactly this byte. */
static void expect(struct storm *s, int fd, int byte)
{
    int got = get(fd), next = get(fd);
    CHECK(got == byte && next == -1);
    s->bytes += got == byte;
}

static char tag_of(const struct storm *s, long round)
{
    return (char)(1 + (s->index * 31 + (uint32_t)round) % 120);
}

/* ---- waits of tasks ---- */

static void replace_under(struct storm *s, struct pair p, char tag, bool kept)
{
    struct pair b = pair_open((enum kind)(tag % 2 ? UNIX : PIPE));
    int other = kept ? fcntl(p.in, F_DUPFD_CLOEXEC, 0) : -1;
    take_number(b.in, p.in);
    close(b.in);
    waiter_start(&s->new, s->rt, p.in, FILCH_READABLE);
    CHECK(join(s->old.handle) == -EBADF);
    if (kept)
        put(p.out, (char)-1);
    put(b.out, tag);
    CHECK(join(s->new.handle) == FILCH_READABLE);
    expect(s, p.in, tag);
    if (kept)
        close(other);
    close(b.out);
}

static void one_round(struct storm *s, enum fate fate, char tag)
{
    struct pair p = pair_open(UNIX);
    bool open = true;
    waiter_start(&s->old, s->rt, p.in, FILCH_READABLE);
    if (fate == WRITE) {
        put(p.out, tag);
        CHECK(join(s->old.handle) == FILCH_READABLE);
        expect(s, p.in, tag);
    } else if (fate == PEER_GOES) {
        close(p.out);
        p.out = -1;
        CHECK(join(s->old.handle) == (FILCH_READABLE | FILCH_HANGUP));
    } else if (fate == CLOSE) {
        CHECK(filch_close(p.in) == 0);
        open = false;
        CHECK(join(s->old.handle) == -EBADF);
    } else if (fate == CLOSE_SILENTLY) {
        close(p.in);
        open = false;
        CHECK(filch_abort(s->old.handle) == 0);
        int rc = join(s->old.handle);
        CHECK(rc == -ECANCELED || rc == -EBADF); /* the number may be waited for already */
    } else if (fate == DROP) {
        CHECK(filch_abort(s->old.handle) == 0);
        CHECK(join(s->old.handle) == -ECANCELED);
        put(p.out, tag);
        waiter_start(&s->old, s->rt, p.in, FILCH_READABLE);
        CHECK(join(s->old.handle) == FILCH_READABLE);
        expect(s, p.in, tag);
    } else {
        replace_under(s, p, tag, fate == REPLACE_KEPT);
    }
    if (open)
        close(p.in);
    if (p.out >= 0)
        close(p.out);
}

static int storm(void *arg)
{
    struct storm *s = arg;
    uint64_t random = test_seed() + s->index;
    for (long i = 0; i < s->rounds && !filch__load_relaxed(&case_bad); i++)
        one_round(s, (enum fate)test_random(&random, FATES), tag_of(s, i));
    return 0;
}

static void storms_of_tasks(void)
{
    enum { STORMS = 8 };
    for (size_t k = 0; k < COUNT(worker_counts); k++) {
        filch_runtime *rt = runtime_open(worker_counts[k]);
        struct storm s[STORMS];
        filch_handle *h[STORMS];
        uint32_t bytes = 0;
        for (uint32_t i = 0; i < STORMS; i++) {
            s[i] = (struct storm){.rt = rt, .rounds = sized(150, 2000, 8000), .index = i};
            spawn_on(rt, &h[i], storm, &s[i]);
        }
        for (int i = 0; i < STORMS; i++) {
            CHECK(join(h[i]) == 0);
            bytes += s[i].bytes;
        }
        CHECK(bytes > STORMS * s[0].rounds / 4);
        drain(rt);
        runtime_close(rt);
    }
}

/* ---- waits of threads and tasks, polled by hand ---- */

static void replace_by_hand(struct storm *s, struct pair p, struct probe *old, char tag, bool kept)
{
    struct pair b = pair_open((enum kind)(tag % 2 ? UNIX : PIPE));
    struct probe new;
    int other = kept ? fcntl(p.in, F_DUPFD_CLOEXEC, 0) : -1;
    take_number(b.in, p.in);
    close(b.in);
    if (tag % 3) {
        CHECK(probe_begin(&new, p.in, FILCH_READABLE) == FILCH_PENDING);
        CHECK(probe_end(old) == -EBADF);
        if (kept)
            put(p.out, (char)-1);
        put(b.out, tag);
        CHECK(probe_end(&new) == FILCH_READABLE);
    } else { /* the byte is there before */
        put(b.out, tag);
        CHECK(!probe_woken(old));
        CHECK(probe_begin(&new, p.in, FILCH_READABLE) == FILCH_READABLE);
        if (kept)
            put(p.out, (char)-1);
        CHECK(probe_end(old) == -EBADF);
    }
    expect(s, p.in, tag);
    if (kept)
        close(other);
    close(b.out);
}

static void one_round_by_hand(struct storm *s, enum fate fate, char tag)
{
    struct pair p = pair_open(UNIX);
    struct probe w;
    bool open = true;
    CHECK(probe_begin(&w, p.in, FILCH_READABLE) == FILCH_PENDING);
    if (fate == WRITE) {
        put(p.out, tag);
        CHECK(probe_end(&w) == FILCH_READABLE);
        expect(s, p.in, tag);
    } else if (fate == PEER_GOES) {
        close(p.out);
        p.out = -1;
        CHECK(probe_end(&w) == (FILCH_READABLE | FILCH_HANGUP));
    } else if (fate == CLOSE) {
        CHECK(filch_close(p.in) == 0);
        open = false;
        CHECK(probe_woken(&w) && probe_poll(&w) == -EBADF);
    } else if (fate == CLOSE_SILENTLY) {
        close(p.in);
        open = false;
        if (probe_woken(&w))
            CHECK(probe_poll(&w) == -EBADF);
        else
            CHECK(filch_future_drop(&w.wait.future) == 0);
    } else if (fate == DROP) {
        put(p.out, tag);
        CHECK(filch_future_drop(&w.wait.future) == 0);
        CHECK(probe_begin(&w, p.in, FILCH_READABLE) == FILCH_READABLE);
        expect(s, p.in, tag);
    } else {
        replace_by_hand(s, p, &w, tag, fate == REPLACE_KEPT);
    }
    if (open)
        close(p.in);
    if (p.out >= 0)
        close(p.out);
}

static int storm_by_hand(void *arg)
{
    struct storm *s = arg;
    uint64_t random = test_seed() + 100 + s->index;
    for (long i = 0; i < s->rounds && !filch__load_relaxed(&case_bad); i++) {
        one_round_by_hand(s, (enum fate)test_random(&random, FATES), tag_of(s, i));
        if (i % 8 == 0)
            CHECK(filch_yield() == 0);
    }
    return 0;
}

static void *storm_on_thread(void *arg)
{
    (void)storm_by_hand(arg);
    return NULL;
}

/* On threads the default runtime serves them, in tasks that of the task: two know the same numbers.
 * */
static void storms_of_threads_and_tasks(void)
{
    enum { THREADS = 3, TASKS = 3 };
    for (size_t k = 0; k < COUNT(worker_counts); k++) {
        filch_runtime *rt = runtime_open(worker_counts[k]);
        struct storm s[THREADS + TASKS];
        pthread_t threads[THREADS];
        filch_handle *h[TASKS];
        for (uint32_t i = 0; i < THREADS + TASKS; i++)
            s[i] = (struct storm){.rt = rt, .rounds = sized(60, 300, 1200), .index = i};
        for (int i = 0; i < THREADS; i++)
            threads[i] = thread_start(storm_on_thread, &s[i]);
        for (int i = 0; i < TASKS; i++)
            spawn_on(rt, &h[i], storm_by_hand, &s[THREADS + i]);
        for (int i = 0; i < THREADS; i++)
            thread_join(threads[i]);
        for (int i = 0; i < TASKS; i++)
            CHECK(join(h[i]) == 0);
        drain(rt);
        runtime_close(rt);
    }
}

/* ---- one number, many who wait while it is closed ---- */

struct contended {
    int fd;
    uint32_t stop, ready, told, done;
};

/* The number stands for a pipe that is never written, or for nothing. */
static int wait_again_and_again(void *arg)
{
    struct contended *c = arg;
    while (!flag_up(&c->stop)) {
        int rc = filch_fd_wait(c->fd, FILCH_READABLE, filch_now() + MS / 4);
        CHECK(rc == -EBADF || rc == -ETIMEDOUT);
        tally(rc == -EBADF ? &c->told : &c->ready);
    }
    tally(&c->done);
    return 0;
}

/* Waits begin while the number is closed and opened again: each ends, and with what can be. */
static int close_and_open(void *arg)
{
    enum { WAITERS = 12 };
    struct contended *c = arg;
    filch_handle *h[WAITERS];
    fence(); /* the reactor has its own descriptors from now on */
    struct pair p = pair_open(PIPE), q = pair_open(PIPE);
    *c = (struct contended){.fd = p.in};
    uint64_t random = test_seed();
    for (int i = 0; i < WAITERS; i++)
        CHECK(filch_spawn(&h[i], wait_again_and_again, c) == 0);
    for (long i = 0; i < sized(300, 2000, 8000); i++) {
        if (test_random(&random, 2))
            CHECK(filch_close(c->fd) == 0);
        take_number(q.in, c->fd);
        for (uint32_t n = test_random(&random, 4); n > 0; n--)
            CHECK(filch_yield() == 0);
    }
    raise_flag(&c->stop);
    for (int i = 0; i < WAITERS; i++)
        CHECK(join(h[i]) == 0);
    CHECK(c->done == WAITERS);
    pair_close(p);
    pair_close(q);
    return 0;
}

static void waits_while_it_is_closed(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct contended c;
        CHECK(filch_run(rt, close_and_open, &c) == 0);
        drain(rt);
        runtime_close(rt);
    }
}

int main(void)
{
    RUN(storms_of_tasks);
    RUN(storms_of_threads_and_tasks);
    RUN(waits_while_it_is_closed);
    return summary();
}
