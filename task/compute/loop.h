/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loop that several participants run: units 0 to count - 1, claimed in ascending order from one
 * counter, some at a time.
 *
 * Participants. The caller is the first. It offers strands to others and works itself; who takes a
 * strand offers more of them and works too. Strands are numbered like the nodes of a heap, so each
 * knows which it is to offer, and there are never more than the cap. On a worker a strand is a
 * forked job, which costs nothing where nobody takes it: at the end those that were not stolen are
 * dropped, for there is nothing left to do. A caller outside posts a call instead (sched/calls.h).
 *
 * Claims. A participant claims `step` units. The step begins with one, and is doubled as long as a
 * claim takes less than some microseconds; it never exceeds a small part of what a participant's share
 * is, so that at the end nobody waits long for the last claim of another. `next` is claimed by
 * addition and may overshoot by a step for each participant, hence fewer than 2^63 units.
 *
 * The words carry no data from one participant to another: what a body did is seen by who has
 * synced with its strand.
 */
#ifndef FILCH_TASK_COMPUTE_LOOP_H
#define FILCH_TASK_COMPUTE_LOOP_H

#include "sched/calls.h"

#include <filch/fork.h>
#include <filch/loop.h>

struct filch__loop {
    /* Immutable. Runs units begin to end - 1. < 0: stop. */
    int (*units)(struct filch__loop *loop, uint64_t begin, uint64_t end, int participant);
    uint64_t count;
    uint64_t step_max; /* 1: each unit is claimed alone */
    bool numbered;     /* participants need numbers */
    uint32_t cap;      /* of participants */
    filch_runtime *rt;
    const uint32_t *cancelled; /* beside filch_cancelled */
    /* Shared. */
    uint64_t next __attribute__((aligned(64)));
    uint64_t step __attribute__((aligned(64)));
    int32_t failure; /* 0, or the first */
};

/* units, count and numbered are set; alone: each unit is claimed alone. */
int filch__loop_run(struct filch__loop *loop, const filch_loop_options *o, bool alone);

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
