/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a task as a future: of every kind of task, from everywhere, dropped and polled again.
 * */
#include "tests/future_check.h"

static int return_number(void *n)
{
    return (int)(intptr_t)n;
}

static filch_handle *spawn_number(filch_runtime *rt, int n)
{
    filch_handle *h;
    spawn_on(rt, &h, return_number, (void *)(intptr_t)n);
    return h;
}

static filch_handle *spawn_waiting(filch_runtime *rt, uint32_t *flag)
{
    filch_handle *h;
    spawn_on(rt, &h, wait_for_flag, flag);
    return h;
}

/* ---- ready, now or later ---- */

static int await_ends(void *rt)
{
    for (int i = 0; i < sized(100, 600, 3000); i++) {
        filch_join_future j = FILCH_JOIN_FUTURE(spawn_number(rt, i - 7));
        if (i & 1)
            SPIN_UNTIL(filch_finished(j.handle) || filch_yield() != 0);
        int rc = i & 2 ? filch_await(&j.future) : filch_await_until(&j.future, FILCH_NEVER);
        CHECK(rc == i - 7 && j.handle == NULL);
        CHECK(filch_await(&j.future) == -EALREADY && filch_future_ended(&j.future));
        CHECK(filch_future_drop(&j.future) == 0);
    }
    return 0;
}

static void ends_are_awaited(void)
{
    everywhere(await_ends);
}

static int select_against_sleep(void *rt)
{
    for (int i = 0; i < sized(20, 100, 500); i++) {
        uint32_t flag = 0;
        filch_join_future j = FILCH_JOIN_FUTURE(spawn_waiting(rt, &flag));
        filch_sleep_future pause =
            FILCH_SLEEP_FUTURE(filch_now() + (i & 1 ? 100000 : FILCH_NEVER / 2));
        filch_future *either[] = {&j.future, &pause.future};
        if (i & 1) {
            CHECK(filch_select(either, 2) == 1 && pause.future.result == 0);
            CHECK(!filch_finished(j.handle));
            raise_flag(&flag);
            CHECK(filch_select(either, 1) == 0 && j.future.result == 0);
        } else {
            raise_flag(&flag);
            CHECK(filch_select(either, 2) == 0 && j.future.result == 0 && !j.handle);
            CHECK(filch_future_drop(&pause.future) == 0);
        }
    }
    return 0;
}

static void selects_against_sleeps(void)
{
    everywhere(select_against_sleep);
}

/* ---- dropped ---- */

/* Pending or just about to be ready: the handle is good, and the task's end does not see the
 * future. */
static int drop_and_join(void *rt)
{
    uint64_t random = test_seed();
    for (int i = 0; i < sized(300, 1200, 6000); i++) {
        uint32_t flag = 0;
        filch_handle *h = i & 1 ? spawn_waiting(rt, &flag) : spawn_number(rt, 0);
        filch_join_future *j = malloc(sizeof *j);
        REQUIRE(j);
        *j = (filch_join_future)FILCH_JOIN_FUTURE(h);
        int rc =
            i % 3 == 0 ? filch_await_until(&j->future, INT64_MIN) : filch_poll(&j->future, NULL);
        CHECK(rc == FILCH_PENDING || rc == -ETIMEDOUT || rc == 0);
        pause_a_little(&random);
        if (rc == FILCH_PENDING)
            CHECK(filch_future_drop(&j->future) == 0);
        memset(j, 0xee, sizeof *j);
        free(j);
        raise_flag(&flag);
        if (rc == 0)
            continue;
        if (i % 10 == 0)
            filch_detach(h);
        else
            CHECK(join(h) == 0);
    }
    return 0;
}

static void dropped_ones_leave_the_handle(void)
{
    everywhere(drop_and_join);
}

static int drop_new_one(void *rt)
{
    filch_join_future j = FILCH_JOIN_FUTURE(spawn_number(rt, 4));
    filch_handle *h = j.handle;
    CHECK(filch_future_drop(&j.future) == 0 && filch_await(&j.future) == -EALREADY);
    CHECK(join(h) == 4);
    return 0;
}

static void dropped_unpolled(void)
{
    everywhere(drop_new_one);
}

/* ---- results ---- */

static uint32_t results_dropped;

static void drop_result(void *result)
{
    CHECK(*(long *)result == 1234);
    tally(&results_dropped);
}

static int give_long(void *arg)
{
    *(long *)filch_result_buffer() = 1234;
    return (int)(intptr_t)arg;
}

static int move_results(void *rt)
{
    for (int i = 0; i < 4; i++) {
        filch_spawn_options o = {
            .runtime = rt, .result_size = sizeof(long), .result_drop = drop_result};
        bool moves = i & 1, fails = i & 2;
        long out = 5;
        filch_handle *h;
        REQUIRE(filch_spawn_with(&h, &o, give_long, (void *)(intptr_t)(fails ? -EIO : 3)) == 0);
        filch_join_future j = FILCH_JOIN_FUTURE(h);
        j.out = moves ? &out : NULL;
        uint32_t before = filch__load_acquire(&results_dropped);
        CHECK(filch_await(&j.future) == (fails ? -EIO : 3));
        CHECK(out == (moves && !fails ? 1234 : 5));
        CHECK(filch__load_acquire(&results_dropped) - before == (!moves && !fails));
    }
    return 0;
}

static void results_are_moved_or_dropped(void)
{
    everywhere(move_results);
}

static int abort_and_await(void *rt)
{
    uint32_t never = 0;
    filch_join_future j = FILCH_JOIN_FUTURE(spawn_waiting(rt, &never));
    CHECK(filch_poll(&j.future, NULL) == FILCH_PENDING);
    filch_abort_handle *a = filch_abort_handle_of(j.handle);
    CHECK(filch_abort_handle_abort(a) == 0);
    CHECK(filch_await(&j.future) == -ECANCELED && j.handle == NULL);
    CHECK(filch_abort_handle_finished(a));
    filch_abort_handle_drop(a);
    return 0;
}

static void aborted_ones_end(void)
{
    everywhere(abort_and_await);
}

/* ---- other wakers ---- */

/* Polled by hand with a waker, or with none, then awaited: the end wakes the last. */
static int poll_then_await(void *rt)
{
    uint64_t random = test_seed();
    struct event e = EVENT;
    struct wait wait = WAIT(&e);
    CHECK(filch_poll(&wait.future, NULL) == FILCH_PENDING);
    filch_waker none = event_clone(&e), nobody = {NULL, NULL};
    for (int i = 0; i < sized(200, 600, 3000); i++) {
        uint32_t flag = 0;
        filch_join_future j = FILCH_JOIN_FUTURE(spawn_waiting(rt, &flag));
        int rc = filch_poll(&j.future, i % 3 == 0 ? NULL : i % 3 == 1 ? &none : &nobody);
        CHECK(rc == FILCH_PENDING && filch_poll(&j.future, NULL) == FILCH_PENDING);
        raise_flag(&flag);
        pause_a_little(&random);
        CHECK(filch_await(&j.future) == 0);
    }
    filch_waker_drop(&none);
    CHECK(filch_future_drop(&wait.future) == 0);
    return 0;
}

static void polled_with_another_waker(void)
{
    everywhere(poll_then_await);
}

/* A waker that wakes nobody, dropped while pending: the end must not look for it any more. */
static int drop_with_null_waker(void *rt)
{
    for (int i = 0; i < 50; i++) {
        uint32_t flag = 0;
        filch_handle *h = spawn_waiting(rt, &flag);
        filch_join_future *j = malloc(sizeof *j);
        REQUIRE(j);
        *j = (filch_join_future)FILCH_JOIN_FUTURE(h);
        CHECK(filch_poll(&j->future, &(filch_waker){NULL, NULL}) == FILCH_PENDING);
        CHECK(filch_future_drop(&j->future) == 0);
        memset(j, 0, sizeof *j);
        free(j);
        raise_flag(&flag);
        SPIN_UNTIL(filch_finished(h) || filch_yield() != 0);
        CHECK(join(h) == 0);
    }
    return 0;
}

static void dropped_with_a_waker_of_nobody(void)
{
    everywhere(drop_with_null_waker);
}

/* ---- oneself, another runtime, a task without a stack ---- */

struct self {
    filch_handle *h;
    uint32_t ready;
};

static int await_myself(void *arg)
{
    struct self *self = arg;
    SPIN_UNTIL(flag_up(&self->ready));
    filch_join_future j = FILCH_JOIN_FUTURE(self->h);
    CHECK(filch_await(&j.future) == -EDEADLK);
    CHECK(filch_await(&j.future) == -EALREADY);
    return 8;
}

static int await_nothing(void *rt)
{
    struct self self = {.ready = 0};
    filch_join_future none = FILCH_JOIN_FUTURE(NULL);
    CHECK(filch_await(&none.future) == -EINVAL);
    spawn_on(rt, &self.h, await_myself, &self);
    raise_flag(&self.ready);
    CHECK(join(self.h) == 8);
    return 0;
}

static void oneself_and_nobody(void)
{
    everywhere(await_nothing);
}

/* A task may not. */
static void *destroy(void *rt)
{
    CHECK(filch_runtime_destroy(rt) == 0);
    return NULL;
}

static int await_other_runtime(void *rt)
{
    (void)rt;
    filch_runtime *other;
    REQUIRE(filch_runtime_create(&other, &(filch_options){.workers = 2}) == 0);
    for (int i = 0; i < sized(100, 600, 3000); i++) {
        uint32_t flag = 0;
        filch_join_future a = FILCH_JOIN_FUTURE(spawn_number(other, 6));
        filch_join_future b = FILCH_JOIN_FUTURE(spawn_waiting(other, &flag));
        filch_future *both[] = {&a.future, &b.future};
        if (i & 1)
            CHECK(filch_await_until(&a.future, FILCH_NEVER) == 6);
        raise_flag(&flag);
        CHECK(filch_join_all(both + (i & 1), 2u - (i & 1)) == 0);
        CHECK(a.future.result == 6 && b.future.result == 0);
    }
    thread_join(thread_start(destroy, other));
    return 0;
}

static void of_another_runtime(void)
{
    everywhere(await_other_runtime);
}

/* Tasks without a stack whose future is the end of the one before. */
static int chain(void *rt)
{
    uint32_t flag = 0;
    filch_handle *h = spawn_waiting(rt, &flag);
    filch_spawn_options o = {.runtime = rt};
    for (int i = 0; i < 100; i++) {
        filch_join_future j = FILCH_JOIN_FUTURE(h);
        REQUIRE(filch_spawn_future_with(&h, &o, &j.future, sizeof j) == 0);
    }
    raise_flag(&flag);
    CHECK(join(h) == 0);
    return 0;
}

static void of_each_other(void)
{
    everywhere(chain);
}

int main(void)
{
    (void)test_seed();
    RUN(ends_are_awaited);
    RUN(selects_against_sleeps);
    RUN(dropped_ones_leave_the_handle);
    RUN(dropped_unpolled);
    RUN(results_are_moved_or_dropped);
    RUN(aborted_ones_end);
    RUN(polled_with_another_waker);
    RUN(oneself_and_nobody);
    RUN(of_another_runtime);
    RUN(of_each_other);
    RUN(dropped_with_a_waker_of_nobody);
    return summary();
}
