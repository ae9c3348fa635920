/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sleeping until a word changes: the kernel's futex, private to the process.
 *
 * The word is written by atomic operations of the user; the waker changes it, then wakes. The
 * kernel compares and goes to sleep in one step, so a change between the caller's look and its
 * sleep is not lost. A wait may return without a cause: callers look at the word again.
 */
#ifndef FILCH_SCHED_OS_FUTEX_H
#define FILCH_SCHED_OS_FUTEX_H

#include "sched/os/clock.h"
#include <stdint.h>

/*
 * How long at most who sleeps does so without a look at what nobody wakes it for, ns. Longer than
 * the tick of most kernels: a timer that is due before it has to be set in the clock, which takes a
 * virtual machine some 10 us.
 */
#define FILCH__NAP 5000000

/*
 * Any thread; blocks it. Sleeps while *word == expected, until a wake or the deadline (absolute,
 * CLOCK_MONOTONIC; FILCH__NEVER). 0: woken, or *word differed, or no cause (a signal).
 * -ETIMEDOUT: the deadline has passed.
 */
int filch__futex_wait(uint32_t *word, uint32_t expected, int64_t deadline_ns);

/*
 * Any thread. Wakes at most n of the threads that wait on word. Reads no memory at word: the owner
 * may have freed it since the store that let him go on (a stray wake elsewhere has no cause).
 */
void filch__futex_wake(uint32_t *word, int n);

#endif
