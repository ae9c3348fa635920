/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cancelled calls that have not started: by each way they never do; nor does a call of one who is
 * cancelled already, unless a shield holds that back.
 */
#include "tests/blocking_ways.h"

/* ---- in the queue ---- */

static bool is_by_thread(way *by)
{
    return by == by_thread || by == by_thread_until;
}

static bool is_queued(struct scene *s)
{
    return queued(s->rt) == 1;
}

static bool is_queued_by_default(struct scene *s)
{
    (void)s;
    return queued(filch__runtime_default()) == 1;
}

/* Occupies all threads of a pool. */
struct crowd {
    struct call *calls;
    filch_handle **tasks;
    int n;
};

static void occupy(struct crowd *c, filch_runtime *rt, int n, bool region)
{
    *c = (struct crowd){malloc((size_t)n * sizeof *c->calls), malloc((size_t)n * sizeof *c->tasks),
                        n};
    REQUIRE(c->calls && c->tasks);
    for (int i = 0; i < n; i++) {
        call_open(&c->calls[i], region, false);
        spawn_on(rt, &c->tasks[i], call_task, &c->calls[i]);
    }
    for (int i = 0; i < n; i++)
        SPIN_UNTIL(flag_up(&c->calls[i].started));
}

/* result: of each; 0 where it still waits for its byte. */
static void leave(struct crowd *c, int result)
{
    for (int i = 0; i < c->n; i++) {
        if (result == 0)
            call_release(&c->calls[i], 1);
        CHECK(join(c->tasks[i]) == result);
        call_close(&c->calls[i]);
    }
    free(c->calls);
    free(c->tasks);
}

static void never_start(way *by, int workers)
{
    filch_runtime *own = runtime_bounded(workers, 1);
    bool outside = is_by_thread(by);
    struct crowd busy;
    occupy(&busy, outside ? NULL : own, outside ? FILCH_BLOCKING_THREADS_DEFAULT : 1,
           by == by_destroy);
    struct call c;
    call_open(&c, true, false);
    struct scene s = {.rt = own, .call = &c, .ready = outside ? is_queued_by_default : is_queued};
    CHECK(by(&s) == -ECANCELED);
    CHECK(!s.rt || queued(outside ? filch__runtime_default() : s.rt) == 0);
    leave(&busy, by == by_destroy ? -EINTR : 0);
    if (s.rt)
        runtime_close(s.rt);
    CHECK(c.started == 0 && c.ended == 0);
    call_close(&c);
}

static void never_started(void)
{
    for (size_t i = 0; i < COUNT(ways); i++)
        for (size_t w = 0; w < COUNT(worker_counts); w++)
            never_start(ways[i], worker_counts[w]);
}

/* The cancelled task cannot run yet when its turn comes. */
static void never_started_behind_a_busy_worker(void)
{
    filch_runtime *rt = runtime_bounded(1, 1);
    struct crowd busy;
    struct blockers blockers;
    struct call c;
    filch_handle *h;
    occupy(&busy, rt, 1, false);
    call_open(&c, false, false);
    spawn_on(rt, &h, call_task, &c);
    SPIN_UNTIL(queued(rt) == 1);
    block_workers(&blockers, rt, 1, 1);
    CHECK(filch_abort(h) == 0);
    call_release(&busy.calls[0], 1);
    SPIN_UNTIL(queued(rt) == 0);
    CHECK(!filch_finished(h));
    raise_flag(&blockers.released);
    CHECK(join(h) == -ECANCELED && c.started == 0);
    CHECK(join(busy.tasks[0]) == 0);
    busy.n = 0;
    call_close(&busy.calls[0]);
    leave(&busy, 0);
    runtime_close(rt);
    call_close(&c);
}

/* ---- cancelled before, shielded ---- */

static int give(void *n)
{
    return (int)(intptr_t)n;
}

static int call_cancelled(void *arg)
{
    uint32_t *shielded = arg;
    filch_shield shield;
    filch_scope s;
    REQUIRE(filch_scope_open(&s, NULL) == 0);
    CHECK(filch_scope_cancel(&s, 1) == 0);
    CHECK(filch_blocking(give, (void *)1) == -ECANCELED);
    REQUIRE(filch_shield_begin(&shield, 0) == 0);
    CHECK(filch_blocking(give, (void *)1) == 1);
    if (shielded) {
        raise_flag(shielded); /* what a shield is for works in a runtime that ends */
        struct call c;
        call_open(&c, true, false);
        filch_blocking_future b = FILCH_BLOCKING_FUTURE(call_run, &c);
        CHECK(filch_poll(&b.future, NULL) == FILCH_PENDING);
        SPIN_UNTIL(flag_up(shielded + 1));
        call_release(&c, 1);
        CHECK(filch_await(&b.future) == 0);
        CHECK(filch_blocking(give, (void *)2) == 2);
        call_close(&c);
    }
    CHECK(filch_shield_end(&shield) == 0);
    return filch_scope_close(&s);
}

static void *close_thread(void *rt)
{
    CHECK(filch_runtime_destroy(rt) == 0);
    return NULL;
}

static void cancelled_before(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_bounded(worker_counts[w], 2);
        uint32_t flags[2] = {0};
        filch_handle *h;
        CHECK(filch_run(rt, call_cancelled, NULL) == -ECANCELED);
        spawn_on(rt, &h, call_cancelled, flags);
        SPIN_UNTIL(flag_up(&flags[0]));
        watchdog_watch(NULL);
        pthread_t t = thread_start(close_thread, rt);
        SPIN_UNTIL(filch__load_acquire(&rt->closing));
        raise_flag(&flags[1]);
        thread_join(t);
        CHECK(join(h) == -ECANCELED);
    }
}

int main(void)
{
    RUN(never_started);
    RUN(never_started_behind_a_busy_worker);
    RUN(cancelled_before);
    return summary();
}
