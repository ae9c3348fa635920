/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ways to cancel a blocking call: from outside and inside, of each kind of waiter.
 */
#ifndef FILCH_TESTS_BLOCKING_WAYS_H
#define FILCH_TESTS_BLOCKING_WAYS_H

#include "tests/blocking_check.h"

/*
 * The ways. Each starts the call, as a task or in one, waits until `ready`, cancels it, and returns
 * what is known of the call: what fn returned, or -ECANCELED if it was not called.
 */
struct scene {
    filch_runtime *rt;
    struct call *call;
    bool (*ready)(struct scene *s); /* looked at by a task or a thread; does not wait */
    bool release;                   /* it needs its byte, after the cancel */
    filch_handle *task;
    filch_blocking_future *future;
};

static inline int task_until_ready(struct scene *s)
{
    int rc = 0;
    while (rc == 0 && !s->ready(s))
        rc = filch_yield();
    return rc;
}

/* After a cancel that does not wait for the call. */
static inline void release_later(struct scene *s)
{
    for (int i = 0; s->release && i < 20; i++)
        sched_yield();
    CHECK(!s->release || !flag_up(&s->call->ended));
    call_release(s->call, s->release);
}

static inline int by_abort(struct scene *s)
{
    spawn_on(s->rt, &s->task, call_task, s->call);
    SPIN_UNTIL(s->ready(s));
    CHECK(filch_abort(s->task) == 0);
    release_later(s);
    return join(s->task);
}

struct child {
    struct scene *s;
    filch_scope scope;
    uint32_t open;
    int result;
};

static inline int call_in_scope(void *arg)
{
    struct child *c = arg;
    REQUIRE(filch_scope_open(&c->scope, &(filch_scope_options){.deadline = filch_now() + HOUR}) ==
            0);
    raise_flag(&c->open);
    c->result = call_task(c->s->call);
    CHECK(filch_cancelled() && filch_checkpoint() == -ECANCELED);
    return filch_scope_close(&c->scope);
}

static inline int by_scope(struct scene *s, bool deadline)
{
    struct child c = {.s = s};
    spawn_on(s->rt, &s->task, call_in_scope, &c);
    SPIN_UNTIL(flag_up(&c.open) && s->ready(s));
    if (deadline)
        CHECK(filch_scope_set_deadline(&c.scope, filch_now()) == 0);
    else
        CHECK(filch_scope_cancel(&c.scope, 1) == 0);
    SPIN_UNTIL(filch_scope_cancelled(&c.scope));
    release_later(s);
    CHECK(join(s->task) == (deadline ? -ETIMEDOUT : -ECANCELED));
    return c.result;
}

static inline int by_scope_cancel(struct scene *s)
{
    return by_scope(s, false);
}

static inline int by_scope_deadline(struct scene *s)
{
    return by_scope(s, true);
}

static inline int by_destroy(struct scene *s)
{
    struct child c = {.s = s};
    spawn_on(s->rt, &s->task, call_in_scope, &c);
    SPIN_UNTIL(flag_up(&c.open) && s->ready(s));
    runtime_close(s->rt);
    s->rt = NULL;
    CHECK(join(s->task) == -ECANCELED);
    return c.result;
}

/* ---- ways of a future ---- */

static inline void *release_when_asked(void *arg)
{
    struct scene *s = arg;
    SPIN_UNTIL(is_asked(s->future));
    release_later(s);
    return NULL;
}

static inline int poll_until_ready(struct scene *s, filch_blocking_future *b, pthread_t *releaser)
{
    *b = (filch_blocking_future)FILCH_BLOCKING_FUTURE(call_run, s->call);
    s->future = b;
    CHECK(filch_poll(&b->future, NULL) == FILCH_PENDING);
    int rc = task_until_ready(s);
    if (s->release)
        *releaser = thread_start(release_when_asked, s);
    return rc;
}

static inline int outcome(struct scene *s, pthread_t releaser)
{
    const filch_blocking_future *b = s->future;
    if (s->release)
        thread_join(releaser);
    CHECK(filch_future_ended(&b->future));
    return b->started ? b->future.result : -ECANCELED;
}

static inline int drop_in_time(void *arg)
{
    struct scene *s = arg;
    filch_blocking_future b;
    pthread_t releaser = pthread_self();
    CHECK(poll_until_ready(s, &b, &releaser) == 0);
    CHECK(filch_await_until(&b.future, filch_now() + MS / 10) == -ETIMEDOUT);
    return outcome(s, releaser);
}

static inline int drop_after_select(void *arg)
{
    struct scene *s = arg;
    filch_blocking_future b;
    filch_sleep_future pause = FILCH_SLEEP_FUTURE(filch_now());
    filch_future *either[] = {&b.future, &pause.future};
    pthread_t releaser = pthread_self();
    CHECK(poll_until_ready(s, &b, &releaser) == 0);
    CHECK(filch_select(either, 2) == 1);
    CHECK(filch_future_drop(&b.future) == 0);
    return outcome(s, releaser);
}

static inline int by_await_until(struct scene *s)
{
    return filch_run(s->rt, drop_in_time, s);
}

static inline int by_select(struct scene *s)
{
    return filch_run(s->rt, drop_after_select, s);
}

/* A thread outside polls, and drops or lets time pass; the pool is the default runtime's. */
static inline int by_thread(struct scene *s)
{
    return drop_after_select(s);
}

static inline int by_thread_until(struct scene *s)
{
    return drop_in_time(s);
}

/* A task without a stack. What it came to is not known then. */
static inline int by_abort_without_stack(struct scene *s)
{
    filch_blocking_future b = FILCH_BLOCKING_FUTURE(call_run, s->call);
    filch_spawn_options o = {.runtime = s->rt};
    REQUIRE(filch_spawn_future_with(&s->task, &o, &b.future, sizeof b) == 0);
    SPIN_UNTIL(s->ready(s));
    CHECK(filch_abort(s->task) == 0);
    release_later(s);
    CHECK(join(s->task) == -ECANCELED);
    struct call *c = s->call;
    CHECK(c->ended == c->started);
    return !c->ended ? -ECANCELED : c->begun < 0 ? c->begun : c->error;
}

typedef int way(struct scene *s);
static way *const ways[] = {by_abort,   by_scope_cancel, by_scope_deadline,
                            by_destroy, by_await_until,  by_select,
                            by_thread,  by_thread_until, by_abort_without_stack};

#endif
