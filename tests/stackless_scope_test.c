/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks without a stack as children of scopes: every policy, deadlines, cancels, filch_scope_next.
 * */
#include "tests/future_check.h"

#include <filch/scope.h>

static void open_scope(filch_scope *s, filch_runtime *rt, filch_policy policy, int64_t deadline)
{
    filch_scope_options o = {.runtime = rt,
                             .policy = policy,
                             .deadline = deadline,
                             .collect = policy == FILCH_SUPERVISE};
    REQUIRE(filch_scope_open(s, &o) == 0);
}

static void spawn_wait(filch_scope *s, filch_handle **h, struct event *e)
{
    struct wait wait = WAIT(e);
    REQUIRE(filch_scope_spawn_future(s, h, NULL, &wait.future, sizeof wait) == 0);
    CHECK(filch_future_ended(&wait.future));
}

enum { N = 20 };

struct children {
    filch_scope scope;
    struct event event[N];
};

static void begin(struct children *c, filch_runtime *rt, filch_policy policy, int64_t deadline)
{
    open_scope(&c->scope, rt, policy, deadline);
    for (int i = 0; i < N; i++) {
        c->event[i] = (struct event)EVENT;
        spawn_wait(&c->scope, NULL, &c->event[i]);
    }
}

static void all_dropped(const struct children *c)
{
    for (int i = 0; i < N; i++)
        CHECK(drops_of(&c->event[i]) == 1);
}

static filch_report report_of(struct children *c)
{
    filch_report r;
    REQUIRE(filch_scope_report(&c->scope, &r) == 0);
    return r;
}

static void await_polls(const struct children *c)
{
    for (int i = 0; i < N; i++)
        SPIN_UNTIL(polls_of(&c->event[i]) > 0 || filch_yield() != 0);
}

/* ---- what decides ---- */

static int succeed(void *rt)
{
    struct children c;
    begin(&c, rt, FILCH_FAIL_FAST, 0);
    for (int i = N; i-- > 0;)
        event_set(&c.event[i], i);
    CHECK(filch_scope_close(&c.scope) == 0);
    all_dropped(&c);
    CHECK(report_of(&c).succeeded == N);
    return 0;
}

static int fail_fast(void *rt)
{
    struct children c;
    begin(&c, rt, FILCH_FAIL_FAST, 0);
    await_polls(&c);
    event_set(&c.event[7], -EIO);
    CHECK(filch_scope_close(&c.scope) == -EIO);
    all_dropped(&c);
    filch_report r = report_of(&c);
    CHECK(r.failed == 1 && r.cancelled == N - 1 && r.cause.kind == FILCH_CAUSE_FAILURE);
    return 0;
}

static int race(void *rt)
{
    struct children c;
    begin(&c, rt, FILCH_RACE, 0);
    event_set(&c.event[3], -EIO);
    event_set(&c.event[4], 9);
    CHECK(filch_scope_close(&c.scope) == 0);
    all_dropped(&c);
    filch_report r = report_of(&c);
    CHECK(r.succeeded == 1 && r.failed <= 1 && r.ended == N && r.cause.kind == FILCH_CAUSE_WON);
    return 0;
}

static int deadline(void *rt)
{
    struct children c;
    begin(&c, rt, FILCH_FAIL_FAST, filch_now() + 300000);
    event_set(&c.event[0], 2);
    CHECK(filch_scope_close(&c.scope) == -ETIMEDOUT);
    all_dropped(&c);
    CHECK(report_of(&c).cause.kind == FILCH_CAUSE_DEADLINE);
    return 0;
}

static int cancel(void *rt)
{
    struct children c;
    for (int before = 0; before < 2; before++) {
        begin(&c, rt, FILCH_FAIL_FAST, 0);
        if (before)
            await_polls(&c);
        CHECK(filch_scope_cancel(&c.scope, 4) == 0);
        struct event late = EVENT;
        spawn_wait(&c.scope, NULL, &late); /* admitted, cancelled, never polled */
        CHECK(filch_scope_close(&c.scope) == -ECANCELED);
        all_dropped(&c);
        CHECK(polls_of(&late) == 0 && drops_of(&late) == 1);
        CHECK(report_of(&c).cancelled == N + 1);
    }
    return 0;
}

static int take_each(void *rt)
{
    struct children c;
    filch_handle *h;
    begin(&c, rt, FILCH_SUPERVISE, 0);
    bool seen[N] = {false};
    for (int i = 0; i < N; i++) {
        int at = (i * 7 + 3) % N;
        event_set(&c.event[at], at % 5 == 0 ? -100 - at : at);
        CHECK(filch_scope_next(&c.scope, &h) == 0);
        int rc = join(h), which = rc < 0 ? -100 - rc : rc;
        REQUIRE(which >= 0 && which < N);
        CHECK(which == at && !seen[which] && drops_of(&c.event[which]) == 1);
        seen[which] = true;
    }
    CHECK(filch_scope_next(&c.scope, &h) == -ENOENT);
    int rc = filch_scope_close(&c.scope);
    CHECK(rc <= -100 && report_of(&c).failed == N / 5);
    return 0;
}

static int abort_one(void *rt)
{
    struct children c;
    struct event e = EVENT;
    filch_handle *h;
    begin(&c, rt, FILCH_FAIL_FAST, 0);
    spawn_wait(&c.scope, &h, &e);
    CHECK(filch_abort(h) == 0);
    CHECK(join(h) == -ECANCELED && drops_of(&e) == 1);
    CHECK(!filch_scope_cancelled(&c.scope));
    for (int i = 0; i < N; i++)
        event_set(&c.event[i], 0);
    CHECK(filch_scope_close(&c.scope) == 0); /* an aborted one has not failed */
    all_dropped(&c);
    return 0;
}

static int refuse(void *rt)
{
    struct event e = EVENT;
    struct wait wait = WAIT(&e);
    filch_scope s = FILCH_SCOPE_INIT;
    filch_spawn_options o = {.arg_size = 8};
    CHECK(filch_scope_spawn_future(&s, NULL, NULL, &wait.future, sizeof wait) == -EINVAL);
    open_scope(&s, rt, FILCH_FAIL_FAST, 0);
    CHECK(filch_scope_spawn_future(&s, NULL, &o, &wait.future, sizeof wait) == -EINVAL);
    CHECK(filch_scope_spawn_future(&s, NULL, NULL, NULL, sizeof wait) == -EINVAL);
    CHECK(filch_scope_close(&s) == 0);
    CHECK(filch_scope_spawn_future(&s, NULL, NULL, &wait.future, sizeof wait) == -EINVAL);
    CHECK(!filch_future_ended(&wait.future) && drops_of(&e) == 0);
    event_set(&e, 2);
    CHECK(filch_await(&wait.future) == 2);
    return 0;
}

#define EVERYWHERE(name, fn)                        \
    static void name(void)                          \
    {                                               \
        for (int i = 0; i < sized(3, 10, 100); i++) \
            everywhere(fn);                         \
    }

EVERYWHERE(all_succeed, succeed)
EVERYWHERE(first_failure_cancels, fail_fast)
EVERYWHERE(first_success_cancels, race)
EVERYWHERE(deadline_cancels, deadline)
EVERYWHERE(cancel_reaches_all, cancel)
EVERYWHERE(each_is_handed_out, take_each)
EVERYWHERE(one_is_aborted, abort_one)
EVERYWHERE(bad_input, refuse)

/* ---- at random ---- */

struct storm {
    struct children *c;
    uint64_t random;
};

static void *set_some(void *arg)
{
    struct storm *s = arg;
    for (int i = 0; i < N; i++) {
        struct event *e = &s->c->event[test_random(&s->random, N)];
        if (test_random(&s->random, 3))
            event_set(e, 1);
        else
            event_wake(e);
        if (test_random(&s->random, 16) == 0)
            (void)filch_scope_cancel(&s->c->scope, 3);
        pause_a_little(&s->random);
    }
    return NULL;
}

static int meet_storm(void *rt)
{
    enum { STORMS = 2 };
    uint64_t random = test_seed();
    for (int i = 0; i < sized(30, 150, 1500) && !filch__load_relaxed(&case_bad); i++) {
        struct children *c = aligned_alloc(64, (sizeof *c + 63) / 64 * 64);
        struct storm s[STORMS];
        pthread_t thread[STORMS];
        REQUIRE(c);
        begin(c, rt, (filch_policy)(i % 3), filch_now() + test_random(&random, 400000));
        for (int k = 0; k < STORMS; k++) {
            s[k] = (struct storm){c, random + (uint64_t)k};
            thread[k] = thread_start(set_some, &s[k]);
        }
        int rc = filch_scope_close(&c->scope);
        CHECK(rc == 0 || rc == -ETIMEDOUT || rc == -ECANCELED);
        all_dropped(c);
        CHECK(report_of(c).ended == N && report_of(c).failed == 0);
        for (int k = 0; k < STORMS; k++)
            thread_join(thread[k]);
        free(c);
    }
    return 0;
}

static void wakes_meet_cancels_and_deadlines(void)
{
    everywhere(meet_storm);
}

int main(void)
{
    (void)test_seed();
    RUN(wakes_meet_cancels_and_deadlines);
    RUN(all_succeed);
    RUN(first_failure_cancels);
    RUN(first_success_cancels);
    RUN(deadline_cancels);
    RUN(cancel_reaches_all);
    RUN(each_is_handed_out);
    RUN(one_is_aborted);
    RUN(bad_input);
    return summary();
}
