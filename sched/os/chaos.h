/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chaos, for tests: a scheduler that misbehaves as far as its contracts let it, at random.
 *
 * Where the order of two threads decides, the code lets time pass here; where a contract leaves a
 * choice (who is robbed, whether a wait returns early, where what is ready goes) it asks here.
 * Without -DFILCH_CHAOS the answer is a constant and nothing is left in the code. Each thread draws
 * numbers of its own, from FILCH_CHAOS_SEED in the environment, or a seed of the moment.
 *
 * What must stay as it is: with one worker the order of what is ready, with several who is pinned
 * where; that everything comes about in the end, for whoever asks often enough.
 */
#ifndef FILCH_SCHED_OS_CHAOS_H
#define FILCH_SCHED_OS_CHAOS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef FILCH_CHAOS

/* Seldom some hundred cycles or the rest of a time slice. Any thread, also in a signal handler, and
 * with spin locks; errno stays as it is. */
void filch__chaos_pause(void);

/* The same, and very seldom some microseconds in the kernel. Not in a signal handler. */
void filch__chaos_nap(void);

/* True: a thief shall find what it looks at just lost to somebody else. Any thread. */
bool filch__chaos_miss(void);

/* True: who waits shall be woken, without cause or once more. Any thread, or a signal handler. */
bool filch__chaos_wake(void);

/* True: what becomes ready on one of so many workers shall go to another place than the usual one.
 * Never with one worker. Any thread. */
bool filch__chaos_stray(uint32_t workers);

/* Which of n to begin with, where usually it would be this one. Any thread; n > 0. */
uint32_t filch__chaos_among(uint32_t usual, uint32_t n);

#else

static inline void filch__chaos_pause(void) {}
static inline void filch__chaos_nap(void) {}
static inline bool filch__chaos_miss(void)
{
    return false;
}
static inline bool filch__chaos_wake(void)
{
    return false;
}
static inline bool filch__chaos_stray(uint32_t workers)
{
    (void)workers;
    return false;
}
static inline uint32_t filch__chaos_among(uint32_t usual, uint32_t n)
{
    (void)n;
    return usual;
}

#endif

#endif
