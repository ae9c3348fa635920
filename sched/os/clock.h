/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time, and two ways to let time pass: a hint to the CPU, and the rest of a time slice.
 *
 * Time is nanoseconds of CLOCK_MONOTONIC; a deadline is absolute. All callable from anywhere.
 */
#ifndef FILCH_SCHED_OS_CLOCK_H
#define FILCH_SCHED_OS_CLOCK_H

#include <stdint.h>

/* No deadline. */
#define FILCH__NEVER INT64_MAX

int64_t filch__now(void);

/* The same, some milliseconds late and four times cheaper. */
int64_t filch__now_coarse(void);

/* Blocks the thread until then. */
void filch__os_sleep_until(int64_t deadline);

/* Gives the CPU to another thread that is ready, if there is one. */
void filch__os_yield(void);

/* For the body of a short spin: the CPU's other hyperthread gets the resources meanwhile. */
static inline void filch__cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    /* isb waits for the pipeline to drain; yield is a no-op on the CPUs without hyperthreads. */
    __asm__ __volatile__("isb" ::: "memory");
#else
#error "filch knows x86-64 and aarch64"
#endif
}

#endif
