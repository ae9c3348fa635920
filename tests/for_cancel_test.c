/* SPDX-License-Identifier: Apache-2.0 */
/* Loops that do not come to their end: failures, cancels, and the runtime's end. */
#include "tests/compute_check.h"

#include <sys/wait.h>

enum { LONG = 30000 };

/* What runs, and whether it may. */
struct play {
    filch_runtime *rt;
    uint32_t over;    /* the loop has returned */
    uint32_t running; /* chunks */
    uint64_t done;    /* indices */
    int64_t fails_at; /* or -1 */
    int64_t pause;    /* of a chunk, ns; negative: it waits */
    uint32_t started;
    int rc;
};

static void begin_chunk(struct play *p)
{
    CHECK(!flag_up(&p->over));
    tally(&p->running);
    raise_flag(&p->started);
}

static int run_chunk(int64_t first, int64_t last, void *ctx)
{
    struct play *p = ctx;
    begin_chunk(p);
    int rc = first <= p->fails_at && p->fails_at < last ? -EIO : 0;
    if (p->pause > 0)
        spin_for(p->pause);
    else if (p->pause < 0)
        (void)filch_sleep(-p->pause);
    filch__add_relaxed(&p->done, (uint64_t)(last - first));
    filch__sub_acq_rel(&p->running, 1u);
    return rc;
}

/* After the loop. */
static void check_over(struct play *p, int64_t n)
{
    raise_flag(&p->over);
    CHECK(count_of(&p->running) == 0);
    CHECK(p->rc == 0 ? p->done == (uint64_t)n : p->done <= (uint64_t)n);
}

/* ---- failures ---- */

static void fail_somewhere(filch_runtime *rt)
{
    static const int64_t grains[] = {0, 1, 100, LONG};
    filch_loop_options o = on(rt);
    for (size_t g = 0; g < COUNT(grains); g++)
        for (int64_t at = 0; at < LONG; at += 7499) {
            struct play p = {.rt = rt, .fails_at = at};
            p.rc = filch_for_with(&o, 0, LONG, grains[g], run_chunk, &p);
            CHECK(p.rc == -EIO);
            check_over(&p, LONG);
            CHECK(grains[g] != 1 || at > 0 || p.done < LONG);
        }
    struct play p = {.rt = rt, .fails_at = 70};
    o.participants = 1; /* then it is known exactly */
    CHECK(filch_for_with(&o, 0, 1000, 1, run_chunk, &p) == -EIO);
    CHECK(p.done == 71);
}

static void first_failure_is_returned(void)
{
    from_everywhere(fail_somewhere);
}

static int fail_tile(const filch_span *tile, void *ctx)
{
    return run_chunk(tile->first, tile->last, ctx);
}

static void fail_some_tile(filch_runtime *rt)
{
    filch_loop_options o = on(rt);
    filch_span spans[2] = {{0, 100, 1}, {0, 100, 1}};
    struct play p = {.rt = rt, .fails_at = 50};
    p.rc = filch_for_tiles_with(&o, 2, spans, fail_tile, &p);
    CHECK(p.rc == -EIO);
    check_over(&p, 10000);
}

static void failing_tiles(void)
{
    from_everywhere(fail_some_tile);
}

/* As many fail as there are, each with its own code: one of those. */
static int fail_each(int64_t first, int64_t last, void *ctx)
{
    tally(ctx);
    CHECK(last == first + 1);
    return -100 - (int)first;
}

static void fail_all(filch_runtime *rt)
{
    filch_loop_options o = on(rt);
    for (int i = 0; i < 50; i++) {
        uint32_t calls = 0;
        int rc = filch_for_with(&o, 0, 20, 1, fail_each, &calls);
        CHECK(rc <= -100 && rc > -120 && calls >= 1);
        CHECK(calls <= (uint32_t)filch_runtime_workers(rt));
    }
}

static void each_participant_fails_once(void)
{
    from_everywhere(fail_all);
}

/* ---- cancels ---- */

static int loop_task(void *arg)
{
    struct play *p = arg;
    filch_loop_options o = on(p->rt);
    p->rc = filch_for_with(&o, 0, LONG, 1, run_chunk, p);
    check_over(p, LONG);
    return 0;
}

/* Aborts the caller of a loop after a random time. */
static void abort_one(filch_runtime *rt, filch_runtime *helpers, uint64_t *random)
{
    filch_handle *h;
    struct play p = {.rt = helpers, .fails_at = -1};
    p.pause = (int64_t)test_random(random, 3) * 500 - 500;
    spawn_on(rt, &h, loop_task, &p);
    if (test_random(random, 4))
        SPIN_UNTIL(flag_up(&p.started));
    spin_for((int64_t)test_random(random, 50000));
    CHECK(filch_abort(h) == 0);
    int rc = join(h);
    CHECK(rc == 0 || (rc == -ECANCELED && !flag_up(&p.started)));
    CHECK(p.rc == 0 || p.rc == -ECANCELED);
}

static void aborted_callers(void)
{
    uint64_t random = test_seed();
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]), *other = runtime_quiet(2);
        for (int i = 0; i < sized(20, 200, 3000); i++) {
            abort_one(rt, rt, &random);
            abort_one(other, rt, &random);
        }
        CHECK(filch_runtime_destroy(other) == 0);
        drain(rt);
        runtime_close(rt);
    }
}

static void by_deadline(filch_runtime *rt)
{
    for (int64_t after = 0; after < 400 * US; after += 50 * US) {
        filch_scope s;
        filch_loop_options o = on(rt);
        struct play p = {.fails_at = -1, .pause = US};
        filch_scope_options so = {.runtime = rt, .deadline = filch_now() + after};
        CHECK(filch_scope_open(&s, &so) == 0);
        p.rc = filch_for_with(&o, 0, LONG, 1, run_chunk, &p);
        check_over(&p, LONG);
        CHECK(p.rc == 0 || p.rc == -ECANCELED);
        int rc = filch_scope_close(&s);
        CHECK(p.rc == 0 || rc == -ETIMEDOUT);
    }
}

static void deadlines_of_scopes(void)
{
    from_everywhere(by_deadline);
}

/* Within a cancelled scope nothing is begun; within a shield in it all is. */
static void in_cancelled_scope(filch_runtime *rt)
{
    filch_scope s;
    filch_shield shield;
    filch_loop_options o = on(rt);
    struct play p = {.fails_at = -1}, q = {.fails_at = -1};
    CHECK(filch_scope_open(&s, &(filch_scope_options){.runtime = rt}) == 0);
    CHECK(filch_scope_cancel(&s, 1) == 0);
    CHECK(filch_for_with(&o, 0, 100, 1, run_chunk, &p) == -ECANCELED);
    CHECK(!flag_up(&p.started));
    memset(&shield, 0, sizeof shield);
    CHECK(filch_shield_begin(&shield, 0) == 0);
    CHECK(filch_for_with(&o, 0, 100, 1, run_chunk, &q) == 0);
    CHECK(q.done == 100);
    CHECK(filch_shield_end(&shield) == 0);
    CHECK(filch_scope_close(&s) == -ECANCELED);
}

static void cancelled_before(void)
{
    from_everywhere(in_cancelled_scope);
}

/* ---- bodies that wait for ever ---- */

struct ever {
    filch_runtime *rt;
    filch_scope *scope; /* the thread's, or NULL */
    pthread_t thread;
    uint32_t waiting, wanted;
    uint32_t inner; /* they wait in scopes of their own */
    int rc;
};

static int sleep_long(void *arg)
{
    (void)arg;
    return filch_sleep(HOUR);
}

static int wait_in_scope(void)
{
    filch_scope s;
    REQUIRE(filch_scope_open(&s, NULL) == 0);
    int rc = filch_scope_spawn(&s, NULL, sleep_long, NULL);
    CHECK(rc == 0 || (rc == -ESHUTDOWN && filch_cancelled()));
    return filch_scope_close(&s);
}

static int wait_for_ever(int64_t first, int64_t last, void *ctx)
{
    struct ever *e = ctx;
    (void)first, (void)last;
    tally(&e->waiting);
    if (!e->scope || !pthread_equal(e->thread, pthread_self()))
        return e->inner ? wait_in_scope() : filch_sleep(HOUR);
    SPIN_UNTIL(filch_scope_cancelled(e->scope)); /* a cancel does not reach a thread's waits */
    return 0;
}

static int wait_in_loop(void *arg)
{
    struct ever *e = arg;
    filch_loop_options o = on(e->rt);
    e->rc = filch_for_with(&o, 0, e->wanted, 1, wait_for_ever, e);
    return 0;
}

static void abort_while_all_wait(void)
{
    for (uint32_t i = 0; i < 12; i++) {
        filch_runtime *rt = runtime_open(1 + (int)i % 3), *other = runtime_quiet(1);
        filch_handle *h;
        struct ever e = {.rt = rt, .wanted = 1 + i % 3, .inner = i / 3 % 2};
        spawn_on(i < 6 ? rt : other, &h, wait_in_loop, &e);
        SPIN_UNTIL(count_of(&e.waiting) == e.wanted);
        CHECK(filch_abort(h) == 0);
        CHECK(join(h) == 0 && e.rc == -ECANCELED);
        CHECK(filch_runtime_destroy(other) == 0);
        runtime_close(rt);
    }
}

static void *cancel_when_all_wait(void *arg)
{
    struct ever *e = arg;
    SPIN_UNTIL(count_of(&e->waiting) == e->wanted);
    CHECK(filch_scope_cancel(e->scope, 3) == 0);
    return NULL;
}

static void cancel_a_threads_scope_while_all_wait(void)
{
    for (uint32_t i = 0; i < 6; i++) {
        filch_runtime *rt = runtime_open(2 + (int)i % 3);
        filch_scope s;
        struct ever e = {rt, &s, pthread_self(), 0, 2 + i % 3, i / 3, 0};
        CHECK(filch_scope_open(&s, &(filch_scope_options){.runtime = rt}) == 0);
        pthread_t thread = thread_start(cancel_when_all_wait, &e);
        (void)wait_in_loop(&e);
        CHECK(e.rc == -ECANCELED);
        thread_join(thread);
        CHECK(filch_scope_close(&s) == -ECANCELED);
        runtime_close(rt);
    }
}

/* The end of the caller's own runtime; the helpers' goes on. */
static void end_of_the_callers_runtime(void)
{
    for (uint32_t i = 0; i < 4; i++) {
        filch_runtime *rt = runtime_open(2), *other = runtime_quiet(1);
        struct ever e = {.rt = rt, .wanted = 2, .inner = i % 2};
        spawn_on(other, NULL, wait_in_loop, &e);
        SPIN_UNTIL(count_of(&e.waiting) == e.wanted);
        CHECK(filch_runtime_destroy(other) == 0);
        CHECK(e.rc == -ECANCELED);
        runtime_close(rt);
    }
}

/* ---- the runtime's end ---- */

static void *loop_on_thread(void *arg)
{
    (void)loop_task(arg);
    return NULL;
}

static void destroyed_while_loops_run(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++)
        for (int i = 0; i < sized(5, 20, 200); i++) {
            filch_runtime *rt = runtime_open(worker_counts[w]);
            struct play p = {.rt = rt, .fails_at = -1, .pause = i % 3 - 1};
            struct play q = {.rt = rt, .fails_at = -1, .pause = 100};
            spawn_on(rt, NULL, loop_task, &p);
            pthread_t thread = thread_start(loop_on_thread, &q);
            SPIN_UNTIL(flag_up(&p.started) && flag_up(&q.started));
            runtime_close(rt);
            CHECK(flag_up(&p.over) && (p.rc == 0 || p.rc == -ECANCELED));
            thread_join(thread);
            CHECK(q.rc == 0 || q.rc == -ECANCELED);
        }
}

struct closing {
    filch_runtime *rt;
    uint32_t in_body, watched, closing;
};

static int report_closing(void *arg)
{
    struct closing *c = arg;
    raise_flag(&c->watched);
    SPIN_UNTIL(filch_cancelled());
    raise_flag(&c->closing);
    return 0;
}

static int loop_again(int64_t first, int64_t last, void *ctx)
{
    struct closing *c = ctx;
    uint32_t calls = 0;
    filch_loop_options o = on(c->rt);
    (void)first, (void)last;
    raise_flag(&c->in_body);
    SPIN_UNTIL(flag_up(&c->closing));
    CHECK(filch_for_with(&o, 0, 10, 1, fail_each, &calls) == -ESHUTDOWN && calls == 0);
    return 0;
}

static void *loop_while_it_closes(void *arg)
{
    struct closing *c = arg;
    filch_loop_options o = {.runtime = c->rt, .participants = 1};
    CHECK(filch_for_with(&o, 0, 1, 1, loop_again, c) == 0);
    return NULL;
}

static void refused_by_a_closing_runtime(void)
{
    filch_runtime *rt = runtime_open(2);
    struct closing c = {.rt = rt};
    spawn_on(rt, NULL, report_closing, &c);
    pthread_t thread = thread_start(loop_while_it_closes, &c);
    SPIN_UNTIL(flag_up(&c.in_body) && flag_up(&c.watched));
    runtime_close(rt);
    thread_join(thread);
}

/* ---- fork(2) ---- */

static int in_child(filch_runtime *rt)
{
    uint32_t calls = 0;
    filch_loop_options o = on(rt);
    alarm(30);
    filch__store_relaxed(&case_bad, 0u);
    CHECK(filch_for_with(&o, 0, 10, 1, fail_each, &calls) == -ESHUTDOWN && calls == 0);
    struct play p = {.fails_at = -1};
    CHECK(filch_for(0, 1000, 1, run_chunk, &p) == 0 && p.done == 1000);
    return filch__load_relaxed(&case_bad) != 0;
}

static void a_forked_child(void)
{
    filch_runtime *rt = runtime_open(2);
    struct play p = {.fails_at = -1};
    CHECK(filch_for(0, 1000, 1, run_chunk, &p) == 0);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0)
        _exit(in_child(rt));
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    runtime_close(rt);
}

int main(void)
{
    RUN(first_failure_is_returned);
    RUN(failing_tiles);
    RUN(each_participant_fails_once);
    RUN(aborted_callers);
    RUN(deadlines_of_scopes);
    RUN(cancelled_before);
    RUN(abort_while_all_wait);
    RUN(cancel_a_threads_scope_while_all_wait);
    RUN(end_of_the_callers_runtime);
    RUN(destroyed_while_loops_run);
    RUN(refused_by_a_closing_runtime);
    if (!WITH_TSAN) /* which does not bear threads in the child of a process with threads */
        RUN(a_forked_child);
    return summary();
}
