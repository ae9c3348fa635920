/* SPDX-License-Identifier: Apache-2.0 */
/* What a scope keeps of its children: nothing, ended children for next, handles, a report. */
#include "tests/scope_check.h"

/* Suspends as long as it must. */
static int wait_until_up(void *flag)
{
    return wait_for_flag(flag);
}

static const uint32_t never = 0;

/* ---- next ---- */

enum { N = 16 };

struct racer {
    uint32_t go;
    int number;
};

static int run_when_told(void *arg)
{
    struct racer *r = arg;
    int rc = wait_for_flag(&r->go);
    return rc < 0 ? rc : r->number;
}

/* Each is released when the one before has been taken. */
static void take_one_by_one(filch_scope *s)
{
    struct racer racers[N] = {{0}};
    filch_handle *h;
    for (int i = 0; i < N; i++) {
        racers[i].number = i;
        CHECK(filch_scope_spawn(s, NULL, run_when_told, &racers[i]) == 0);
    }
    for (int i = 0; i < N; i++) {
        int chosen = i * 5 % N;
        raise_flag(&racers[chosen].go);
        CHECK(filch_scope_next(s, &h) == 0 && filch_finished(h) && join(h) == chosen);
    }
    CHECK(filch_scope_next(s, &h) == -ENOENT);
}

/* They end in a known order, one joined after the other, before the first is taken. */
static void take_afterwards(filch_scope *s)
{
    filch_handle *h;
    for (int i = 0; i < N; i++) {
        uint64_t before = report_of(s).ended;
        CHECK(filch_scope_spawn(s, NULL, return_number, (void *)(intptr_t)(i % 2 ? i : -i)) == 0);
        SPIN_UNTIL(report_of(s).ended > before || filch_yield() < 0);
    }
    for (int i = 0; i < N; i++)
        CHECK(filch_scope_next(s, &h) == 0 && join(h) == (i % 2 ? i : -i));
    CHECK(filch_scope_next(s, &h) == -ENOENT);
}

static int in_order(void *arg)
{
    (void)arg;
    filch_scope s;
    filch_handle *h, *own;
    filch_scope_options o = {.policy = FILCH_SUPERVISE, .collect = true};
    REQUIRE(filch_scope_open(&s, &o) == 0);
    CHECK(filch_scope_next(&s, &h) == -ENOENT);
    take_one_by_one(&s);
    take_afterwards(&s);
    take_one_by_one(&s);
    CHECK(filch_scope_spawn(&s, &own, return_number, (void *)3) == 0); /* not among them */
    CHECK(filch_scope_next(&s, &h) == -ENOENT && join(own) == 3);
    CHECK(filch_scope_close(&s) == -2 && report_of(&s).ended == 3 * N + 1);
    return 0;
}

static void next_in_order_of_ending(void)
{
    on_each(in_order);
    filch_runtime *rt = runtime_open(2);
    filch_scope s; /* on a thread */
    filch_scope_options o = {.policy = FILCH_SUPERVISE, .collect = true, .runtime = rt};
    REQUIRE(filch_scope_open(&s, &o) == 0);
    take_one_by_one(&s);
    take_afterwards(&s);
    CHECK(filch_scope_close(&s) == -2);
    runtime_close(rt);
}

static uint32_t results_dropped;

static void drop_result(void *result)
{
    CHECK(*(uint32_t *)result == 0xcafe);
    tally(&results_dropped);
}

static int make_result(void *arg)
{
    (void)arg;
    *(uint32_t *)filch_result_buffer() = 0xcafe;
    return 1;
}

static const filch_spawn_options with_result = {.result_size = sizeof(uint32_t),
                                                .result_drop = drop_result};

/* Taken: moved or dropped by the taker. Not taken: dropped by the close. */
static int take_some(void *arg)
{
    (void)arg;
    filch_scope s;
    filch_handle *h, *kept[4];
    results_dropped = 0;
    REQUIRE(filch_scope_open(&s, &(filch_scope_options){.collect = true}) == 0);
    for (int i = 0; i < 20; i++)
        CHECK(filch_scope_spawn_with(&s, NULL, &with_result, make_result, NULL) == 0);
    for (int i = 0; i < 4; i++) {
        int result = 0;
        uint32_t out = 0;
        CHECK(filch_scope_next(&s, &h) == 0);
        CHECK(filch_join_into(h, &result, &out) == 0 && result == 1 && out == 0xcafe);
        CHECK(filch_scope_next(&s, &kept[i]) == 0);
    }
    CHECK(filch__load_acquire(&results_dropped) == 0);
    CHECK(filch_scope_close(&s) == 0 && filch__load_acquire(&results_dropped) == 12);
    for (int i = 0; i < 4; i++)
        filch_detach(kept[i]); /* they outlive the scope */
    CHECK(filch__load_acquire(&results_dropped) == 16);
    return 0;
}

static void untaken_children_are_dropped(void)
{
    on_each(take_some);
}

/* The scope's own cancel hands out what ends by it. */
static int next_of_a_cancelled_scope(void *arg)
{
    (void)arg;
    filch_scope s;
    filch_handle *h[3];
    filch_scope_options o = {.policy = FILCH_RACE, .collect = true};
    REQUIRE(filch_scope_open(&s, &o) == 0);
    CHECK(filch_scope_spawn(&s, NULL, wait_until_up, (void *)&never) == 0);
    CHECK(filch_scope_spawn(&s, NULL, wait_until_up, (void *)&never) == 0);
    CHECK(filch_scope_spawn(&s, NULL, return_number, (void *)8) == 0);
    for (int i = 0; i < 3; i++)
        REQUIRE(filch_scope_next(&s, &h[i]) == 0);
    CHECK(filch_scope_close(&s) == 0);
    CHECK(join(h[0]) == 8 && join(h[1]) == -ECANCELED && join(h[2]) == -ECANCELED);
    return 0;
}

struct cut {
    uint32_t waits;
    int saw;
};

static int next_that_is_cut(void *arg)
{
    struct cut *c = arg;
    filch_scope s;
    filch_handle *h = NULL;
    REQUIRE(filch_scope_open(&s, &(filch_scope_options){.collect = true}) == 0);
    CHECK(filch_scope_spawn(&s, NULL, wait_until_up, (void *)&never) == 0);
    raise_flag(&c->waits);
    c->saw = filch_scope_next(&s, &h);
    CHECK(h == NULL && filch_scope_next(&s, &h) == -ECANCELED);
    return filch_scope_close(&s);
}

static void next_against_cancels(void)
{
    on_each(next_of_a_cancelled_scope);
    for (int i = 0; i < sized(60, 600, 6000); i++) {
        filch_runtime *rt = runtime_open(worker_counts[i % 3]);
        struct cut c = {0};
        filch_handle *h;
        spawn_on(rt, &h, next_that_is_cut, &c);
        if (i & 4)
            SPIN_UNTIL(flag_up(&c.waits));
        CHECK(filch_abort(h) == 0);
        CHECK(join(h) == -ECANCELED);
        CHECK(c.saw == (flag_up(&c.waits) ? -ECANCELED : 0));
        runtime_close(rt);
    }
}

/* ---- nothing kept ---- */

static uint32_t ran;

static int count_one(void *arg)
{
    (void)arg;
    tally(&ran);
    return 0;
}

static void spawn_so_many(filch_scope *s, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += 100) {
        for (int k = 0; k < 100; k++)
            CHECK(filch_scope_spawn(s, NULL, count_one, NULL) == 0);
        while (filch__load_acquire(&ran) < i + 100)
            CHECK(filch_yield() == 0);
    }
}

static int discard(void *rt)
{
    filch_scope s;
    uint32_t n = (uint32_t)sized(20000, 400000, 1000000);
    REQUIRE(filch_scope_open(&s, NULL) == 0);
    ran = 0;
    spawn_so_many(&s, 10000);
    size_t bytes = totals_of(rt).bytes;
    ran = 0;
    spawn_so_many(&s, n);
    CHECK(totals_of(rt).bytes <= bytes + 100000);
    CHECK(filch_scope_close(&s) == 0 && report_of(&s).succeeded == n + 10000);
    return 0;
}

static void discarded_children_leave_nothing(void)
{
    on_each(discard);
}

/* ---- handles that outlive the scope ---- */

struct handles {
    filch_handle *value, *result, *waiting;
    filch_abort_handle *abort;
};

static int leave_handles(void *arg)
{
    struct handles *h = arg;
    filch_scope s;
    REQUIRE(filch_scope_open(&s, NULL) == 0);
    CHECK(filch_scope_spawn(&s, &h->value, return_number, (void *)4) == 0);
    CHECK(filch_scope_spawn_with(&s, &h->result, &with_result, make_result, NULL) == 0);
    CHECK(filch_scope_spawn(&s, &h->waiting, wait_until_up, (void *)&never) == 0);
    h->abort = filch_abort_handle_of(h->waiting);
    CHECK(join(h->value) == 4 && !filch_finished(h->waiting));
    CHECK(filch_scope_spawn(&s, &h->value, return_number, (void *)4) == 0);
    CHECK(filch_abort(h->waiting) == 0);
    CHECK(filch_scope_close(&s) == 0); /* who was aborted by its handle has not failed */
    CHECK(report_of(&s).cancelled == 1 && report_of(&s).succeeded == 3);
    CHECK(filch_finished(h->value) && filch_finished(h->waiting) && filch_finished(h->result));
    return 0;
}

static void handles_outlive_scopes(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        struct handles h;
        uint32_t out = 0;
        filch_runtime *rt = runtime_open(worker_counts[w]);
        results_dropped = 0;
        CHECK(filch_run(rt, leave_handles, &h) == 0);
        CHECK(filch_abort(h.value) == 0 && join(h.value) == 4);
        runtime_close(rt);
        CHECK(join(h.waiting) == -ECANCELED);
        CHECK(filch_join_into(h.result, NULL, &out) == 0 && out == 0xcafe);
        CHECK(filch_abort_handle_abort(h.abort) == 0 && filch_abort_handle_finished(h.abort));
        filch_abort_handle_drop(h.abort);
        CHECK(results_dropped == 0);
    }
}

/* ---- the report ---- */

struct told {
    uint32_t calls;
    int sum;
    char last[64];
};

static void note_failure(void *ctx, const char *task, int result)
{
    struct told *t = ctx;
    tally(&t->calls);
    t->sum += result; /* one at a time, by the joins below */
    strcpy(t->last, task);
}

#define LONG_NAME "a name of forty bytes, which is too long"

static int report(void *arg)
{
    (void)arg;
    static const char cut[] = LONG_NAME;
    struct told told = {0};
    char name[48];
    filch_scope s;
    filch_handle *h;
    filch_scope_options o = {
        .policy = FILCH_SUPERVISE, .name = LONG_NAME, .on_failure = note_failure, .ctx = &told};
    REQUIRE(filch_scope_open(&s, &o) == 0);
    for (int i = 1; i <= 11; i++) {
        if (i == 3 || i == 4) /* 40 bytes, and 31 */
            snprintf(name, sizeof name, "%.*s", i == 3 ? 40 : 31, cut);
        else
            snprintf(name, sizeof name, "child %d", i);
        CHECK(filch_scope_spawn_with(&s, &h, &(filch_spawn_options){.name = name}, return_number,
                                     (void *)(intptr_t)-i) == 0);
        CHECK(join(h) == -i);
        filch_report r = report_of(&s); /* while it is open */
        CHECK(r.result == -1 && r.failed <= (uint64_t)i && r.failed + 1 >= (uint64_t)i);
    }
    CHECK(filch_scope_cancel(&s, 77) == 0);
    CHECK(filch_scope_close(&s) == -1);
    filch_report r = report_of(&s);
    CHECK(r.failed == 11 && r.ended == 11 && r.failures_len == FILCH_FAILURES_MAX);
    CHECK(r.cause.kind == FILCH_CAUSE_CANCEL && r.cause.code == 77 && r.overdue == 0);
    CHECK(strlen(r.cause.scope) == 31 && strncmp(r.cause.scope, cut, 31) == 0);
    CHECK(strlen(r.failures[2].task) == 31 && strncmp(r.failures[2].task, cut, 31) == 0);
    CHECK(strcmp(r.failures[3].task, r.failures[2].task) == 0);
    CHECK(strcmp(r.failures[7].task, "child 8") == 0 && r.failures[7].result == -8);
    CHECK(told.calls == 11 && told.sum == -66 && strcmp(told.last, "child 11") == 0);
    return 0;
}

static void reports(void)
{
    on_each(report);
}

int main(void)
{
    RUN(next_in_order_of_ending);
    RUN(untaken_children_are_dropped);
    RUN(next_against_cancels);
    RUN(discarded_children_leave_nothing);
    RUN(handles_outlive_scopes);
    RUN(reports);
    return summary();
}
