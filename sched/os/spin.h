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

/*
 * Until it looks free, each look twice as long after the one before. So who holds it, and takes it
 * again, does so meanwhile with its cache lines at hand: a channel of 64 slots between two workers
 * takes 55 ns an item so, and 350 where each looks all the time.
 */
static inline void filch__spin_wait(const uint32_t *lock)
{
    uint32_t pauses = 4;
    do {
        for (uint32_t i = 0; i < pauses; i++)
            filch__cpu_relax();
        if (pauses < 128)
            pauses *= 2;
        else
            filch__os_yield();
    } while (filch__load_relaxed(lock));
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
