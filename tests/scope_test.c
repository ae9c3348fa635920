/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes: policies, who opens, spawns and cancels them from where, handles, next, reports. */
#include "tests/scope_check.h"

static const uint32_t never = 0;

/* Waits until it is cancelled, having said that it runs. */
static int wait_for_ever(void *started)
{
    tally(started);
    int rc = wait_for_flag((void *)&never);
    CHECK(rc == -ECANCELED && filch_checkpoint() == -ECANCELED);
    return rc;
}

static void await_count(const uint32_t *count, uint32_t n)
{
    while (filch__load_acquire(count) < n)
        CHECK(filch_yield() == 0);
}

static void spawn_named(filch_scope *s, const char *name, filch_fn *fn, void *arg)
{
    CHECK(filch_scope_spawn_with(s, NULL, &(filch_spawn_options){.name = name}, fn, arg) == 0);
}

/* ---- policies ---- */

static int empty_scopes(void *arg)
{
    (void)arg;
    for (int policy = 0; policy <= FILCH_RACE; policy++) {
        filch_scope s;
        REQUIRE(filch_scope_open(&s, &(filch_scope_options){.policy = (filch_policy)policy}) == 0);
        CHECK(!filch_scope_cancelled(&s) && report_of(&s).ended == 0);
        CHECK(filch_scope_close(&s) == 0);
        CHECK(report_of(&s).cause.kind == FILCH_CAUSE_NONE);
        CHECK(report_of(&s).cancel_latency == -1);
    }
    return 0;
}

static int fail_fast(void *arg)
{
    (void)arg;
    filch_scope s;
    uint32_t started = 0;
    REQUIRE(filch_scope_open(&s, &(filch_scope_options){.name = "first"}) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(filch_scope_spawn(&s, NULL, wait_for_ever, &started) == 0);
    await_count(&started, 3);
    CHECK(filch_scope_spawn(&s, NULL, return_number, (void *)7) == 0);
    spawn_named(&s, "loser", return_number, (void *)-EIO);
    CHECK(filch_scope_close(&s) == -EIO);
    filch_report r = report_of(&s);
    CHECK(r.result == -EIO && r.failed == 1 && r.failures_len == 1 && r.cancelled >= 3);
    CHECK(r.ended == 5 && r.succeeded + r.cancelled == 4);
    CHECK(r.failures[0].result == -EIO && strcmp(r.failures[0].task, "loser") == 0);
    CHECK(r.cause.kind == FILCH_CAUSE_FAILURE && r.cause.code == -EIO);
    CHECK(strcmp(r.cause.scope, "first") == 0 && strcmp(r.cause.task, "loser") == 0);
    CHECK(r.cancel_latency >= 0 && filch_checkpoint() == 0);
    return 0;
}

static int supervise(void *arg)
{
    (void)arg;
    filch_scope s;
    REQUIRE(filch_scope_open(&s, &(filch_scope_options){.policy = FILCH_SUPERVISE}) == 0);
    for (int i = 1; i <= 12; i++) {
        filch_handle *h;
        CHECK(filch_scope_spawn(&s, NULL, return_number, (void *)1) == 0);
        CHECK(filch_scope_spawn(&s, &h, return_number, (void *)(intptr_t)-i) == 0);
        CHECK(join(h) == -i);
        CHECK(!filch_scope_cancelled(&s) && filch_checkpoint() == 0);
    }
    CHECK(filch_scope_close(&s) == -1);
    filch_report r = report_of(&s);
    CHECK(r.succeeded == 12 && r.failed == 12 && r.cancelled == 0 && r.ended == 24);
    CHECK(r.failures_len == FILCH_FAILURES_MAX && r.cause.kind == FILCH_CAUSE_NONE);
    for (int i = 0; i < FILCH_FAILURES_MAX; i++)
        CHECK(r.failures[i].result == -1 - i && r.failures[i].task[0] == 0);
    return 0;
}

static int race(void *arg)
{
    (void)arg;
    filch_scope s;
    uint32_t started = 0;
    filch_handle *h;
    REQUIRE(filch_scope_open(&s, &(filch_scope_options){.policy = FILCH_RACE}) == 0);
    CHECK(filch_scope_spawn(&s, NULL, wait_for_ever, &started) == 0);
    CHECK(filch_scope_spawn(&s, &h, return_number, (void *)-EIO) == 0);
    CHECK(join(h) == -EIO && !filch_scope_cancelled(&s));
    spawn_named(&s, "winner", return_number, (void *)5);
    CHECK(filch_scope_close(&s) == 0);
    filch_report r = report_of(&s);
    CHECK(r.succeeded == 1 && r.failed == 1 && r.cancelled == 1);
    CHECK(r.cause.kind == FILCH_CAUSE_WON && r.cause.code == 5);
    CHECK(strcmp(r.cause.task, "winner") == 0);
    REQUIRE(filch_scope_open(&s, &(filch_scope_options){.policy = FILCH_RACE}) == 0);
    for (int i = 1; i < 4; i++) { /* a race without winner */
        CHECK(filch_scope_spawn(&s, &h, return_number, (void *)(intptr_t)-i) == 0);
        CHECK(join(h) == -i);
    }
    CHECK(filch_scope_close(&s) == -1 && !filch_scope_cancelled(&s));
    return 0;
}

static void policies(void)
{
    on_each(empty_scopes);
    on_each(fail_fast);
    on_each(supervise);
    on_each(race);
}

/* ---- trees ---- */

struct tree {
    int depth;
    uint32_t *leaves;
};

/* Borrows from its parent's stack, as children may. */
static int branch(void *arg)
{
    const struct tree *t = arg;
    if (t->depth == 0) {
        tally(t->leaves);
        return filch_yield();
    }
    filch_scope s;
    struct tree below = {t->depth - 1, t->leaves};
    REQUIRE(filch_scope_open(&s, NULL) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(filch_scope_spawn(&s, NULL, branch, &below) == 0);
    int rc = filch_scope_close(&s);
    below.depth = -1; /* whoever still looks at it would branch for ever */
    return rc;
}

static int nested(void *arg)
{
    (void)arg;
    uint32_t leaves = 0;
    struct tree t = {5, &leaves};
    filch_scope s[3]; /* and three in one task */
    for (int i = 0; i < 3; i++) {
        REQUIRE(filch_scope_open(&s[i], NULL) == 0);
        CHECK(filch_scope_spawn(&s[i], NULL, branch, &t) == 0);
    }
    for (int i = 3; i-- > 0;)
        CHECK(filch_scope_close(&s[i]) == 0);
    CHECK(leaves == 3 * 1024);
    return 0;
}

static void nested_scopes(void)
{
    on_each(nested);
}

/* ---- spawned from elsewhere ---- */

struct shared {
    filch_scope scope;
    uint32_t left, started, finished, dropped, done;
    int cancel_at;
};

static void count_drop(void *arg)
{
    struct shared **m = arg;
    tally(&(*m)->dropped);
}

/* Spawns a sibling or two while there are some left to be spawned. */
static int breed(void *arg)
{
    struct shared *m = arg;
    for (int i = 0; i < 2; i++)
        if ((int32_t)filch__sub_acq_rel(&m->left, 1u) > 0)
            CHECK(filch_scope_spawn(&m->scope, NULL, breed, m) == 0);
    tally(&m->finished);
    return 0;
}

static int spawned_by_children(void *arg)
{
    (void)arg;
    uint32_t n = (uint32_t)sized(1000, 20000, 100000);
    struct shared m = {.left = n};
    REQUIRE(filch_scope_open(&m.scope, NULL) == 0);
    CHECK(filch_scope_spawn(&m.scope, NULL, breed, &m) == 0);
    CHECK(filch_scope_close(&m.scope) == 0);
    CHECK(m.finished == n + 1 && report_of(&m.scope).succeeded == n + 1);
    return 0;
}

static void children_spawn_while_the_opener_closes(void)
{
    on_each(spawned_by_children);
}

static int end_shared(void *arg)
{
    struct shared **m = arg;
    tally(&(*m)->finished);
    return 0;
}

enum { THREADS = 3, EACH = 200 };

static void *spawn_from_thread(void *arg)
{
    struct shared *m = arg;
    filch_spawn_options o = {.arg_size = sizeof m, .arg_drop = count_drop};
    for (int i = 0; i < EACH; i++) {
        CHECK(filch_scope_spawn_with(&m->scope, NULL, &o, end_shared, &m) == 0);
        if (i == m->cancel_at)
            CHECK(filch_scope_cancel(&m->scope, 3) == 0);
    }
    tally(&m->done); /* the scope is not touched afterwards */
    return NULL;
}

/* Ends when the threads are done, cancelled or not. */
static int keep_open(void *arg)
{
    struct shared *m = arg;
    raise_flag(&m->started);
    while (filch__load_acquire(&m->done) < THREADS)
        if (filch_yield() < 0)
            sched_yield();
    return 0;
}

static int with_threads(int cancel_at)
{
    struct shared m = {.cancel_at = cancel_at};
    pthread_t threads[THREADS];
    REQUIRE(filch_scope_open(&m.scope, NULL) == 0);
    CHECK(filch_scope_spawn(&m.scope, NULL, keep_open, &m) == 0);
    await_count(&m.started, 1);
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(spawn_from_thread, &m);
    int rc = filch_scope_close(&m.scope);
    for (int i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    filch_report r = report_of(&m.scope);
    CHECK(m.dropped == THREADS * EACH && r.ended == THREADS * EACH + 1);
    CHECK(r.failed == 0 && r.succeeded == m.finished + 1);
    CHECK(rc == 0 ? r.cancelled == 0 : r.cause.kind == FILCH_CAUSE_CANCEL && r.cause.code == 3);
    return rc;
}

static int threads_spawn(void *arg)
{
    (void)arg;
    CHECK(with_threads(-1) == 0);
    return 0;
}

static int threads_cancel(void *arg)
{
    (void)arg;
    for (int cancel_at = 0; cancel_at < EACH; cancel_at += 33)
        CHECK(with_threads(cancel_at) == -ECANCELED);
    return 0;
}

static void foreign_threads_spawn_and_cancel(void)
{
    on_each(threads_spawn);
    on_each(threads_cancel);
}

/* ---- opened by a foreign thread ---- */

static void opened_by_a_thread(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        filch_scope outer, inner;
        filch_cause cause;
        uint32_t started = 0, leaves = 0;
        struct tree t = {4, &leaves};
        REQUIRE(filch_scope_open(&outer, &(filch_scope_options){.runtime = rt}) == 0);
        CHECK(filch_scope_spawn(&outer, NULL, wait_for_ever, &started) == 0);
        CHECK(filch_scope_spawn(&outer, NULL, branch, &t) == 0);
        filch_scope_options late = {
            .runtime = rt, .name = "late", .deadline = filch_now() + 2000000};
        REQUIRE(filch_scope_open(&inner, &late) == 0);
        CHECK(filch_deadline() == late.deadline || filch_scope_cancelled(&inner));
        CHECK(filch_scope_spawn(&inner, NULL, wait_for_ever, &started) == 0);
        CHECK(filch_scope_close(&outer) == -EBUSY && filch_runtime_destroy(rt) == -EBUSY);
        CHECK(filch_scope_close(&inner) == -ETIMEDOUT && filch_now() >= late.deadline);
        CHECK(filch_checkpoint() == 0 && filch_deadline() == FILCH_NEVER);
        CHECK(filch_cancel_cause(&cause) == -ENOENT);
        CHECK(filch_scope_cancel(&outer, 9) == 0);
        CHECK(filch_cancel_cause(&cause) == 0 && cause.code == 9);
        REQUIRE(filch_scope_open(&inner, &(filch_scope_options){.runtime = rt}) == 0);
        CHECK(filch_scope_cancelled(&inner));
        CHECK(filch_scope_spawn(&inner, NULL, wait_for_ever, &started) == 0);
        CHECK(filch_scope_close(&inner) == -ECANCELED && report_of(&inner).cause.code == 9);
        CHECK(filch_scope_close(&outer) == -ECANCELED);
        CHECK(started <= 2 && (leaves == 256 || report_of(&outer).succeeded == 0));
        runtime_close(rt);
    }
}

/* ---- children on another runtime ---- */

struct pair {
    filch_runtime *home, *away;
    filch_handle *opener;
    uint32_t started, there;
};

/* Only `away` has a second worker. */
static int look_around(void *arg)
{
    struct pair *p = arg;
    filch_spawn_options second = {.worker = 2};
    CHECK(filch_spawn_with(NULL, &second, return_number, NULL) == 0);
    tally(&p->there);
    filch_scope s; /* again on away */
    REQUIRE(filch_scope_open(&s, NULL) == 0);
    CHECK(filch_scope_spawn_with(&s, NULL, &second, wait_for_ever, &p->started) == 0);
    return filch_scope_close(&s);
}

static int open_away(void *arg)
{
    struct pair *p = arg;
    filch_scope s;
    filch_spawn_options wrong = {.runtime = p->home, .worker = 1};
    REQUIRE(filch_scope_open(&s, &(filch_scope_options){.runtime = p->away}) == 0);
    CHECK(filch_scope_spawn_with(&s, NULL, &wrong, return_number, NULL) == -EINVAL);
    for (int i = 0; i < 20; i++)
        CHECK(filch_scope_spawn(&s, NULL, look_around, p) == 0);
    await_count(&p->started, 20);
    tally(&p->there);
    int rc = filch_scope_close(&s);
    CHECK(filch_checkpoint() == -ECANCELED && report_of(&s).cancelled == 20);
    CHECK(report_of(&s).cause.kind == FILCH_CAUSE_ABORT);
    return rc;
}

static void children_on_another_runtime(void)
{
    for (size_t w = 1; w < COUNT(worker_counts); w++) {
        struct pair p = {.home = runtime_open(1), .away = runtime_open(worker_counts[w])};
        spawn_on(p.home, &p.opener, open_away, &p);
        SPIN_UNTIL(filch__load_acquire(&p.there) == 21);
        CHECK(filch_abort(p.opener) == 0);
        CHECK(join(p.opener) == -ECANCELED);
        drain(p.away);
        CHECK(filch_runtime_destroy(p.home) == 0);
        runtime_close(p.away);
    }
}

int main(void)
{
    RUN(policies);
    RUN(nested_scopes);
    RUN(children_spawn_while_the_opener_closes);
    RUN(foreign_threads_spawn_and_cancel);
    RUN(opened_by_a_thread);
    RUN(children_on_another_runtime);
    return summary();
}
