/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small fast random numbers, for choosing victims and not for secrets.
 *
 * The state is one word, owned by one worker at a time; any seed will do. This is SplitMix64: a
 * counter with an odd step, and a bijective mix of it, so each value comes once per 2^64 calls.
 */
#ifndef FILCH_SCHED_OS_RANDOM_H
#define FILCH_SCHED_OS_RANDOM_H

#include <stdint.h>

static inline uint64_t filch__random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* A value in [0, n), n > 0, by multiplication: no division, the bias is below n / 2^32. */
static inline uint32_t filch__random_below(uint64_t *state, uint32_t n)
{
    return (uint32_t)(((filch__random(state) >> 32) * n) >> 32);
}

#endif
