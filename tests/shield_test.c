/* SPDX-License-Identifier: Apache-2.0 */
/* Shields, deadlines, and what is seen where; values bound to tasks. */
#include "tests/scope_check.h"

enum { MS = 1000000 };
static const int64_t far = INT64_C(1) << 60;

static void open_scope(filch_scope *s, int64_t deadline)
{
    REQUIRE(filch_scope_open(s, &(filch_scope_options){.deadline = deadline}) == 0);
}

static int sleep_for_ever(void *arg)
{
    (void)arg;
    return filch_sleep_until(FILCH_NEVER);
}

/* Every wait says -ECANCELED, also those that need not wait, and what they are asked for did not
 * happen. */
static void check_all_cancelled(void)
{
    filch_scope s;
    filch_handle *h, *out = NULL;
    CHECK(filch_cancelled() && filch_checkpoint() == -ECANCELED);
    CHECK(filch_yield() == -ECANCELED);
    CHECK(filch_sleep(0) == -ECANCELED && filch_sleep(1) == -ECANCELED);
    CHECK(filch_sleep_until(FILCH_NEVER) == -ECANCELED);
    if (filch_spawn(&h, return_number, NULL) == 0) { /* a free task */
        CHECK(filch_join(h, NULL) == -ECANCELED);
        filch_detach(h);
    }
    REQUIRE(filch_scope_open(&s, &(filch_scope_options){.collect = true}) == 0);
    CHECK(filch_scope_cancelled(&s) || filch_cancelled());
    CHECK(filch_scope_next(&s, &out) == -ECANCELED && out == NULL);
    CHECK(filch_scope_close(&s) == -ECANCELED);
}

/* Nothing is cancelled here. */
static void check_all_well(void)
{
    filch_scope s;
    filch_handle *h;
    CHECK(!filch_cancelled() && filch_checkpoint() == 0 && filch_yield() == 0);
    CHECK(filch_sleep(1) == 0 && filch_sleep(0) == 0);
    REQUIRE(filch_scope_open(&s, NULL) == 0);
    CHECK(filch_scope_spawn(&s, &h, return_number, (void *)3) == 0);
    CHECK(join(h) == 3 && filch_scope_close(&s) == 0);
}

/* ---- shields against each kind of cancel ---- */

static int against_cancel(void *arg)
{
    (void)arg;
    filch_scope outer, inner;
    filch_shield a, b;
    filch_cause cause;
    open_scope(&outer, 0);
    open_scope(&inner, 0);
    CHECK(filch_shield_begin(&a, 0) == 0 && filch_shield_begin(&b, FILCH_NEVER) == 0);
    CHECK(filch_scope_cancel(&outer, 3) == 0);
    CHECK(filch_cancel_cause(&cause) == -ENOENT);
    check_all_well();
    CHECK(filch_shield_end(&a) == -EBUSY && filch_shield_end(&b) == 0);
    check_all_well();
    CHECK(filch_shield_end(&a) == 0);
    check_all_cancelled();
    CHECK(filch_cancel_cause(&cause) == 0 && cause.code == 3);
    CHECK(filch_shield_begin(&a, 0) == 0); /* begun where all is cancelled */
    check_all_well();
    CHECK(filch_shield_end(&a) == 0);
    CHECK(filch_scope_close(&inner) == -ECANCELED);
    check_all_cancelled();
    CHECK(filch_scope_close(&outer) == -ECANCELED);
    check_all_well();
    return 0;
}

static int own_deadline(void *arg)
{
    (void)arg;
    filch_shield outer, inner;
    filch_cause cause;
    int64_t soon = filch_now() + MS;
    CHECK(filch_shield_begin(&outer, soon) == 0);
    CHECK(filch_shield_begin(&inner, 0) == 0 && filch_deadline() == FILCH_NEVER);
    CHECK(filch_sleep_until(soon + MS / 2) == 0);
    check_all_well();
    CHECK(filch_shield_end(&inner) == 0);
    CHECK(filch_sleep_until(FILCH_NEVER) == -ECANCELED);
    check_all_cancelled();
    CHECK(filch_cancel_cause(&cause) == 0 && cause.kind == FILCH_CAUSE_DEADLINE);
    CHECK(filch_shield_end(&outer) == -ETIMEDOUT);
    check_all_well();
    CHECK(filch_shield_begin(&outer, 1) == 0); /* long past */
    check_all_cancelled();
    CHECK(filch_shield_end(&outer) == -ETIMEDOUT);
    CHECK(filch_shield_begin(&outer, far) == 0 && filch_deadline() == far);
    check_all_well();
    CHECK(filch_shield_end(&outer) == 0);
    return 0;
}

static void shields(void)
{
    on_each(against_cancel);
    on_each(own_deadline);
}

struct shielded {
    uint32_t inside, go, children;
    int kind;
};

static int child(void *arg)
{
    struct shielded *s = arg;
    tally(&s->children);
    return filch_yield();
}

static int job_inside(void *arg)
{
    struct shielded *s = arg;
    raise_flag(&s->inside);
    SPIN_UNTIL(flag_up(&s->go));
    CHECK(!filch_cancelled() && filch_sleep(1) == 0 && filch_yield() == 0);
    return 6;
}

/* A shield that an abort or the runtime's end meets; a job that was forked inside is in it too. */
static int shielded_task(void *arg)
{
    struct shielded *s = arg;
    filch_shield shield;
    filch_job job = FILCH_JOB(job_inside, s);
    CHECK(filch_shield_begin(&shield, 0) == 0);
    filch_fork(&job);
    if (s->kind == 1)
        SPIN_UNTIL(flag_up(&s->inside)); /* stolen */
    raise_flag(&s->inside);
    SPIN_UNTIL(flag_up(&s->go));
    CHECK(filch_sync(&job) == 6 && filch_shield_end(&shield) == 0);
    check_all_cancelled();
    CHECK(filch_shield_begin(&shield, 0) == 0);
    CHECK(filch_yield() == 0 && filch_sleep(1) == 0 && filch_shield_end(&shield) == 0);
    return filch_checkpoint();
}

static void *destroy(void *rt)
{
    CHECK(filch_runtime_destroy(rt) == 0);
    return NULL;
}

static void shields_against_abort_and_destroy(void)
{
    for (int i = 0; i < sized(24, 240, 2400); i++) {
        int workers = worker_counts[i % 3];
        filch_runtime *rt = runtime_open(workers);
        struct shielded s = {.kind = workers > 1};
        filch_handle *h;
        pthread_t thread = 0;
        spawn_on(rt, &h, shielded_task, &s);
        SPIN_UNTIL(flag_up(&s.inside));
        watchdog_watch(NULL);
        if (i & 4) {
            CHECK(filch_abort(h) == 0);
        } else {
            thread = thread_start(destroy, rt);
            filch_spawn_options o = {.runtime = rt};
            SPIN_UNTIL(filch_spawn_with(NULL, &o, return_number, NULL) == -ESHUTDOWN);
        }
        raise_flag(&s.go);
        CHECK(join(h) == -ECANCELED);
        if (i & 4)
            CHECK(filch_runtime_destroy(rt) == 0);
        else
            thread_join(thread);
    }
}

/* The children of a scope in a shield: not reached by an abort of the opener. */
static int scope_in_shield(void *arg)
{
    struct shielded *s = arg;
    filch_shield shield;
    filch_scope scope;
    CHECK(filch_shield_begin(&shield, 0) == 0);
    open_scope(&scope, 0);
    raise_flag(&s->inside);
    SPIN_UNTIL(flag_up(&s->go));
    for (int i = 0; i < 10; i++)
        CHECK(filch_scope_spawn(&scope, NULL, child, s) == 0);
    CHECK(filch_scope_close(&scope) == 0 && filch_shield_end(&shield) == 0);
    check_all_cancelled();
    return 2;
}

static void scopes_in_shields(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct shielded s = {0};
        filch_handle *h;
        spawn_on(rt, &h, scope_in_shield, &s);
        SPIN_UNTIL(flag_up(&s.inside));
        CHECK(filch_abort(h) == 0);
        raise_flag(&s.go);
        CHECK(join(h) == 2 && s.children == 10);
        runtime_close(rt);
    }
}

/* ---- deadlines ---- */

static int deadline_of_child(void *want)
{
    return filch_deadline() == *(int64_t *)want ? 0 : -EINVAL;
}

static int least_deadline(void *arg)
{
    (void)arg;
    filch_scope s[4];
    filch_shield shield;
    int64_t want = far;
    CHECK(filch_deadline() == FILCH_NEVER);
    open_scope(&s[0], far);
    open_scope(&s[1], far + 5);
    CHECK(filch_deadline() == far);
    CHECK(filch_scope_spawn(&s[1], NULL, deadline_of_child, &want) == 0);
    CHECK(filch_scope_close(&s[1]) == 0);
    CHECK(filch_shield_begin(&shield, 0) == 0 && filch_deadline() == FILCH_NEVER);
    open_scope(&s[2], far + 7);
    open_scope(&s[3], FILCH_NEVER);
    CHECK(filch_deadline() == far + 7);
    CHECK(filch_scope_set_deadline(&s[3], far - 1) == 0 && filch_deadline() == far - 1);
    CHECK(filch_scope_set_deadline(&s[3], 0) == 0 && filch_deadline() == far + 7);
    CHECK(filch_scope_set_deadline(&s[0], far - 9) == 0 && filch_deadline() == far + 7);
    CHECK(filch_scope_close(&s[3]) == 0 && filch_scope_close(&s[2]) == 0);
    CHECK(filch_shield_end(&shield) == 0 && filch_deadline() == far - 9);
    CHECK(filch_scope_close(&s[0]) == 0 && filch_deadline() == FILCH_NEVER);
    return 0;
}

/* Earlier, later, away. */
static int moved_deadline(void *arg)
{
    (void)arg;
    filch_scope s;
    open_scope(&s, far);
    CHECK(filch_scope_set_deadline(&s, filch_now() + MS) == 0);
    CHECK(filch_sleep_until(FILCH_NEVER) == -ECANCELED);
    CHECK(filch_scope_set_deadline(&s, far) == -EALREADY);
    CHECK(filch_scope_close(&s) == -ETIMEDOUT);
    CHECK(filch_scope_set_deadline(&s, far) == -EINVAL);
    int64_t soon = filch_now() + 100 * MS;
    open_scope(&s, soon);
    int rc = filch_scope_set_deadline(&s, soon + MS); /* unless this took 100 ms */
    CHECK(filch_sleep_until(FILCH_NEVER) == -ECANCELED);
    CHECK(rc < 0 || filch_now() >= soon + MS);
    CHECK(filch_scope_close(&s) == -ETIMEDOUT);
    soon = filch_now() + 10 * MS;
    open_scope(&s, soon);
    if (filch_scope_set_deadline(&s, FILCH_NEVER) == 0)
        CHECK(filch_sleep_until(soon + MS) == 0 && filch_scope_close(&s) == 0);
    else
        CHECK(filch_scope_close(&s) == -ETIMEDOUT);
    open_scope(&s, 0);
    CHECK(filch_scope_set_deadline(&s, -1) == 0); /* a past one */
    CHECK(filch_sleep_until(FILCH_NEVER) == -ECANCELED);
    CHECK(filch_scope_close(&s) == -ETIMEDOUT);
    return 0;
}

static void deadlines(void)
{
    on_each(least_deadline);
    on_each(moved_deadline);
}

struct movers {
    filch_scope scope;
    uint32_t ended;
    uint64_t seed;
};

enum { MOVERS = 3 };

/* Never earlier than soon, and at last soon. */
static void *move(void *arg)
{
    struct movers *m = arg;
    uint64_t random = m->seed + (uintptr_t)&random;
    for (int i = 0; i < 200; i++) {
        int64_t at = test_random(&random, 2) ? 0 : filch_now() + test_random(&random, 100) * MS;
        int rc = filch_scope_set_deadline(&m->scope, at);
        CHECK(rc == 0 || (rc == -EALREADY && filch_scope_cancelled(&m->scope)));
    }
    tally(&m->ended);
    return NULL;
}

static int moved_by_threads(void *arg)
{
    (void)arg;
    for (int i = 0; i < sized(5, 40, 400); i++) {
        struct movers m = {.seed = test_seed() + (uint64_t)i};
        pthread_t threads[MOVERS];
        open_scope(&m.scope, 0);
        CHECK(filch_scope_spawn(&m.scope, NULL, sleep_for_ever, NULL) == 0);
        for (int k = 0; k < MOVERS; k++)
            threads[k] = thread_start(move, &m);
        SPIN_UNTIL(filch__load_acquire(&m.ended) == MOVERS);
        int rc = filch_scope_set_deadline(&m.scope, filch_now());
        CHECK(rc == 0 || rc == -EALREADY);
        CHECK(filch_scope_close(&m.scope) == -ETIMEDOUT);
        for (int k = 0; k < MOVERS; k++)
            thread_join(threads[k]);
    }
    return 0;
}

static void deadlines_moved_by_threads(void)
{
    on_each(moved_by_threads);
}

/* ---- locals ---- */

static filch_local key, other;

static int has(void *value)
{
    filch_binding b;
    int mine;
    CHECK(filch_local_get(&key) == value && filch_local_get(&other) == NULL);
    CHECK(filch_local_bind(&b, &key, &mine) == 0 && filch_local_get(&key) == &mine);
    CHECK(filch_yield() == 0 && filch_local_get(&key) == &mine);
    CHECK(filch_local_unbind(&b) == 0 && filch_local_get(&key) == value);
    return 0;
}

static int bound(void *arg)
{
    int one, two;
    filch_binding a, b, c;
    filch_scope outer, inner;
    filch_handle *h;
    CHECK(filch_local_get(&key) == NULL);
    CHECK(filch_local_bind(&a, &key, &one) == 0);
    open_scope(&outer, 0);
    CHECK(filch_local_bind(&b, &key, &two) == 0 && filch_local_get(&key) == &two);
    open_scope(&inner, 0);
    CHECK(filch_local_bind(&c, &other, &two) == 0 && filch_local_get(&other) == &two);
    for (int i = 0; i < 5; i++) { /* children see what was bound when their scope was opened */
        CHECK(filch_scope_spawn(&outer, NULL, has, &one) == 0);
        CHECK(filch_scope_spawn(&inner, NULL, has, &two) == 0);
    }
    CHECK(filch_spawn(&h, has, NULL) == 0 && join(h) == 0); /* a free task: none */
    filch_job jobs[4];
    CHECK(filch_local_unbind(&b) == -EBUSY && filch_scope_close(&inner) == -EBUSY);
    CHECK(filch_local_unbind(&c) == 0);
    for (int i = 0; i < 4; i++) {
        jobs[i] = (filch_job)FILCH_JOB(has, &two);
        filch_fork(&jobs[i]);
    }
    for (int i = 4; i-- > 0;)
        CHECK(filch_sync(&jobs[i]) == 0);
    CHECK(filch_scope_close(&inner) == 0 && filch_local_unbind(&b) == 0);
    CHECK(filch_local_get(&key) == &one && filch_scope_close(&outer) == 0);
    CHECK(filch_local_unbind(&a) == 0 && filch_local_unbind(&a) == -EINVAL);
    CHECK(filch_local_bind(&a, &key, NULL) == 0 && filch_local_get(&key) == NULL);
    CHECK(filch_local_unbind(&a) == 0);
    return arg ? 0 : -1;
}

static void locals(void)
{
    on_each(bound);
    filch_runtime *rt = runtime_open(2);
    filch_binding b;
    filch_scope s;
    int value; /* of a thread */
    CHECK(filch_local_bind(&b, &key, &value) == 0);
    REQUIRE(filch_scope_open(&s, &(filch_scope_options){.runtime = rt}) == 0);
    CHECK(filch_scope_spawn(&s, NULL, has, &value) == 0);
    CHECK(filch_local_unbind(&b) == -EBUSY && filch_run(rt, has, NULL) == 0);
    CHECK(filch_scope_close(&s) == 0 && filch_local_unbind(&b) == 0);
    runtime_close(rt);
}

int main(void)
{
    (void)test_seed();
    RUN(shields);
    RUN(shields_against_abort_and_destroy);
    RUN(scopes_in_shields);
    RUN(deadlines);
    RUN(deadlines_moved_by_threads);
    RUN(locals);
    return summary();
}
