/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filch_dump: waits for several, and what no task is left to bring; and that it says nothing of the
 * kind where somebody can go on.
 */
#include "tests/graph_check.h"

/* ---- selects and deadlines ---- */

/* futures: NULL-terminated. */
static int lock_and_select(filch_future *other, int64_t deadline)
{
    filch_lock_future lock = FILCH_LOCK_FUTURE(&second);
    filch_future *either[] = {&lock.future, other};
    CHECK(filch_mutex_lock(&first) == 0);
    await_all(2);
    int rc = filch_select_until(either, 2, deadline);
    if (rc == 0)
        unlock(&second, lock.future.result);
    filch_future_drop_all(either, 2);
    unlock(&first, 0);
    return 0;
}

static int select_or_sleep(void *arg)
{
    (void)arg;
    filch_sleep_future sleep = FILCH_SLEEP_FUTURE(FILCH_NEVER);
    return lock_and_select(&sleep.future, FILCH_NEVER);
}

static int select_or_lock(void *until)
{
    filch_lock_future lock = FILCH_LOCK_FUTURE(&third);
    return lock_and_select(&lock.future, *(int64_t *)until);
}

static int have_both_and_want_first(void *arg)
{
    (void)arg;
    CHECK(filch_mutex_lock(&third) == 0);
    (void)second_then_first(&two);
    unlock(&third, 0);
    return 0;
}

static void test_select(void)
{
    static int64_t never = FILCH_NEVER, later = INT64_MAX / 2;
    filch_runtime *rt = open_scene(2);
    const char *waits = B " suspended T: waits for " MUTEX A "\n";
    spawn_called(rt, 0, select_or_sleep, NULL);
    spawn_called(rt, 1, second_then_first, &two);
    expect_words(0, (const char *[]){waits, "one of several futures: " MUTEX B ", a time\n"}, 2);
    close_scene(rt);

    rt = open_scene(2); /* a cycle by either branch */
    spawn_called(rt, 0, select_or_lock, &never);
    spawn_called(rt, 1, have_both_and_want_first, NULL);
    expect_words(
        2,
        (const char *[]){waits, "one of several futures: " MUTEX B ", " MUTEX B "\n", "deadlock: "},
        3);
    close_scene(rt);

    rt = open_scene(2);
    spawn_called(rt, 0, select_or_lock, &later);
    spawn_called(rt, 1, have_both_and_want_first, NULL);
    expect_words(0, (const char *[]){waits, "one of several futures: "}, 2);
    close_scene(rt);
}

/* ---- what nobody brings ---- */

static filch_channel channel;

static int receive(void *arg)
{
    (void)arg;
    CHECK(filch_channel_receive(&channel, NULL) == -ECANCELED);
    return 0;
}

static int join_all_of_two(void *arg)
{
    filch_receive_future receive = FILCH_RECEIVE_FUTURE(&channel, NULL);
    filch_lock_future lock = FILCH_LOCK_FUTURE(&first);
    filch_future *both[] = {&receive.future, &lock.future};
    CHECK(filch_join_all(both, 2) == -ECANCELED);
    return arg != NULL;
}

static int lock_and_sleep(void *arg)
{
    CHECK(filch_mutex_lock(&first) == 0);
    raise_flag(&here);
    if (arg)
        (void)receive(NULL);
    else
        (void)sleep_long(NULL);
    unlock(&first, 0);
    return 0;
}

#define UNFED "no task is left for a channel, to receive (@): "

static void test_channel(void)
{
    filch_runtime *rt = open_scene(2);
    CHECK(filch_channel_create(&channel, &(filch_channel_options){.capacity = 1}) == 0);
    spawn_called(rt, 0, lock_and_sleep, rt);
    expect_words(1, (const char *[]){UNFED A " waits; only a thread outside could help\n"}, 1);
    SPIN_UNTIL(flag_up(&here));
    spawn_called(rt, 1, join_all_of_two, NULL);
    expect_words(
        1, (const char *[]){UNFED, " and 1 more wait; only", "for all of several futures: "}, 3);
    spawn_called(rt, 2, sleep_long, NULL);
    expect_words(0,
                 (const char *[]){A " suspended T: waits for a channel, to receive (@)\n",
                                  "futures: a channel, to receive (@), " MUTEX A "\n",
                                  C " suspended T: waits for a time\n"},
                 3);
    close_scene(rt);
    CHECK(filch_channel_destroy(&channel) == 0);
}

/* One of all is brought, the other one never: it is stuck, but in no cycle. */
static void test_all(void)
{
    filch_runtime *rt = open_scene(2);
    CHECK(filch_channel_create(&channel, &(filch_channel_options){.capacity = 1}) == 0);
    spawn_called(rt, 0, lock_and_sleep, NULL);
    SPIN_UNTIL(flag_up(&here));
    spawn_called(rt, 1, join_all_of_two, NULL);
    expect_words(0, (const char *[]){"futures: a channel, to receive (@), " MUTEX A "\n"}, 1);
    close_scene(rt);
    CHECK(filch_channel_destroy(&channel) == 0);
}

/* Who would feed it waits for who is not fed. */
static int lock_and_receive(void *arg)
{
    (void)arg;
    CHECK(filch_mutex_lock(&third) == 0);
    raise_flag(&here);
    (void)receive(NULL);
    unlock(&third, 0);
    return 0;
}

static void test_feeder_is_stuck(void)
{
    filch_runtime *rt = open_scene(2);
    CHECK(filch_channel_create(&channel, &(filch_channel_options){.capacity = 1}) == 0);
    spawn_called(rt, 0, lock_and_receive, NULL);
    SPIN_UNTIL(flag_up(&here));
    spawn_called(rt, 1, want_third, NULL);
    expect_words(1, (const char *[]){B " suspended T: waits for " MUTEX A "\n", UNFED A " waits;"},
                 2);
    close_scene(rt);
    CHECK(filch_channel_destroy(&channel) == 0);
}

/* A thread that waits is no feeder either. */
static void *join_first(void *arg)
{
    (void)arg;
    (void)filch_join(task[0], NULL);
    task[0] = NULL;
    return NULL;
}

static void test_thread_waits_for_unfed(void)
{
    filch_runtime *rt = open_scene(1);
    CHECK(filch_channel_create(&channel, &(filch_channel_options){.capacity = 1}) == 0);
    spawn_called(rt, 0, receive, NULL);
    filch_abort_handle *a = filch_abort_handle_of(task[0]);
    pthread_t thread = thread_start(join_first, NULL);
    expect_words(1, (const char *[]){"  thread M blocked T: waits for the end of " A "\n", UNFED A},
                 2);
    CHECK(filch_abort_handle_abort(a) == 0);
    filch_abort_handle_drop(a);
    thread_join(thread);
    close_scene(rt);
    CHECK(filch_channel_destroy(&channel) == 0);
}

int main(void)
{
    RUN(test_select);
    RUN(test_channel);
    RUN(test_all);
    RUN(test_feeder_is_stuck);
    RUN(test_thread_waits_for_unfed);
    return summary();
}
