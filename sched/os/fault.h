/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Failures on demand, for tests: the Nth allocation, mmap or thread creation of the process fails.
 *
 * Each function of sched/os that can be refused by the system asks here first. Without
 * -DFILCH_FAULTS the answer is the constant false and nothing is left in the code.
 */
#ifndef FILCH_SCHED_OS_FAULT_H
#define FILCH_SCHED_OS_FAULT_H

#include <stdbool.h>

enum filch__fault_kind {
    FILCH__FAULT_ALLOC,
    FILCH__FAULT_MMAP,
    FILCH__FAULT_THREAD,
    FILCH__FAULT_KINDS
};

#ifdef FILCH_FAULTS

/* True: the caller must fail now, as if the system had refused. Each call counts. From any thread.
 */
bool filch__fault_alloc(void);
bool filch__fault_mmap(void);
bool filch__fault_thread(void);

/*
 * Resets the count of `kind` and makes its call number nth fail (0: the next one), and where
 * sticky all calls after that one too. nth < 0 or nth > FILCH__FAULT_NTH_MAX: none fails, calls
 * are only counted. One atomic store: a call that runs at the same time falls wholly before or
 * wholly after it. From any thread.
 */
__attribute__((visibility("default"))) void filch__fault_arm(enum filch__fault_kind kind, long nth,
                                                             bool sticky);

/* How many calls of `kind` were made since it was armed (or since the start). From any thread. */
__attribute__((visibility("default"))) long filch__fault_seen(enum filch__fault_kind kind);

#define FILCH__FAULT_NTH_MAX ((1L << 26) - 1)

#else

static inline bool filch__fault_alloc(void)
{
    return false;
}
static inline bool filch__fault_mmap(void)
{
    return false;
}
static inline bool filch__fault_thread(void)
{
    return false;
}

#endif

#endif
