/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system refuses: the Nth allocation, mapping or thread, once or for ever after, for each N
 * until none is reached any more. Each call answers as documented, what was spawned ends, nothing
 * hangs or leaks, and afterwards a runtime works. Real only where faults can be injected
 * (-Dfaults=true).
 */
#include "tests/support.h"

#ifdef FILCH_FAULTS
#include "tests/fault_check.h"

enum { TASKS = 6 };

struct scene {
    filch_runtime *rt;
    uint32_t spawned, ran, dropped, jobs;
};

static int job(void *arg)
{
    struct scene *s = arg;
    tally(&s->jobs);
    return 1;
}

static void drop(void *arg)
{
    struct scene **s = arg;
    tally(&(*s)->dropped);
}

/* Forks, yields and runs, whatever the system says. */
static int body(struct scene *s)
{
    tally(&s->ran);
    filch_job jobs[3] = {FILCH_JOB(job, s), FILCH_JOB(job, s), FILCH_JOB(job, s)};
    for (int i = 0; i < 3; i++)
        filch_fork(&jobs[i]);
    int sum = 0;
    for (int i = 3; i-- > 0;)
        sum += filch_sync(&jobs[i]);
    CHECK(sum == 3);
    for (int i = 0; i < 3; i++) {
        int rc = filch_yield();
        CHECK(rc == 0 || rc == -ENOMEM);
    }
    int rc = filch_run(NULL, job, s);
    CHECK(rc == 1 || rc == -ENOMEM);
    if (rc < 0)
        tally(&s->jobs); /* so that it comes to 4 */
    return 3;
}

static int plain(void *s)
{
    return body(s);
}

static int moved(void *arg)
{
    struct scene **s = arg;
    return body(*s);
}

static filch_handle *spawn_one(struct scene *s, int i)
{
    filch_spawn_options o = {.runtime = s->rt};
    filch_handle *const untouched = (filch_handle *)(uintptr_t)64;
    filch_handle *h = untouched;
    bool moves = i % 3 != 0;
    if (moves) {
        o.arg_size = sizeof s;
        o.arg_drop = drop;
        o.name = "moved";
    }
    if (i % 3 == 2)
        o.stack_size = 4 * FILCH_STACK_MIN;
    int rc = filch_spawn_with(&h, &o, moves ? moved : plain, moves ? (void *)&s : (void *)s);
    CHECK(rc == 0 || rc == -ENOMEM);
    CHECK((rc == 0) == (h != untouched));
    if (rc < 0)
        return NULL;
    tally(&s->spawned);
    if (!moves)
        tally(&s->dropped); /* it has nothing to drop */
    return h;
}

/* Spawns and joins; a join that finds no stack leaves the handle, and then the task is detached. */
static int spawn_and_join(void *arg)
{
    struct scene *s = arg;
    filch_handle *h[TASKS];
    for (int i = 0; i < TASKS; i++)
        h[i] = spawn_one(s, i);
    for (int i = 0; i < TASKS; i++) {
        int result = 0;
        int rc = h[i] ? filch_join(h[i], &result) : 0;
        CHECK(rc == 0 || rc == -ENOMEM);
        CHECK(!h[i] || rc < 0 || result == 3);
        if (rc < 0)
            filch_detach(h[i]);
    }
    return 0;
}

/* All of it, on so many workers. */
static void play(int workers)
{
    struct scene s = {0};
    filch_options options = {.workers = workers, .pin = workers == 2};
    filch_runtime *const untouched = (filch_runtime *)(uintptr_t)64;
    s.rt = untouched;
    int rc = filch_runtime_create(&s.rt, &options);
    CHECK(rc == 0 || rc == -ENOMEM || rc == -EAGAIN);
    CHECK((rc == 0) == (s.rt != untouched));
    if (rc < 0)
        return;
    spawn_and_join(&s);
    rc = filch_run(s.rt, spawn_and_join, &s);
    CHECK(rc == 0 || rc == -ENOMEM);
    drain(s.rt);
    CHECK(totals_of(s.rt).failures == 0);
    CHECK(filch_runtime_destroy(s.rt) == 0);
    CHECK(s.ran == s.spawned && s.dropped == s.spawned && s.jobs == 4 * s.spawned);
}

static long try_nth(int workers, enum filch__fault_kind kind, long nth, bool sticky)
{
    filch__fault_arm(kind, nth, sticky);
    play(workers);
    long seen = filch__fault_seen(kind);
    disarm();
    play(workers);
    return seen;
}

/* Nothing is made, and nothing remembers the failure. */
static void default_runtime(void)
{
    filch__fault_arm(FILCH__FAULT_ALLOC, 0, true);
    CHECK(filch_spawn(NULL, job, NULL) == -ENOMEM);
    CHECK(filch_run(NULL, job, NULL) == -ENOMEM);
    CHECK(filch_runtime_workers(NULL) == -ENOMEM);
    disarm();
    filch__fault_arm(FILCH__FAULT_THREAD, 0, true);
    CHECK(filch_runtime_workers(NULL) == -EAGAIN);
    disarm();
    struct scene s = {0};
    CHECK(filch_run(NULL, job, &s) == 1);
}

/* ---- a runtime that runs already ---- */

/* The caller keeps its worker, the only one, until it gets a stack. */
static int wait_without_stacks(void *arg)
{
    filch_handle *h, *none = NULL;
    REQUIRE(filch_spawn(&h, job, arg) == 0);
    filch__fault_arm(FILCH__FAULT_MMAP, 0, true);
    filch__fault_arm(FILCH__FAULT_ALLOC, 0, true);
    int result = 77;
    CHECK(filch_join(h, &result) == -ENOMEM && result == 77);
    CHECK(filch_yield() == -ENOMEM);
    CHECK(filch_spawn(&none, job, NULL) == -ENOMEM && none == NULL);
    filch__fault_arm(FILCH__FAULT_ALLOC, -1, false);
    CHECK(filch_run(NULL, job, NULL) == -ENOMEM); /* its task could not be waited for */
    disarm();
    CHECK(filch_join(h, &result) == 0 && result == 1);
    CHECK(filch_yield() == 0);
    return 0;
}

static void waits_need_stacks(void)
{
    filch_runtime *rt = runtime_open(1);
    struct scene s = {0};
    CHECK(filch_run(rt, wait_without_stacks, &s) == 0);
    CHECK(s.jobs == 1);
    runtime_close(rt);
}

int main(void)
{
    RUN(default_runtime);
    RUN(allocation_once);
    RUN(allocation_for_ever);
    RUN(mapping_once);
    RUN(mapping_for_ever);
    RUN(thread_once);
    RUN(thread_for_ever);
    RUN(waits_need_stacks);
    return summary();
}

#else

int main(void)
{
    printf("faults cannot be injected in this build\n");
    return summary();
}

#endif
