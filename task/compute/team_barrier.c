/* SPDX-License-Identifier: Apache-2.0 */
/* What members do together: the protocol stands in team.h. */
#include "sched/os/clock.h"
#include "sched/os/cpus.h"
#include "sched/os/futex.h"
#include "task/compute/team.h"

#include <errno.h>
#include <limits.h>

#define COME      0x1fffu
#define CANCELLED 0x2000u
#define RALLIED   0x4000u
#define EPOCH     0x8000u

_Static_assert(FILCH_TEAM_MAX <= COME, "who has come is counted");

/*
 * A member that waits spins, if each has a CPU and none of the others was last seen on its own; then it
 * gives its CPU away a few times, to whoever wants it; then it sleeps. It spins about as long as a
 * virtual CPU takes to wake up, some tens of microseconds.
 */
#define SPINS  2000
#define YIELDS 3

static struct filch__team *team_of(const filch_member *me)
{
    return me->team;
}

static void wake(struct filch__team *team, int n)
{
    if (filch__load_seq_cst(&team->sleeping))
        filch__futex_wake(&team->word, n);
}

/* ---- cancel ---- */

bool filch__team_is_cancelled(const struct filch__team *team)
{
    return filch__load_acquire(&team->word) & CANCELLED;
}

void filch__team_cancel(struct filch__team *team, int rc)
{
    int32_t none = 0;
    (void)filch__cas_relaxed(&team->failure, &none, rc);
    if (filch__or_seq_cst(&team->word, CANCELLED) & CANCELLED)
        return;
    wake(team, INT_MAX);
}

bool filch_team_cancelled(const filch_member *me)
{
    struct filch__team *team = team_of(me);
    filch__team_look_outside(team);
    return filch__team_is_cancelled(team);
}

/* ---- the barrier ---- */

static uint16_t show_cpu(struct filch__team *team, uint32_t rank)
{
    uint16_t here = (uint16_t)(filch__cpu_here() + 1);
    if (rank < FILCH__TEAM_SEEN && filch__load_relaxed(&team->where[rank]) != here)
        filch__store_relaxed(&team->where[rank], here);
    return here;
}

void filch__team_show_cpu(struct filch__team *team, uint32_t rank)
{
    (void)show_cpu(team, rank);
}

int filch__team_spins(struct filch__team *team, uint32_t rank)
{
    uint16_t here = show_cpu(team, rank);
    if (filch__load_relaxed(&team->crowded))
        return 0;
    for (uint32_t i = 0; i < team->size && i < FILCH__TEAM_SEEN; i++)
        if (i != rank && here && filch__load_relaxed(&team->where[i]) == here)
            return 0;
    return SPINS;
}

bool filch__team_linger(int look, int spins)
{
    if (look >= spins + YIELDS)
        return false;
    if (look < spins)
        filch__cpu_relax();
    else
        filch__os_yield();
    return true;
}

static void nap_at_gate(struct filch__team *team)
{
    uint32_t gate = FILCH__GATE_SHUT;
    if (filch__cas_acq_rel(&team->gate, &gate, FILCH__GATE_ASLEEP) || gate == FILCH__GATE_ASLEEP)
        (void)filch__futex_wait(&team->gate, FILCH__GATE_ASLEEP, filch__now() + FILCH__NAP);
}

/* No sleep of rank 0 is longer than that, which looks whether it is to go on waiting. */
bool filch__team_wait_at_gate(struct filch__team *team, int look, int spins)
{
    if (!filch__team_linger(look, spins))
        nap_at_gate(team);
    return look >= spins;
}

static void nap(struct filch__team *team, uint32_t word)
{
    (void)filch__add_seq_cst(&team->sleeping, 1);
    int rc = filch__futex_wait(&team->word, word, filch__now() + FILCH__NAP);
    (void)filch__sub_seq_cst(&team->sleeping, 1);
    if (rc < 0)
        filch__team_look_outside(team);
}

enum end { COMPLETE, BROKEN, HELP };

/* By a member that has come, in the epoch of `word`. HELP: it has not come any more. */
static enum end await_others(struct filch__team *team, uint32_t word, bool helps, int spins)
{
    uint32_t epoch = word / EPOCH;
    for (int look = 0;; look++) {
        word = filch__load_acquire(&team->word);
        if (word / EPOCH != epoch)
            return COMPLETE;
        if (word & CANCELLED)
            return BROKEN;
        if (helps && word & RALLIED) {
            if (filch__cas_seq_cst(&team->word, &word, (word - 1) & ~RALLIED))
                return HELP;
        } else if (!filch__team_linger(look, spins)) {
            nap(team, word);
        }
    }
}

/* By a member. HELP: there may be work. */
static enum end come(struct filch__team *team, bool helps, int spins)
{
    uint32_t word = filch__load_acquire(&team->word);
    for (;;) {
        if (word & CANCELLED)
            return BROKEN;
        if (helps && word & RALLIED)
            return HELP;
        bool last = (word & COME) + 1 == team->size;
        uint32_t to = last ? (word & ~COME) + EPOCH : word + 1;
        if (!filch__cas_seq_cst(&team->word, &word, to))
            continue;
        if (!last)
            return await_others(team, to, helps, spins);
        wake(team, INT_MAX);
        return COMPLETE;
    }
}

static int cross(filch_member *me, bool (*help)(void *ctx), void *ctx)
{
    struct filch__team *team = team_of(me);
    enum end end;
    filch__team_look_outside(team);
    do {
        if (help && filch__load_relaxed(&team->word) & RALLIED)
            (void)filch__and_seq_cst(&team->word, ~RALLIED);
        while (help && help(ctx))
            continue;
        end = come(team, help, filch__team_spins(team, (uint32_t)me->rank));
    } while (end == HELP);
    return end == BROKEN ? -ECANCELED : 0;
}

int filch_team_barrier(filch_member *me)
{
    return cross(me, NULL, NULL);
}

int filch_team_barrier_helping(filch_member *me, bool (*help)(void *ctx), void *ctx)
{
    return cross(me, help, ctx);
}

void filch_team_rally(filch_member *me)
{
    struct filch__team *team = team_of(me);
    if (!(filch__or_seq_cst(&team->word, RALLIED) & RALLIED))
        wake(team, 1);
}

/* ---- single ---- */

bool filch_team_single(filch_member *me)
{
    struct filch__team *team = team_of(me);
    uint64_t given = me->singles++;
    return filch__load_relaxed(&team->singles) == given &&
           filch__cas_relaxed(&team->singles, &given, given + 1);
}
