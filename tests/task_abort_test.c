/* SPDX-License-Identifier: Apache-2.0 */
/* Aborts and handles: again and again, of oneself, from many threads, after everything. */
#include "tests/support.h"

static int return_number(void *n)
{
    return (int)(intptr_t)n;
}

/* ---- who aborts ---- */

struct self {
    filch_handle *handle;
    uint32_t ready;
};

static int abort_oneself(void *arg)
{
    struct self *s = arg;
    SPIN_UNTIL(flag_up(&s->ready));
    CHECK(filch_checkpoint() == 0 && !filch_cancelled());
    CHECK(filch_abort(s->handle) == 0);
    CHECK(filch_abort(s->handle) == 0);
    CHECK(filch_checkpoint() == -ECANCELED && filch_cancelled());
    CHECK(filch_yield() == -ECANCELED);
    filch_handle *child;
    REQUIRE(filch_spawn(&child, return_number, NULL) == 0); /* a free task, not cancelled */
    CHECK(filch_join(child, NULL) == -ECANCELED);
    filch_detach(child);
    return 6;
}

static void aborts_itself_and_finishes(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        struct self s = {0};
        spawn_on(rt, &s.handle, abort_oneself, &s);
        raise_flag(&s.ready);
        CHECK(join(s.handle) == 6);
        runtime_close(rt);
    }
}

/* What is aborted, and whether it was seen: the result must agree. */
struct victim {
    uint32_t started;
    uint32_t seen;
    int yields;
    int pauses;   /* between go and the end, where it does not yield */
    uint32_t *go; /* or NULL */
};

static int victim(void *arg)
{
    struct victim *v = arg;
    raise_flag(&v->started);
    for (int i = 0; i < v->yields; i++)
        if (filch_yield() == -ECANCELED) {
            raise_flag(&v->seen);
            return -ECANCELED;
        }
    if (v->go && v->yields == 0)
        SPIN_UNTIL(flag_up(v->go));
    for (int i = 0; i < v->pauses; i++)
        (void)filch_cancelled();
    return 8;
}

struct aborter {
    filch_abort_handle *target;
    uint32_t *go;
};

static void *abort_thread(void *arg)
{
    struct aborter *a = arg;
    SPIN_UNTIL(flag_up(a->go));
    do
        CHECK(filch_abort_handle_abort(a->target) == 0);
    while (!filch_abort_handle_finished(a->target));
    filch_abort_handle_drop(a->target);
    return NULL;
}

/* The runtime goes as soon as the task has ended: an aborter may be in the middle of its call. */
static void many_abort_while_it_finishes(void)
{
    for (int i = 0; i < sized(100, 1500, 30000); i++) {
        enum { ABORTERS = 3 };
        filch_runtime *rt = runtime_open(worker_counts[i % 3]);
        uint32_t go = 0;
        struct victim v = {.yields = i & 4 ? i % 11 : 0, .pauses = i * 7 % 400, .go = &go};
        struct aborter a[ABORTERS];
        pthread_t threads[ABORTERS];
        filch_handle *h;
        spawn_on(rt, &h, victim, &v);
        for (int k = 0; k < ABORTERS; k++) {
            a[k] = (struct aborter){filch_abort_handle_of(h), &go};
            threads[k] = thread_start(abort_thread, &a[k]);
        }
        if (i % 2)
            SPIN_UNTIL(flag_up(&v.started));
        raise_flag(&go);
        int rc = join(h);
        runtime_close(rt);
        for (int k = 0; k < ABORTERS; k++)
            thread_join(threads[k]);
        CHECK(rc == 8 || rc == -ECANCELED);
        CHECK(rc != 8 || flag_up(&v.started));
        CHECK(rc != -ECANCELED || flag_up(&v.seen) || !flag_up(&v.started));
    }
}

/* ---- abort handles ---- */

static void abort_handles_outlive_everything(void)
{
    filch_runtime *rt = runtime_open(2);
    filch_handle *h;
    spawn_on(rt, &h, return_number, (void *)3);
    filch_abort_handle *a = filch_abort_handle_of(h), *b = filch_abort_handle_clone(a);
    filch_abort_handle *of_pending;
    struct blockers busy;
    CHECK(join(h) == 3);
    CHECK(filch_abort_handle_finished(a));
    CHECK(filch_abort_handle_abort(a) == 0);
    block_workers(&busy, rt, 1, 2);
    spawn_on(rt, &h, return_number, (void *)3);
    of_pending = filch_abort_handle_of(h);
    filch_detach(h);
    CHECK(!filch_abort_handle_finished(of_pending));
    runtime_close(rt);
    CHECK(filch_abort_handle_finished(of_pending));
    CHECK(filch_abort_handle_abort(of_pending) == 0);
    filch_abort_handle_drop(of_pending);
    CHECK(filch_abort_handle_abort(b) == 0);
    filch_abort_handle_drop(a);
    CHECK(filch_abort_handle_finished(b));
    filch_abort_handle_drop(filch_abort_handle_clone(b));
    filch_abort_handle_drop(b);
}

static void dropping_an_abort_handle_does_nothing(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        uint32_t go = 0;
        filch_handle *h;
        spawn_on(rt, &h, wait_for_flag, &go);
        filch_abort_handle_drop(filch_abort_handle_of(h));
        CHECK(!filch_finished(h));
        raise_flag(&go);
        CHECK(join(h) == 0);
        runtime_close(rt);
    }
}

/* ---- handles held over the end ---- */

static uint32_t results_dropped;

static void drop_result(void *result)
{
    CHECK(*(int *)result == 41);
    tally(&results_dropped);
}

static int fill_result(void *arg)
{
    (void)arg;
    *(int *)filch_result_buffer() = 41;
    return 2;
}

static void handles_held_over_destroy(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        filch_handle *value, *moved, *dropped, *pending, *waiting;
        filch_spawn_options o = {
            .runtime = rt, .result_size = sizeof(int), .result_drop = drop_result};
        uint32_t never = 0;
        struct blockers busy;
        results_dropped = 0;
        spawn_on(rt, &value, return_number, (void *)3);
        REQUIRE(filch_spawn_with(&moved, &o, fill_result, NULL) == 0);
        REQUIRE(filch_spawn_with(&dropped, &o, fill_result, NULL) == 0);
        SPIN_UNTIL(filch_finished(value) && filch_finished(moved) && filch_finished(dropped));
        spawn_on(rt, &waiting, wait_for_flag, &never);
        block_workers(&busy, rt, 1, worker_counts[w]);
        spawn_on(rt, &pending, return_number, NULL);
        runtime_close(rt);
        CHECK(filch_finished(pending) && filch_finished(waiting));
        CHECK(filch_abort(value) == 0 && filch_abort(pending) == 0);
        CHECK(join(pending) == -ECANCELED);
        CHECK(join(waiting) == -ECANCELED);
        int result = 0, out = 0;
        CHECK(filch_join_into(moved, &result, &out) == 0 && result == 2 && out == 41);
        CHECK(filch__load_acquire(&results_dropped) == 0);
        filch_detach(dropped);
        CHECK(filch__load_acquire(&results_dropped) == 1);
        CHECK(join(value) == 3);
    }
}

static void *join_thread(void *h)
{
    CHECK(join(h) == 5);
    return NULL;
}

static void *detach_thread(void *h)
{
    filch_detach(h);
    return NULL;
}

/* The last of them frees the runtime's memory. */
static void handles_dropped_by_threads_while_it_ends(void)
{
    for (int i = 0; i < sized(100, 1000, 10000); i++) {
        enum { N = 4 };
        filch_runtime *rt = runtime_open(worker_counts[i % 3]);
        pthread_t threads[N];
        for (int k = 0; k < N; k++) {
            filch_handle *h;
            spawn_on(rt, &h, return_number, (void *)5);
            SPIN_UNTIL(filch_finished(h));
            threads[k] = thread_start(k % 2 ? join_thread : detach_thread, h);
        }
        runtime_close(rt);
        for (int k = 0; k < N; k++)
            thread_join(threads[k]);
    }
}

/* ---- cancel_on_drop ---- */

static void cancel_on_drop(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        filch_spawn_options o = {.runtime = rt, .cancel_on_drop = true};
        struct victim unstarted = {0}, waiting = {.yields = INT32_MAX};
        struct blockers busy;
        filch_handle *h;
        REQUIRE(filch_spawn_with(&h, &o, victim, &waiting) == 0);
        SPIN_UNTIL(flag_up(&waiting.started));
        filch_detach(h);
        drain(rt);
        CHECK(flag_up(&waiting.seen));
        block_workers(&busy, rt, 1, worker_counts[w]);
        REQUIRE(filch_spawn_with(&h, &o, victim, &unstarted) == 0);
        filch_detach(h);
        REQUIRE(filch_spawn_with(NULL, &o, victim, &unstarted) == 0); /* no handle, no drop */
        raise_flag(&busy.released);
        drain(rt);
        CHECK(flag_up(&unstarted.started) && !flag_up(&unstarted.seen));
        CHECK(totals_of(rt).failures == 0);
        runtime_close(rt);
    }
}

/* ---- failures that nobody joins ---- */

struct report {
    uint32_t calls, named, unnamed;
    int sum;
};

static void note_failure(void *ctx, const char *name, int result)
{
    struct report *r = ctx;
    tally(&r->calls);
    tally(strcmp(name, "loser") == 0 ? &r->named : &r->unnamed);
    filch__add_relaxed(&r->sum, result);
}

static void failures_are_counted_and_reported(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        struct report r = {0};
        filch_options options = {
            .workers = worker_counts[w], .on_failure = note_failure, .on_failure_ctx = &r};
        filch_runtime *rt;
        REQUIRE(filch_runtime_create(&rt, &options) == 0);
        filch_spawn_options named = {.runtime = rt, .name = "loser"};
        struct blockers busy;
        filch_handle *h;
        spawn_on(rt, NULL, return_number, (void *)-1);
        REQUIRE(filch_spawn_with(NULL, &named, return_number, (void *)-2) == 0);
        block_workers(&busy, rt, 1, worker_counts[w]);
        REQUIRE(filch_spawn_with(&h, &named, return_number, (void *)-4) == 0);
        filch_detach(h); /* before it fails */
        raise_flag(&busy.released);
        spawn_on(rt, &h, return_number, (void *)-8);
        SPIN_UNTIL(filch_finished(h));
        filch_detach(h); /* after it has failed */
        spawn_on(rt, NULL, return_number, (void *)-ECANCELED);
        spawn_on(rt, NULL, return_number, (void *)1);
        spawn_on(rt, &h, return_number, (void *)-16);
        CHECK(join(h) == -16); /* somebody knows */
        drain(rt);
        CHECK(totals_of(rt).failures == 4);
        CHECK(filch_runtime_destroy(rt) == 0);
        CHECK(r.calls == 4 && r.named == 2 && r.unnamed == 2 && r.sum == -15);
    }
}

int main(void)
{
    RUN(aborts_itself_and_finishes);
    RUN(many_abort_while_it_finishes);
    RUN(abort_handles_outlive_everything);
    RUN(dropping_an_abort_handle_does_nothing);
    RUN(handles_held_over_destroy);
    RUN(handles_dropped_by_threads_while_it_ends);
    RUN(cancel_on_drop);
    RUN(failures_are_counted_and_reported);
    return summary();
}
