/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of <filch/scope.h> as races: in each turn a task and a thread do two things to one scope
 * at the same time. Whoever came first, what everybody is told must fit together.
 */
#include "tests/scope_check.h"

static int sleep_for_ever(void *arg)
{
    (void)arg;
    int rc = filch_sleep_until(FILCH_NEVER);
    CHECK(rc == -ECANCELED && filch_checkpoint() == -ECANCELED);
    return rc;
}

static void open_scope(filch_scope *s, filch_policy policy, int64_t deadline)
{
    filch_scope_options o = {.policy = policy, .deadline = deadline};
    REQUIRE(filch_scope_open(s, &o) == 0);
}

/* A scope and its adversary, a thread; in each turn both act. */
struct duel {
    filch_scope scope;
    uint32_t turn, done, stop;
    int rc;
    uint32_t ran, dropped;
    uint64_t random;
    void (*act)(struct duel *);
    void (*round)(struct duel *);
};

static void pause_a_little(uint64_t *random)
{
    for (uint32_t n = test_random(random, 1u << test_random(random, 11)); n > 0; n--)
        filch__fence_compiler();
}

static void *adversary(void *arg)
{
    struct duel *d = arg;
    uint64_t random = test_seed();
    for (uint32_t turn = 1;; turn++) {
        SPIN_UNTIL(filch__load_acquire(&d->turn) == turn);
        if (flag_up(&d->stop))
            return NULL;
        pause_a_little(&random);
        d->act(d);
        filch__store_release(&d->done, turn);
    }
}

static void cancel(struct duel *d)
{
    d->rc = filch_scope_cancel(&d->scope, 8);
}

static void engage(struct duel *d)
{
    filch__add_acq_rel(&d->turn, 1u);
    pause_a_little(&d->random);
}

static int close_and_wait(struct duel *d)
{
    int rc = filch_scope_close(&d->scope);
    SPIN_UNTIL(filch__load_acquire(&d->done) == d->turn);
    return rc;
}

static int duel_task(void *arg)
{
    struct duel *d = arg;
    for (long i = 0; i < sized(300, 4000, 20000) && !filch__load_relaxed(&case_bad); i++)
        d->round(d);
    return 0;
}

static void duel(void (*round)(struct duel *), void (*act)(struct duel *))
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct duel d = {.act = act, .round = round, .random = test_seed() + w};
        pthread_t thread = thread_start(adversary, &d);
        CHECK(filch_run(rt, duel_task, &d) == 0);
        raise_flag(&d.stop);
        filch__add_acq_rel(&d.turn, 1u);
        thread_join(thread);
        drain(rt);
        runtime_close(rt);
    }
}

/* Cancel against the last child's end. */
static void cancel_meets_end(struct duel *d)
{
    filch_handle *h;
    open_scope(&d->scope, FILCH_FAIL_FAST, 0);
    CHECK(filch_scope_spawn(&d->scope, &h, return_number, (void *)2) == 0);
    engage(d);
    int rc = close_and_wait(d), value = join(h);
    CHECK(d->rc == 0 ? rc == -ECANCELED : d->rc == -EINVAL && rc == 0);
    CHECK(value == 2 || (value == -ECANCELED && rc == -ECANCELED));
    CHECK(report_of(&d->scope).succeeded == (value == 2));
}

/* Cancel against a failure, with the opener asleep inside. */
static void cancel_meets_failure(struct duel *d)
{
    open_scope(&d->scope, FILCH_FAIL_FAST, 0);
    CHECK(filch_scope_spawn(&d->scope, NULL, return_number, (void *)-EIO) == 0);
    engage(d);
    CHECK(filch_sleep_until(FILCH_NEVER) == -ECANCELED);
    int rc = close_and_wait(d);
    filch_report r = report_of(&d->scope);
    CHECK(d->rc == 0 || d->rc == -EINVAL);
    if (rc == -EIO)
        CHECK(r.cause.kind == FILCH_CAUSE_FAILURE && r.cause.code == -EIO && r.failed == 1);
    else
        CHECK(rc == -ECANCELED && d->rc == 0 && r.cause.kind == FILCH_CAUSE_CANCEL);
    CHECK(r.failed + r.cancelled == 1 && r.cancel_latency >= -1);
}

/* Cancel against the scope's deadline. */
static void cancel_meets_deadline(struct duel *d)
{
    open_scope(&d->scope, FILCH_SUPERVISE, filch_now() + test_random(&d->random, 30000));
    CHECK(filch_scope_spawn(&d->scope, NULL, sleep_for_ever, NULL) == 0);
    engage(d);
    int rc = close_and_wait(d);
    filch_cause_kind kind = report_of(&d->scope).cause.kind;
    if (rc == -ETIMEDOUT)
        CHECK(kind == FILCH_CAUSE_DEADLINE);
    else
        CHECK(rc == -ECANCELED && d->rc == 0 && kind == FILCH_CAUSE_CANCEL);
}

/* Two winners; the thread does nothing. */
static void nothing(struct duel *d)
{
    d->rc = 0;
}

static void winners_meet(struct duel *d)
{
    filch_handle *h[3];
    int wins = 0, first = 0;
    open_scope(&d->scope, FILCH_RACE, 0);
    for (int i = 0; i < 3; i++)
        CHECK(filch_scope_spawn(&d->scope, &h[i], return_number, (void *)(intptr_t)(i + 1)) == 0);
    engage(d);
    CHECK(close_and_wait(d) == 0);
    filch_report r = report_of(&d->scope);
    for (int i = 0; i < 3; i++) {
        int value;
        CHECK(filch_join(h[i], &value) == 0 && (value == i + 1 || value == -ECANCELED));
        wins += value > 0;
        first += value == r.cause.code;
    }
    CHECK(first == 1 && r.cause.kind == FILCH_CAUSE_WON);
    CHECK((int)r.succeeded == wins && (int)r.cancelled == 3 - wins && r.failed == 0);
}

/* Spawn against cancel: whoever is admitted ends, and its argument is dropped. */
static void drop(void *arg)
{
    struct duel **d = arg;
    tally(&(*d)->dropped);
}

static int run(void *arg)
{
    struct duel **d = arg;
    tally(&(*d)->ran);
    return 1;
}

static void spawn_meets_cancel(struct duel *d)
{
    enum { N = 6 };
    filch_spawn_options o = {.arg_size = sizeof d, .arg_drop = drop};
    d->ran = d->dropped = 0;
    open_scope(&d->scope, FILCH_SUPERVISE, 0);
    engage(d);
    for (int i = 0; i < N; i++)
        CHECK(filch_scope_spawn_with(&d->scope, NULL, &o, run, &d) == 0);
    int rc = close_and_wait(d);
    filch_report r = report_of(&d->scope);
    CHECK(d->dropped == N && r.ended == N && r.succeeded == d->ran && r.cancelled == N - d->ran);
    CHECK(d->rc == 0 ? rc == -ECANCELED : rc == 0 && d->ran == N);
}

/* Cancel of what encloses the scope, which is just opened, closed, or waits; three deep. */
static void open_meets_cancel(struct duel *d)
{
    filch_scope middle, inner;
    filch_handle *h;
    open_scope(&d->scope, FILCH_FAIL_FAST, 0);
    engage(d);
    open_scope(&middle, FILCH_FAIL_FAST, 0);
    filch_scope_options o = {.collect = true};
    REQUIRE(filch_scope_open(&inner, &o) == 0);
    CHECK(filch_scope_spawn(&inner, NULL, sleep_for_ever, NULL) == 0);
    if (d->turn % 3 == 0)
        CHECK(filch_sleep_until(FILCH_NEVER) == -ECANCELED);
    else if (d->turn % 3 == 1)
        CHECK(filch_scope_next(&inner, &h) == -ECANCELED);
    CHECK(filch_scope_close(&inner) == -ECANCELED);
    CHECK(filch_scope_close(&middle) == -ECANCELED);
    CHECK(close_and_wait(d) == -ECANCELED && d->rc == 0);
    CHECK(report_of(&inner).cause.code == 8 && report_of(&middle).cause.code == 8);
}

/* The deadline is moved away, earlier and later while it comes near. */
static void move_deadline(struct duel *d)
{
    d->rc = filch_scope_set_deadline(&d->scope, 0);
}

static void move_meets_deadline(struct duel *d)
{
    open_scope(&d->scope, FILCH_SUPERVISE, filch_now() + test_random(&d->random, 30000));
    engage(d);
    SPIN_UNTIL(filch__load_acquire(&d->done) == d->turn);
    bool cancelled = filch_scope_cancelled(&d->scope);
    CHECK(d->rc == 0 || (d->rc == -EALREADY && cancelled));
    CHECK(!cancelled || d->rc == -EALREADY);
    int rc = close_and_wait(d);
    CHECK(rc == (d->rc == 0 ? 0 : -ETIMEDOUT)); /* taken away is taken away */
}

static uint32_t overdue;

static void note_overdue(void *ctx, const char *task)
{
    (void)ctx;
    (void)task;
    tally(&overdue);
}

/* A deadline that comes near, a cancel, and a grace period that is long: nobody is overdue. */
static void cancel_and_deadline_meet_grace(struct duel *d)
{
    filch_scope_options o = {.deadline = filch_now() + test_random(&d->random, 30000),
                             .grace = FILCH_NEVER - (d->turn & 1),
                             .on_overdue = note_overdue};
    REQUIRE(filch_scope_open(&d->scope, &o) == 0);
    CHECK(filch_scope_spawn(&d->scope, NULL, sleep_for_ever, NULL) == 0);
    engage(d);
    int rc = close_and_wait(d);
    CHECK((rc == -ECANCELED || rc == -ETIMEDOUT) && overdue == 0);
    CHECK(report_of(&d->scope).overdue == 0);
}

#define DUEL(round, act)       \
    static void round##s(void) \
    {                          \
        duel(round, act);      \
    }

DUEL(cancel_meets_end, cancel)
DUEL(cancel_meets_failure, cancel)
DUEL(cancel_meets_deadline, cancel)
DUEL(winners_meet, nothing)
DUEL(spawn_meets_cancel, cancel)
DUEL(open_meets_cancel, cancel)
DUEL(move_meets_deadline, move_deadline)
DUEL(cancel_and_deadline_meet_grace, cancel)

/* ---- the opener is aborted, at any moment ---- */

struct victim {
    uint32_t started;
    uint32_t ended, ran;
    int closed, kind;
};

static int count_end(void *arg)
{
    struct victim *v = arg;
    tally(&v->ran);
    int rc = filch_sleep_until(FILCH_NEVER);
    tally(&v->ended);
    return rc;
}

static int open_and_wait(void *arg)
{
    struct victim *v = arg;
    filch_scope outer, inner;
    raise_flag(&v->started);
    open_scope(&outer, FILCH_FAIL_FAST, 0);
    CHECK(filch_scope_spawn(&outer, NULL, count_end, v) == 0);
    open_scope(&inner, FILCH_FAIL_FAST, 0);
    CHECK(filch_scope_spawn(&inner, NULL, count_end, v) == 0);
    if (v->kind == 0)
        CHECK(filch_sleep_until(FILCH_NEVER) == -ECANCELED);
    while (v->kind == 1 && filch_yield() == 0)
        ;
    v->closed = filch_scope_close(&inner);
    CHECK(filch_scope_close(&outer) == -ECANCELED);
    CHECK(report_of(&outer).cause.kind == FILCH_CAUSE_ABORT);
    CHECK(report_of(&inner).cause.kind == FILCH_CAUSE_ABORT && v->ran == v->ended);
    return 4;
}

static void abort_meets_everything(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        uint64_t random = test_seed();
        for (int i = 0; i < sized(200, 2000, 15000); i++) {
            struct victim v = {.kind = i % 3};
            filch_handle *h;
            spawn_on(rt, &h, open_and_wait, &v);
            if (i & 4)
                SPIN_UNTIL(flag_up(&v.started));
            pause_a_little(&random);
            CHECK(filch_abort(h) == 0);
            int rc = join(h);
            CHECK(rc == 4 ? v.closed == -ECANCELED : rc == -ECANCELED && !flag_up(&v.started));
        }
        drain(rt);
        runtime_close(rt);
    }
}

int main(void)
{
    (void)test_seed();
    RUN(cancel_meets_ends);
    RUN(cancel_meets_failures);
    RUN(cancel_meets_deadlines);
    RUN(winners_meets);
    RUN(spawn_meets_cancels);
    RUN(open_meets_cancels);
    RUN(move_meets_deadlines);
    RUN(cancel_and_deadline_meet_graces);
    RUN(abort_meets_everything);
    return summary();
}
