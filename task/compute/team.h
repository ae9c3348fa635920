/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a team. Rank 0 is the poster of an urgent call, on whose stack the team is; workers
 * who answer are the next ranks, jobs of the pool of spare threads the last ones.
 *
 * Start. Spare threads come first and wait at the gate, until all have been got or the team is
 * refused. The others begin when they come; `due` of the call counts whoever has not left.
 *
 * The barrier's word:  epoch:17 | RALLIED | CANCELLED | come:13
 *     come + 1           a member comes, not as the last
 *     epoch + 1, come 0  the last member comes: who waits goes on
 *     come - 1, -RALLIED a member who waits leaves to help
 *     -RALLIED           a member looks for work before it comes
 *     +RALLIED           there is work
 *     +CANCELLED         once
 * All are read-modify-writes with release and acquire, so what each member did before it came is
 * seen by who goes on. A member comes by compare and swap of a word without RALLIED, if it can help:
 * so work that was announced after its last look keeps it from coming, and when all have come there
 * is none. A member sleeps on the word, so no change is missed between its look and its sleep; who
 * changes it wakes if `sleeping` is not zero:
 *     sleeper  sleeping + 1   the kernel compares the word
 *     changer  change of the word   load sleeping (all sequentially consistent)
 *
 * Cancel. `failure` is set first, by compare and swap, then CANCELLED. What cancels the caller from
 * outside wakes nobody here: members that sleep look at its flags once in a millisecond.
 */
#ifndef FILCH_TASK_COMPUTE_TEAM_H
#define FILCH_TASK_COMPUTE_TEAM_H

#include "sched/calls.h"

#include <filch/team.h>

struct filch__team {
    struct filch__call call; /* first */
    /* Immutable while members run. */
    filch_team_fn *fn;
    void *ctx;
    const uint32_t *closing;    /* beside what the call has: what cancels the caller */
    struct filch__proxy *proxy; /* of a caller outside, or NULL */
    uint32_t size;
    uint32_t spares; /* the last ranks */
    /* Shared. */
    uint32_t gate; /* futex; see below */
    int32_t failure;
    uint32_t word __attribute__((aligned(64))); /* futex */
    uint32_t sleeping;
    uint64_t singles; /* that have been given */
};

enum filch__gate { FILCH__GATE_SHUT, FILCH__GATE_OPEN, FILCH__GATE_REFUSED };

/* Runs fn as that member, on the calling thread. */
void filch__team_run_member(struct filch__team *team, uint32_t rank);

/* Any member: the first failure cancels the team. rc < 0. */
void filch__team_cancel(struct filch__team *team, int rc);

bool filch__team_is_cancelled(const struct filch__team *team);

/* Rank 0, or a sleeper: the caller's cancel is the team's. */
void filch__team_look_outside(struct filch__team *team);

/* How long a sleeper does not look outside, ns. */
#define FILCH__TEAM_NAP 1000000

/* ---- spare threads ---- */

struct filch__spare_member;

/*
 * Gets so many threads for the ranks from `first` on, which wait at the gate: *out is for the end.
 * -ENOMEM, -EAGAIN: none of them has run; nothing is left.
 */
int filch__spares_get(struct filch__team *team, uint32_t first, struct filch__spare_member **out);
void filch__spares_open(struct filch__team *team, enum filch__gate gate);
/* They have left. */
void filch__spares_free(struct filch__team *team, struct filch__spare_member *spares);

#endif
