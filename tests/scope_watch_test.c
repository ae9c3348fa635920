/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of a cancel: why and where it began, who ignores it, and to foreign code. */
#include "tests/support.h"

#include <poll.h>

enum { MS = 1000000 };

static void on_each(filch_fn *fn)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        CHECK(filch_run(rt, fn, rt) == 0);
        drain(rt);
        runtime_close(rt);
    }
}

static filch_report report_of(filch_scope *s)
{
    filch_report r;
    REQUIRE(filch_scope_report(s, &r) == 0);
    return r;
}

static int sleep_for_ever(void *arg)
{
    (void)arg;
    return filch_sleep_until(FILCH_NEVER);
}

static int return_number(void *n)
{
    return (int)(intptr_t)n;
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
    CHECK(strcmp(c->task, kind == FILCH_CAUSE_CANCEL ? "opener" : by_task ? "who did it" : "") ==
          0);
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
            runtime_close(rt);
            int rc = join(h);
            CHECK(o.rc == 0 || o.kind != FILCH_CAUSE_ABORT);
            /* The runtime's end may have come before the others. */
            if (o.rc == 0 && o.cause.kind != FILCH_CAUSE_SHUTDOWN) {
                check_origin(o.kind, &o.cause);
                check_origin(o.kind, &o.report);
            }
            CHECK(rc <= 0);
        }
}
