/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filch_dump: a task that stands still is shown as it stands, whatever it waits for. Each scene is
 * compared line by line.
 */
#include "tests/dump_check.h"

static int yield(void *arg)
{
    (void)arg;
    while (!flag_up(&go))
        filch_yield();
    return 0;
}

static int join_child(void *arg)
{
    (void)arg;
    filch_scope s;
    filch_handle *h;
    CHECK(filch_scope_open(&s, NULL) == 0);
    spawn_named(&s, &h, "sleeper", 0, sleep_long);
    (void)filch_join(h, NULL);
    (void)filch_scope_close(&s);
    filch_detach(h);
    return 0;
}

static void test_join(void)
{
    scene(1, join_child,
          "runtime filch (@): 1 worker, 2 tasks\n"
          "  task \"main\" suspended T: waits for the end of task \"sleeper\"\n"
          "    scope (@) fail-fast, 1 alive\n"
          "      task \"sleeper\" suspended T: waits for a time\n");
}

static int close_scope(void *arg)
{
    (void)arg;
    filch_scope s;
    filch_scope_options o = {.name = "outer", .policy = FILCH_RACE};
    CHECK(filch_scope_open(&s, &o) == 0);
    spawn_named(&s, NULL, "failed", 0, failure);
    spawn_named(&s, NULL, "child\n", 0, sleep_long);
    return filch_scope_close(&s);
}

static void test_close(void)
{
    scene(1, close_scope,
          "runtime filch (@): 1 worker, 2 tasks\n"
          "  task \"main\" suspended T: waits for the end of scope \"outer\"\n"
          "    scope \"outer\" race, 1 alive, 1 failed\n"
          "      task \"child?\" suspended T: waits for a time\n");
}

static int next_of_scope(void *arg)
{
    (void)arg;
    filch_scope s;
    filch_handle *h;
    int64_t later = filch_now() + INT64_C(3600000000000);
    filch_scope_options o = {
        .name = "collected", .policy = FILCH_SUPERVISE, .collect = true, .deadline = later};
    CHECK(filch_scope_open(&s, &o) == 0);
    CHECK(filch_scope_spawn(&s, NULL, nothing, NULL) == 0);
    CHECK(filch_scope_next(&s, &h) == 0);
    filch_detach(h);
    CHECK(filch_scope_spawn(&s, NULL, sleep_long, NULL) == 0);
    CHECK(filch_scope_next(&s, &h) == -ECANCELED);
    return filch_scope_close(&s);
}

static void test_next(void)
{
    scene(1, next_of_scope,
          "runtime filch (@): 1 worker, 2 tasks\n"
          "  task \"main\" suspended T: waits for a child of scope \"collected\"\n"
          "    scope \"collected\" supervise, 1 alive, 1 succeeded, deadline in T\n"
          "      task (@) suspended T: waits for a time\n");
}

static int fork_job(void *arg)
{
    filch_fn *fn = *(filch_fn **)arg;
    filch_job job = FILCH_JOB(fn, NULL);
    filch_fork(&job);
    SPIN_UNTIL(flag_up(&here)); /* until a thief has it */
    (void)filch_sync(&job);
    return 0;
}

static int fork_spinner(void *arg)
{
    (void)arg;
    filch_fn *fn = spin;
    return fork_job(&fn);
}

static void test_sync(void)
{
    scene(2, fork_spinner,
          "runtime filch (@): 2 workers, 1 task\n"
          "  task \"main\" suspended T: waits for a stolen job\n"
          "    job running on worker N\n");
}

static int job_with_scope(void *arg)
{
    (void)arg;
    raise_flag(&here);
    return close_scope(NULL);
}

static int fork_waiter(void *arg)
{
    (void)arg;
    filch_shield shield;
    CHECK(filch_shield_begin(&shield, filch_now() + INT64_C(3600000000000)) == 0);
    filch_fn *fn = job_with_scope;
    filch_scope s;
    CHECK(filch_scope_open(&s, NULL) == 0);
    (void)fork_job(&fn);
    CHECK(filch_scope_close(&s) == 0);
    return filch_shield_end(&shield);
}

/* The job's regions are those of its task. An abort does not reach into the shield. */
static void test_job_waits(void)
{
    filch_runtime *rt = runtime_open(2);
    go = here = 0;
    filch_handle *h;
    filch_spawn_options o = {.name = "main", .runtime = rt};
    REQUIRE(filch_spawn_with(&h, &o, fork_waiter, NULL) == 0);
    expect("runtime filch (@): 2 workers, 2 tasks\n"
           "  task \"main\" suspended T: waits for a stolen job\n"
           "    job suspended T: waits for the end of scope \"outer\"\n"
           "    shield (@), deadline in T\n"
           "      scope (@) fail-fast, 0 alive\n"
           "        scope \"outer\" race, 1 alive, 1 failed\n"
           "          task \"child?\" suspended T: waits for a time\n");
    CHECK(filch_runtime_destroy(rt) == 0);
    filch_detach(h);
    watchdog_watch(NULL);
}

static int yield_two(void *arg)
{
    (void)arg;
    filch_scope s;
    CHECK(filch_scope_open(&s, NULL) == 0);
    spawn_named(&s, NULL, "other", 0, yield);
    (void)yield(NULL);
    return filch_scope_close(&s);
}

static void test_yield(void)
{
    scene(1, yield_two,
          "runtime filch (@): 1 worker, 2 tasks\n"
          "  task \"main\" ready\n"
          "    scope (@) fail-fast, 1 alive\n"
          "      task \"other\" running on worker N\n");
}

static int queue_three(void *arg)
{
    (void)arg;
    filch_scope s;
    filch_handle *h;
    CHECK(filch_scope_open(&s, &(filch_scope_options){.policy = FILCH_SUPERVISE}) == 0);
    spawn_named(&s, NULL, "first", 0, nothing);
    spawn_named(&s, &h, "second", 0, nothing);
    CHECK(filch_scope_spawn(&s, NULL, nothing, NULL) == 0);
    filch_abort(h);
    (void)spin(NULL);
    filch_detach(h);
    return filch_scope_close(&s);
}

static void test_queued(void)
{
    scene(1, queue_three,
          "runtime filch (@): 1 worker, 4 tasks\n"
          "  task \"main\" running on worker N\n"
          "    scope (@) supervise, 3 alive\n"
          "      task \"first\" queued\n"
          "      task \"second\" aborted, queued\n"
          "      task (@) queued\n");
}

static int pin_three(void *arg)
{
    (void)arg;
    filch_scope s;
    CHECK(filch_scope_open(&s, NULL) == 0);
    spawn_named(&s, NULL, "busy", 1, spin);
    spawn_named(&s, NULL, "behind", 1, nothing);
    spawn_named(&s, NULL, "further behind", 1, nothing);
    return filch_scope_close(&s);
}

/* One that arrives later is still in the inbox; the others have left it. */
static void test_pinned(void)
{
    filch_runtime *rt = runtime_open(1);
    go = here = 0;
    filch_handle *h, *late;
    filch_spawn_options o = {.name = "main", .runtime = rt};
    REQUIRE(filch_spawn_with(&h, &o, pin_three, NULL) == 0);
    SPIN_UNTIL(flag_up(&here));
    o = (filch_spawn_options){.name = "late", .runtime = rt, .worker = 1};
    REQUIRE(filch_spawn_with(&late, &o, nothing, NULL) == 0);
    expect("runtime filch (@): 1 worker, 5 tasks\n"
           "  task \"late\" queued for worker N\n"
           "  task \"main\" suspended T: waits for the end of scope (@)\n"
           "    scope (@) fail-fast, 3 alive\n"
           "      task \"behind\" queued for worker N\n"
           "      task \"further behind\" queued for worker N\n"
           "      task \"busy\" running on worker N\n");
    raise_flag(&go);
    (void)join(h);
    (void)join(late);
    runtime_close(rt);
}

int main(void)
{
    RUN(test_join);
    RUN(test_close);
    RUN(test_next);
    RUN(test_sync);
    RUN(test_job_waits);
    RUN(test_yield);
    RUN(test_queued);
    RUN(test_pinned);
    return summary();
}
