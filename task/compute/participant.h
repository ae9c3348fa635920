/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who takes part in a loop, and its number. A strand of execution has one number in a runtime: it is
 * taken when a loop first asks for it, loops inside of loops have the same, and the end of the
 * outermost gives it back.
 */
#ifndef FILCH_TASK_COMPUTE_PARTICIPANT_H
#define FILCH_TASK_COMPUTE_PARTICIPANT_H

#include "sched/runtime.h"

/* In filch__role. */
enum {
    FILCH__PART_NONE,       /* in no loop */
    FILCH__PART_UNNUMBERED, /* in one; nobody has asked for the number */
    FILCH__PART_FIRST,      /* and above: the number + FIRST */
};

struct filch__part {
    struct filch__role *role;
    filch_runtime *outer; /* what the role was before */
    int32_t before;
    bool outermost; /* of this runtime */
};

/* The number of who has the role, in the loop in which it is. -EAGAIN: all are taken. */
int filch__participant_number(struct filch__role *role);

void filch__participant_return(struct filch__role *role);

/* Around taking part in a loop of rt, by the same strand. */
static inline void filch__part_begin(struct filch__part *part, filch_runtime *rt)
{
    struct filch__role *role = filch__role_here();
    part->role = role;
    part->before = role->participant;
    part->outer = role->rt;
    part->outermost = part->before == FILCH__PART_NONE || part->outer != rt;
    if (part->outermost) {
        role->participant = FILCH__PART_UNNUMBERED;
        role->rt = rt;
    }
}

static inline void filch__part_end(struct filch__part *part)
{
    struct filch__role *role = part->role;
    if (!part->outermost)
        return;
    if (role->participant >= FILCH__PART_FIRST)
        filch__participant_return(role);
    role->participant = part->before;
    role->rt = part->outer;
}

#endif
