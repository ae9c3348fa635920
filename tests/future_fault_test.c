/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system refuses: each allocation, mapping and thread in turn that awaits, timers and spawns of
 * futures ask for. The answer is one of the documented, what must be dropped is dropped once, what
 * must stay stays, and afterwards all works. Real only where faults can be injected
 * (-Dfaults=true).
 */
#include "tests/future_check.h"

#ifdef FILCH_FAULTS
#include "sched/os/fault.h"

#include <filch/scope.h>

/* How often each kind was asked for, up to the first disarm after an arm. */
static long asked[FILCH__FAULT_KINDS];

static void disarm(void)
{
    for (int kind = 0; kind < FILCH__FAULT_KINDS; kind++) {
        long seen = filch__fault_seen((enum filch__fault_kind)kind);
        filch__fault_arm((enum filch__fault_kind)kind, -1, false);
        asked[kind] = asked[kind] < 0 ? seen : asked[kind];
    }
}

static bool is_refusal(int rc)
{
    return rc == -ENOMEM || rc == -EAGAIN;
}

static void *set_five(void *arg)
{
    event_set(arg, 5);
    return NULL;
}

/* ---- what is tried, with a fault armed; each leaves nothing ---- */

static void await_until_soon(filch_runtime *rt)
{
    (void)rt;
    struct event e = EVENT;
    struct wait wait = WAIT(&e);
    int rc = filch_await_until(&wait.future, filch_now() + 100000);
    CHECK(rc == -ETIMEDOUT || is_refusal(rc));
    CHECK(drops_of(&e) == 1 && (polls_of(&e) >= 1 || rc == -ENOMEM));
    CHECK(filch_await(&wait.future) == -EALREADY);
}

static void await_sleep(filch_runtime *rt)
{
    (void)rt;
    int64_t when = filch_now() + 100000;
    filch_sleep_future s = FILCH_SLEEP_FUTURE(when);
    int rc = filch_await(&s.future);
    CHECK(rc == 0 ? filch_now() >= when : is_refusal(rc));
    CHECK(filch_await(&s.future) == -EALREADY);
}

/* What is selected stays, whatever was refused. */
static void select_until_soon(filch_runtime *rt)
{
    (void)rt;
    struct event e[2] = {EVENT, EVENT};
    struct wait a = WAIT(&e[0]), b = WAIT(&e[1]);
    filch_future *both[] = {&a.future, &b.future};
    int rc = filch_select_until(both, 2, filch_now() + 100000);
    CHECK(rc == -ETIMEDOUT || is_refusal(rc));
    CHECK(!filch_future_ended(&a.future) && !filch_future_ended(&b.future));
    CHECK(drops_of(&e[0]) + drops_of(&e[1]) == 0);
    disarm();
    event_set(&e[1], 4);
    CHECK(filch_select(both, 2) == 1 && b.future.result == 4);
    filch_future_drop_all(both, 2);
    CHECK(drops_of(&e[0]) == 1 && drops_of(&e[1]) == 1);
}

/* Pending ones are dropped. */
static void join_all_soon(filch_runtime *rt)
{
    (void)rt;
    struct event e = EVENT;
    struct wait wait = WAIT(&e);
    filch_sleep_future s = FILCH_SLEEP_FUTURE(filch_now() + 100000);
    filch_future *both[] = {&s.future, &wait.future};
    pthread_t thread = thread_start(set_five, &e);
    int rc = filch_join_all(both, 2);
    CHECK(rc == 0 || is_refusal(rc));
    CHECK(filch_future_ended(&s.future) && drops_of(&e) == 1);
    thread_join(thread);
}

/* A refused one is new, and can be used. */
static void spawn_one(filch_runtime *rt, filch_scope *scope, bool with_options)
{
    struct event e = EVENT;
    struct wait wait = WAIT(&e);
    filch_handle *const untouched = (filch_handle *)(uintptr_t)64;
    filch_handle *h = untouched;
    filch_spawn_options o = {.runtime = rt};
    if (with_options) {
        o.name = "a future";
        o.result_size = 100000;
    }
    int rc = scope ? filch_scope_spawn_future(scope, &h, &o, &wait.future, sizeof wait)
                   : filch_spawn_future_with(&h, &o, &wait.future, sizeof wait);
    disarm();
    event_set(&e, 6);
    if (rc == 0) {
        CHECK(join(h) == 6);
    } else {
        CHECK(rc == -ENOMEM && h == untouched && polls_of(&e) == 0 && drops_of(&e) == 0);
        CHECK(!filch_future_ended(&wait.future) && filch_await(&wait.future) == 6);
    }
    CHECK(drops_of(&e) == 1);
}

static void spawn_plain(filch_runtime *rt)
{
    spawn_one(rt, NULL, false);
}

static void spawn_with_options(filch_runtime *rt)
{
    spawn_one(rt, NULL, true);
}

static void spawn_in_scope(filch_runtime *rt)
{
    filch_scope s;
    int rc = filch_scope_open(&s, &(filch_scope_options){.runtime = rt});
    CHECK(rc == 0 || is_refusal(rc));
    if (rc < 0)
        return;
    spawn_one(rt, &s, false);
    CHECK(filch_scope_close(&s) == 0);
}

/* ---- each fault in turn ---- */

struct attempt {
    void (*act)(filch_runtime *rt);
    filch_runtime *rt;
    enum filch__fault_kind kind;
    long nth;
    bool sticky, reached;
};

static int try_it(void *arg)
{
    struct attempt *a = arg;
    asked[a->kind] = -1;
    filch__fault_arm(a->kind, a->nth, a->sticky);
    a->act(a->rt);
    disarm();
    a->reached = asked[a->kind] > a->nth;
    a->act(a->rt); /* and now it works, or is refused no worse */
    return 0;
}

static void *try_on_thread(void *arg)
{
    (void)try_it(arg);
    return NULL;
}

/* In a task, or on a thread that is new; on a runtime that is new. */
static void fail_each(void (*act)(filch_runtime *), enum filch__fault_kind kind, bool sticky,
                      bool in_task)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++)
        for (long nth = 0, unreached = 0; unreached < 3; nth++) {
            struct attempt a = {act, runtime_open(worker_counts[w]), kind, nth, sticky, false};
            if (in_task)
                CHECK(filch_run(a.rt, try_it, &a) == 0);
            else
                thread_join(thread_start(try_on_thread, &a));
            unreached = a.reached ? 0 : unreached + 1;
            drain(a.rt);
            CHECK(totals_of(a.rt).failures == 0);
            runtime_close(a.rt);
            if (filch__load_relaxed(&case_bad)) {
                fprintf(stderr, "kind %d, nth %ld, %d workers\n", kind, nth, worker_counts[w]);
                return;
            }
        }
}

static void fail_all(void (*act)(filch_runtime *))
{
    for (int kind = 0; kind < FILCH__FAULT_KINDS; kind++)
        for (int how = 0; how < 4; how++)
            fail_each(act, (enum filch__fault_kind)kind, how & 1, how & 2);
}

#define FAIL_ALL(name, act) \
    static void name(void)  \
    {                       \
        fail_all(act);      \
    }

FAIL_ALL(awaits_with_a_deadline, await_until_soon)
FAIL_ALL(awaits_of_a_time, await_sleep)
FAIL_ALL(selects_with_a_deadline, select_until_soon)
FAIL_ALL(joins_of_all, join_all_soon)
FAIL_ALL(spawns, spawn_plain)
FAIL_ALL(spawns_with_options, spawn_with_options)
FAIL_ALL(spawns_in_a_scope, spawn_in_scope)

/* ---- what must be refused, and how ---- */

static void *await_without_memory(void *arg)
{
    (void)arg;
    struct event e = EVENT, again = EVENT;
    struct wait wait = WAIT(&e), later = WAIT(&again);
    filch__fault_arm(FILCH__FAULT_ALLOC, 0, true);
    CHECK(filch_await(&wait.future) == -ENOMEM);
    disarm();
    CHECK(drops_of(&e) == 1 && polls_of(&e) == 0);
    pthread_t thread = thread_start(set_five, &again);
    CHECK(filch_await(&later.future) == 5);
    thread_join(thread);
    return NULL;
}

static void a_thread_without_memory(void)
{
    thread_join(thread_start(await_without_memory, NULL));
}

static int await_without_clock(void *arg)
{
    (void)arg;
    struct event e = EVENT, ready = EVENT;
    struct wait wait = WAIT(&e), first = WAIT(&ready);
    filch_sleep_future s = FILCH_SLEEP_FUTURE(FILCH_NEVER - 1);
    filch__fault_arm(FILCH__FAULT_THREAD, 0, true);
    event_set(&ready, 2);
    CHECK(filch_await_until(&first.future, FILCH_NEVER - 1) == 2); /* needs none */
    CHECK(filch_await_until(&wait.future, filch_now() + 1000000000) == -EAGAIN);
    CHECK(drops_of(&e) == 1);
    CHECK(filch_await(&s.future) == -EAGAIN);
    disarm();
    return 0;
}

static void no_thread_for_the_timers(void)
{
    filch_runtime *rt = runtime_open(2);
    CHECK(filch_run(rt, await_without_clock, NULL) == 0);
    runtime_close(rt);
}

static int await_without_stack(void *arg)
{
    (void)arg;
    struct event e = EVENT;
    struct wait wait = WAIT(&e);
    filch__fault_arm(FILCH__FAULT_MMAP, 0, true);
    filch__fault_arm(FILCH__FAULT_ALLOC, 0, true);
    CHECK(filch_await(&wait.future) == -ENOMEM);
    disarm();
    CHECK(drops_of(&e) == 1);
    return 0;
}

static void no_stack_to_go_on_with(void)
{
    filch_runtime *rt = runtime_open(1);
    CHECK(filch_run(rt, await_without_stack, NULL) == 0);
    runtime_close(rt);
}

int main(void)
{
    REQUIRE(filch_runtime_workers(NULL) > 0); /* the default one is there */
    RUN(a_thread_without_memory);
    RUN(no_thread_for_the_timers);
    RUN(no_stack_to_go_on_with);
    RUN(spawns);
    RUN(spawns_with_options);
    RUN(spawns_in_a_scope);
    RUN(awaits_with_a_deadline);
    RUN(awaits_of_a_time);
    RUN(selects_with_a_deadline);
    RUN(joins_of_all);
    return summary();
}

#else

int main(void)
{
    printf("faults cannot be injected in this build\n");
    return summary();
}

#endif
