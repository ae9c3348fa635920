/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scopes and forked jobs that other workers have stolen: a job belongs to the scope in which it was
 * forked. Each job here says when it begins and its owner waits for that without calling filch, so
 * that it is stolen for sure.
 */
#include "tests/support.h"

#include <sched.h>

/* On runtimes with a thief at least; so many jobs are stolen in each run of fn. */
static void on_thieves(int least, filch_fn *fn, uint64_t jobs)
{
    for (size_t w = 1; w < COUNT(worker_counts); w++) {
        if (worker_counts[w] < least)
            continue;
        filch_runtime *rt = runtime_open(worker_counts[w]);
        uint64_t rounds = (uint64_t)sized(20, 60, 1000);
        for (uint64_t i = 0; i < rounds; i++)
            CHECK(filch_run(rt, fn, rt) == 0);
        drain(rt);
        CHECK(stats_of(rt).forks_stolen >= rounds * jobs);
        runtime_close(rt);
    }
}

static const uint32_t never = 0;
static filch_local key;

/* A job that looks about itself when it is told to. */
struct watcher {
    filch_job job;
    uint32_t begun, look, end;
    uint32_t looked;
    bool cancelled;
    int cause; /* -1: none */
    void *local;
};

static int watch(void *arg)
{
    struct watcher *w = arg;
    filch_cause cause;
    raise_flag(&w->begun);
    for (uint32_t turn = 1; !flag_up(&w->end); turn++) {
        SPIN_UNTIL(filch__load_acquire(&w->look) >= turn || flag_up(&w->end));
        w->cancelled = filch_cancelled();
        CHECK(filch_checkpoint() == (w->cancelled ? -ECANCELED : 0));
        w->cause = filch_cancel_cause(&cause) == 0 ? cause.code : -1;
        w->local = filch_local_get(&key);
        filch__store_release(&w->looked, turn);
    }
    return 21;
}

static void start_watcher(struct watcher *w)
{
    *w = (struct watcher){.job = FILCH_JOB(watch, w)};
    filch_fork(&w->job);
    SPIN_UNTIL(flag_up(&w->begun));
}

/* What the job sees now: the reason of a cancel, or -1. */
static int look(struct watcher *w)
{
    uint32_t turn = filch__add_acq_rel(&w->look, 1u) + 1;
    SPIN_UNTIL(filch__load_acquire(&w->looked) >= turn);
    CHECK(w->cancelled == (w->cause != -1));
    return w->cause;
}

static void end_watcher(struct watcher *w)
{
    raise_flag(&w->end);
    CHECK(filch_sync(&w->job) == 21);
}

/* ---- to which scope a job belongs ---- */

static int forked_before(void *arg)
{
    (void)arg;
    struct watcher w;
    filch_scope s;
    start_watcher(&w);
    REQUIRE(filch_scope_open(&s, NULL) == 0);
    CHECK(filch_scope_cancel(&s, 4) == 0);
    CHECK(filch_checkpoint() == -ECANCELED && look(&w) == -1);
    CHECK(filch_scope_close(&s) == -ECANCELED);
    CHECK(filch_checkpoint() == 0 && look(&w) == -1);
    end_watcher(&w);
    return 0;
}

static int forked_inside(void *arg)
{
    (void)arg;
    struct watcher w;
    filch_scope s;
    REQUIRE(filch_scope_open(&s, NULL) == 0);
    start_watcher(&w);
    CHECK(look(&w) == -1);
    CHECK(filch_scope_close(&s) == -EBUSY);
    CHECK(filch_scope_cancel(&s, 4) == 0);
    CHECK(look(&w) == 4);
    end_watcher(&w);
    CHECK(filch_scope_close(&s) == -ECANCELED);
    return 0;
}

static void a_job_belongs_to_its_scope(void)
{
    on_thieves(2, forked_before, 1);
    on_thieves(2, forked_inside, 1);
}

/* Job, scope, job, binding, job, scope, job: all four stolen, by the oldest first. */
static int interleaved(void *arg)
{
    (void)arg;
    struct watcher w[4];
    filch_scope outer, inner;
    filch_binding binding;
    int value;
    start_watcher(&w[0]);
    REQUIRE(filch_scope_open(&outer, NULL) == 0);
    start_watcher(&w[1]);
    CHECK(filch_local_bind(&binding, &key, &value) == 0);
    start_watcher(&w[2]);
    REQUIRE(filch_scope_open(&inner, NULL) == 0);
    start_watcher(&w[3]);
    for (int i = 0; i < 4; i++)
        CHECK(look(&w[i]) == -1 && w[i].local == (i < 2 ? NULL : &value));
    CHECK(filch_scope_cancel(&inner, 2) == 0);
    CHECK(look(&w[0]) == -1 && look(&w[1]) == -1 && look(&w[2]) == -1 && look(&w[3]) == 2);
    CHECK(filch_scope_cancel(&outer, 1) == 0);
    CHECK(look(&w[0]) == -1 && look(&w[1]) == 1 && look(&w[2]) == 1 && look(&w[3]) == 2);
    CHECK(filch_local_unbind(&binding) == -EBUSY);
    end_watcher(&w[3]);
    CHECK(filch_scope_close(&outer) == -EBUSY);
    CHECK(filch_scope_close(&inner) == -ECANCELED);
    end_watcher(&w[2]);
    CHECK(filch_local_unbind(&binding) == 0 && filch_local_get(&key) == NULL);
    end_watcher(&w[1]);
    CHECK(filch_scope_close(&outer) == -ECANCELED);
    CHECK(look(&w[0]) == -1);
    end_watcher(&w[0]);
    return 0;
}

static void jobs_between_scopes(void)
{
    on_thieves(8, interleaved, 4);
}

/*
 * The fork and the steal race with frames that the owner opens after the fork: the thief must find
 * the frame of the fork.
 */
struct hasty {
    uint32_t wrong, go, ended;
    void *expected;
};

static int look_once(void *arg)
{
    struct hasty *h = arg;
    if (filch_local_get(&key) != h->expected || filch_cancelled())
        tally(&h->wrong);
    tally(&h->ended);
    return 0;
}

static int open_while_stolen(void *arg)
{
    (void)arg;
    int outside, within;
    struct hasty h = {.expected = &outside}, k = {.expected = &within};
    filch_binding a, b;
    filch_scope s;
    CHECK(filch_local_bind(&a, &key, &outside) == 0);
    filch_job job = FILCH_JOB(look_once, &h);
    filch_fork(&job);
    CHECK(filch_local_bind(&b, &key, &within) == 0);
    REQUIRE(filch_scope_open(&s, NULL) == 0);
    filch_job inner = FILCH_JOB(look_once, &k);
    filch_fork(&inner);
    CHECK(filch_sync(&inner) == 0);
    CHECK(filch_scope_cancel(&s, 0) == 0);
    CHECK(filch_scope_close(&s) == -ECANCELED && filch_local_unbind(&b) == 0);
    CHECK(filch_sync(&job) == 0);
    CHECK(filch_local_unbind(&a) == 0);
    CHECK(h.wrong == 0 && k.wrong == 0 && h.ended == 1 && k.ended == 1);
    return 0;
}

static void frames_opened_while_jobs_are_stolen(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        for (int i = 0; i < sized(2000, 10000, 80000); i++)
            CHECK(filch_run(rt, open_while_stolen, NULL) == 0);
        runtime_close(rt);
    }
}

/* ---- the sync that may skip ---- */

static int count_run(void *runs)
{
    tally(runs);
    return 31;
}

/* On one worker nobody takes a job. */
static int skip_untaken(void *arg)
{
    (void)arg;
    uint32_t runs = 0;
    filch_scope s;
    filch_job before = FILCH_JOB(count_run, &runs), a = before, b = before, c = before;
    filch_fork(&before);
    REQUIRE(filch_scope_open(&s, NULL) == 0);
    filch_fork(&a);
    filch_fork(&b);
    filch_fork(&c);
    CHECK(filch_sync_unless_cancelled(&c) == 31 && runs == 1);
    CHECK(filch_scope_cancel(&s, 0) == 0);
    CHECK(filch_sync_unless_cancelled(&b) == -ECANCELED && runs == 1);
    CHECK(filch_sync(&a) == 31 && runs == 2); /* this one always runs it */
    CHECK(filch_scope_close(&s) == -ECANCELED);
    CHECK(filch_sync_unless_cancelled(&before) == 31 && runs == 3);
    return 0;
}

static int skip_not_what_was_taken(void *arg)
{
    (void)arg;
    struct watcher w;
    filch_scope s;
    REQUIRE(filch_scope_open(&s, NULL) == 0);
    start_watcher(&w);
    CHECK(filch_scope_cancel(&s, 2) == 0 && look(&w) == 2);
    raise_flag(&w.end);
    CHECK(filch_sync_unless_cancelled(&w.job) == 21);
    CHECK(filch_scope_close(&s) == -ECANCELED);
    return 0;
}

/* Each job ran or was skipped, and its sync says which; whoever had it. */
static int skip_some(void *arg)
{
    enum { N = 8 };
    uint64_t random = *(uint64_t *)arg;
    for (int i = 0; i < sized(300, 3000, 30000); i++) {
        uint32_t runs[N] = {0};
        filch_job jobs[N];
        filch_scope s;
        REQUIRE(filch_scope_open(&s, NULL) == 0);
        for (int k = 0; k < N; k++) {
            jobs[k] = (filch_job)FILCH_JOB(count_run, &runs[k]);
            filch_fork(&jobs[k]);
        }
        uint32_t at = test_random(&random, N + 1);
        for (uint32_t k = N; k-- > 0;) {
            if (k == at)
                CHECK(filch_scope_cancel(&s, 0) == 0);
            int rc = filch_sync_unless_cancelled(&jobs[k]);
            CHECK(rc == (filch__load_acquire(&runs[k]) ? 31 : -ECANCELED));
            CHECK(k <= at || rc == 31);
        }
        CHECK(filch_scope_close(&s) == (at < N ? -ECANCELED : 0));
    }
    return 0;
}

static void syncs_that_skip(void)
{
    uint64_t seed = test_seed();
    filch_runtime *rt = runtime_open(1);
    CHECK(filch_run(rt, skip_untaken, NULL) == 0);
    runtime_close(rt);
    on_thieves(2, skip_not_what_was_taken, 1);
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        rt = runtime_open(worker_counts[w]);
        CHECK(filch_run(rt, skip_some, &seed) == 0);
        runtime_close(rt);
    }
}

/* ---- what a stolen job opens ---- */

struct opener {
    filch_job job;
    uint32_t begun, go, done, ended, waits;
    bool own_cancel;
    int saw, closed, value;
};

static int child_of_job(void *arg)
{
    struct opener *o = arg;
    CHECK(filch_local_get(&key) == &o->value);
    tally(&o->waits);
    int rc = wait_for_flag((void *)&never);
    tally(&o->ended);
    return rc;
}

/* Opens a scope of its own, with children that wait; cancelled by itself, or from outside. */
static int open_in_job(void *arg)
{
    struct opener *o = arg;
    filch_scope s;
    filch_binding b;
    raise_flag(&o->begun);
    SPIN_UNTIL(flag_up(&o->go));
    CHECK(filch_local_bind(&b, &key, &o->value) == 0);
    REQUIRE(filch_scope_open(&s, NULL) == 0);
    for (int i = 0; i < 5; i++)
        CHECK(filch_scope_spawn(&s, NULL, child_of_job, o) == 0);
    if (o->own_cancel)
        CHECK(filch_scope_cancel(&s, 6) == 0);
    raise_flag(&o->done);
    o->saw = filch_sleep_until(FILCH_NEVER); /* level-triggered: also if it was cancelled before */
    o->closed = filch_scope_close(&s);
    CHECK(o->ended == o->waits && filch_local_unbind(&b) == 0);
    return filch_checkpoint();
}

static void start_opener(struct opener *o, bool own_cancel)
{
    o->own_cancel = own_cancel;
    o->job = (filch_job)FILCH_JOB(open_in_job, o);
    filch_fork(&o->job);
    SPIN_UNTIL(flag_up(&o->begun));
}

static int job_cancels_its_own(void *arg)
{
    (void)arg;
    struct opener o = {.go = 0};
    filch_scope s;
    REQUIRE(filch_scope_open(&s, NULL) == 0);
    start_opener(&o, true);
    raise_flag(&o.go);
    CHECK(filch_sync(&o.job) == 0); /* its checkpoint is again the outer scope's */
    CHECK(o.saw == -ECANCELED && o.closed == -ECANCELED && filch_checkpoint() == 0);
    CHECK(filch_local_get(&key) == NULL && filch_scope_close(&s) == 0);
    return 0;
}

static int owner_cancels(void *arg)
{
    (void)arg;
    struct opener o = {.go = 0};
    filch_scope s;
    REQUIRE(filch_scope_open(&s, NULL) == 0);
    start_opener(&o, false);
    raise_flag(&o.go);
    SPIN_UNTIL(flag_up(&o.done)); /* it sleeps, or soon will */
    CHECK(filch_scope_cancel(&s, 6) == 0);
    CHECK(filch_sync(&o.job) == -ECANCELED);
    CHECK(o.saw == -ECANCELED && o.closed == -ECANCELED);
    CHECK(filch_scope_close(&s) == -ECANCELED && filch_checkpoint() == 0);
    return 0;
}

/* The cancel comes first: what the job opens is cancelled from its start. */
static int opened_late(void *arg)
{
    (void)arg;
    struct opener o = {.go = 0};
    filch_scope s;
    REQUIRE(filch_scope_open(&s, NULL) == 0);
    start_opener(&o, false);
    CHECK(filch_scope_cancel(&s, 6) == 0);
    raise_flag(&o.go);
    CHECK(filch_sync(&o.job) == -ECANCELED);
    CHECK(o.closed == -ECANCELED && o.waits == 0);
    CHECK(filch_scope_close(&s) == -ECANCELED);
    return 0;
}

/* Both at once. */
static int opened_meanwhile(void *arg)
{
    (void)arg;
    struct opener o = {.go = 0};
    filch_scope s;
    REQUIRE(filch_scope_open(&s, NULL) == 0);
    start_opener(&o, false);
    raise_flag(&o.go);
    CHECK(filch_scope_cancel(&s, 6) == 0);
    CHECK(filch_sync(&o.job) == -ECANCELED && o.closed == -ECANCELED);
    CHECK(filch_scope_close(&s) == -ECANCELED);
    return 0;
}

static void scopes_of_stolen_jobs(void)
{
    on_thieves(2, job_cancels_its_own, 1);
    on_thieves(2, owner_cancels, 1);
    on_thieves(2, opened_late, 1);
    on_thieves(2, opened_meanwhile, 1);
}

/* An abort reaches what a stolen job has open, outside of any scope of the owner. */
static int own_nothing(void *arg)
{
    struct opener *o = arg;
    start_opener(o, false);
    raise_flag(&o->go);
    int rc = filch_sync(&o->job);
    CHECK(filch_checkpoint() == -ECANCELED);
    return rc;
}

static void abort_reaches_scopes_of_stolen_jobs(void)
{
    for (size_t w = 1; w < COUNT(worker_counts); w++)
        for (int i = 0; i < sized(20, 100, 2000); i++) {
            filch_runtime *rt = runtime_open(worker_counts[w]);
            struct opener o = {.go = 0};
            filch_handle *h;
            spawn_on(rt, &h, own_nothing, &o);
            if (i % 2)
                SPIN_UNTIL(flag_up(&o.done));
            else
                SPIN_UNTIL(flag_up(&o.begun));
            CHECK(filch_abort(h) == 0);
            CHECK(join(h) == -ECANCELED && o.saw == -ECANCELED && o.closed == -ECANCELED);
            runtime_close(rt);
        }
}

int main(void)
{
    (void)test_seed();
    RUN(a_job_belongs_to_its_scope);
    RUN(jobs_between_scopes);
    RUN(frames_opened_while_jobs_are_stolen);
    RUN(syncs_that_skip);
    RUN(scopes_of_stolen_jobs);
    RUN(abort_reaches_scopes_of_stolen_jobs);
    return summary();
}
