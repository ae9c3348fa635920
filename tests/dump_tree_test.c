/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filch_dump: what stands above tasks (several runtimes, threads, scopes that were cancelled, and
 * why), and who asks for it: a thread, a task, a signal.
 */
#include "tests/dump_check.h"

#include <semaphore.h>
#include <signal.h>

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

/* ---- causes ---- */

/* Cut by what `fn` does as a child, by a cancel with a reason, or by a deadline. */
static int one_deaf_child(filch_scope_options *o, filch_fn *fn, int reason)
{
    filch_scope s;
    CHECK(filch_scope_open(&s, o) == 0);
    spawn_named(&s, NULL, "deaf", 0, sleep_deaf);
    while (!flag_up(&here))
        (void)filch_yield();
    if (fn)
        spawn_named(&s, NULL, "culprit", 0, fn);
    else if (reason)
        CHECK(filch_scope_cancel(&s, reason) == 0);
    else
        CHECK(filch_scope_set_deadline(&s, filch_now()) == 0);
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
    return one_deaf_child(&(filch_scope_options){.name = "cut"}, NULL, 0);
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

/* By a task: it is among what it shows, and the thread that waits for it. */
static int dump_itself(void *arg)
{
    expect("runtime filch (@): 1 worker, 1 task\n"
           "  task (@) running on worker N\n"
           "threads\n"
           "  thread M blocked T: waits for the end of task (@)\n");
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
    RUN(test_causes);
    RUN(test_threads);
    RUN(test_in_task);
    RUN(test_signal);
    return summary();
}
