/* SPDX-License-Identifier: Apache-2.0 */
/* filch_dump: who waits for whom, and the cycles among them. */
#include "tests/graph_check.h"

static void test_two_mutexes(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = open_scene(worker_counts[w]);
        spawn_called(rt, 0, first_then_second, &two);
        spawn_called(rt, 1, second_then_first, &two);
        expect_cycle((struct hop[]){{A, MUTEX}, {B, MUTEX}}, 2);
        close_scene(rt);
    }
}

static int second_then_third(void *n)
{
    return have_and_want(&second, &third, *(uint32_t *)n);
}

static int third_then_first(void *n)
{
    return have_and_want(&third, &first, *(uint32_t *)n);
}

static void test_three_mutexes(void)
{
    uint32_t three = 3;
    filch_runtime *rt = open_scene(2);
    spawn_called(rt, 0, first_then_second, &three);
    spawn_called(rt, 1, second_then_third, &three);
    spawn_called(rt, 2, third_then_first, &three);
    expect_cycle((struct hop[]){{A, MUTEX}, {B, MUTEX}, {C, MUTEX}}, 3);
    close_scene(rt);
}

/* Who waits for one in a cycle is in no cycle, but shows who has what he wants. */
static void test_beside_a_cycle(void)
{
    filch_runtime *rt = open_scene(2);
    spawn_called(rt, 0, first_then_second, &two);
    spawn_called(rt, 1, second_then_first, &two);
    expect_cycle((struct hop[]){{A, MUTEX}, {B, MUTEX}}, 2);
    spawn_called(rt, 2, want_first, NULL);
    expect_words(1, (const char *[]){C " suspended T: waits for " MUTEX A "\n", "deadlock: "}, 2);
    close_scene(rt);
}

static int lock_and_join(void *arg)
{
    (void)arg;
    CHECK(filch_mutex_lock(&first) == 0);
    raise_flag(&here);
    while (!flag_up(&go) && filch_yield() == 0)
        ;
    if (filch_join(task[1], NULL) == 0)
        task[1] = NULL;
    unlock(&first, 0);
    return 0;
}

static void test_mutex_and_join(void)
{
    filch_runtime *rt = open_scene(2);
    spawn_called(rt, 0, lock_and_join, NULL);
    SPIN_UNTIL(flag_up(&here));
    spawn_called(rt, 1, want_first, NULL);
    raise_flag(&go);
    expect_cycle((struct hop[]){{A, "the end of "}, {B, MUTEX}}, 2);
    filch_abort(task[0]);
    CHECK(join(task[0]) == 0);
    task[0] = NULL;
    close_scene(rt);
}

/* The task that waits has no stack. */
static void test_mutex_and_future(void)
{
    filch_runtime *rt = open_scene(2);
    spawn_called(rt, 0, lock_and_join, NULL);
    SPIN_UNTIL(flag_up(&here));
    filch_lock_future lock = FILCH_LOCK_FUTURE(&first);
    filch_spawn_options o = {.name = "b", .runtime = rt};
    REQUIRE(filch_spawn_future_with(&task[1], &o, &lock.future, sizeof lock) == 0);
    raise_flag(&go);
    expect_cycle((struct hop[]){{A, "the end of "}, {B, MUTEX}}, 2);
    filch_abort(task[0]);
    CHECK(join(task[0]) == 0);
    task[0] = NULL;
    close_scene(rt);
}

static int lock_and_close(void *arg)
{
    filch_scope s;
    CHECK(filch_mutex_lock(&first) == 0);
    CHECK(filch_scope_open(&s, &(filch_scope_options){.name = "s"}) == 0);
    spawn_named(&s, NULL, "sound", 0, arg);
    spawn_named(&s, NULL, "b", 0, want_first);
    (void)filch_scope_close(&s);
    unlock(&first, 0);
    return 0;
}

static void test_mutex_and_scope(void)
{
    static filch_fn *const others[] = {nothing, sleep_long};
    for (size_t i = 0; i < COUNT(others); i++) {
        filch_runtime *rt = open_scene(2);
        spawn_called(rt, 0, lock_and_close, (void *)others[i]);
        expect_cycle((struct hop[]){{A, "the end of scope \"s\" and its "}, {B, MUTEX}}, 2);
        close_scene(rt);
    }
}

static int lock_and_collect(void *arg)
{
    filch_scope s;
    filch_handle *h;
    CHECK(filch_mutex_lock(&first) == 0);
    filch_scope_options o = {.name = "s", .policy = FILCH_SUPERVISE, .collect = true};
    CHECK(filch_scope_open(&s, &o) == 0);
    spawn_named(&s, NULL, "b", 0, want_first);
    if (arg)
        spawn_named(&s, NULL, "sound", 0, sleep_long);
    if (filch_scope_next(&s, &h) == 0)
        filch_detach(h);
    unlock(&first, 0);
    (void)filch_scope_close(&s);
    return 0;
}

/* For the next child to end, one that can go on will do. */
static void test_mutex_and_next(void)
{
    filch_runtime *rt = open_scene(2);
    spawn_called(rt, 0, lock_and_collect, NULL);
    expect_cycle((struct hop[]){{A, "a child of scope \"s\" and its "}, {B, MUTEX}}, 2);
    close_scene(rt);
    rt = open_scene(2);
    spawn_called(rt, 0, lock_and_collect, rt);
    expect_words(0,
                 (const char *[]){A " suspended T: waits for a child of scope \"s\"\n",
                                  B " suspended T: waits for " MUTEX A "\n",
                                  "\"sound\" suspended T: waits for a time\n"},
                 3);
    close_scene(rt);
}

static int write_then_first(void *arg)
{
    (void)arg;
    CHECK(filch_rwlock_write_lock(&rwlock) == 0);
    await_all(2);
    unlock(&first, filch_mutex_lock(&first));
    CHECK(filch_rwlock_write_unlock(&rwlock) == 0);
    return 0;
}

static int first_then_read(void *arg)
{
    (void)arg;
    CHECK(filch_mutex_lock(&first) == 0);
    await_all(2);
    if (filch_rwlock_read_lock(&rwlock) >= 0)
        CHECK(filch_rwlock_read_unlock(&rwlock) == 0);
    unlock(&first, 0);
    return 0;
}

static void test_rwlock(void)
{
    filch_runtime *rt = open_scene(2);
    spawn_called(rt, 0, write_then_first, NULL);
    spawn_called(rt, 1, first_then_read, NULL);
    expect_cycle((struct hop[]){{A, MUTEX}, {B, "a rwlock (@) held by "}}, 2);
    close_scene(rt);
}

static int join_second(void *arg)
{
    (void)arg;
    SPIN_UNTIL(flag_up(&here));
    if (filch_join(task[1], NULL) == 0)
        task[1] = NULL;
    return 0;
}

static int once_and_join(void *arg)
{
    (void)arg;
    (void)filch_once_call(&once, join_second, NULL);
    return 0;
}

static int call_once(void *arg)
{
    (void)arg;
    (void)filch_once_call(&once, nothing, NULL);
    return 0;
}

static void test_once(void)
{
    filch_runtime *rt = open_scene(2);
    spawn_called(rt, 0, once_and_join, NULL);
    SPIN_UNTIL(filch__load_acquire(&once.state) != 0);
    spawn_called(rt, 1, call_once, NULL);
    raise_flag(&here);
    expect_cycle((struct hop[]){{A, "the end of "}, {B, "a once (@) held by "}}, 2);
    filch_abort(task[0]);
    CHECK(join(task[0]) == 0);
    task[0] = NULL;
    close_scene(rt);
}

static int stolen(void *arg)
{
    raise_flag(&here);
    return want_first(arg);
}

static int lock_and_sync(void *arg)
{
    filch_job job = FILCH_JOB(stolen, arg);
    CHECK(filch_mutex_lock(&first) == 0);
    filch_fork(&job);
    SPIN_UNTIL(flag_up(&here)); /* until a thief has it */
    (void)filch_sync(&job);
    unlock(&first, 0);
    return 0;
}

static void test_mutex_and_fork(void)
{
    filch_runtime *rt = open_scene(2);
    spawn_called(rt, 0, lock_and_sync, NULL);
    expect_cycle((struct hop[]){{A, "a stolen job: "}, {"a job of " A, MUTEX}}, 2);
    close_scene(rt);
}

static void *thread_in_ring(void *arg)
{
    (void)second_then_first(arg);
    return NULL;
}

static void test_thread(void)
{
    filch_runtime *rt = open_scene(1);
    spawn_called(rt, 0, first_then_second, &two);
    pthread_t thread = thread_start(thread_in_ring, &two);
    expect_cycle((struct hop[]){{A, MUTEX}, {"thread M", MUTEX}}, 2);
    filch_abort(task[0]);
    thread_join(thread);
    close_scene(rt);
}

int main(void)
{
    RUN(test_two_mutexes);
    RUN(test_three_mutexes);
    RUN(test_beside_a_cycle);
    RUN(test_mutex_and_join);
    RUN(test_mutex_and_future);
    RUN(test_mutex_and_scope);
    RUN(test_mutex_and_next);
    RUN(test_rwlock);
    RUN(test_once);
    RUN(test_mutex_and_fork);
    RUN(test_thread);
    return summary();
}
