/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cancelled calls that run: in a region the system call is interrupted, again and again until the
 * region ends; outside of regions it is left alone and waited for; a value wins.
 */
#include "tests/blocking_ways.h"

/* ---- in a region ---- */

static bool has_started(struct scene *s)
{
    return flag_up(&s->call->started);
}

static void interrupt(way *by, int workers, bool sleeps)
{
    struct call c;
    call_open(&c, true, sleeps);
    struct scene s = {.rt = runtime_bounded(workers, 2), .call = &c, .ready = has_started};
    CHECK(by(&s) == -EINTR);
    CHECK(c.begun == 0 && c.error == -EINTR && c.ended == 1);
    if (s.rt)
        runtime_close(s.rt);
    call_close(&c);
}

static void interrupted(void)
{
    for (int round = 0; round < sized(1, 5, 50); round++)
        for (size_t i = 0; i < COUNT(ways); i++)
            for (size_t w = 0; w < COUNT(worker_counts); w++)
                for (int sleeps = 0; sleeps < 2; sleeps++)
                    interrupt(ways[i], worker_counts[w], sleeps);
}

/* ---- outside of regions ---- */

static void leave_alone(way *by, int workers)
{
    struct call c;
    call_open(&c, false, false);
    struct scene s = {
        .rt = runtime_bounded(workers, 2), .call = &c, .ready = has_started, .release = true};
    CHECK(by(&s) == 0);
    CHECK(c.error == 0 && c.ended == 1);
    if (s.rt)
        runtime_close(s.rt);
    call_close(&c);
}

static void left_alone(void)
{
    for (size_t i = 0; i < COUNT(ways); i++)
        for (size_t w = 0; w < COUNT(worker_counts); w++)
            if (ways[i] != by_destroy)
                leave_alone(ways[i], worker_counts[w]);
}

static void *drop_thread(void *future)
{
    CHECK(filch_future_drop(future) == 0);
    return NULL;
}

/* Asked to end, and for a while, with the signal at hand that another call gets again and again. */
static void asked_outside_of_regions(void)
{
    struct call deaf, stubborn;
    call_open(&deaf, false, false);
    call_open(&stubborn, true, true);
    filch_blocking_future a = FILCH_BLOCKING_FUTURE(call_run, &deaf);
    filch_blocking_future b = FILCH_BLOCKING_FUTURE(call_run, &stubborn);
    CHECK(filch_poll(&a.future, NULL) == FILCH_PENDING);
    CHECK(filch_poll(&b.future, NULL) == FILCH_PENDING);
    SPIN_UNTIL(flag_up(&deaf.started) && flag_up(&stubborn.started));
    pthread_t t = thread_start(drop_thread, &a.future);
    SPIN_UNTIL(is_asked(&a));
    CHECK(filch_future_drop(&b.future) == 0 && stubborn.error == -EINTR);
    CHECK(!flag_up(&deaf.ended));
    call_release(&deaf, 1);
    thread_join(t);
    CHECK(a.started && a.future.result == 0);
    call_close(&deaf);
    call_close(&stubborn);
}

/* ---- asked before the region, or while between its system calls ---- */

struct late {
    filch_blocking_future *future;
    uint32_t started;
    int ignored; /* interruptions that it does not heed */
    int begun[2];
    int error;
};

static int begin_late(void *arg)
{
    struct late *l = arg;
    raise_flag(&l->started);
    SPIN_UNTIL(is_asked(l->future));
    l->begun[0] = filch_interruptible_begin();
    l->begun[1] = filch_interruptible_begin();
    return l->begun[0];
}

static void asked_before_the_region(void)
{
    for (int i = 0; i < sized(20, 200, 5000); i++) {
        struct late l = {0};
        filch_blocking_future b = FILCH_BLOCKING_FUTURE(begin_late, &l);
        l.future = &b;
        CHECK(filch_poll(&b.future, NULL) == FILCH_PENDING);
        SPIN_UNTIL(flag_up(&l.started));
        CHECK(filch_future_drop(&b.future) == 0);
        CHECK(l.begun[0] == -ECANCELED && l.begun[1] == -ECANCELED);
        CHECK(b.future.result == -ECANCELED && b.started);
    }
}

/* The first signal comes while it computes, or ends a call that it takes up again. */
static int sleep_late(void *arg)
{
    struct late *l = arg;
    const struct timespec hour = {.tv_sec = 3600};
    l->begun[0] = filch_interruptible_begin();
    raise_flag(&l->started);
    SPIN_UNTIL(is_asked(l->future));
    for (int i = 0; i <= l->ignored; i++)
        l->error = nanosleep(&hour, NULL) == 0 ? 0 : -errno;
    filch_interruptible_end();
    return 9;
}

static int drop_late_in_task(void *arg)
{
    struct late *l = arg;
    filch_blocking_future b = FILCH_BLOCKING_FUTURE(sleep_late, l);
    l->future = &b;
    CHECK(filch_poll(&b.future, NULL) == FILCH_PENDING);
    CHECK(wait_for_flag(&l->started) == 0);
    CHECK(filch_future_drop(&b.future) == 0);
    CHECK(b.started && b.future.result == 9);
    return 0;
}

static void signals_come_again(void)
{
    filch_runtime *rt = runtime_bounded(1, 1);
    for (int i = 0; i < 10; i++) {
        struct late in_task = {.ignored = i % 4}, on_thread = {.ignored = i % 4};
        CHECK(filch_run(rt, drop_late_in_task, &in_task) == 0);
        CHECK(in_task.begun[0] == 0 && in_task.error == -EINTR);
        CHECK(drop_late_in_task(&on_thread) == 0);
        CHECK(on_thread.begun[0] == 0 && on_thread.error == -EINTR);
    }
    runtime_close(rt);
}

int main(void)
{
    run_case_within(120, "interrupted", interrupted);
    RUN(left_alone);
    RUN(asked_outside_of_regions);
    RUN(asked_before_the_region);
    RUN(signals_come_again);
    return summary();
}
