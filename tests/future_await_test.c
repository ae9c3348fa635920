/* SPDX-License-Identifier: Apache-2.0 */
/* Awaits of one future: ready now or later, cancelled, too late, misused; it is dropped once. */
#include "tests/future_check.h"

#include <filch/scope.h>

/* ---- ready ---- */

static int set_event(void *arg)
{
    event_set(arg, 5);
    return 0;
}

static void *set_event_thread(void *arg)
{
    (void)set_event(arg);
    return NULL;
}

static int await_ready(void *rt)
{
    (void)rt;
    for (int value = -3; value <= 3; value++) {
        struct event e = EVENT;
        struct wait wait = WAIT(&e);
        event_set(&e, value);
        int rc = value & 1 ? filch_await(&wait.future) : filch_await_until(&wait.future, value);
        CHECK(rc == value && polls_of(&e) == 1 && drops_of(&e) == 1);
        CHECK(wait.future.result == value && filch_future_ended(&wait.future));
        CHECK(filch_await(&wait.future) == -EALREADY);
        CHECK(filch_await_until(&wait.future, FILCH_NEVER) == -EALREADY);
        CHECK(filch_poll(&wait.future, NULL) == -EALREADY);
        CHECK(filch_future_drop(&wait.future) == 0);
        CHECK(polls_of(&e) == 1 && drops_of(&e) == 1);
    }
    return 0;
}

static void ready_at_once(void)
{
    everywhere(await_ready);
}

static int await_task_and_thread(void *rt)
{
    for (int i = 0; i < sized(50, 300, 3000); i++) {
        struct event e = EVENT;
        struct wait wait = WAIT(&e);
        filch_handle *h;
        pthread_t thread;
        if (i & 1)
            thread = thread_start(set_event_thread, &e);
        else
            spawn_on(rt, &h, set_event, &e);
        int rc =
            i & 2 ? filch_await(&wait.future) : filch_await_until(&wait.future, FILCH_NEVER - i);
        CHECK(rc == 5 && drops_of(&e) == 1);
        if (i & 1)
            thread_join(thread);
        else
            CHECK(join(h) == 0);
    }
    return 0;
}

/* Made by the poll of another future, that of a timer. */
struct timed {
    filch_future future;
    filch_sleep_future pause;
    uint32_t *drops;
};

static int poll_timed(filch_future *self, const filch_waker *waker)
{
    int rc = filch_poll(&((struct timed *)(void *)self)->pause.future, waker);
    return rc == 0 ? 8 : rc;
}

static void drop_timed(filch_future *self)
{
    struct timed *t = (struct timed *)(void *)self;
    CHECK(filch_future_drop(&t->pause.future) == 0);
    tally(t->drops);
}

static const filch_future_ops timed_ops = {NULL, poll_timed, drop_timed};

static int await_timer(void *rt)
{
    (void)rt;
    for (int i = 0; i < 20; i++) {
        uint32_t drops = 0;
        int64_t when = filch_now() + i * 20000;
        struct timed t = {FILCH_FUTURE(&timed_ops), FILCH_SLEEP_FUTURE(when), &drops};
        CHECK(filch_await(&t.future) == 8 && filch_now() >= when && drops == 1);
    }
    return 0;
}

static void woken_by_a_task_or_a_thread(void)
{
    everywhere(await_task_and_thread);
}

static void woken_by_a_timer(void)
{
    everywhere(await_timer);
}

/* ---- too late ---- */

static int await_too_late(void *rt)
{
    (void)rt;
    const int64_t past[] = {INT64_MIN, -1, 0, 1, filch_now()};
    for (size_t i = 0; i < COUNT(past); i++) {
        struct event e = EVENT;
        struct wait wait = WAIT(&e);
        CHECK(filch_await_until(&wait.future, past[i]) == -ETIMEDOUT);
        CHECK(polls_of(&e) == 1 && drops_of(&e) == 1);
        CHECK(filch_await(&wait.future) == -EALREADY && polls_of(&e) == 1);
    }
    for (int i = 0; i < 20; i++) {
        struct event e = EVENT;
        struct wait wait = WAIT(&e);
        int64_t deadline = filch_now() + i * 20000;
        CHECK(filch_await_until(&wait.future, deadline) == -ETIMEDOUT);
        CHECK(filch_now() >= deadline && drops_of(&e) == 1);
    }
    return 0;
}

static void deadlines(void)
{
    everywhere(await_too_late);
}

/* ---- bad input ---- */

static int await_wrongly(void *rt)
{
    (void)rt;
    struct event e = EVENT;
    struct wait wait = WAIT(&e);
    CHECK(filch_await(NULL) == -EINVAL && filch_await_until(NULL, 0) == -EINVAL);
    CHECK(filch_poll(NULL, NULL) == -EINVAL && !filch_future_ended(NULL));
    CHECK(filch_future_drop(NULL) == 0 && !filch_future_ended(&wait.future));
    filch_future *both[] = {NULL, &wait.future, NULL};
    filch_future_drop_all(both, 3);
    CHECK(polls_of(&e) == 0 && drops_of(&e) == 1);
    filch_future_drop_all(both, 3);
    filch_future_drop_all(NULL, 0);
    CHECK(drops_of(&e) == 1 && filch_await(&wait.future) == -EALREADY);
    return 0;
}

static void bad_input(void)
{
    everywhere(await_wrongly);
}

struct busy {
    struct event event;
    struct wait wait;
};

static int await_busy(void *arg)
{
    return filch_await(&((struct busy *)arg)->wait.future);
}

static int be_second(void *rt)
{
    struct busy b = {.event = EVENT};
    b.wait = (struct wait)WAIT(&b.event);
    filch_future *f = &b.wait.future, *one[] = {f};
    filch_handle *h;
    spawn_on(rt, &h, await_busy, &b);
    SPIN_UNTIL(polls_of(&b.event) > 0 || filch_yield() != 0);
    CHECK(filch_await(f) == -EBUSY && filch_await_until(f, 0) == -EBUSY);
    CHECK(filch_poll(f, NULL) == -EBUSY && filch_future_drop(f) == -EBUSY);
    CHECK(filch_select(one, 1) == -EBUSY && filch_join_all(one, 1) == -EBUSY);
    CHECK(filch_spawn_future(NULL, f, sizeof b.wait) == -EBUSY && !filch_future_ended(f));
    CHECK(drops_of(&b.event) == 0);
    event_set(&b.event, 2);
    CHECK(join(h) == 2 && drops_of(&b.event) == 1);
    return 0;
}

static void awaited_elsewhere(void)
{
    everywhere(be_second);
}

/* ---- memory that goes with it ---- */

struct owned {
    filch_future future;
    int pending; /* so many polls */
    int value;
};

static uint32_t owned_live;

static int poll_owned(filch_future *self, const filch_waker *waker)
{
    struct owned *o = (struct owned *)(void *)self;
    if (o->pending-- == 0)
        return o->value;
    filch_wake(waker); /* in the poll: seen by the suspension that follows */
    return FILCH_PENDING;
}

static void free_owned(filch_future *self)
{
    filch__sub_acq_rel(&owned_live, 1u);
    memset(self, 0xee, sizeof(struct owned));
    free(self);
}

static const filch_future_ops owned_ops = {"what frees itself", poll_owned, free_owned};

static filch_future *owned_new(int pending, int value)
{
    struct owned *o = malloc(sizeof *o);
    REQUIRE(o);
    *o = (struct owned){FILCH_FUTURE(&owned_ops), pending, value};
    tally(&owned_live);
    return &o->future;
}

static int await_owned(void *rt)
{
    (void)rt;
    for (int i = 0; i < sized(100, 1000, 10000); i++) {
        CHECK(filch_await(owned_new(i % 5, i)) == i);
        CHECK(filch_await_until(owned_new(i % 3, i), FILCH_NEVER) == i);
        CHECK(filch_await_until(owned_new(1, i), INT64_MIN) == -ETIMEDOUT);
        CHECK(filch_poll(owned_new(0, 3), NULL) == 3);
        CHECK(filch_future_drop(owned_new(2, 3)) == 0);
        CHECK(filch__load_acquire(&owned_live) == 0);
    }
    return 0;
}

static void drops_that_free_the_future(void)
{
    everywhere(await_owned);
}

/* ---- cancelled ---- */

struct victim {
    struct event event;
    uint32_t go;
    int rc, mode;
};

static int await_as_victim(void *arg)
{
    struct victim *v = arg;
    struct wait wait = WAIT(&v->event);
    if (v->mode & 1)
        SPIN_UNTIL(flag_up(&v->go));
    v->rc =
        v->mode & 2 ? filch_await_until(&wait.future, FILCH_NEVER - 1) : filch_await(&wait.future);
    CHECK(filch_future_ended(&wait.future) && filch_await(&wait.future) == -EALREADY);
    return 0;
}

/* Before the await, though it is ready, or during it; by an abort, a scope, the runtime's end. */
static void cancelled_ones_are_dropped(void)
{
    for (int i = 0; i < sized(3, 10, 100) * 3 * 3 * 4; i++) {
        int by = i / 4 % 3;
        filch_runtime *rt = runtime_open(worker_counts[i / 12 % 3]);
        struct victim v = {.event = EVENT, .mode = i & 3, .rc = 99};
        filch_scope s = FILCH_SCOPE_INIT;
        filch_handle *h = NULL;
        if (by == 0)
            REQUIRE(filch_scope_open(&s, &(filch_scope_options){.runtime = rt}) == 0);
        if (by == 0)
            REQUIRE(filch_scope_spawn(&s, NULL, await_as_victim, &v) == 0);
        else
            spawn_on(rt, &h, await_as_victim, &v);
        if (v.mode & 1)
            event_set(&v.event, 1);
        else
            SPIN_UNTIL(polls_of(&v.event) > 0);
        if (by == 0)
            CHECK(filch_scope_cancel(&s, 1) == 0);
        else if (by == 1)
            CHECK(filch_abort(h) == 0);
        raise_flag(&v.go);
        if (by == 0)
            CHECK(filch_scope_close(&s) == -ECANCELED);
        if (by < 2)
            drain(rt);
        runtime_close(rt);
        if (h)
            (void)join(h);
        if (v.rc == 99) /* it never started */
            CHECK(v.mode & 1 && drops_of(&v.event) == 0);
        else
            CHECK(drops_of(&v.event) == 1 && (v.rc == -ECANCELED || (by == 2 && v.rc == 1)));
        if (v.mode & 1 && v.rc == -ECANCELED)
            CHECK(polls_of(&v.event) == 0);
    }
}

int main(void)
{
    RUN(ready_at_once);
    RUN(woken_by_a_task_or_a_thread);
    RUN(woken_by_a_timer);
    RUN(deadlines);
    RUN(bad_input);
    RUN(awaited_elsewhere);
    RUN(drops_that_free_the_future);
    RUN(cancelled_ones_are_dropped);
    return summary();
}
