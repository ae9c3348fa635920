/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seats: small numbers, each in use by one at a time. Who takes one names the number that it likes
 * best, a worker its own index, so that what is kept by number stays in that worker's caches.
 */
#ifndef FILCH_SCHED_SEATS_H
#define FILCH_SCHED_SEATS_H

#include <filch/atomic.h>
#include <filch/base.h>

struct filch__arena;

/* Of participants of loops, beside one for each worker. */
#define FILCH__PARTICIPANTS_MORE 256

struct filch__seats {
    uint64_t *taken; /* a bit each */
    uint32_t count;  /* immutable, as is the next */
    uint32_t shared; /* the first that is nobody's favourite */
};

int filch__seats_init(struct filch__seats *seats, struct filch__arena *arena, uint32_t own,
                      uint32_t shared);
void filch__seats_destroy(struct filch__seats *seats, struct filch__arena *arena);

/* Any thread. Acquire: what was written by who had the number before is seen. -1: all are taken. */
int32_t filch__seats_take_shared(struct filch__seats *seats);

static inline bool filch__seats_try(struct filch__seats *seats, uint32_t number)
{
    uint64_t bit = (uint64_t)1 << number % 64;
    return !(filch__load_relaxed(&seats->taken[number / 64]) & bit) &&
           !(filch__or_acq_rel(&seats->taken[number / 64], bit) & bit);
}

/* own: the caller's index if it is a worker of the runtime, or the count of seats. */
static inline int32_t filch__seats_take(struct filch__seats *seats, uint32_t own)
{
    if (filch__likely(own < seats->shared && filch__seats_try(seats, own)))
        return (int32_t)own;
    return filch__seats_take_shared(seats);
}

static inline void filch__seats_leave(struct filch__seats *seats, int32_t number)
{
    (void)filch__and_acq_rel(&seats->taken[number / 64], ~((uint64_t)1 << number % 64));
}

#endif
