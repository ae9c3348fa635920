/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a strand of execution is in a parallel computation: of a fiber, or of a thread outside. Set
 * around what it does there, and put back afterwards; so a task begins and ends with all zero.
 */
#ifndef FILCH_SCHED_ROLE_H
#define FILCH_SCHED_ROLE_H

#include <filch/base.h>

struct filch__role {
    void *member;        /* of the upper floor: the innermost member of a team that runs here */
    filch_runtime *rt;   /* of the loop in which it is */
    int32_t participant; /* of the upper floor: 0: in no loop */
    bool teamed;         /* a member of a team waits for its end, or is it; thieves look */
};

/* The caller's. */
struct filch__role *filch__role_here(void);

#endif
