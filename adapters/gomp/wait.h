/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting inside a region. It holds the thread: OpenMP's threads keep their thread-locals and their
 * number over every wait. Who waits spins shortly, yields, then sleeps on the region's events.
 */
#ifndef FILCH_GOMP_WAIT_H
#define FILCH_GOMP_WAIT_H

#include "adapters/gomp/gomp.h"

/* Which tasks a thread runs while it waits. */
enum filch__omp_help {
    FILCH__OMP_NO_TASKS,
    FILCH__OMP_DESCENDANTS, /* of the task that runs here: others could want what that one holds */
    FILCH__OMP_ALL_TASKS,   /* at a barrier */
};

/* Until ready(ctx). */
void filch__omp_wait(struct filch__omp_self *self, enum filch__omp_help help,
                     bool (*ready)(void *ctx), void *ctx);

/* After a change that somebody in the region may wait for, made by an atomic operation that is
 * seq_cst or followed by a fence. Any thread. */
void filch__omp_notify(struct filch__omp_region *r);

/* A short lock, for some loads and stores. */
void filch__omp_lock_slow(uint32_t *lock);

static inline void filch__omp_lock(uint32_t *lock)
{
    uint32_t free = 0;
    if (filch__unlikely(!filch__cas_acq_rel(lock, &free, 1u)))
        filch__omp_lock_slow(lock);
}

static inline void filch__omp_unlock(uint32_t *lock)
{
    filch__store_release(lock, 0u);
}

static inline void filch__omp_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* futex(2), private. Sleeps while *word is seen; may return early. */
void filch__omp_futex_wait(const uint32_t *word, uint32_t seen);
void filch__omp_futex_wake(const uint32_t *word, int n);

#endif
