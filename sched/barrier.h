/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asymmetric barriers: a pair of which the frequent side is free.
 *
 * For two threads that each store, then load what the other stored, one light and one heavy
 * barrier between their store and load suffice for one of them to see the other. Light orders the
 * compiler; heavy is a full barrier on all running threads, a system call of some microseconds.
 * Where the kernel has no such call both are fences.
 */
#ifndef FILCH_SCHED_BARRIER_H
#define FILCH_SCHED_BARRIER_H

#include <filch/atomic.h>
#include <filch/base.h>

#include "sched/os/membarrier.h"

/* Immutable after filch__barrier_init_process; false before, when there are fences, which go with
 * either. */
extern bool filch__asymmetric;

/* Before any runtime exists; idempotent. */
void filch__barrier_init_process(void);

static inline void filch__barrier_light(void)
{
    if (filch__likely(filch__load_relaxed(&filch__asymmetric)))
        filch__fence_compiler();
    else
        filch__fence_seq_cst();
}

static inline void filch__barrier_heavy(void)
{
    if (filch__likely(filch__load_relaxed(&filch__asymmetric)))
        filch__membarrier();
    else
        filch__fence_seq_cst();
}

#endif
