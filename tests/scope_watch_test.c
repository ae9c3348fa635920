/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of a cancel: why, where it began, and who ignores it. */
#include "tests/scope_check.h"

enum { MS = 1000000 };

static int sleep_for_ever(void *arg)
{
    (void)arg;
    return filch_sleep_until(FILCH_NEVER);
}

/* ---- cause and origin ---- */

/* Three tasks deep, each with a scope; what the innermost is told. */
struct origin {
    filch_cause_kind kind;
    int depth; /* left */
    uint32_t deepest, go;
    filch_cause cause; /* seen by the innermost task */
    filch_cause report;
    int rc;
};

static int dig(void *arg);

static int dig_at(struct origin *o, int depth)
{
    filch_scope s;
    if (depth == 0) {
        CHECK(filch_cancel_cause(&o->cause) == -ENOENT);
        raise_flag(&o->deepest);
        CHECK(filch_sleep_until(FILCH_NEVER) == -ECANCELED);
        o->rc = filch_cancel_cause(&o->cause);
        return -ECANCELED;
    }
    REQUIRE(filch_scope_open(&s, &(filch_scope_options){.name = "below"}) == 0);
    o->depth = depth - 1;
    CHECK(filch_scope_spawn(&s, NULL, dig, o) == 0);
    int rc = filch_scope_close(&s);
    o->report = report_of(&s).cause;
    return rc;
}

static int dig(void *arg)
{
    struct origin *o = arg;
    return dig_at(o, o->depth);
}

/* Fails or succeeds when it is told to. */
static int end_on_go(void *arg)
{
    struct origin *o = arg;
    int rc = wait_for_flag(&o->go);
    return rc < 0 ? rc : o->kind == FILCH_CAUSE_WON ? 17 : -EIO;
}

static int dig_in_scope(void *arg)
{
    struct origin *o = arg;
    filch_scope s;
    filch_scope_options options = {.name = "the uppermost scope of this tree",
                                   .policy =
                                       o->kind == FILCH_CAUSE_WON ? FILCH_RACE : FILCH_FAIL_FAST};
    filch_spawn_options named = {.name = "who did it"};
    REQUIRE(filch_scope_open(&s, &options) == 0);
    o->depth = 3;
    CHECK(filch_scope_spawn(&s, NULL, dig, o) == 0);
    if (o->kind == FILCH_CAUSE_WON || o->kind == FILCH_CAUSE_FAILURE)
        CHECK(filch_scope_spawn_with(&s, NULL, &named, end_on_go, o) == 0);
    while (!flag_up(&o->deepest))
        (void)filch_yield();
    if (o->kind == FILCH_CAUSE_CANCEL)
        CHECK(filch_scope_cancel(&s, -5) == 0);
    else if (o->kind == FILCH_CAUSE_DEADLINE)
        CHECK(filch_scope_set_deadline(&s, 1) == 0);
    raise_flag(&o->go);
    return filch_scope_close(&s);
}

static void check_origin(filch_cause_kind kind, filch_cause *c)
{
    bool by_scope = kind != FILCH_CAUSE_ABORT && kind != FILCH_CAUSE_SHUTDOWN;
    bool by_task = by_scope && kind != FILCH_CAUSE_DEADLINE;
    CHECK(c->kind == kind);
    CHECK(strcmp(c->scope, by_scope ? "the uppermost scope of this tre" : "") == 0);
    CHECK(strcmp(c->task, kind == FILCH_CAUSE_CANCEL ? "opener"
                          : by_task                  ? "who did it"
                                                     : "") == 0);
    CHECK(c->code == (kind == FILCH_CAUSE_CANCEL    ? -5
                      : kind == FILCH_CAUSE_FAILURE ? -EIO
                      : kind == FILCH_CAUSE_WON     ? 17
                                                    : 0));
}

static void causes_at_depth(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++)
        for (int kind = FILCH_CAUSE_ABORT; kind <= FILCH_CAUSE_SHUTDOWN; kind++) {
            filch_runtime *rt = runtime_open(worker_counts[w]);
            struct origin o = {.kind = (filch_cause_kind)kind};
            filch_spawn_options named = {.runtime = rt, .name = "opener"};
            filch_handle *h;
            REQUIRE(filch_spawn_with(&h, &named, dig_in_scope, &o) == 0);
            SPIN_UNTIL(flag_up(&o.deepest));
            if (kind == FILCH_CAUSE_ABORT)
                CHECK(filch_abort(h) == 0);
            if (kind == FILCH_CAUSE_SHUTDOWN)
                runtime_close(rt);
            int rc = join(h);
            if (kind != FILCH_CAUSE_SHUTDOWN)
                runtime_close(rt);
            CHECK(o.rc == 0);
            check_origin(o.kind, &o.cause);
            check_origin(o.kind, &o.report);
            CHECK(rc == (kind == FILCH_CAUSE_DEADLINE  ? -ETIMEDOUT
                         : kind == FILCH_CAUSE_FAILURE ? -EIO
                         : kind == FILCH_CAUSE_WON     ? 0
                                                       : -ECANCELED));
        }
}

/* The first reason stays, whatever comes after it. */
static int first_reason(void *arg)
{
    filch_handle **self = arg;
    filch_scope s;
    filch_cause c;
    while (!filch__load_acquire(self))
        CHECK(filch_yield() == 0);
    REQUIRE(filch_scope_open(&s, NULL) == 0);
    CHECK(filch_scope_cancel(&s, 1) == 0 && filch_abort(*self) == 0);
    CHECK(filch_scope_cancel(&s, 2) == 0);
    CHECK(filch_cancel_cause(&c) == 0 && c.kind == FILCH_CAUSE_CANCEL && c.code == 1);
    CHECK(filch_scope_close(&s) == -ECANCELED);
    CHECK(filch_cancel_cause(&c) == 0 && c.kind == FILCH_CAUSE_ABORT);
    return 5;
}

/* A child that is aborted and then cancelled, or the other way round. */
static int cancelled_twice(void *arg)
{
    struct origin *o = arg;
    raise_flag(&o->deepest);
    SPIN_UNTIL(flag_up(&o->go));
    CHECK(filch_cancel_cause(&o->cause) == 0);
    return 1;
}

static int cancel_twice(void *arg)
{
    (void)arg;
    for (int abort_first = 0; abort_first < 2; abort_first++) {
        struct origin o = {.go = 0};
        filch_scope s;
        filch_handle *h;
        REQUIRE(filch_scope_open(&s, NULL) == 0);
        CHECK(filch_scope_spawn(&s, &h, cancelled_twice, &o) == 0);
        SPIN_UNTIL(flag_up(&o.deepest)); /* on another worker */
        if (abort_first)
            CHECK(filch_abort(h) == 0);
        CHECK(filch_scope_cancel(&s, 0) == 0);
        CHECK(filch_abort(h) == 0);
        raise_flag(&o.go);
        CHECK(filch_scope_close(&s) == -ECANCELED && join(h) == 1);
        CHECK(o.cause.kind == (abort_first ? FILCH_CAUSE_ABORT : FILCH_CAUSE_CANCEL));
    }
    return 0;
}

static void the_first_reason_stays(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        filch_handle *self = NULL, *h;
        spawn_on(rt, &h, first_reason, &self);
        filch__store_release(&self, h);
        CHECK(join(h) == 5);
        if (worker_counts[w] > 1)
            CHECK(filch_run(rt, cancel_twice, NULL) == 0);
        runtime_close(rt);
    }
}

/* ---- who ignores it ---- */

struct overdue {
    uint32_t running, go, named, strange;
};

static int ignore(void *arg)
{
    struct overdue *o = arg;
    filch_shield shield; /* deaf, but it leaves its worker to others */
    CHECK(filch_shield_begin(&shield, 0) == 0);
    tally(&o->running);
    CHECK(wait_for_flag(&o->go) == 0);
    return filch_shield_end(&shield);
}

static void note_overdue(void *ctx, const char *task)
{
    struct overdue *o = ctx;
    tally(strcmp(task, "deaf") == 0 ? &o->named : &o->strange);
    if (filch__load_acquire(&o->named) == 3)
        raise_flag(&o->go);
}

/* They end when they have been named, all three; the others may be slow to end, too. */
static int grace(void *arg)
{
    (void)arg;
    for (int timed = 0; timed < 2; timed++) {
        struct overdue o = {0};
        filch_scope s;
        filch_scope_options options = {.grace = MS, .on_overdue = note_overdue, .ctx = &o};
        filch_spawn_options deaf = {.name = "deaf"}, good = {.name = "good"};
        REQUIRE(filch_scope_open(&s, &options) == 0);
        for (int i = 0; i < 5; i++)
            CHECK(filch_scope_spawn_with(&s, NULL, &good, sleep_for_ever, NULL) == 0);
        for (int i = 0; i < 3; i++)
            CHECK(filch_scope_spawn_with(&s, NULL, &deaf, ignore, &o) == 0);
        while (filch__load_acquire(&o.running) < 3)
            CHECK(filch_yield() == 0);
        CHECK((timed ? filch_scope_set_deadline(&s, 1) : filch_scope_cancel(&s, 0)) == 0);
        int rc = filch_scope_close(&s);
        filch_report r = report_of(&s);
        CHECK(rc == (timed ? -ETIMEDOUT : -ECANCELED));
        CHECK(filch_checkpoint() == 0 && r.ended == 8);
        CHECK(o.named == 3 && r.overdue >= 3);
        CHECK(r.cancel_latency >= MS && *r.last);
    }
    return 0;
}

/* Nobody is named when all end in time. */
static int good_grace(void *arg)
{
    (void)arg;
    for (int i = 0; i < 4; i++) {
        struct overdue o = {0};
        filch_scope s;
        filch_scope_options options = {.grace = i % 2 ? FILCH_NEVER : INT64_C(100000) * MS,
                                       .on_overdue = note_overdue,
                                       .ctx = &o};
        filch_spawn_options last = {.name = "the last of all that have ended"};
        REQUIRE(filch_scope_open(&s, &options) == 0);
        CHECK(filch_scope_spawn(&s, NULL, sleep_for_ever, NULL) == 0);
        CHECK(filch_scope_spawn_with(&s, NULL, &last, ignore, &o) == 0);
        while (filch__load_acquire(&o.running) < 1)
            CHECK(filch_yield() == 0);
        CHECK(filch_scope_cancel(&s, 0) == 0 && filch_deadline() == FILCH_NEVER);
        filch_shield shield; /* so that the others get this worker */
        CHECK(filch_shield_begin(&shield, 0) == 0);
        while (report_of(&s).ended < 1)
            CHECK(filch_yield() == 0);
        CHECK(filch_shield_end(&shield) == 0);
        CHECK(report_of(&s).cancel_latency == -1 && report_of(&s).last[0] == 0);
        raise_flag(&o.go);
        CHECK(filch_scope_close(&s) == -ECANCELED);
        filch_report r = report_of(&s);
        CHECK(r.overdue == 0 && o.named == 0 && o.strange == 0);
        CHECK(r.cancel_latency >= 0 && strcmp(r.last, last.name) == 0);
    }
    return 0;
}

static void who_is_overdue(void)
{
    on_each(grace);
    on_each(good_grace);
}

int main(void)
{
    RUN(causes_at_depth);
    RUN(the_first_reason_stays);
    RUN(who_is_overdue);
    return summary();
}
