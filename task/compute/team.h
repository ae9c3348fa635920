/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a team. Rank 0 is the poster of an urgent call, on whose stack the team is; workers
 * who answer are the next ranks, jobs of the pool of spare threads the last ones.
 *
 * Start. Whoever comes waits at the gate. The last to come opens it, and then fn is called for each
 * rank. Rank 0 refuses the team where it is cancelled before, or lacks members that cannot be had:
 * fn is called for none. Where workers do not come in time, rank 0 withdraws the call and gets spare
 * threads for them: a worker may be kept by code that waits for what this team keeps, a lock that
 * is not filch's, say. `due` of the call counts whoever has not left.
 *     gate  SHUT -> ASLEEP by who is about to sleep there, then OPEN or REFUSED, once; by compare and
 *           swap, release, and acquired by all
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
 * outside wakes nobody here: members that sleep look at its flags every few milliseconds.
 */
#ifndef FILCH_TASK_COMPUTE_TEAM_H
#define FILCH_TASK_COMPUTE_TEAM_H

#include "sched/calls.h"

#include <filch/team.h>

/* Of so many members it is known where they are. */
#define FILCH__TEAM_SEEN 24

struct filch__team {
    struct filch__call call; /* first */
    /* Immutable while members run. */
    filch_team_fn *fn;
    void *ctx;
    const uint32_t *closing;    /* beside what the call has: what cancels the caller */
    struct filch__proxy *proxy; /* of a caller outside, or NULL */
    uint32_t size;
    bool workers_only;                  /* rather than with spare threads it does not come about */
    bool crowded;                       /* it may have more members than there are CPUs for them */
    struct filch__spare_member *spares; /* of rank 0: the newest, by next */
    /* Shared. */
    uint32_t gate; /* futex */
    uint32_t came;
    int32_t failure;
    uint16_t where[FILCH__TEAM_SEEN]; /* by rank: 1 + the CPU where it last came; 0: not known */
    uint32_t word __attribute__((aligned(64))); /* futex */
    uint32_t sleeping;
    uint64_t singles; /* that have been given */
};

/* ASLEEP: shut, and somebody may sleep there. */
enum filch__gate {
    FILCH__GATE_SHUT,
    FILCH__GATE_ASLEEP,
    FILCH__GATE_OPEN,
    FILCH__GATE_REFUSED,
};

/* On the calling thread: comes, and runs fn as that member if all come. */
void filch__team_join_in(struct filch__team *team, uint32_t rank);
/* For a member that has come: some time passes until the next look at the gate. True: much. */
bool filch__team_wait_at_gate(struct filch__team *team, int look, int spins);

/* By a member: others see on which CPU it is. */
void filch__team_show_cpu(struct filch__team *team, uint32_t rank);
/* The same, when it has come somewhere: how often it is to spin for others. */
int filch__team_spins(struct filch__team *team, uint32_t rank);
/* Between two looks, from 0 on: spins so often, then yields a few times. False: it is to sleep. */
bool filch__team_linger(int look, int spins);

/* Any member: the first failure cancels the team. rc < 0. */
void filch__team_cancel(struct filch__team *team, int rc);

bool filch__team_is_cancelled(const struct filch__team *team);

/* Rank 0, or a sleeper: the caller's cancel is the team's. */
void filch__team_look_outside(struct filch__team *team);

/* ---- spare threads ---- */

/*
 * By rank 0: gets a thread for each of so many ranks, from `first` on. -ENOMEM, -EAGAIN: it has got
 * none, or not all; the team is to be refused.
 */
int filch__spares_get(struct filch__team *team, uint32_t first, uint32_t count);
/* By rank 0, when all have left. */
void filch__spares_free(struct filch__team *team);

#endif
