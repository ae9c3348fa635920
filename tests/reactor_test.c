/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reactor: when it is made and goes, that it serves while every worker computes, uses no
 * processor while nothing happens, and leaves nothing; and what a child of fork(2) finds.
 */
#include "sched/reactor.h"
#include "tests/fd_check.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define NAME "looked-at"

static filch_runtime *named_runtime(int workers)
{
    filch_runtime *rt;
    filch_options o = {.workers = workers, .name = NAME};
    REQUIRE(filch_runtime_create(&rt, &o) == 0);
    watchdog_watch(rt);
    return rt;
}

/* ---- looks at the process ---- */

/* How many threads have that name; *ns: how long those have run. Some that were just joined may be
 * there still. */
static int threads_named(const char *name, int64_t *ns)
{
    DIR *dir = opendir("/proc/self/task");
    REQUIRE(dir);
    int n = 0;
    *ns = 0;
    for (struct dirent *d; (d = readdir(dir));) {
        char path[300], line[64] = "";
        int64_t ran = 0;
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", d->d_name);
        FILE *f = fopen(path, "re");
        bool same = f && fgets(line, sizeof line, f) && strncmp(line, name, strlen(name)) == 0 &&
                    line[strlen(name)] == '\n';
        if (f)
            fclose(f);
        snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", d->d_name);
        f = same ? fopen(path, "re") : NULL;
        if (f && fscanf(f, "%" SCNd64, &ran) == 1)
            *ns += ran;
        if (f)
            fclose(f);
        n += same;
    }
    closedir(dir);
    return n;
}

static int reactor_threads(void)
{
    int64_t ns;
    return threads_named(NAME "/fds", &ns);
}

static int open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    REQUIRE(dir);
    int n = 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static int64_t processor_time(void)
{
    struct rusage u;
    REQUIRE(getrusage(RUSAGE_SELF, &u) == 0);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 * MS +
           (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * INT64_C(1000);
}

/* ---- making and end ---- */

static void made_by_the_first_wait(void)
{
    SPIN_UNTIL(reactor_threads() == 0);
    int files = open_files();
    for (size_t i = 0; i < COUNT(worker_counts); i++) {
        enum { WAITERS = 8 };
        filch_runtime *rt = named_runtime(worker_counts[i]);
        struct pair p = pair_open(UNIX);
        struct waiter w[WAITERS];
        spawn_on(rt, &w[0].handle, wait_for_flag, &(uint32_t){1});
        CHECK(join(w[0].handle) == 0 && reactor_threads() == 0 && !filch__reactor_of(rt));
        for (int k = 0; k < WAITERS; k++) { /* all of them may be the first */
            w[k] = (struct waiter){.fd = p.in, .events = FILCH_READABLE};
            spawn_on(rt, &w[k].handle, waiter_run, &w[k]);
        }
        for (int k = 0; k < WAITERS; k++)
            SPIN_UNTIL(flag_up(&w[k].polls));
        SPIN_UNTIL(reactor_threads() == 1); /* it names itself when it starts */
        put(p.out, 'x');
        for (int k = 0; k < WAITERS; k++)
            CHECK(join(w[k].handle) == FILCH_READABLE);
        CHECK(reactor_threads() == 1);
        runtime_close(rt);
        SPIN_UNTIL(reactor_threads() == 0);
        pair_close(p);
    }
    CHECK(open_files() == files);
}

/* The end meets first waits, events, and waits that go on. */
static void short_lives(void)
{
    int files = open_files();
    for (int i = 0; i < sized(30, 200, 1200); i++) {
        enum { WAITERS = 4 };
        filch_runtime *rt = named_runtime(worker_counts[i % 3]);
        struct pair p = pair_open(UNIX);
        struct waiter w[WAITERS];
        for (int k = 0; k < WAITERS; k++) {
            w[k] = (struct waiter){.fd = p.in, .events = FILCH_READABLE};
            spawn_on(rt, &w[k].handle, waiter_run, &w[k]);
        }
        SPIN_UNTIL(i % 5 == 0 || flag_up(&w[i % WAITERS].polls));
        if (i % 2)
            put(p.out, 'x');
        runtime_close(rt);
        for (int k = 0; k < WAITERS; k++) {
            int rc = join(w[k].handle);
            CHECK(rc == -ECANCELED || (rc == FILCH_READABLE && i % 2));
        }
        pair_close(p);
    }
    SPIN_UNTIL(reactor_threads() == 0);
    CHECK(open_files() == files);
}

/* Two runtimes wait for one descriptor: both are told, and the end of one leaves the other as it
 * is. */
static void two_runtimes(void)
{
    for (int i = 0; i < sized(6, 60, 600); i++) {
        filch_runtime *a = named_runtime(worker_counts[i % 3]), *b = named_runtime(2);
        struct pair p = pair_open(TCP);
        struct waiter w[2], other;
        waiter_start(&w[0], a, p.in, FILCH_READABLE);
        waiter_start(&w[1], b, p.in, FILCH_READABLE);
        waiter_start(&other, b, p.in, FILCH_PEER_CLOSED);
        put(p.out, 'x');
        CHECK(join(w[0].handle) == FILCH_READABLE && join(w[1].handle) == FILCH_READABLE);
        runtime_close(b);
        CHECK(join(other.handle) == -ECANCELED && get(p.in) == 'x');
        waiter_start(&w[0], a, p.in, FILCH_READABLE);
        put(p.out, 'y');
        CHECK(join(w[0].handle) == FILCH_READABLE);
        runtime_close(a);
        pair_close(p);
    }
}

/* ---- service ---- */

static void *await_readable(void *arg)
{
    struct waiter *w = arg;
    CHECK(wait_counted(w->fd, FILCH_READABLE, &w->polls) == FILCH_READABLE);
    return NULL;
}

/* A thread is served by the default runtime, none of whose workers ever looks. */
static void threads_while_all_compute(void)
{
    struct blockers busy;
    int workers = filch_runtime_workers(NULL);
    block_workers(&busy, NULL, 1, workers);
    for (int i = 0; i < sized(10, 100, 1000); i++) {
        struct pair p = pair_open(UNIX);
        struct waiter w = {.fd = p.in};
        pthread_t thread = thread_start(await_readable, &w);
        SPIN_UNTIL(i % 2 || flag_up(&w.polls));
        put(p.out, 'x');
        thread_join(thread);
        pair_close(p);
    }
    raise_flag(&busy.released);
    drain(NULL);
}

/* The task on the only worker is told, by a waker of its own, while it computes. */
static int compute_and_be_told(void *rt)
{
    (void)rt;
    for (int i = 0; i < sized(10, 100, 1000); i++) {
        struct pair p = pair_open(UNIX);
        struct probe w;
        CHECK(probe_begin(&w, p.in, FILCH_READABLE) == FILCH_PENDING);
        put(p.out, 'x');
        CHECK(probe_end(&w) == FILCH_READABLE);
        pair_close(p);
    }
    return 0;
}

static void told_while_it_computes(void)
{
    in_task_of_each(compute_and_be_told);
}

/* All workers but one compute for ever, or they never run out of tasks that yield. */
static void one_worker_is_left(void)
{
    for (int workers = 1; workers <= 8; workers *= 2) {
        filch_runtime *rt = named_runtime(workers);
        struct blockers busy;
        uint32_t stop = 0;
        filch_handle *yielders[8];
        block_workers(&busy, rt, 2, workers);
        for (int i = 0; i < workers; i++)
            spawn_on(rt, &yielders[i], wait_for_flag, &stop);
        for (int i = 0; i < sized(10, 60, 600); i++) {
            struct pair p = pair_open(UNIX);
            struct waiter w;
            waiter_start(&w, rt, p.in, FILCH_READABLE);
            put(p.out, 'x');
            CHECK(join(w.handle) == FILCH_READABLE);
            pair_close(p);
        }
        raise_flag(&stop);
        raise_flag(&busy.released);
        for (int i = 0; i < workers; i++)
            CHECK(join(yielders[i]) == 0);
        drain(rt);
        runtime_close(rt);
    }
}

/* ---- silence ---- */

static const struct timespec while_nothing_happens = {.tv_nsec = 300 * 1000 * 1000};

/* With waits that are pending, after others that were not. */
static void idle_uses_no_processor(void)
{
    for (size_t i = 0; i < COUNT(worker_counts); i++) {
        filch_runtime *rt = named_runtime(worker_counts[i]);
        struct pair p = pair_open(UNIX);
        struct waiter w[20];
        waiter_start(&w[0], rt, p.in, FILCH_READABLE);
        put(p.out, 'x');
        CHECK(join(w[0].handle) == FILCH_READABLE && get(p.in) == 'x');
        for (int k = 0; k < 20; k++)
            waiter_start(&w[k], rt, p.in, FILCH_READABLE);
        int64_t before = processor_time();
        nanosleep(&while_nothing_happens, NULL);
        int64_t used = processor_time() - before;
        CHECK(used < 5 * MS * (instrumented() ? 10 : 1));
        if (filch__load_relaxed(&case_bad))
            fprintf(stderr, "%d workers: %.2f ms\n", worker_counts[i], (double)used / MS);
        put(p.out, 'x');
        for (int k = 0; k < 20; k++)
            CHECK(join(w[k].handle) == FILCH_READABLE);
        runtime_close(rt);
        pair_close(p);
    }
}

/* A descriptor that is ready but that nobody waits for any more, and one whose report nobody takes.
 * */
static void ready_but_unwanted(void)
{
    filch_runtime *rt = named_runtime(2);
    struct blockers busy;
    struct pair p = pair_open(UNIX);
    struct waiter w, dropped;
    int64_t before, after;
    block_workers(&busy, rt, 1, 1);
    waiter_start(&w, rt, p.in, FILCH_PEER_CLOSED);
    waiter_start(&dropped, rt, p.in, FILCH_READABLE);
    CHECK(filch_abort(dropped.handle) == 0 && join(dropped.handle) == -ECANCELED);
    put(p.out, 'x');
    SPIN_UNTIL(threads_named(NAME "/fds", &before) == 1);
    nanosleep(&while_nothing_happens, NULL);
    CHECK(threads_named(NAME "/fds", &after) == 1);
    CHECK(after - before < 5 * MS * (instrumented() ? 10 : 1));
    if (filch__load_relaxed(&case_bad))
        fprintf(stderr, "%.2f ms\n", (double)(after - before) / MS);
    CHECK(!filch_finished(w.handle));
    raise_flag(&busy.released);
    CHECK(shutdown(p.out, SHUT_WR) == 0 && join(w.handle) == FILCH_PEER_CLOSED);
    runtime_close(rt);
    pair_close(p);
}

/* ---- fork(2) ---- */

struct forked {
    filch_runtime *rt;
    struct pair p, fresh;
    struct probe pending, dropped;
};

/* What is wrong, or 0. */
static int in_child(struct forked *f)
{
    char byte;
    if (f->rt && filch__reactor_start(f->rt) != -ESHUTDOWN)
        return 1;
    if (filch_fd_wait(f->fresh.in, FILCH_READABLE, 0) != -ETIMEDOUT)
        return 2;
    if (filch_future_drop(&f->dropped.wait.future) != 0)
        return 3;
    if (write(f->fresh.out, "x", 1) != 1 || filch_read(f->fresh.in, &byte, 1) != 1)
        return 4;
    if (shutdown(f->fresh.out, SHUT_WR) != 0 || filch_close(f->fresh.out) != 0 ||
        filch_close(f->p.out) != 0)
        return 5;
    filch_fd_future end = FILCH_FD_FUTURE(f->fresh.in, FILCH_PEER_CLOSED);
    if (!WITH_TSAN && filch_await_until(&end.future, filch_now() + 5000 * MS) <
                          0) /* TSan lets no child make threads */
        return 6;
    if (probe_poll(&f->pending) != -ESHUTDOWN)
        return 7;
    return 0;
}

static int fork_here(void *rt)
{
    struct forked f = {rt, pair_open(UNIX), pair_open(UNIX), {.woken = 0}, {.woken = 0}};
    CHECK(probe_begin(&f.pending, f.p.in, FILCH_READABLE) == FILCH_PENDING);
    CHECK(probe_begin(&f.dropped, f.p.in, FILCH_READABLE) == FILCH_PENDING);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        pthread_sigmask(SIG_SETMASK, &none, NULL);
        alarm(10); /* the watchdog's thread is not here */
        _exit(in_child(&f));
    }
    int status = 0;
    REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid);
    CHECK(status == 0);
    if (status != 0)
        fprintf(stderr, "child: status %#x\n", (unsigned)status);
    put(f.p.out, 'x'); /* the parent's waits are as they were */
    CHECK(probe_end(&f.pending) == FILCH_READABLE && probe_end(&f.dropped) == FILCH_READABLE);
    pair_close(f.p);
    pair_close(f.fresh);
    return 0;
}

static void lost_to_fork(void)
{
    everywhere(fork_here);
}

int main(void)
{
    RUN(made_by_the_first_wait);
    RUN(short_lives);
    RUN(two_runtimes);
    RUN(threads_while_all_compute);
    RUN(told_while_it_computes);
    RUN(one_worker_is_left);
    RUN(idle_uses_no_processor);
    RUN(ready_but_unwanted);
    RUN(lost_to_fork);
    return summary();
}
