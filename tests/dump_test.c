/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filch_dump: scenes that stand still are shown line by line as they stand, whatever they wait for;
 * what moves at full speed is looked at without harm.
 */
#include "tests/dump_check.h"

#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>

/* Until everything stands as expected; the case's deadline is the watchdog's, but what differs is
 * worth more than that. */
static void expect(const char *expected)
{
    int64_t patience = watchdog_now() + (int64_t)20 * watchdog_patience() * 1000000000;
    for (;;) {
        int rc;
        char *text = dump_text(&rc);
        CHECK(rc == 0);
        mask(text);
        bool same = strcmp(text, expected) == 0;
        bool late = watchdog_now() > patience;
        CHECK(!late || same);
        if (late && !same)
            fprintf(stderr, "---- expected\n%s---- found\n%s----\n", expected, text);
        free(text);
        if (same || late)
            return;
        sched_yield();
    }
}

/* ---- scenes that stand still ---- */

static uint32_t go, here;

static int sleep_long(void *arg)
{
    (void)arg;
    return filch_sleep_until(FILCH_NEVER);
}

static int sleep_deaf(void *arg)
{
    (void)arg;
    filch_shield shield;
    CHECK(filch_shield_begin(&shield, 0) == 0);
    raise_flag(&here);
    while (!flag_up(&go))
        filch_sleep(1000000);
    CHECK(filch_shield_end(&shield) == 0);
    return 0;
}

static int spin(void *arg)
{
    (void)arg;
    raise_flag(&here);
    SPIN_UNTIL(flag_up(&go));
    return 0;
}

static int yield(void *arg)
{
    (void)arg;
    while (!flag_up(&go))
        filch_yield();
    return 0;
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int failure(void *arg)
{
    (void)arg;
    return -EIO;
}

static void spawn_named(filch_scope *s, filch_handle **h, const char *name, int worker,
                        filch_fn *fn)
{
    filch_spawn_options o = {.name = name, .worker = worker};
    CHECK(filch_scope_spawn_with(s, h, &o, fn, NULL) == 0);
}

/* Runs `fn` as a task `main` of a runtime until it shows what is expected, then aborts it. */
static void scene(int workers, filch_fn *fn, const char *expected)
{
    filch_runtime *rt = runtime_open(workers);
    go = here = 0;
    filch_handle *h;
    filch_spawn_options o = {.name = "main", .runtime = rt};
    REQUIRE(filch_spawn_with(&h, &o, fn, NULL) == 0);
    expect(expected);
    filch_abort(h);
    raise_flag(&go);
    (void)join(h);
    runtime_close(rt);
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
          "  task \"main\" suspended at most T: waits for the end of task \"sleeper\"\n"
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

/* ---- causes ---- */

static int one_deaf_child(filch_scope_options *o, filch_fn *fn, int reason)
{
    filch_scope s;
    CHECK(filch_scope_open(&s, o) == 0);
    spawn_named(&s, NULL, "deaf", 0, sleep_deaf);
    while (!flag_up(&here))
        (void)filch_yield();
    if (fn)
        spawn_named(&s, NULL, "culprit", 0, fn);
    if (reason)
        CHECK(filch_scope_cancel(&s, reason) == 0);
    while (!filch_scope_cancelled(&s))
        (void)filch_yield();
    return filch_scope_close(&s);
}

#define DEAF(scope)                                                     \
    "runtime filch (@): 1 worker, 2 tasks\n"                            \
    "  task \"main\" suspended T: waits for the end of scope \"cut\"\n" \
    "    scope \"cut\" " scope "\n"                                     \
    "      task \"deaf\" cancelled, suspended T: waits for a time\n"    \
    "        shield (@)\n"

static int cut_by_failure(void *arg)
{
    (void)arg;
    return one_deaf_child(&(filch_scope_options){.name = "cut"}, failure, 0);
}

static int cut_by_winner(void *arg)
{
    (void)arg;
    return one_deaf_child(&(filch_scope_options){.name = "cut", .policy = FILCH_RACE}, nothing, 0);
}

static int cut_by_deadline(void *arg)
{
    (void)arg;
    filch_scope_options o = {.name = "cut", .deadline = filch_now() + 1000000};
    return one_deaf_child(&o, NULL, 0);
}

static int cut_by_reason(void *arg)
{
    (void)arg;
    return one_deaf_child(&(filch_scope_options){.name = "cut"}, NULL, 7);
}

/* The deaf child sleeps, a millisecond at a time; in between it is not seen to. */
static void test_causes(void)
{
    static const struct {
        filch_fn *fn;
        const char *expected;
    } scenes[] = {
        {cut_by_failure, DEAF("fail-fast, 1 alive, 1 failed, cancelled T ago: task \"culprit\" "
                              "failed with -5")},
        {cut_by_winner, DEAF("race, 1 alive, 1 succeeded, cancelled T ago: task \"culprit\" won "
                             "with 0")},
        {cut_by_deadline, DEAF("fail-fast, 1 alive, cancelled T ago: deadline")},
        {cut_by_reason, DEAF("fail-fast, 1 alive, cancelled T ago: reason 7 by task \"main\"")},
    };
    for (size_t i = 0; i < COUNT(scenes); i++)
        scene(1, scenes[i].fn, scenes[i].expected);
}

/* ---- several runtimes, and threads ---- */

static void test_threads(void)
{
    filch_runtime *rt, *other;
    REQUIRE(filch_runtime_create(&rt, &(filch_options){.workers = 1, .name = "one"}) == 0);
    REQUIRE(filch_runtime_create(&other, &(filch_options){.workers = 1, .name = "two"}) == 0);
    filch_scope s, inner;
    filch_shield shield;
    filch_scope_options o = {.name = "of a thread", .runtime = rt};
    CHECK(filch_scope_open(&s, &o) == 0);
    CHECK(filch_shield_begin(&shield, 0) == 0);
    o = (filch_scope_options){.name = "inner", .runtime = other};
    CHECK(filch_scope_open(&inner, &o) == 0);
    spawn_named(&inner, NULL, "child", 0, sleep_long);
    spawn_named(&s, NULL, "elder", 0, sleep_long);
    expect("runtime two (@): 1 worker, 1 task\n"
           "runtime one (@): 1 worker, 1 task\n"
           "threads\n"
           "  scope \"of a thread\" fail-fast, 1 alive\n"
           "    task \"elder\" of runtime one suspended T: waits for a time\n"
           "    shield (@)\n"
           "      scope \"inner\" fail-fast, 1 alive\n"
           "        task \"child\" of runtime two suspended T: waits for a time\n");
    CHECK(filch_scope_cancel(&s, 0) == 0);
    CHECK(filch_scope_cancel(&inner, 0) == 0);
    CHECK(filch_scope_close(&inner) == -ECANCELED);
    CHECK(filch_shield_end(&shield) == 0);
    CHECK(filch_scope_close(&s) == -ECANCELED);
    CHECK(filch_runtime_destroy(rt) == 0);
    CHECK(filch_runtime_destroy(other) == 0);
    expect("");
}

/* By a task: it is among what it shows. */
static int dump_itself(void *arg)
{
    int rc;
    char *text = dump_text(&rc);
    mask(text);
    CHECK(rc == 0 && strcmp(text, "runtime filch (@): 1 worker, 1 task\n"
                                  "  task (@) running on worker N\n") == 0);
    free(text);
    return arg != NULL;
}

static void test_in_task(void)
{
    filch_runtime *rt = runtime_open(1);
    CHECK(filch_run(rt, dump_itself, NULL) == 0);
    runtime_close(rt);
}

/* ---- asked for by a signal ---- */

static sem_t asked;

static void on_signal(int number)
{
    (void)number;
    sem_post(&asked);
}

static void *helper(void *text)
{
    int rc;
    while (sem_wait(&asked) != 0)
        ;
    *(char **)text = dump_text(&rc);
    CHECK(rc == 0);
    return NULL;
}

static void test_signal(void)
{
    filch_runtime *rt = runtime_open(1);
    go = here = 0;
    REQUIRE(sem_init(&asked, 0, 0) == 0);
    struct sigaction action = {.sa_handler = on_signal}, before;
    REQUIRE(sigaction(SIGUSR1, &action, &before) == 0);
    char *text = NULL;
    pthread_t thread = thread_start(helper, &text);
    spawn_on(rt, NULL, spin, NULL);
    SPIN_UNTIL(flag_up(&here));
    REQUIRE(raise(SIGUSR1) == 0);
    thread_join(thread);
    mask(text);
    CHECK(strcmp(text, "runtime filch (@): 1 worker, 1 task\n  task (@) running on worker N\n") ==
          0);
    free(text);
    raise_flag(&go);
    REQUIRE(sigaction(SIGUSR1, &before, NULL) == 0);
    runtime_close(rt);
    sem_destroy(&asked);
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
    RUN(test_causes);
    RUN(test_threads);
    RUN(test_in_task);
    RUN(test_signal);
    return summary();
}
