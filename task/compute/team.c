/* SPDX-License-Identifier: Apache-2.0 */
#include "task/compute/team.h"

#include "sched/admission.h"
#include "sched/hold.h"
#include "sched/os/clock.h"
#include "sched/os/die.h"
#include "sched/os/futex.h"
#include "task/compute/proxy.h"
#include "task/compute/turn.h"

#include <filch/fork.h>

#include <errno.h>
#include <limits.h>

/* ns that rank 0 waits for workers. Spare threads are one more each for the CPUs to run. */
#define PATIENCE 500000000

static const uint32_t never;

/* ---- a member ---- */

static void run_member(struct filch__team *team, uint32_t rank)
{
    struct filch__role *role = filch__role_here();
    void *outer = role->member;
    bool teamed = role->teamed;
    filch_member me = {.rank = (int)rank, .size = (int)team->size, .team = team};
    role->member = &me;
    filch__store_relaxed(&role->teamed, true);
    int rc = team->fn(&me, team->ctx);
    role->member = outer; /* and not the number, which it may have got meanwhile */
    filch__store_relaxed(&role->teamed, teamed);
    if (rc < 0)
        filch__team_cancel(team, rc);
}

static bool set_gate(struct filch__team *team, uint32_t to)
{
    uint32_t shut = filch__load_relaxed(&team->gate);
    do
        if (shut >= FILCH__GATE_OPEN)
            return false;
    while (!filch__cas_acq_rel(&team->gate, &shut, to));
    if (shut == FILCH__GATE_ASLEEP)
        filch__futex_wake(&team->gate, INT_MAX);
    return true;
}

/* By each member, once. */
static void come(struct filch__team *team)
{
    if (filch__add_acq_rel(&team->came, 1) + 1 == team->size)
        (void)set_gate(team, FILCH__GATE_OPEN);
}

void filch__team_join_in(struct filch__team *team, uint32_t rank)
{
    uint32_t gate;
    int spins = filch__team_spins(team, rank);
    come(team);
    for (int look = 0; (gate = filch__load_acquire(&team->gate)) < FILCH__GATE_OPEN; look++)
        (void)filch__team_wait_at_gate(team, look, spins);
    if (gate == FILCH__GATE_OPEN)
        run_member(team, rank);
}

static void run_answer(struct filch__call *call, uint32_t number)
{
    filch__team_join_in((struct filch__team *)(void *)call, number);
}

static bool is_cancelled_outside(const struct filch__team *team)
{
    return filch__load_relaxed(team->call.cancelled) || filch__load_relaxed(team->closing);
}

void filch__team_look_outside(struct filch__team *team)
{
    if (is_cancelled_outside(team))
        filch__team_cancel(team, -ECANCELED);
}

/* ---- the end ---- */

static bool is_over(struct filch__team *team)
{
    filch__team_look_outside(team);
    return filch__call_is_over(&team->call) || filch__team_is_cancelled(team);
}

static void suspend_until_over(struct filch__team *team, struct filch__fiber *me)
{
    static const struct filch__topic topic = {"its team", NULL};
    struct filch__strand strand;
    struct filch__hold hold = {.looks = 0};
    filch__wait_begin(&strand, me, &topic, team);
    while (team->call.holder && !is_over(team) && !filch__hold_is_spent(&hold))
        (void)filch__call_hold_on(&team->call, &hold);
    while (!is_over(team))
        filch__call_wait(&team->call, FILCH_NEVER);
    filch__wait_end(&strand);
}

/* A thread without a frame is never cancelled. */
static void await_members(struct filch__team *team)
{
    struct filch__call *call = &team->call;
    int spins = filch__team_spins(team, 0);
    for (int look = 0; !filch__call_is_over(call) && filch__team_linger(look, spins); look++)
        continue;
    if (call->poster && !filch__call_is_over(call))
        suspend_until_over(team, call->poster);
    while (!is_over(team))
        filch__call_wait(call, call->frame ? filch__now() + FILCH__NAP : FILCH_NEVER);
    if (team->proxy)
        filch__proxy_close(team->proxy, call);
    else
        filch__call_close(call);
}

/* ---- the start ---- */

static void refuse(struct filch__team *team, int rc)
{
    if (set_gate(team, FILCH__GATE_REFUSED))
        filch__team_cancel(team, rc);
}

/* Rank 0. Spare threads for the ranks for which no worker has come. */
static int replace_workers(struct filch__team *team)
{
    uint32_t missing = filch__call_recall(&team->call);
    if (missing == 0)
        return 0; /* they are about to come */
    if (team->workers_only)
        return -EAGAIN;
    filch__store_relaxed(&team->crowded, true);
    return filch__spares_get(team, team->call.answered + 1, missing);
}

/* Rank 0, which has come. True: all have. */
static bool await_all(struct filch__team *team)
{
    int64_t patience = 0;
    int spins = filch__team_spins(team, 0);
    for (int look = 0; filch__load_acquire(&team->gate) < FILCH__GATE_OPEN; look++) {
        if (!filch__team_wait_at_gate(team, look, spins))
            continue;
        int rc = is_cancelled_outside(team) ? -ECANCELED : 0;
        int64_t now = filch__now();
        patience = patience ? patience : now + PATIENCE;
        if (rc == 0 && now >= patience)
            rc = replace_workers(team);
        if (rc < 0)
            refuse(team, rc);
    }
    return filch__load_relaxed(&team->gate) == FILCH__GATE_OPEN;
}

/* With the turn, if it needs that, and all that members need to know but their number. */
static int assemble(struct filch__team *team, uint32_t workers, uint32_t spares)
{
    int rc = is_cancelled_outside(team) ? -ECANCELED : 0;
    if (rc == 0 && spares)
        rc = filch__spares_get(team, workers + 1, spares);
    if (rc < 0)
        refuse(team, rc);
    filch__team_show_cpu(team, 0);
    filch__call_post(&team->call, rc < 0 ? 0 : workers);
    come(team);
    if (await_all(team))
        run_member(team, 0);
    if (filch__unlikely(filch__load_relaxed(&team->call.rt->lost)))
        filch__die("a member of a team has returned in the child of a fork(2) that it made");
    await_members(team);
    filch__spares_free(team);
    return team->failure;
}

/* Where there is no worker to be had, as in a team, which has the turn, there is none to wait for. */
static int take_turn_and_assemble(struct filch__team *team, uint32_t workers)
{
    uint32_t spares = team->size - 1 - workers;
    bool turn = workers > 0;
    int rc = turn ? filch__turn_take(team->call.rt, team->call.holder) : 0;
    if (rc < 0)
        return rc;
    rc = assemble(team, workers, spares);
    if (turn)
        filch__turn_pass(team->call.rt);
    return rc;
}

static int call_together(struct filch__team *team, uint32_t workers, struct filch__fiber *me)
{
    struct filch__call *call = &team->call;
    struct filch__proxy proxy;
    if (me && me->rt == call->rt) {
        call->task = me->task;
        call->frame = me->frame;
        call->cancelled = me->forks.cancelled;
        team->closing = me->forks.closing;
        return take_turn_and_assemble(team, workers);
    }
    int rc = filch__proxy_begin(&proxy, call->rt, me);
    if (rc < 0)
        return rc;
    filch__proxy_sign(&proxy, call);
    team->proxy = &proxy;
    team->closing = me ? me->forks.closing : &never;
    rc = take_turn_and_assemble(team, workers);
    filch__proxy_end(&proxy);
    return rc;
}

int filch_team_with(const filch_team_options *o, int n, filch_team_fn *fn, void *ctx)
{
    struct filch__fiber *me = filch__fiber_current();
    filch_runtime *rt = o ? o->runtime : NULL;
    if (n < 1 || n > FILCH_TEAM_MAX || !fn)
        return -EINVAL;
    int rc = filch__runtime_choose(rt, &rt);
    if (rc < 0)
        return rc;
    if (filch_cancelled())
        return -ECANCELED;
    /* A worker of another runtime may be what a team there waits for, while this one waits for
     * workers that are in such teams: turns do not order runtimes. */
    bool alone = filch__role_here()->teamed || (me && me->rt != rt);
    uint32_t others = (uint32_t)n - 1;
    uint32_t workers = alone ? 0 : rt->worker_count - (me ? 1 : 0);
    workers = workers < others ? workers : others;
    if (others > workers && o && o->refuse)
        return -EAGAIN;
    struct filch__team team = {
        .call = {.run = run_answer,
                 .rt = rt,
                 .teamed = true,
                 .urgent = true,
                 .poster = me,
                 .holder = me && o && o->hold_thread ? me->worker : NULL},
        .fn = fn,
        .ctx = ctx,
        .size = (uint32_t)n,
        .workers_only = o && o->refuse,
        .crowded = others > workers,
    };
    return call_together(&team, workers, me);
}

int filch_team(int n, filch_team_fn *fn, void *ctx)
{
    return filch_team_with(NULL, n, fn, ctx);
}

filch_member *filch_team_member(void)
{
    return filch__role_here()->member;
}
