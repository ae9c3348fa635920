/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where one worker sleeps: an event count (Concurrency Kit's ck_ec) on a futex.
 *
 * The sleeper takes a key, looks whether there is work, and waits with the key; a wake in between
 * changes the count, so the wait returns at once. It carries no data from one to the other: what
 * must be seen after a wake is ordered by words of the user (idle.h), so ThreadSanitizer, which
 * does not see Concurrency Kit's inline assembly, misses nothing in park.c.
 */
#ifndef FILCH_SCHED_PARK_H
#define FILCH_SCHED_PARK_H

#include <stdint.h>

struct filch__parker {
    uint32_t count; /* of ck_ec32 */
};

void filch__parker_init(struct filch__parker *p);

/* The sleeping worker. Before its last look for work. */
uint32_t filch__parker_key(struct filch__parker *p);
/* Blocks until a wake since the key was taken, or the deadline (CLOCK_MONOTONIC, FILCH_NEVER). */
void filch__parker_wait(struct filch__parker *p, uint32_t key, int64_t deadline);

/* Any thread. */
void filch__parker_wake(struct filch__parker *p);

#endif
