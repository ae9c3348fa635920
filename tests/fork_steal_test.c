/* SPDX-License-Identifier: Apache-2.0 */
/* Stolen jobs: how soon they start, where they run, to whom they belong, and how often. */
#define _GNU_SOURCE 1
#include "sched/os/clock.h"
#include "sched/os/futex.h"
#include "tests/support.h"

/* ---- within what time ---- */

enum { JOBS = 3, ROUNDS_MOST = 64, BOUND_NS = 1000 * 1000, COMPUTE_NS = 100 * 1000 * 1000 };

struct start {
    int64_t at;
    pthread_t on;
};

static int note_start(void *arg)
{
    struct start *s = arg;
    s->on = pthread_self();
    s->at = filch__now();
    return 0;
}

/* Latencies of the last of n jobs that an owner forked who then computes, one for each round. */
struct busy {
    int n, rounds;
    int64_t latency[ROUNDS_MOST];
    int at_home; /* jobs that ran on the owner's thread */
};

static int fork_and_compute(void *arg)
{
    struct busy *b = arg;
    for (int round = 0; round < b->rounds; round++) {
        struct start start[JOBS];
        filch_job job[JOBS];
        int64_t begin = filch__now();
        for (int i = 0; i < b->n; i++) {
            job[i] = (filch_job)FILCH_JOB(note_start, &start[i]);
            filch_fork(&job[i]);
        }
        while (filch__now() - begin < COMPUTE_NS)
            ;
        for (int i = b->n - 1; i >= 0; i--)
            filch_sync(&job[i]);
        b->latency[round] = start[b->n - 1].at - begin;
        for (int i = 0; i < b->n; i++)
            b->at_home += pthread_equal(start[i].on, pthread_self()) != 0;
    }
    return 0;
}

static int compare_ns(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The median of one series of rounds. */
static int64_t busy_owner_once(int n)
{
    struct busy b = {.n = n, .rounds = (int)sized(5, 15, 45)};
    filch_runtime *rt = runtime_open(2);
    CHECK(filch_run(rt, fork_and_compute, &b) == 0);
    runtime_close(rt);
    qsort(b.latency, (size_t)b.rounds, sizeof b.latency[0], compare_ns);
    int64_t median = b.latency[b.rounds / 2];
    printf("       started after %.1f us (median), %.1f us (longest); %d of %d ran at home\n",
           (double)median / 1e3, (double)b.latency[b.rounds - 1] / 1e3, b.at_home, n * b.rounds);
    return median;
}

/* For comparison, a plain thread that sleeps and is woken by one who then computes. */
struct wake {
    uint32_t word, rounds; /* word: futex, the number of the round */
    int64_t started;
};

static void *note_wakes(void *arg)
{
    struct wake *w = arg;
    for (uint32_t round = 0; round < w->rounds; round++) {
        while (filch__load_acquire(&w->word) == round)
            filch__futex_wait(&w->word, round, FILCH__NEVER);
        filch__store_release(&w->started, filch__now());
    }
    return NULL;
}

static int64_t median_wake(void)
{
    struct wake w = {.rounds = 9};
    int64_t latency[9];
    pthread_t thread = thread_start(note_wakes, &w);
    for (uint32_t round = 0; round < w.rounds; round++) {
        int64_t begin = filch__now();
        filch__store_release(&w.word, round + 1);
        filch__futex_wake(&w.word, 1);
        while (filch__now() - begin < COMPUTE_NS)
            ;
        latency[round] = filch__load_acquire(&w.started) - begin;
    }
    thread_join(thread);
    qsort(latency, w.rounds, sizeof latency[0], compare_ns);
    printf("       a plain thread starts after %.1f us\n", (double)latency[w.rounds / 2] / 1e3);
    return latency[w.rounds / 2];
}

/*
 * Where other processes have the CPUs any thread waits for milliseconds. So one series in time is
 * enough, and a late one counts only if a plain thread was soon there.
 */
static void busy_owner(int n)
{
    int late = 0;
    bool in_time = busy_owner_once(n) < BOUND_NS;
    for (int series = 1; series < 6 && !in_time; series++) {
        late += median_wake() < BOUND_NS / 4;
        in_time = busy_owner_once(n) < BOUND_NS;
    }
    CHECK(in_time || late < 2 || RUNNING_ON_VALGRIND || getenv("FILCH_TEST_EMULATED"));
}

static void job_of_a_busy_owner_starts_within_a_millisecond(void)
{
    busy_owner(1);
}

static void so_do_all_of_three(void)
{
    busy_owner(3);
}

/* ---- where ---- */

struct meeting {
    uint32_t begun, released;
    pthread_t job_on;
};

/* Ends only when the owner has said so, which it does after the job has begun elsewhere. */
static int wait_for_owner(void *arg)
{
    struct meeting *m = arg;
    m->job_on = pthread_self();
    raise_flag(&m->begun);
    SPIN_UNTIL(flag_up(&m->released));
    return 77;
}

static int have_it_stolen(void *arg)
{
    (void)arg;
    struct meeting m = {0};
    filch_job job = FILCH_JOB(wait_for_owner, &m);
    filch_fork(&job);
    pthread_t me = pthread_self();
    SPIN_UNTIL(flag_up(&m.begun));
    CHECK(!pthread_equal(m.job_on, me));
    raise_flag(&m.released);
    return filch_sync(&job);
}

static void sync_of_a_stolen_job(void)
{
    for (size_t i = 1; i < COUNT(worker_counts); i++) {
        filch_runtime *rt = runtime_open(worker_counts[i]);
        for (int round = 0; round < 50; round++)
            CHECK(filch_run(rt, have_it_stolen, NULL) == 77);
        CHECK(stats_of(rt).forks_stolen >= 50);
        runtime_close(rt);
    }
}

/* While the owner waits for its stolen job, its worker runs other things. */
struct errand {
    uint32_t begun, other_ran;
};

static int other(void *arg)
{
    raise_flag(&((struct errand *)arg)->other_ran);
    return 0;
}

static int wait_for_other(void *arg)
{
    struct errand *e = arg;
    raise_flag(&e->begun);
    SPIN_UNTIL(flag_up(&e->other_ran));
    return 5;
}

static int wait_at_sync(void *arg)
{
    (void)arg;
    struct errand e = {0};
    filch_handle *h;
    filch_job job = FILCH_JOB(wait_for_other, &e);
    filch_fork(&job);
    SPIN_UNTIL(flag_up(&e.begun));
    REQUIRE(filch_spawn(&h, other, &e) == 0); /* the other worker is in the job */
    int rc = filch_sync(&job);
    return join(h) + rc;
}

static void a_sync_does_not_hold_its_worker(void)
{
    filch_runtime *rt = runtime_open(2);
    for (int round = 0; round < 200; round++)
        CHECK(filch_run(rt, wait_at_sync, NULL) == 5);
    runtime_close(rt);
}

/* The jobs of a frame that is suspended can be stolen all the same. */
static int suspended_owner(void *arg)
{
    (void)arg;
    struct errand e = {0};
    filch_handle *h;
    filch_job job = FILCH_JOB(other, &e);
    REQUIRE(filch_spawn(&h, wait_for_other, &e) == 0);
    filch_fork(&job);
    int rc = join(h); /* ends only after the job has run */
    return rc + filch_sync(&job);
}

static void jobs_of_a_suspended_owner_run(void)
{
    for (size_t i = 1; i < COUNT(worker_counts); i++) {
        filch_runtime *rt = runtime_open(worker_counts[i]);
        for (int round = 0; round < 200; round++)
            CHECK(filch_run(rt, suspended_owner, NULL) == 5);
        runtime_close(rt);
    }
}

/* ---- whose ---- */

static int until_cancelled(void *arg)
{
    raise_flag(arg);
    SPIN_UNTIL(filch_cancelled());
    return filch_checkpoint();
}

static int fork_two_until_cancelled(void *arg)
{
    uint32_t *begun = arg;
    filch_job job = FILCH_JOB(until_cancelled, &begun[0]);
    filch_fork(&job);
    int mine = until_cancelled(&begun[1]);
    int its = filch_sync(&job);
    return mine == its ? its : 0;
}

static void a_stolen_job_is_cancelled_with_its_task(void)
{
    filch_runtime *rt = runtime_open(2);
    for (int round = 0; round < 100; round++) {
        uint32_t begun[2] = {0};
        filch_handle *h;
        spawn_on(rt, &h, fork_two_until_cancelled, begun);
        SPIN_UNTIL(flag_up(&begun[0]) && flag_up(&begun[1]));
        CHECK(filch_abort(h) == 0);
        CHECK(join(h) == -ECANCELED);
    }
    runtime_close(rt);
}

/* ---- how often ---- */

struct piece {
    uint64_t seed;
    int depth;
    uint32_t ran;
};

static uint64_t pieces_run;

/* A tree that its seed decides; now and then a piece computes, yields, or is long. */
static int run_piece(void *arg)
{
    enum { MOST = 6 };
    struct piece *p = arg, child[MOST];
    filch_job job[MOST];
    uint64_t state = p->seed;
    CHECK(filch__add_acq_rel(&p->ran, 1u) == 0);
    filch__add_relaxed(&pieces_run, 1u);
    int n = p->depth > 0 ? (int)test_random(&state, MOST + 1) : 0;
    if (p->depth > 7)
        n = MOST;
    for (int i = 0; i < n; i++) {
        child[i] = (struct piece){.seed = state + (uint64_t)i * 1000003, .depth = p->depth - 1};
        job[i] = (filch_job)FILCH_JOB(run_piece, &child[i]);
        filch_fork(&job[i]);
        if (test_random(&state, 50) == 0)
            CHECK(filch_yield() == 0);
    }
    for (volatile uint32_t i = test_random(&state, 100) ? 0 : test_random(&state, 20000); i > 0;)
        i = i - 1;
    int sum = 1;
    for (int i = n - 1; i >= 0; i--) {
        sum += filch_sync(&job[i]);
        CHECK(filch__load_relaxed(&child[i].ran) == 1);
        if (test_random(&state, 50) == 0)
            CHECK(filch_yield() == 0);
    }
    return sum;
}

static void random_trees_run_each_piece_once(void)
{
    static const int sizes[] = {1, 2, 3, 4, 8, 16};
    uint64_t state = test_seed();
    long rounds = sized(1, 4, 40);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        filch_runtime *rt = runtime_open(sizes[i]);
        for (long round = 0; round < rounds; round++) {
            struct piece root = {.seed = state + (uint64_t)round, .depth = instrumented() ? 7 : 9};
            filch__store_relaxed(&pieces_run, 0u);
            int sum = filch_run(rt, run_piece, &root);
            CHECK(sum > 0 && (uint64_t)sum == filch__load_relaxed(&pieces_run));
        }
        runtime_close(rt);
    }
}

int main(void)
{
    RUN(job_of_a_busy_owner_starts_within_a_millisecond);
    RUN(so_do_all_of_three);
    RUN(sync_of_a_stolen_job);
    RUN(a_sync_does_not_hold_its_worker);
    RUN(jobs_of_a_suspended_owner_run);
    RUN(a_stolen_job_is_cancelled_with_its_task);
    RUN(random_trees_run_each_piece_once);
    return summary();
}
