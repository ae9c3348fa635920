/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of <filch/scope.h>, row by row: what close returns, and what happens where two things
 * meet, in both orders. The races themselves are in scope_race_test.c.
 */
#include "tests/scope_check.h"

enum { MS = 1000000 };

static void open_scope(filch_scope *s, filch_policy policy, int64_t deadline)
{
    filch_scope_options o = {.policy = policy, .deadline = deadline};
    REQUIRE(filch_scope_open(s, &o) == 0);
}

static int sleep_for_ever(void *arg)
{
    (void)arg;
    int rc = filch_sleep_until(FILCH_NEVER);
    CHECK(rc == -ECANCELED && filch_checkpoint() == -ECANCELED);
    return rc;
}

/* A child that ends when it is told to, whatever was cancelled, with the number it was given. */
struct stubborn {
    uint32_t started, go;
    int number;
};

static int ignore_cancel(void *arg)
{
    struct stubborn *s = arg;
    filch_shield shield; /* so that it leaves its worker to others */
    CHECK(filch_shield_begin(&shield, 0) == 0);
    raise_flag(&s->started);
    CHECK(wait_for_flag(&s->go) == 0);
    CHECK(filch_shield_end(&shield) == 0);
    return s->number;
}

static filch_handle *spawn_stubborn(filch_scope *s, struct stubborn *child, int number)
{
    filch_handle *h;
    *child = (struct stubborn){.number = number};
    REQUIRE(filch_scope_spawn(s, &h, ignore_cancel, child) == 0);
    while (!flag_up(&child->started))
        CHECK(filch_yield() == 0);
    return h;
}

/* ---- what comes first ---- */

static int one_thing(void *arg)
{
    (void)arg;
    filch_scope s;
    open_scope(&s, FILCH_FAIL_FAST, 0); /* a failure */
    CHECK(filch_scope_spawn(&s, NULL, sleep_for_ever, NULL) == 0);
    CHECK(filch_scope_spawn(&s, NULL, return_number, (void *)-EIO) == 0);
    CHECK(filch_scope_close(&s) == -EIO);
    open_scope(&s, FILCH_RACE, 0); /* a success, with RACE */
    CHECK(filch_scope_spawn(&s, NULL, sleep_for_ever, NULL) == 0);
    CHECK(filch_scope_spawn(&s, NULL, return_number, (void *)4) == 0);
    CHECK(filch_scope_close(&s) == 0 && report_of(&s).cause.kind == FILCH_CAUSE_WON);
    for (int64_t wait = -1; wait < 2 * MS; wait += MS) { /* its own deadline */
        int64_t deadline = filch_now() + wait;
        open_scope(&s, FILCH_FAIL_FAST, deadline);
        CHECK(filch_scope_spawn(&s, NULL, sleep_for_ever, NULL) == 0);
        CHECK(filch_scope_close(&s) == -ETIMEDOUT && filch_now() >= deadline);
        CHECK(report_of(&s).cause.kind == FILCH_CAUSE_DEADLINE && filch_checkpoint() == 0);
    }
    open_scope(&s, FILCH_FAIL_FAST, 0); /* filch_scope_cancel */
    CHECK(filch_scope_spawn(&s, NULL, sleep_for_ever, NULL) == 0);
    CHECK(filch_scope_cancel(&s, 5) == 0 && filch_scope_cancel(&s, 6) == 0);
    CHECK(filch_scope_close(&s) == -ECANCELED && report_of(&s).cause.code == 5);
    CHECK(filch_scope_cancel(&s, 7) == -EINVAL);
    open_scope(&s, FILCH_FAIL_FAST, filch_now() + INT64_C(1000000) * MS); /* the last child's end */
    CHECK(filch_scope_spawn(&s, NULL, return_number, (void *)4) == 0);
    CHECK(filch_scope_close(&s) == 0);
    return 0;
}

/* A cancel or a deadline further out, several scopes deep; the innermost waits in each way. */
static int further_out(void *arg)
{
    (void)arg;
    enum { DEPTH = 6 };
    for (int timed = 0; timed < 2; timed++)
        for (int at = 0; at < DEPTH - 1; at++) {
            filch_scope s[DEPTH];
            int64_t soon = filch_now() + MS / 4;
            for (int i = 0; i < DEPTH; i++)
                open_scope(&s[i], FILCH_FAIL_FAST, i == at && timed ? soon : 0);
            CHECK(filch_scope_spawn(&s[DEPTH - 1], NULL, sleep_for_ever, NULL) == 0);
            if (!timed)
                CHECK(filch_scope_cancel(&s[at], 1) == 0);
            else
                CHECK(sleep_for_ever(NULL) == -ECANCELED);
            for (int i = DEPTH; i-- > 0;) {
                int rc = filch_scope_close(&s[i]);
                CHECK(rc == (i < at ? 0 : i == at && timed ? -ETIMEDOUT : -ECANCELED));
                CHECK(filch_checkpoint() == (i > at ? -ECANCELED : 0));
            }
        }
    return 0;
}

static void what_comes_first_decides(void)
{
    on_each(one_thing);
    on_each(further_out);
}

/* The opener's task is aborted, or its runtime ends. */
struct nest {
    uint32_t waits;
    int closed[3];
};

static int nest(void *arg)
{
    struct nest *n = arg;
    filch_scope s[3];
    for (int i = 0; i < 3; i++) {
        open_scope(&s[i], (filch_policy)i, 0);
        CHECK(filch_scope_spawn(&s[i], NULL, sleep_for_ever, NULL) == 0 || filch_cancelled());
    }
    raise_flag(&n->waits);
    for (int i = 3; i-- > 0;)
        n->closed[i] = filch_scope_close(&s[i]);
    CHECK(filch_checkpoint() == -ECANCELED);
    return 9;
}

static void abort_of_the_opener_and_the_runtimes_end(void)
{
    for (int i = 0; i < sized(120, 1200, 12000); i++) {
        filch_runtime *rt = runtime_open(worker_counts[i % 3]);
        struct nest n = {0};
        filch_handle *h;
        spawn_on(rt, &h, nest, &n);
        if (i % 4)
            SPIN_UNTIL(flag_up(&n.waits));
        if (i % 8 < 4) {
            CHECK(filch_abort(h) == 0);
            SPIN_UNTIL(filch_finished(h));
        }
        runtime_close(rt);
        int rc = join(h);
        CHECK(rc == 9 || (rc == -ECANCELED && !flag_up(&n.waits)));
        for (int k = 0; k < 3 && rc == 9; k++)
            CHECK(n.closed[k] == -ECANCELED);
    }
}

/* ---- where two of them meet, in both orders ---- */

static int two_winners(void *arg)
{
    (void)arg;
    for (int first = 0; first < 2; first++) {
        filch_scope s;
        struct stubborn c[2];
        filch_handle *h[2];
        open_scope(&s, FILCH_RACE, 0);
        for (int i = 0; i < 2; i++)
            h[i] = spawn_stubborn(&s, &c[i], 10 + i);
        raise_flag(&c[first].go);
        SPIN_UNTIL(filch_scope_cancelled(&s) || filch_yield() < 0);
        raise_flag(&c[!first].go);
        CHECK(filch_scope_close(&s) == 0);
        CHECK(report_of(&s).cause.code == 10 + first && report_of(&s).succeeded == 2);
        CHECK(join(h[0]) == 10 && join(h[1]) == 11);
    }
    return 0;
}

static int cancel_and_last_end(void *arg)
{
    (void)arg;
    filch_scope s;
    struct stubborn c;
    open_scope(&s, FILCH_FAIL_FAST, 0); /* the cancel first: the child keeps its value */
    filch_handle *h = spawn_stubborn(&s, &c, 3);
    CHECK(filch_scope_cancel(&s, 0) == 0);
    raise_flag(&c.go);
    CHECK(filch_scope_close(&s) == -ECANCELED && join(h) == 3);
    CHECK(report_of(&s).succeeded == 1 && report_of(&s).cancelled == 0);
    open_scope(&s, FILCH_FAIL_FAST, 0); /* the end first, but the scope is open still */
    h = spawn_stubborn(&s, &c, 3);
    raise_flag(&c.go);
    CHECK(join(h) == 3 && filch_scope_cancel(&s, 0) == 0);
    CHECK(filch_scope_close(&s) == -ECANCELED);
    open_scope(&s, FILCH_FAIL_FAST, 0); /* no child at all */
    CHECK(filch_scope_cancel(&s, 0) == 0 && filch_scope_close(&s) == -ECANCELED);
    return 0;
}

static int failure_afterwards(void *arg)
{
    (void)arg;
    for (int policy = 0; policy <= FILCH_RACE; policy++)
        for (int timed = 0; timed < 2; timed++) {
            filch_scope s;
            struct stubborn c;
            open_scope(&s, (filch_policy)policy, 0);
            filch_detach(spawn_stubborn(&s, &c, -EPIPE));
            CHECK((timed ? filch_scope_set_deadline(&s, 1) : filch_scope_cancel(&s, 0)) == 0);
            SPIN_UNTIL(filch_scope_cancelled(&s));
            CHECK(filch_scope_set_deadline(&s, 0) == -EALREADY);
            raise_flag(&c.go);
            CHECK(filch_scope_close(&s) == (timed ? -ETIMEDOUT : -ECANCELED));
            filch_report r = report_of(&s);
            CHECK(r.failed == 1 && r.failures[0].result == -EPIPE);
            CHECK(r.cause.kind == (timed ? FILCH_CAUSE_DEADLINE : FILCH_CAUSE_CANCEL));
        }
    return 0;
}

/* Outer deadline, shield, deadline inside it; and a child of each. */
static int deadline_shield_deadline(void *arg)
{
    (void)arg;
    for (int inner_first = 0; inner_first < 2; inner_first++) {
        filch_scope outer, inner;
        filch_shield shield;
        int64_t soon = filch_now() + MS;
        open_scope(&outer, FILCH_FAIL_FAST, soon);
        CHECK(filch_scope_spawn(&outer, NULL, sleep_for_ever, NULL) == 0);
        CHECK(filch_shield_begin(&shield, 0) == 0);
        CHECK(filch_deadline() == FILCH_NEVER);
        if (!inner_first) /* the outer one passes, unseen */
            while (!filch_scope_cancelled(&outer))
                CHECK(filch_yield() == 0);
        open_scope(&inner, FILCH_FAIL_FAST, soon + 1);
        CHECK(filch_deadline() == soon + 1 || filch_now() > soon);
        CHECK(filch_scope_spawn(&inner, NULL, sleep_for_ever, NULL) == 0);
        CHECK(sleep_for_ever(NULL) == -ECANCELED);
        CHECK(filch_scope_close(&inner) == -ETIMEDOUT && filch_checkpoint() == 0);
        while (!filch_scope_cancelled(&outer))
            CHECK(filch_yield() == 0);
        CHECK(filch_sleep(1) == 0 && filch_shield_end(&shield) == 0);
        CHECK(filch_checkpoint() == -ECANCELED && filch_sleep(1) == -ECANCELED);
        CHECK(filch_scope_close(&outer) == -ETIMEDOUT && filch_checkpoint() == 0);
    }
    return 0;
}

static uint32_t dropped;

static void count_drop(void *arg)
{
    (void)arg;
    tally(&dropped);
}

static int spawn_after_cancel(void *arg)
{
    (void)arg;
    filch_scope s;
    filch_handle *h;
    filch_spawn_options o = {.arg_drop = count_drop, .name = "late"};
    dropped = 0;
    open_scope(&s, FILCH_FAIL_FAST, 0);
    CHECK(filch_scope_cancel(&s, 0) == 0);
    for (int i = 0; i < 10; i++)
        CHECK(filch_scope_spawn_with(&s, NULL, &o, ignore_cancel, NULL) == 0);
    CHECK(filch_scope_spawn(&s, &h, ignore_cancel, NULL) == 0); /* would fault if it ran */
    CHECK(filch_scope_close(&s) == -ECANCELED && join(h) == -ECANCELED);
    CHECK(dropped == 10 && report_of(&s).cancelled == 11);
    return 0;
}

static void where_two_meet(void)
{
    on_each(two_winners);
    on_each(cancel_and_last_end);
    on_each(failure_afterwards);
    on_each(deadline_shield_deadline);
    on_each(spawn_after_cancel);
}

int main(void)
{
    RUN(what_comes_first_decides);
    RUN(abort_of_the_opener_and_the_runtimes_end);
    RUN(where_two_meet);
    return summary();
}
