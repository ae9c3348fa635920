/* SPDX-License-Identifier: Apache-2.0 */
/* Teams that do not come about, fail, or are cancelled. */
#include "tests/compute_check.h"
#include "tests/threads.h"

#include <limits.h>
#include <sys/wait.h>

static int count_member(filch_member *me, void *ctx)
{
    (void)me;
    tally(ctx);
    return 0;
}

/* ---- refused ---- */

static void refuse(filch_runtime *rt)
{
    uint32_t members = 0;
    filch_team_options o = {.runtime = rt, .refuse = true};
    int workers = filch_runtime_workers(rt);
    CHECK(team_on(rt, 0, count_member, &members) == -EINVAL);
    CHECK(team_on(rt, -1, count_member, &members) == -EINVAL);
    CHECK(team_on(rt, INT_MIN, count_member, &members) == -EINVAL);
    CHECK(team_on(rt, FILCH_TEAM_MAX + 1, count_member, &members) == -EINVAL);
    CHECK(team_on(rt, 2, NULL, &members) == -EINVAL);
    CHECK(filch_team_with(&o, workers + 2, count_member, &members) == -EAGAIN);
    CHECK(members == 0);
    CHECK(filch_team_with(&o, 1, count_member, &members) == 0 && members == 1);
}

static void bad_input(void)
{
    from_everywhere(refuse);
}

static void all_that_there_is(filch_runtime *rt)
{
    uint32_t members = 0, n = (uint32_t)filch_runtime_workers(rt);
    filch_team_options o = {.runtime = rt, .refuse = true};
    int rc = filch_team_with(&o, (int)n, count_member, &members);
    CHECK((rc == 0 && members == n) || (rc == -EAGAIN && members == 0)); /* of a slow machine */
    rc = filch_team_with(&o, (int)n + 1, count_member, &members);
    CHECK(rc == -EAGAIN || (rc == 0 && !is_task()));
}

static int refuse_inner(filch_member *me, void *ctx)
{
    filch_team_options o = {.refuse = true};
    (void)me;
    CHECK(filch_team_with(&o, 2, count_member, ctx) == -EAGAIN);
    return 0;
}

static void without_spare_threads(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        uint32_t members = 0;
        from_task(rt, all_that_there_is);
        all_that_there_is(rt);
        CHECK(threads_named("filch/spare") == 0);
        CHECK(team_on(rt, 2, refuse_inner, &members) == 0 && members == 0);
        runtime_close(rt);
    }
}

/* ---- members that fail ---- */

struct play {
    int rank; /* that fails */
    int code;
    bool late; /* after some barriers */
    uint32_t broken, begun, over;
};

static int fail_in_team(filch_member *me, void *ctx)
{
    struct play *p = ctx;
    CHECK(!flag_up(&p->over));
    tally(&p->begun);
    int rc = 0;
    for (int i = 0; i < (p->late ? 10 : 0) && rc == 0; i++)
        rc = filch_team_barrier(me);
    if (me->rank == p->rank) {
        spin_for(200 * US);
        return p->code;
    }
    while (rc == 0)
        rc = filch_team_barrier(me);
    CHECK(rc == -ECANCELED && filch_team_cancelled(me));
    tally(&p->broken);
    return rc;
}

static void fail_members(filch_runtime *rt)
{
    for (int n = 1; n <= 6; n++)
        for (int rank = 0; rank < n; rank++) {
            struct play p = {.rank = rank, .code = -100 - rank, .late = (n + rank) % 2};
            CHECK(team_on(rt, n, fail_in_team, &p) == -100 - rank);
            raise_flag(&p.over);
            CHECK(p.begun == (uint32_t)n && p.broken == p.begun - 1);
        }
}

static void a_member_fails(void)
{
    from_everywhere(fail_members);
}

/* Two fail: the first of them. Those that wait for others than the barrier are not disturbed. */
static int fail_both(filch_member *me, void *ctx)
{
    if (me->rank < 2)
        return -200 - me->rank;
    tally(ctx);
    return filch_team_barrier(me);
}

static bool never_help(void *ctx)
{
    (void)ctx;
    return false;
}

static int fail_helpers(filch_member *me, void *ctx)
{
    if (me->rank == 1) {
        filch_team_rally(me);
        return -EDOM;
    }
    CHECK(filch_team_barrier_helping(me, never_help, ctx) == -ECANCELED);
    return 0;
}

static void fail_more(filch_runtime *rt)
{
    for (int i = 0; i < 20; i++) {
        uint32_t others = 0;
        int rc = team_on(rt, 4, fail_both, &others);
        CHECK((rc == -200 || rc == -201) && others == 2);
        CHECK(team_on(rt, 3, fail_helpers, NULL) == -EDOM);
    }
}

static void several_members_fail(void)
{
    from_everywhere(fail_more);
}

/* The worker is busy until the team has ended: a spare thread takes its place, or nobody. */
struct absent {
    uint32_t busy, ended, members;
};

static int busy_until_ended(void *arg)
{
    struct absent *a = arg;
    raise_flag(&a->busy);
    SPIN_UNTIL(flag_up(&a->ended));
    return 0;
}

static int last_rank_fails(filch_member *me, void *ctx)
{
    tally(ctx);
    return me->rank == me->size - 1 ? -EIO : 0;
}

static void a_worker_that_does_not_come(void)
{
    filch_runtime *rt = runtime_open(1);
    struct absent a = {0, 0, 0};
    filch_team_options refuse = {.runtime = rt, .refuse = true};
    spawn_on(rt, NULL, busy_until_ended, &a);
    SPIN_UNTIL(flag_up(&a.busy));
    CHECK(team_on(rt, 3, last_rank_fails, &a.members) == -EIO && a.members == 3);
    if (!test_size_is("quick"))
        CHECK(filch_team_with(&refuse, 2, last_rank_fails, &a.members) == -EAGAIN);
    CHECK(a.members == 3);
    raise_flag(&a.ended);
    drain(rt);
    runtime_close(rt);
}

/* While its members are awaited it is cancelled: nobody begins. */
static void *cancel_soon(void *scope)
{
    spin_for(2 * MS);
    CHECK(filch_scope_cancel(scope, 5) == 0);
    return NULL;
}

static void cancelled_before_all_have_come(void)
{
    filch_runtime *rt = runtime_open(1);
    struct absent a = {0, 0, 0};
    filch_scope s;
    spawn_on(rt, NULL, busy_until_ended, &a);
    SPIN_UNTIL(flag_up(&a.busy));
    CHECK(filch_scope_open(&s, &(filch_scope_options){.runtime = rt}) == 0);
    pthread_t thread = thread_start(cancel_soon, &s);
    CHECK(team_on(rt, 3, last_rank_fails, &a.members) == -ECANCELED && a.members == 0);
    thread_join(thread);
    CHECK(filch_scope_close(&s) == -ECANCELED);
    raise_flag(&a.ended);
    drain(rt);
    runtime_close(rt);
}

/* ---- cancelled from outside ---- */

struct held {
    filch_runtime *rt;
    filch_scope *scope; /* of a thread */
    uint32_t in_barrier, wanted;
    bool sleeps; /* all but rank 0 of a thread */
    int rc;
};

/* Rank 0 never comes to the barrier, and sees the cancel by itself. */
static int wait_in_barrier(filch_member *me, void *ctx)
{
    struct held *h = ctx;
    int rc = 0;
    tally(&h->in_barrier);
    if (h->sleeps && me->rank > 0 && is_task())
        rc = filch_sleep(HOUR);
    else if (me->rank > 0)
        rc = filch_team_barrier(me);
    else
        SPIN_UNTIL(filch_team_cancelled(me));
    CHECK(rc == 0 || rc == -ECANCELED);
    return 0;
}

static int all_in_barrier(filch_member *me, void *ctx)
{
    struct held *h = ctx;
    tally(&h->in_barrier);
    int rc = 0;
    while (rc == 0 && me->rank != me->size - 1)
        rc = filch_team_barrier(me);
    if (rc == 0) /* the last one is what all wait for */
        SPIN_UNTIL(filch_team_cancelled(me));
    return 0;
}

static int held_task(void *arg)
{
    struct held *h = arg;
    h->rc = team_on(h->rt, (int)h->wanted, h->sleeps ? wait_in_barrier : all_in_barrier, h);
    return 0;
}

static void aborted_in_a_barrier(void)
{
    for (int i = 0; i < (int)sized(24, 120, 1200); i++) {
        filch_runtime *rt = runtime_open(1 + i % 3), *other = runtime_quiet(1);
        filch_handle *task;
        struct held h = {.rt = rt, .wanted = 1 + (uint32_t)i % 4, .sleeps = i / 12 % 2};
        spawn_on(i % 5 ? rt : other, &task, held_task, &h);
        if (i % 2)
            SPIN_UNTIL(count_of(&h.in_barrier) == h.wanted);
        else
            spin_for(i * US);
        CHECK(filch_abort(task) == 0);
        CHECK(join(task) <= 0 && (h.rc == 0 || h.rc == -ECANCELED));
        CHECK(i % 2 == 0 || h.rc == -ECANCELED);
        CHECK(filch_runtime_destroy(other) == 0);
        runtime_close(rt);
    }
}

static void *cancel_when_in_barrier(void *arg)
{
    struct held *h = arg;
    SPIN_UNTIL(count_of(&h->in_barrier) == h->wanted);
    CHECK(filch_scope_cancel(h->scope, 5) == 0);
    return NULL;
}

static void scopes_of_threads(void)
{
    for (int i = 0; i < 12; i++) {
        filch_runtime *rt = runtime_open(1 + i % 3);
        filch_scope s;
        struct held h = {.rt = rt, .scope = &s, .wanted = 2 + (uint32_t)i % 3, .sleeps = i % 2};
        CHECK(filch_scope_open(&s, &(filch_scope_options){.runtime = rt}) == 0);
        pthread_t thread = thread_start(cancel_when_in_barrier, &h);
        (void)held_task(&h);
        CHECK(h.rc == -ECANCELED);
        thread_join(thread);
        uint32_t members = 0;
        CHECK(team_on(rt, 2, count_member, &members) == -ECANCELED && members == 0);
        CHECK(filch_scope_close(&s) == -ECANCELED);
        runtime_close(rt);
    }
}

static void by_deadline(filch_runtime *rt)
{
    filch_scope s;
    struct held h = {.rt = rt, .wanted = 3};
    filch_scope_options o = {.runtime = rt, .deadline = filch_now() + 2 * MS};
    CHECK(filch_scope_open(&s, &o) == 0);
    (void)held_task(&h);
    CHECK(h.rc == -ECANCELED);
    CHECK(filch_scope_close(&s) == -ETIMEDOUT);
}

static void deadlines_of_scopes(void)
{
    from_everywhere(by_deadline);
}

static void destroyed_in_a_barrier(void)
{
    for (int i = 0; i < (int)sized(12, 60, 600); i++) {
        filch_runtime *rt = runtime_open(1 + i % 3);
        struct held h = {.rt = rt, .wanted = 1 + (uint32_t)i % 4, .sleeps = i / 12 % 2};
        spawn_on(rt, NULL, held_task, &h);
        if (i % 2)
            SPIN_UNTIL(count_of(&h.in_barrier) == h.wanted);
        else
            SPIN_UNTIL(count_of(&h.in_barrier) > 0);
        runtime_close(rt);
        CHECK(h.rc == -ECANCELED);
    }
}

/* Of another runtime: that one's members go home, and it goes on. */
static void end_of_the_callers_runtime(void)
{
    for (int i = 0; i < 6; i++) {
        filch_runtime *rt = runtime_open(2), *other = runtime_quiet(1);
        struct held h = {.rt = rt, .wanted = 1 + (uint32_t)i % 3};
        spawn_on(other, NULL, held_task, &h);
        SPIN_UNTIL(count_of(&h.in_barrier) == h.wanted);
        CHECK(filch_runtime_destroy(other) == 0);
        CHECK(h.rc == -ECANCELED);
        runtime_close(rt);
    }
}

/* ---- waiting for the turn ---- */

struct turn {
    filch_runtime *rt;
    uint32_t inside, go, members;
};

static int hold_turn(filch_member *me, void *ctx)
{
    struct turn *t = ctx;
    (void)me;
    tally(&t->inside);
    SPIN_UNTIL(flag_up(&t->go));
    return 0;
}

static void *hold_turn_on_thread(void *arg)
{
    struct turn *t = arg;
    CHECK(team_on(t->rt, 2, hold_turn, t) == 0);
    return NULL;
}

static int want_turn(void *arg)
{
    struct turn *t = arg;
    return team_on(t->rt, 2, count_member, &t->members);
}

/* Of those that wait every second one is aborted, some when the turn comes. */
static void aborted_while_they_wait(void)
{
    for (int i = 0; i < (int)sized(20, 200, 2000); i++) {
        filch_runtime *rt = runtime_open(2);
        filch_handle *h[8];
        struct turn t = {.rt = rt};
        pthread_t thread = thread_start(hold_turn_on_thread, &t);
        SPIN_UNTIL(count_of(&t.inside) == 2);
        for (size_t k = 0; k < COUNT(h); k++)
            spawn_on(rt, &h[k], want_turn, &t);
        if (i % 2)
            raise_flag(&t.go);
        for (size_t k = 0; k < COUNT(h); k += 2)
            CHECK(filch_abort(h[k]) == 0);
        raise_flag(&t.go);
        uint32_t right = 0;
        for (size_t k = 0; k < COUNT(h); k++) {
            int rc = join(h[k]);
            CHECK(rc == 0 || (k % 2 == 0 && rc == -ECANCELED));
            right += rc == 0;
        }
        thread_join(thread);
        CHECK(t.members >= 2 * right);
        CHECK(team_on(rt, 2, count_member, &t.members) == 0);
        runtime_close(rt);
    }
}

/* ---- spare threads, fork(2) ---- */

static int leave_locked(filch_member *me, void *ctx)
{
    if (me->rank == 1)
        CHECK(filch_mutex_lock(ctx) == 0);
    return 0;
}

static int find_orphan(filch_member *me, void *ctx)
{
    if (me->rank == 1) {
        CHECK(filch_mutex_lock(ctx) == -EOWNERDEAD);
        CHECK(filch_mutex_consistent(ctx) == 0);
        CHECK(filch_mutex_unlock(ctx) == 0);
    }
    return 0;
}

static int orphan_task(void *rt)
{
    filch_mutex mutex = FILCH_MUTEX;
    CHECK(team_on(rt, 2, leave_locked, &mutex) == 0);
    CHECK(team_on(rt, 2, find_orphan, &mutex) == 0);
    return filch_mutex_destroy(&mutex);
}

static void what_a_spare_member_holds_is_orphaned(void)
{
    filch_runtime *rt = runtime_open(1);
    CHECK(filch_run(rt, orphan_task, rt) == 0);
    runtime_close(rt);
}

static int in_child(filch_runtime *rt)
{
    uint32_t members = 0;
    alarm(30);
    filch__store_relaxed(&case_bad, 0u);
    CHECK(team_on(rt, 2, count_member, &members) == -ESHUTDOWN && members == 0);
    CHECK(filch_team(3, count_member, &members) == 0 && members == 3);
    return filch__load_relaxed(&case_bad) != 0;
}

static void a_forked_child(void)
{
    filch_runtime *rt = runtime_open(2);
    uint32_t members = 0;
    CHECK(team_on(rt, 5, count_member, &members) == 0);
    CHECK(filch_team(5, count_member, &members) == 0);
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
    RUN(bad_input);
    RUN(without_spare_threads);
    RUN(a_member_fails);
    RUN(several_members_fail);
    RUN(a_worker_that_does_not_come);
    RUN(cancelled_before_all_have_come);
    RUN(aborted_in_a_barrier);
    RUN(scopes_of_threads);
    RUN(deadlines_of_scopes);
    RUN(destroyed_in_a_barrier);
    RUN(end_of_the_callers_runtime);
    RUN(aborted_while_they_wait);
    RUN(what_a_spare_member_holds_is_orphaned);
    if (!WITH_TSAN) /* which does not bear threads in the child of a process with threads */
        RUN(a_forked_child);
    return summary();
}
