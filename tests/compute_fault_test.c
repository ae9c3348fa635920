/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system refuses while loops and teams begin: the Nth allocation, mapping or thread, once or for
 * ever after, for each N until none is reached any more. What was refused was not begun, and says so;
 * nothing is left. Real only where faults can be injected (-Dfaults=true).
 */
#include "tests/compute_check.h"

#ifdef FILCH_FAULTS
#include "tests/fault_check.h"

enum { INDICES = 200, MEMBERS = 5 };

struct play {
    filch_runtime *rt;
    uint32_t indices, calls, members, inside;
};

static bool is_refusal(int rc)
{
    return rc == -ENOMEM || rc == -EAGAIN;
}

static int add_chunk(int64_t first, int64_t last, void *ctx)
{
    struct play *p = ctx;
    filch__add_acq_rel(&p->indices, (uint32_t)(last - first));
    return 0;
}

static int add_call(int64_t index, int participant, void *ctx)
{
    struct play *p = ctx;
    (void)index, (void)participant;
    tally(&p->calls);
    return 0;
}

/* All at the same time, or none. */
static int add_member(filch_member *me, void *ctx)
{
    struct play *p = ctx;
    tally(&p->inside);
    CHECK(filch_team_barrier(me) == 0);
    CHECK(count_of(&p->inside) == (uint32_t)me->size);
    CHECK(filch_team_barrier(me) == 0);
    if (filch_team_single(me))
        p->inside = 0;
    CHECK(filch_team_barrier(me) == 0);
    tally(&p->members);
    return 0;
}

static int open_inner(filch_member *me, void *ctx)
{
    struct play inner = {.rt = ((struct play *)ctx)->rt};
    int rc = filch_team_with(&(filch_team_options){.runtime = inner.rt}, 2, add_member, &inner);
    CHECK(rc == 0 ? inner.members == 2 : inner.members == 0 && is_refusal(rc));
    CHECK(filch_team_barrier(me) == 0);
    return 0;
}

static void call_all(struct play *p)
{
    filch_loop_options lo = {.runtime = p->rt};
    filch_team_options to = {.runtime = p->rt};
    p->indices = p->calls = p->members = p->inside = 0;
    int rc = filch_for_with(&lo, 0, INDICES, 1, add_chunk, p);
    CHECK(rc == 0 ? p->indices == INDICES : p->indices == 0 && is_refusal(rc));
    rc = filch_run_n_with(&lo, INDICES, add_call, p);
    CHECK(rc == 0 ? p->calls == INDICES : p->calls == 0 && is_refusal(rc));
    rc = filch_team_with(&to, MEMBERS, add_member, p);
    CHECK(rc == 0 ? p->members == MEMBERS : p->members == 0 && is_refusal(rc));
    rc = filch_team_with(&to, 3, open_inner, p);
    CHECK(rc == 0 || is_refusal(rc));
}

static int call_task(void *arg)
{
    call_all(arg);
    return 0;
}

/* On a runtime that is there already, so that only what the calls need is refused. */
static long try_nth(int workers, enum filch__fault_kind kind, long nth, bool sticky)
{
    struct play p = {.rt = runtime_quiet(workers)};
    filch__fault_arm(kind, nth, sticky);
    call_all(&p);
    int rc = filch_run(p.rt, call_task, &p);
    CHECK(rc == 0 || is_refusal(rc));
    call_all(&p);
    long seen = filch__fault_seen(kind);
    disarm();
    call_all(&p);
    CHECK(p.indices == INDICES && p.calls == INDICES && p.members == MEMBERS);
    CHECK(filch_runtime_destroy(p.rt) == 0);
    return seen;
}

/* ---- a thread that is refused takes no other team's thread ---- */

/* Two inner teams at once; the members of one wait for the members of the other where both have
 * come about. */
struct pair {
    filch_runtime *rt;
    uint32_t refused, inside;
};

static int meet_other(filch_member *me, void *ctx)
{
    struct pair *p = ctx;
    (void)me;
    tally(&p->inside);
    SPIN_UNTIL(count_of(&p->inside) == 6 || flag_up(&p->refused));
    return 0;
}

static int open_one(filch_member *me, void *ctx)
{
    struct pair *p = ctx;
    (void)me;
    int rc = filch_team_with(&(filch_team_options){.runtime = p->rt}, 3, meet_other, p);
    CHECK(rc == 0 || is_refusal(rc));
    if (rc < 0)
        raise_flag(&p->refused);
    return 0;
}

static void two_inner_teams(void)
{
    for (int i = 0; i < sized(30, 200, 2000); i++) {
        struct pair p = {.rt = runtime_quiet(1)};
        filch__fault_arm(FILCH__FAULT_THREAD, i % 5, i % 2);
        int rc = filch_team_with(&(filch_team_options){.runtime = p.rt}, 2, open_one, &p);
        CHECK(rc == 0 || is_refusal(rc));
        disarm();
        CHECK(filch_runtime_destroy(p.rt) == 0);
    }
}

int main(void)
{
    most_faults = sized(25, 200, 1000);
    RUN(allocation_once);
    RUN(allocation_for_ever);
    RUN(mapping_once);
    RUN(mapping_for_ever);
    RUN(thread_once);
    RUN(thread_for_ever);
    RUN(two_inner_teams);
    return summary();
}

#else

int main(void)
{
    printf("faults cannot be injected in this build\n");
    return summary();
}

#endif
