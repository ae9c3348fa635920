/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system refuses while calls are made: the Nth allocation or thread, once or for ever after,
 * for each N until none is reached any more. A call that was refused was not made; the others end.
 * Real only where faults can be injected (-Dfaults=true).
 */
#include "tests/blocking_check.h"

#ifdef FILCH_FAULTS
#include "tests/fault_check.h"

enum { CALLS = 6 };

struct play {
    uint32_t ran, succeeded, refused, no_region;
    uint32_t unknown; /* that nobody could wait for */
};

static int enter_region(void *arg)
{
    struct play *p = arg;
    tally(&p->ran);
    int rc = filch_interruptible_begin();
    CHECK(rc == 0 || rc == -ECANCELED || rc == -ENOMEM || rc == -EAGAIN);
    filch_interruptible_end();
    if (rc == -ENOMEM || rc == -EAGAIN)
        tally(&p->no_region);
    return 8;
}

static void count(struct play *p, int rc)
{
    CHECK(rc == 8 || rc == -ENOMEM || rc == -EAGAIN);
    tally(rc == 8 ? &p->succeeded : &p->refused);
}

static int call(void *arg)
{
    count(arg, filch_blocking(enter_region, arg));
    return 0;
}

static int make_calls(void *arg)
{
    struct play *p = arg;
    filch_handle *h[2 * CALLS];
    filch_blocking_future b[CALLS];
    for (int i = 0; i < CALLS; i++) {
        b[i] = (filch_blocking_future)FILCH_BLOCKING_FUTURE(enter_region, p);
        if (filch_spawn(&h[i], call, p) < 0)
            h[i] = NULL;
        if (filch_spawn_future(&h[CALLS + i], &b[i].future, sizeof b[i]) < 0)
            h[CALLS + i] = NULL;
    }
    for (int i = 0; i < 2 * CALLS; i++) {
        int result = 0, rc = h[i] ? filch_join(h[i], &result) : 0;
        CHECK(rc == 0 || rc == -ENOMEM);
        if (rc < 0)
            filch_detach(h[i]);
        if (h[i] && i >= CALLS && rc == 0)
            count(p, result);
        else if (h[i] && i >= CALLS)
            p->unknown++;
    }
    for (int i = 0; i < CALLS; i++) {
        filch_blocking_future f = FILCH_BLOCKING_FUTURE(enter_region, p);
        int rc = filch_poll(&f.future, NULL);
        if (rc == FILCH_PENDING && i % 2)
            rc = filch_await(&f.future);
        (void)filch_future_drop(&f.future);
        CHECK(!f.started || f.future.result == 8);
        if (f.started)
            tally(&p->succeeded);
    }
    return 0;
}

static void play(int workers, bool faulty)
{
    struct play p = {0};
    filch_runtime *rt;
    filch_options o = {.workers = workers, .blocking_threads = 3};
    if (filch_runtime_create(&rt, &o) < 0)
        return;
    int rc = filch_run(rt, make_calls, &p);
    CHECK(rc == 0 || (faulty && rc == -ENOMEM));
    drain(rt);
    CHECK(p.succeeded <= p.ran && p.ran <= p.succeeded + p.unknown);
    CHECK(faulty || (p.refused == 0 && p.no_region == 0 && p.unknown == 0));
    if (!faulty)
        CHECK(pool_threads(rt) >= 1 && pool_threads(rt) <= 3);
    CHECK(filch_runtime_destroy(rt) == 0);
}

static long try_nth(int workers, enum filch__fault_kind kind, long nth, bool sticky)
{
    filch__fault_arm(kind, nth, sticky);
    play(workers, true);
    long seen = filch__fault_seen(kind);
    disarm();
    play(workers, false);
    return seen;
}

/* ---- a runtime that runs already ---- */

static int refuse_first(void *arg)
{
    struct play *p = arg;
    filch__fault_arm(FILCH__FAULT_THREAD, 0, false);
    CHECK(filch_blocking(enter_region, p) == -EAGAIN);
    filch_blocking_future b = FILCH_BLOCKING_FUTURE(enter_region, p);
    filch__fault_arm(FILCH__FAULT_THREAD, 0, false);
    CHECK(filch_await(&b.future) == -EAGAIN && !b.started);
    CHECK(p->ran == 0);
    CHECK(filch_blocking(enter_region, p) == 8);
    return 0;
}

static void no_first_thread(void)
{
    filch_runtime *rt = runtime_bounded(1, 2);
    struct play p = {0};
    CHECK(filch_run(rt, refuse_first, &p) == 0);
    CHECK(p.ran == 1 && p.no_region == 0 && pool_threads(rt) == 1);
    runtime_close(rt);
}

static int wait_for_the_first(void *arg)
{
    struct play *p = arg;
    struct call c;
    call_open(&c, false, false);
    filch_blocking_future first = FILCH_BLOCKING_FUTURE(call_run, &c);
    filch_blocking_future second = FILCH_BLOCKING_FUTURE(enter_region, p);
    CHECK(filch_poll(&first.future, NULL) == FILCH_PENDING);
    filch__fault_arm(FILCH__FAULT_THREAD, 0, true);
    CHECK(filch_poll(&second.future, NULL) == FILCH_PENDING); /* its turn will come */
    disarm();
    call_release(&c, 1);
    CHECK(filch_await(&second.future) == 8 && filch_await(&first.future) == 0);
    call_close(&c);
    return 0;
}

static void no_second_thread(void)
{
    filch_runtime *rt = runtime_bounded(1, 2);
    struct play p = {0};
    CHECK(filch_run(rt, wait_for_the_first, &p) == 0);
    CHECK(p.ran == 1 && pool_threads(rt) == 1);
    runtime_close(rt);
}

static int drop_without_memory(void *arg)
{
    (void)arg;
    struct call c;
    call_open(&c, true, false);
    filch_blocking_future b = FILCH_BLOCKING_FUTURE(call_run, &c);
    CHECK(filch_poll(&b.future, NULL) == FILCH_PENDING);
    SPIN_UNTIL(flag_up(&c.started));
    for (int kind = 0; kind < FILCH__FAULT_KINDS; kind++)
        filch__fault_arm((enum filch__fault_kind)kind, 0, true);
    CHECK(filch_future_drop(&b.future) == 0);
    disarm();
    CHECK(b.started && c.error == -EINTR);
    call_close(&c);
    return 0;
}

/* A drop has all that it needs. */
static void drop_never_fails(void)
{
    filch_runtime *rt = runtime_bounded(1, 1);
    CHECK(filch_run(rt, drop_without_memory, NULL) == 0);
    CHECK(drop_without_memory(NULL) == 0);
    runtime_close(rt);
}

int main(void)
{
    RUN(allocation_once);
    RUN(allocation_for_ever);
    RUN(mapping_for_ever);
    RUN(thread_once);
    RUN(thread_for_ever);
    RUN(no_first_thread);
    RUN(no_second_thread);
    RUN(drop_never_fails);
    return summary();
}

#else

int main(void)
{
    printf("faults cannot be injected in this build\n");
    return summary();
}

#endif
