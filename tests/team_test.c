/* SPDX-License-Identifier: Apache-2.0 */
/* Teams: all members at the same time, barriers, single, helping. */
#include "tests/compute_check.h"

#include "sched/os/cpus.h"
#include "sched/os/thread.h"

enum { MOST = 16 };

/* ---- all members at the same time ---- */

struct roll {
    int size;
    uint32_t inside;
    uint32_t rank[MOST];
};

/* Without a call into filch: each must be on a thread of its own. */
static int meet(filch_member *me, void *ctx)
{
    struct roll *r = ctx;
    CHECK(me->size == r->size && me->rank >= 0 && me->rank < r->size);
    CHECK(me->local == NULL && filch_team_member() == me);
    me->local = r;
    tally(&r->rank[me->rank]);
    tally(&r->inside);
    SPIN_UNTIL(count_of(&r->inside) == (uint32_t)r->size);
    CHECK(me->local == r && filch_team_member() == me && !filch_team_cancelled(me));
    return 0;
}

static void meet_in_teams(filch_runtime *rt)
{
    CHECK(filch_team_member() == NULL);
    for (int n = 1; n <= MOST; n++) {
        struct roll r = {.size = n};
        CHECK(team_on(rt, n, meet, &r) == 0);
        for (int rank = 0; rank < n; rank++)
            CHECK(r.rank[rank] == 1);
    }
    CHECK(filch_team_member() == NULL);
}

static void all_at_the_same_time(void)
{
    from_everywhere(meet_in_teams);
}

static void called_by_several_threads(void)
{
    for (size_t w = 0; w < COUNT(worker_counts); w++) {
        filch_runtime *rt = runtime_open(worker_counts[w]);
        from_threads(rt, 3, meet_in_teams);
        runtime_close(rt);
    }
}

static int is_caller(filch_member *me, void *ctx)
{
    if (me->rank == 0)
        CHECK(pthread_equal(*(pthread_t *)ctx, pthread_self()));
    return 0;
}

static void rank_0_is_the_caller(void)
{
    filch_runtime *rt = runtime_open(2);
    pthread_t self = pthread_self();
    for (int i = 0; i < 100; i++)
        CHECK(team_on(rt, 1 + i % 4, is_caller, &self) == 0);
    CHECK(filch_team(2, is_caller, &self) == 0);
    runtime_close(rt);
}

/* ---- barriers ---- */

struct rounds {
    int rounds;
    uint64_t plain[MOST]; /* written by its rank, read by all others after the barrier */
    uint32_t singles;
};

static int go_round(filch_member *me, void *ctx)
{
    struct rounds *r = ctx;
    for (int i = 1; i <= r->rounds; i++) {
        r->plain[me->rank] = (uint64_t)i;
        CHECK(filch_team_barrier(me) == 0);
        for (int rank = 0; rank < me->size; rank++)
            CHECK(r->plain[rank] == (uint64_t)i);
        if (filch_team_single(me))
            tally(&r->singles);
        if (i % 64 == 0 && me->rank == 0 && is_task())
            CHECK(filch_yield() == 0);
        CHECK(filch_team_barrier(me) == 0);
    }
    return 0;
}

static void go_rounds(filch_runtime *rt)
{
    for (int n = 1; n <= MOST; n += n < 4 ? 1 : 4) {
        struct rounds r = {.rounds = (int)sized(20, 100, 1000)};
        CHECK(team_on(rt, n, go_round, &r) == 0);
        CHECK(r.singles == (uint32_t)r.rounds);
    }
    struct rounds r = {.rounds = (int)sized(1000, 5000, 200000)};
    CHECK(team_on(rt, 2, go_round, &r) == 0);
    CHECK(r.singles == (uint32_t)r.rounds);
}

static void barriers_and_singles(void)
{
    from_everywhere(go_rounds);
}

/* More than the epochs that a word has. */
static int many_barriers(filch_member *me, void *ctx)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < 150000; i++)
        rc = filch_team_barrier(me);
    return rc < 0 ? rc : *(int *)ctx;
}

static void thousands_of_barriers(void)
{
    filch_runtime *rt = runtime_open(1);
    int ok = 0;
    CHECK(team_on(rt, 1, many_barriers, &ok) == 0);
    if (!instrumented() && !test_size_is("quick"))
        CHECK(team_on(rt, 2, many_barriers, &ok) == 0);
    runtime_close(rt);
}

/* ---- helping barriers ---- */

enum { WORK = 500 };

/* Work that makes more work: so many pieces in all. */
struct bag {
    filch_member *member[MOST];
    uint32_t left; /* may be taken */
    uint32_t made, done, in_help, bursts;
};

static void put_work(struct bag *b, filch_member *me, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (filch__add_acq_rel(&b->made, 1u) < WORK) {
            tally(&b->left);
            filch_team_rally(me);
        }
}

struct helper {
    struct bag *bag;
    filch_member *me;
};

static bool take_work(void *ctx)
{
    struct helper *h = ctx;
    struct bag *b = h->bag;
    uint32_t left = count_of(&b->left);
    while (left > 0 && !filch__cas_acq_rel(&b->left, &left, left - 1))
        continue;
    if (left == 0)
        return false;
    put_work(b, h->me, 2);
    if (left % 16 == 0)
        sched_yield();
    tally(&b->done);
    return true;
}

static int help_out(filch_member *me, void *ctx)
{
    struct bag *b = ctx;
    struct helper h = {b, me};
    for (uint32_t burst = 1; burst <= 5; burst++) {
        if (filch_team_single(me))
            put_work(b, me, 1);
        if (burst % 2)
            spin_for((int64_t)me->rank * 20 * US);
        CHECK(filch_team_barrier_helping(me, take_work, &h) == 0);
        CHECK(count_of(&b->done) == WORK && count_of(&b->left) == 0);
        CHECK(filch_team_barrier(me) == 0);
        if (filch_team_single(me))
            b->made = b->done = 0;
        CHECK(filch_team_barrier_helping(me, take_work, &h) == 0);
    }
    return 0;
}

static void help_in_teams(filch_runtime *rt)
{
    for (int n = 1; n <= 6; n++) {
        struct bag b = {.left = 0};
        CHECK(team_on(rt, n, help_out, &b) == 0);
    }
}

static void barriers_that_help(void)
{
    from_everywhere(help_in_teams);
}

/* One member makes work after the others have come to wait. */
static int one_makes_work(filch_member *me, void *ctx)
{
    struct bag *b = ctx;
    struct helper h = {b, me};
    if (me->rank == 0) {
        for (int i = 0; i < 20; i++) {
            spin_for(i % 3 * 100 * US);
            tally(&b->left);
            filch_team_rally(me);
        }
        filch__add_acq_rel(&b->made, (uint32_t)WORK);
    }
    CHECK(filch_team_barrier_helping(me, take_work, &h) == 0);
    CHECK(count_of(&b->left) == 0 && count_of(&b->made) >= WORK);
    CHECK(count_of(&b->done) >= 20);
    return 0;
}

static void work_for_who_waits(void)
{
    for (int n = 2; n <= 5; n++) {
        filch_runtime *rt = runtime_open(2);
        struct bag b = {.made = WORK};
        CHECK(team_on(rt, n, one_makes_work, &b) == 0);
        runtime_close(rt);
    }
}

/* ---- who is waked ---- */

/*
 * A worker that is waked for nothing parks once more, and takes a CPU from a member before that. All
 * on one CPU: who is waked there runs before its waker goes on, or is ready to.
 */
static void no_more_are_waked_than_wanted(void)
{
    enum { WORKERS = 4, TEAMS = 50 };
    int cpu;
    CHECK(filch__cpus_list(&cpu, 1) == 1 && filch__thread_pin(NULL, cpu) == 0);
    filch_runtime *rt = runtime_open(WORKERS);
    SPIN_UNTIL(stats_of(rt).parks >= WORKERS);
    uint64_t before = stats_of(rt).parks;
    for (uint64_t i = 1; i <= TEAMS; i++) {
        struct roll r = {.size = 2};
        CHECK(team_on(rt, 2, meet, &r) == 0);
        SPIN_UNTIL(stats_of(rt).parks >= before + i);
    }
    /* A scheduler that misbehaves at random, which that seeds, wakes them too. */
    CHECK(getenv("FILCH_CHAOS_SEED") || stats_of(rt).parks <= before + TEAMS + TEAMS / 4);
    runtime_close(rt);
}

int main(void)
{
    RUN(all_at_the_same_time);
    RUN(called_by_several_threads);
    RUN(rank_0_is_the_caller);
    RUN(barriers_and_singles);
    RUN(thousands_of_barriers);
    RUN(barriers_that_help);
    RUN(work_for_who_waits);
    RUN(no_more_are_waked_than_wanted);
    return summary();
}
