/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system refuses while the first wait makes the reactor, and in the waits after it: the Nth
 * allocation, mapping or thread, once or for ever after, for each N until none is reached any more.
 * Each call answers as documented, nothing leaks, the next one works. Real only where faults can be
 * injected (-Dfaults=true).
 */
#include "tests/fd_check.h"

#ifdef FILCH_FAULTS
#include "sched/os/fault.h"

#include <dirent.h>

/* Descriptors whose entries are far apart: each chunk of entries is an allocation. */
enum { FAR = 5, STEP = 256 };

static bool refused(int rc)
{
    return rc == -ENOMEM || rc == -EAGAIN;
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

static void disarm(void)
{
    for (int kind = 0; kind < FILCH__FAULT_KINDS; kind++)
        filch__fault_arm((enum filch__fault_kind)kind, -1, false);
}

struct scene {
    struct pair p;
    int far[FAR];
    enum filch__fault_kind kind;
    long nth;
    bool sticky, reached;
};

static void scene_open(struct scene *s)
{
    s->p = pair_open(UNIX);
    for (int i = 0; i < FAR; i++) {
        s->far[i] = fcntl(s->p.in, F_DUPFD_CLOEXEC, (i + 1) * STEP);
        REQUIRE(s->far[i] >= 0);
    }
}

static void scene_close(struct scene *s)
{
    for (int i = 0; i < FAR; i++)
        CHECK(filch_close(s->far[i]) == 0);
    pair_close(s->p);
}

/* Waits by hand, in a task or on a thread, and by await. */
static void wait_around(struct scene *s, bool armed)
{
    struct probe w[FAR];
    int rc[FAR];
    for (int i = 0; i < FAR; i++) {
        rc[i] = probe_begin(&w[i], s->far[i], FILCH_READABLE);
        CHECK(rc[i] == FILCH_PENDING || (armed && refused(rc[i])));
        CHECK(filch_future_ended(&w[i].wait.future) == (rc[i] != FILCH_PENDING));
    }
    put(s->p.out, 'x');
    for (int i = 0; i < FAR; i++)
        if (rc[i] == FILCH_PENDING)
            CHECK(probe_end(&w[i]) == FILCH_READABLE);
    int got = filch_fd_wait(s->far[0], FILCH_READABLE, filch_now() + 3600 * 1000 * MS);
    CHECK(got == FILCH_READABLE || (armed && refused(got)));
    filch_fd_future f = FILCH_FD_FUTURE(s->far[1], FILCH_READABLE);
    got = filch_await(&f.future);
    CHECK(got == FILCH_READABLE || (armed && refused(got)));
    CHECK(get(s->p.in) == 'x');
    got = filch_fd_wait(s->far[0], FILCH_READABLE, filch_now() + MS / 10);
    /* The report of what is gone may come only now. */
    CHECK(got == -ETIMEDOUT || got == FILCH_READABLE || (armed && refused(got)));
}

static int play(void *arg)
{
    struct scene *s = arg;
    filch__fault_arm(s->kind, s->nth, s->sticky);
    wait_around(s, true);
    s->reached = filch__fault_seen(s->kind) > s->nth;
    disarm();
    wait_around(s, false);
    return 0;
}

static void fail_each(enum filch__fault_kind kind, bool sticky)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        for (long nth = 0;; nth++) {
            struct scene s = {.kind = kind, .nth = nth, .sticky = sticky};
            filch_runtime *rt = runtime_open(worker_counts[w]);
            scene_open(&s);
            CHECK(filch_run(rt, play, &s) == 0);
            drain(rt);
            runtime_close(rt);
            scene_close(&s);
            if (filch__load_relaxed(&case_bad)) {
                fprintf(stderr, "nth %ld, %d workers\n", nth, worker_counts[w]);
                return;
            }
            if (!s.reached)
                break;
        }
    }
}

static void allocation_once(void)
{
    int files = open_files();
    fail_each(FILCH__FAULT_ALLOC, false);
    CHECK(open_files() == files);
}

static void allocation_for_ever(void)
{
    int files = open_files();
    fail_each(FILCH__FAULT_ALLOC, true);
    CHECK(open_files() == files);
}

static void mapping(void)
{
    fail_each(FILCH__FAULT_MMAP, false);
    fail_each(FILCH__FAULT_MMAP, true);
}

static void thread(void)
{
    int files = open_files();
    fail_each(FILCH__FAULT_THREAD, false);
    fail_each(FILCH__FAULT_THREAD, true);
    CHECK(open_files() == files);
}

/* What exactly the first wait says, and that nothing remembers it. */
static int first_waits(void *rt)
{
    (void)rt;
    struct pair p = pair_open(UNIX);
    struct probe w;
    filch__fault_arm(FILCH__FAULT_THREAD, 0, false);
    CHECK(probe_begin(&w, p.in, FILCH_READABLE) == -EAGAIN);
    disarm();
    filch__fault_arm(FILCH__FAULT_ALLOC, 0, false);
    CHECK(probe_begin(&w, p.in, FILCH_READABLE) == -ENOMEM);
    filch__fault_arm(FILCH__FAULT_ALLOC, 1, false); /* the reactor, but not its first entry */
    CHECK(probe_begin(&w, p.in, FILCH_READABLE) == -ENOMEM);
    CHECK(filch__fault_seen(FILCH__FAULT_ALLOC) == 2);
    disarm();
    CHECK(probe_begin(&w, p.in, FILCH_READABLE) == FILCH_PENDING);
    put(p.out, 'x');
    CHECK(probe_end(&w) == FILCH_READABLE);
    pair_close(p);
    return 0;
}

static void first_waits_by_name(void)
{
    in_task_of_each(first_waits);
}

/* On a thread: the default runtime itself may fail to be made, more than once. */
static void the_default_runtime(void)
{
    for (int kind = 0; kind < FILCH__FAULT_KINDS; kind++) {
        struct scene s = {.kind = (enum filch__fault_kind)kind, .sticky = true};
        scene_open(&s);
        CHECK(play(&s) == 0);
        scene_close(&s);
    }
}

int main(void)
{
    RUN(the_default_runtime);
    RUN(first_waits_by_name);
    RUN(allocation_once);
    RUN(allocation_for_ever);
    RUN(mapping);
    RUN(thread);
    return summary();
}

#else

int main(void)
{
    printf("faults cannot be injected in this build\n");
    return summary();
}

#endif
