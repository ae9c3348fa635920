/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE 1
#include "sched/os/clock.h"

#include <errno.h>
#include <sched.h>
#include <time.h>

#define SECOND 1000000000

static inline int64_t read_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * SECOND + t.tv_nsec;
}

int64_t filch__now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t filch__now_coarse(void)
{
    return read_clock(CLOCK_MONOTONIC_COARSE);
}

void filch__os_sleep_until(int64_t deadline)
{
    struct timespec t = {.tv_sec = deadline / SECOND, .tv_nsec = deadline % SECOND};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

void filch__os_yield(void)
{
    sched_yield();
}
