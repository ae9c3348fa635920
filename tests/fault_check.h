/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame of tests in which the system refuses: the Nth allocation, mapping or thread, once or for
 * ever after, for each N until none is reached any more. The program defines try_nth.
 */
#ifndef FILCH_TESTS_FAULT_CHECK_H
#define FILCH_TESTS_FAULT_CHECK_H

#include "sched/os/fault.h"
#include "tests/support.h"

#include <limits.h>

/* Arms, does what it does, disarms, and looks. Returns how often the kind was asked for. */
static long try_nth(int workers, enum filch__fault_kind kind, long nth, bool sticky);

/* No N is at or above it. */
static long most_faults = LONG_MAX;

static inline void disarm(void)
{
    for (int kind = 0; kind < FILCH__FAULT_KINDS; kind++)
        filch__fault_arm((enum filch__fault_kind)kind, -1, false);
}

static inline void fail_each(enum filch__fault_kind kind, bool sticky)
{
    for (size_t w = 0; w < 2; w++)
        for (long nth = 0; nth < most_faults; nth++) {
            long seen = try_nth(worker_counts[w], kind, nth, sticky);
            if (filch__load_relaxed(&case_bad)) {
                fprintf(stderr, "nth %ld, %d workers\n", nth, worker_counts[w]);
                return;
            }
            if (seen <= nth)
                break;
        }
}

static inline void allocation_once(void)
{
    fail_each(FILCH__FAULT_ALLOC, false);
}

static inline void allocation_for_ever(void)
{
    fail_each(FILCH__FAULT_ALLOC, true);
}

static inline void mapping_once(void)
{
    fail_each(FILCH__FAULT_MMAP, false);
}

static inline void mapping_for_ever(void)
{
    fail_each(FILCH__FAULT_MMAP, true);
}

static inline void thread_once(void)
{
    fail_each(FILCH__FAULT_THREAD, false);
}

static inline void thread_for_ever(void)
{
    fail_each(FILCH__FAULT_THREAD, true);
}

#endif
