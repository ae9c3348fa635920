/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A spin lock for a few instructions that run rarely. Waiters give the processor away after a
 * while, since the holder may have been preempted. Not recursive; nothing in it may suspend.
 */
#ifndef FILCH_SCHED_OS_SPIN_H
#define FILCH_SCHED_OS_SPIN_H

#include "sched/os/chaos.h"
#include "sched/os/clock.h"

#include <filch/atomic.h>
#include <filch/base.h>

/* Until it looks free: by loads, which leave the line with its holder. */
static inline void filch__spin_wait(const uint32_t *lock)
{
    for (int looks = 0; filch__load_relaxed(lock); looks++)
        if (looks < 64)
            filch__cpu_relax();
        else
            filch__os_yield();
}

static inline void filch__spin_lock(uint32_t *lock)
{
    while (filch__unlikely(filch__exchange_acquire(lock, 1)))
        filch__spin_wait(lock);
    filch__chaos_nap();
}

static inline void filch__spin_unlock(uint32_t *lock)
{
    filch__chaos_pause();
    filch__store_release(lock, 0);
}

#endif
