/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loop that several participants run: units 0 to count - 1, claimed some at a time.
 *
 * Participants. The caller is the first. It offers strands to others and works itself; who takes a
 * strand offers more of them and works too. Strands are numbered like the nodes of a heap, so each
 * knows which it is to offer, and there are never more than the cap. On a worker a strand is a
 * forked job, which costs nothing where nobody takes it: at the end those that were not stolen are
 * dropped, for there is nothing left to do. A caller outside posts a call instead (sched/calls.h).
 *
 * Lanes. The units are dealt out into a lane for each participant, as far as there are lanes. A
 * participant begins with its own, where it finds what it had in its caches when the same loop ran
 * before, and then helps with the others. A loop whose units are claimed in order has one lane.
 *
 * Claims. A participant claims `step` units of a lane. The step begins with one, and is doubled as
 * long as a claim takes less than some microseconds; at the end of a lane claims are smaller, so that
 * nobody waits long for the last claim of another. `next` is claimed by addition and may overshoot
 * by a step for each participant, hence fewer than 2^63 units.
 *
 * The words carry no data from one participant to another: what a body did is seen by who has
 * synced with its strand.
 */
#ifndef FILCH_TASK_COMPUTE_LOOP_H
#define FILCH_TASK_COMPUTE_LOOP_H

#include "sched/calls.h"

#include <filch/fork.h>
#include <filch/loop.h>

#define FILCH__LANES 16

struct filch__lane {
    uint64_t next; /* shared */
    uint64_t end;  /* immutable */
} __attribute__((aligned(64)));

struct filch__loop {
    /* Immutable. Runs units begin to end - 1. < 0: stop. */
    int (*units)(struct filch__loop *loop, uint64_t begin, uint64_t end, int participant);
    uint64_t count;
    bool in_order; /* each unit is claimed alone, in ascending order */
    uint64_t step_max;
    uint32_t lane_count;
    bool numbered; /* participants need numbers */
    bool holds;    /* the caller keeps its thread */
    uint32_t cap;  /* of participants */
    filch_runtime *rt;
    const uint32_t *cancelled; /* beside filch_cancelled */
    /* Shared. */
    uint64_t step __attribute__((aligned(64)));
    int32_t failure; /* 0, or the first */
    struct filch__lane lanes[FILCH__LANES];
};

/* units, count, numbered and in_order are set. */
int filch__loop_run(struct filch__loop *loop, const filch_loop_options *o);

/* Between two units or claims. */
static inline bool filch__loop_is_cancelled(const struct filch__loop *loop)
{
    return filch_cancelled() || filch__load_relaxed(loop->cancelled);
}
static inline bool filch__loop_has_failed(const struct filch__loop *loop)
{
    return filch__load_relaxed(&loop->failure);
}

#endif
