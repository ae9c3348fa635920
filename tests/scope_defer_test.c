/* SPDX-License-Identifier: Apache-2.0 */
/* Deferred functions: of tasks and of scopes, the newest first, once, on every way out. */
#include "tests/scope_check.h"

static const uint32_t never = 0;

/* What was deferred, in the order of running. */
struct trail {
    uint32_t length;
    int step[40];
    uint32_t in_task; /* of those that ran where a task runs */
};

struct mark {
    struct trail *trail;
    int number;
};

static void leave_mark(void *arg)
{
    struct mark *m = arg;
    m->trail->in_task += filch_task_name() != NULL;
    m->trail->step[m->trail->length] = m->number;
    filch__store_release(&m->trail->length, m->trail->length + 1);
}

static bool went_down_from(const struct trail *t, int n)
{
    for (int i = 0; i < n; i++)
        if (t->step[i] != n - i)
            return false;
    return (int)filch__load_acquire(&t->length) == n;
}

static int sleep_for_ever(void *arg)
{
    (void)arg;
    return filch_sleep_until(FILCH_NEVER);
}

/* ---- every way out ---- */

enum way { RETURN, FAIL, SLEEP, JOIN, CLOSE, NEXT, YIELD, SYNC, CHECKPOINT, WAYS };

enum { DEFERS = 20 }; /* in several chunks */

struct leaver {
    enum way way;
    uint32_t waits, begun;
    struct trail trail;
    struct mark marks[DEFERS];
    bool arg_dropped;
};

static int wait_in_job(void *arg)
{
    struct leaver *l = arg;
    raise_flag(&l->begun);
    return filch_sleep_until(FILCH_NEVER);
}

static int wait_by_join(void)
{
    filch_handle *h;
    if (filch_spawn(&h, sleep_for_ever, NULL) < 0)
        return -ECANCELED;
    int rc = filch_join(h, NULL);
    if (rc < 0) {
        CHECK(filch_abort(h) == 0);
        filch_detach(h);
    }
    return -ECANCELED;
}

static int wait_in_scope(bool by_next)
{
    filch_scope s;
    filch_handle *h;
    REQUIRE(filch_scope_open(&s, &(filch_scope_options){.collect = true}) == 0);
    CHECK(filch_scope_spawn(&s, NULL, sleep_for_ever, NULL) == 0 || filch_cancelled());
    if (by_next)
        CHECK(filch_scope_next(&s, &h) == -ECANCELED);
    return filch_scope_close(&s);
}

static int leave(struct leaver *l)
{
    filch_job job = FILCH_JOB(wait_in_job, l);
    raise_flag(&l->waits);
    switch (l->way) {
    case FAIL:
        return -EIO;
    case SLEEP:
        return filch_sleep_until(FILCH_NEVER);
    case JOIN:
        return wait_by_join();
    case CLOSE:
    case NEXT:
        return wait_in_scope(l->way == NEXT);
    case YIELD:
        return wait_for_flag((void *)&never);
    case SYNC: /* with two workers or more it is stolen, else it waits here */
        filch_fork(&job);
        return filch_sync(&job);
    case CHECKPOINT:
        SPIN_UNTIL(filch_checkpoint() < 0);
        return -ECANCELED;
    default:
        return 3;
    }
}

static int leaver(void *arg)
{
    struct leaver *l = arg;
    for (int i = 0; i < DEFERS; i++) {
        l->marks[i] = (struct mark){&l->trail, i + 1};
        CHECK(filch_defer(leave_mark, &l->marks[i]) == 0);
    }
    return leave(l);
}

static void note_arg_drop(void *arg)
{
    struct leaver *l = arg;
    CHECK(!flag_up(&l->waits) || went_down_from(&l->trail, DEFERS));
    l->arg_dropped = true;
}

/* Aborted, cancelled by the scope, or by the runtime's end; the join comes after all of it. */
static void leave_each_way(int i)
{
    filch_runtime *rt = runtime_open(worker_counts[i % 3]);
    struct leaver l = {.way = (enum way)(i / 9 % WAYS)};
    bool by_itself = l.way == RETURN || l.way == FAIL;
    int how = i / 3 % 3;
    filch_spawn_options o = {.runtime = rt, .arg_drop = note_arg_drop};
    filch_scope s;
    filch_handle *h;
    REQUIRE(filch_scope_open(&s, &(filch_scope_options){.runtime = rt}) == 0);
    REQUIRE((how == 1 ? filch_scope_spawn_with(&s, &h, &o, leaver, &l)
                      : filch_spawn_with(&h, &o, leaver, &l)) == 0);
    if (i % 2 || by_itself)
        SPIN_UNTIL(flag_up(&l.waits));
    if (how == 0 && !by_itself)
        CHECK(filch_abort(h) == 0);
    else if (how == 1 && !by_itself)
        CHECK(filch_scope_cancel(&s, 0) == 0);
    if (how == 1)
        CHECK(filch_scope_close(&s) == (by_itself ? l.way == FAIL ? -EIO : 0 : -ECANCELED));
    else
        CHECK(filch_scope_close(&s) == 0);
    if (how == 2)
        runtime_close(rt);
    int rc = join(h);
    CHECK(rc == (l.way == RETURN ? 3
                 : l.way == FAIL ? -EIO
                                 : -ECANCELED) ||
          (how == 2 && rc == -ECANCELED));
    CHECK(flag_up(&l.waits) ? went_down_from(&l.trail, DEFERS) && l.trail.in_task == DEFERS
                            : l.trail.length == 0);
    CHECK(l.arg_dropped);
    if (how != 2)
        runtime_close(rt);
}

static void on_every_way_out(void)
{
    for (int i = 0; i < sized(9 * WAYS, 90 * WAYS, 900 * WAYS); i++)
        leave_each_way(i);
}

/* ---- from where ---- */

static struct trail deep; /* one task at a time */
static struct mark deep_marks[3] = {{&deep, 1}, {&deep, 2}, {&deep, 3}};

static void defer_again(void *arg)
{
    leave_mark(arg);
    CHECK(filch_defer(leave_mark, &deep_marks[1]) == 0);
    CHECK(filch_yield() == 0); /* it may wait */
}

static int defer_inside_defer(void *arg)
{
    (void)arg;
    CHECK(filch_defer(leave_mark, &deep_marks[0]) == 0);
    return filch_defer(defer_again, &deep_marks[2]);
}

/* In a deferred function of a task that was aborted each wait is cut short, but inside a shield. */
static void wait_in_shield(void *arg)
{
    filch_shield shield;
    filch_scope s;
    CHECK(filch_sleep(1) == -ECANCELED && filch_yield() == -ECANCELED);
    CHECK(filch_shield_begin(&shield, 0) == 0);
    CHECK(filch_sleep(1) == 0 && filch_yield() == 0);
    REQUIRE(filch_scope_open(&s, NULL) == 0);
    CHECK(filch_scope_close(&s) == 0 && filch_shield_end(&shield) == 0);
    CHECK(filch_checkpoint() == -ECANCELED);
    leave_mark(arg);
}

static int say_goodbye(void *started)
{
    CHECK(filch_defer(wait_in_shield, &deep_marks[0]) == 0);
    raise_flag(started);
    return filch_sleep_until(FILCH_NEVER);
}

static void deferred_functions_that_wait(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        uint32_t started = 0;
        filch_handle *h;
        deep.length = 0;
        CHECK(filch_run(rt, defer_inside_defer, NULL) == 0);
        CHECK(deep.length == 3 && deep.step[0] == 3 && deep.step[1] == 2 && deep.step[2] == 1);
        deep.length = 0;
        spawn_on(rt, &h, say_goodbye, &started);
        SPIN_UNTIL(flag_up(&started));
        CHECK(filch_abort(h) == 0 && join(h) == -ECANCELED && deep.length == 1);
        CHECK(filch_defer(leave_mark, &deep_marks[0]) == -EINVAL); /* no task here */
        runtime_close(rt);
    }
}

struct deferrer {
    filch_job job;
    uint32_t begun, *ran;
};

static void count_ran(void *arg)
{
    tally(arg);
}

static int defer_in_job(void *arg)
{
    struct deferrer *d = arg;
    raise_flag(&d->begun);
    for (int i = 0; i < 10; i++)
        CHECK(filch_defer(count_ran, d->ran) == 0);
    return 0;
}

/* Of a stolen job: they are the task's, and run at its end. */
static int jobs_that_defer(void *ran)
{
    enum { N = 4 };
    struct deferrer d[N];
    for (int i = 0; i < N; i++) {
        d[i] = (struct deferrer){.job = FILCH_JOB(defer_in_job, &d[i]), .ran = ran};
        filch_fork(&d[i].job);
    }
    CHECK(filch_defer(count_ran, ran) == 0);
    for (int i = N; i-- > 0;)
        CHECK(filch_sync(&d[i].job) == 0 && flag_up(&d[i].begun));
    CHECK(filch__load_acquire((uint32_t *)ran) == 0);
    return 0;
}

static int stolen_jobs_that_defer(void *ran)
{
    struct deferrer d = {.job = FILCH_JOB(defer_in_job, &d), .ran = ran};
    filch_fork(&d.job);
    SPIN_UNTIL(flag_up(&d.begun));
    CHECK(filch_sync(&d.job) == 0 && filch__load_acquire((uint32_t *)ran) == 0);
    return 0;
}

static void deferred_by_jobs(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        for (int i = 0; i < sized(50, 500, 5000); i++) {
            uint32_t ran = 0;
            CHECK(filch_run(rt, jobs_that_defer, &ran) == 0 && ran == 41);
            ran = 0;
            if (worker_counts[w] > 1)
                CHECK(filch_run(rt, stolen_jobs_that_defer, &ran) == 0 && ran == 10);
        }
        runtime_close(rt);
    }
}

/* ---- of scopes ---- */

struct scoped {
    filch_scope scope;
    struct trail trail;
    struct mark marks[DEFERS];
    uint32_t registered, ended;
};

static int end_last(void *arg)
{
    struct scoped *s = arg;
    for (int i = 0; i < 10; i++)
        (void)filch_yield();
    CHECK(s->trail.length == 0); /* they come after the children's end */
    uint32_t mine = filch__add_acq_rel(&s->registered, 1u);
    CHECK(filch_scope_defer(&s->scope, leave_mark, &s->marks[mine]) == 0);
    tally(&s->ended);
    return 0;
}

/* By the opener, then by children while it waits; also of a scope that was cancelled. */
static int scope_defers(void *arg)
{
    (void)arg;
    for (int cancelled = 0; cancelled < 2; cancelled++) {
        struct scoped s = {.registered = 10};
        REQUIRE(filch_scope_open(&s.scope, NULL) == 0);
        for (int i = 0; i < DEFERS; i++)
            s.marks[i] = (struct mark){&s.trail, i + 1};
        for (int i = 0; i < 10; i++)
            CHECK(filch_scope_defer(&s.scope, leave_mark, &s.marks[i]) == 0);
        for (int i = 0; i < DEFERS - 10; i++)
            CHECK(filch_scope_spawn(&s.scope, NULL, end_last, &s) == 0);
        while (cancelled && filch__load_acquire(&s.ended) < DEFERS - 10)
            CHECK(filch_yield() == 0);
        if (cancelled)
            CHECK(filch_scope_cancel(&s.scope, 0) == 0);
        CHECK(filch_scope_close(&s.scope) == (cancelled ? -ECANCELED : 0));
        CHECK(s.ended == DEFERS - 10 && s.trail.length == DEFERS);
        CHECK(s.trail.in_task == DEFERS && filch_checkpoint() == 0);
        for (int i = DEFERS - 10; i < DEFERS; i++) /* the opener's, the newest first */
            CHECK(s.trail.step[i] == DEFERS - i);
        CHECK(filch_scope_defer(&s.scope, leave_mark, &s.marks[0]) == -EINVAL);
    }
    return 0;
}

/* What cancels the enclosing scope reaches deferred functions of the inner one. */
struct late {
    uint32_t sleeps, children;
    int slept, closed;
};

static void sleep_in_defer(void *arg)
{
    struct late *l = arg;
    filch_scope s;
    REQUIRE(filch_scope_open(&s, NULL) == 0);
    CHECK(filch_scope_spawn(&s, NULL, sleep_for_ever, NULL) == 0 || filch_cancelled());
    raise_flag(&l->sleeps);
    l->slept = filch_sleep_until(FILCH_NEVER);
    l->closed = filch_scope_close(&s);
}

static int close_with_late_defer(void *arg)
{
    filch_scope s;
    REQUIRE(filch_scope_open(&s, NULL) == 0);
    CHECK(filch_scope_defer(&s, sleep_in_defer, arg) == 0);
    int rc = filch_scope_close(&s); /* was not cancelled itself */
    CHECK(filch_checkpoint() == -ECANCELED);
    return rc == 0 || rc == -ECANCELED ? 12 : rc;
}

static void aborts_reach_deferred_functions(void)
{
    for (int i = 0; i < sized(30, 600, 6000); i++) {
        filch_runtime *rt = runtime_open(worker_counts[i % 3]);
        struct late l = {0};
        filch_handle *h;
        spawn_on(rt, &h, close_with_late_defer, &l);
        SPIN_UNTIL(flag_up(&l.sleeps));
        CHECK(filch_abort(h) == 0);
        CHECK(join(h) == 12 && l.slept == -ECANCELED && l.closed == -ECANCELED);
        runtime_close(rt);
    }
}

static void of_scopes(void)
{
    on_each(scope_defers);
    filch_runtime *rt = runtime_open(2);
    struct scoped s = {.registered = 0}; /* on a thread */
    REQUIRE(filch_scope_open(&s.scope, &(filch_scope_options){.runtime = rt}) == 0);
    for (int i = 0; i < DEFERS; i++) {
        s.marks[i] = (struct mark){&s.trail, i + 1};
        CHECK(filch_scope_defer(&s.scope, leave_mark, &s.marks[i]) == 0);
    }
    CHECK(filch_scope_close(&s.scope) == 0);
    CHECK(went_down_from(&s.trail, DEFERS) && s.trail.in_task == 0);
    runtime_close(rt);
}

int main(void)
{
    RUN(on_every_way_out);
    RUN(deferred_functions_that_wait);
    RUN(deferred_by_jobs);
    RUN(of_scopes);
    RUN(aborts_reach_deferred_functions);
    return summary();
}
