/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fork stack of a fiber: what the inline fast path of filch_fork and filch_sync touches.
 *
 * Each fiber has its own, so a frame's slot stays valid when the fiber moves to another thread:
 * only whoever runs the fiber pushes and pops. A slot holds what a thief needs to run the job.
 * Users of filch never touch these; the public face is <filch/fork.h>.
 */
#ifndef FILCH_FORKS_H
#define FILCH_FORKS_H

#include <filch/atomic.h>
#include <filch/base.h>
#include <filch/split.h>

FILCH_BEGIN_DECLS

struct filch__slot {
    filch_fn *fn; /* the job's code; once stolen also its state, see sched/forks.h */
    void *arg;    /* the job's argument; once stolen and done its result */
};

struct filch__forks {
    struct filch__split split; /* positions are slot addresses */
    /* Owner-only. */
    uint64_t counted;          /* forks not yet added to the worker's count */
    const uint32_t *cancelled; /* not zero: the task that runs here was cancelled */
    const uint32_t *closing;   /* not zero: the runtime is being destroyed */
    struct filch__slot none;   /* where forks go that have no room: written, never read */
    bool opened;               /* room was asked for */
};

/* The fork stack of the fiber that this thread runs; a dummy on threads that run none. */
extern FILCH_API __thread struct filch__forks *filch__forks_self
    __attribute__((tls_model("initial-exec")));

/* The same by a call, for CPUs without an asm below. */
FILCH_API struct filch__forks *filch__forks_current_far(void);

/*
 * The one way to read it. A compiler may keep a thread-local's address in a register over a call
 * that moves the fiber to another thread; an asm that names the register anew each time leaves
 * it nothing to keep.
 */
FILCH_API FILCH_INLINE struct filch__forks *filch__forks_current(void)
{
    struct filch__forks *forks;
#if defined(__x86_64__) && !defined(__ILP32__)
    __asm__ volatile("movq filch__forks_self@gottpoff(%%rip), %0\n\tmovq %%fs:(%0), %0"
                     : "=r"(forks));
#elif defined(__aarch64__)
    uintptr_t at;
    __asm__ volatile("mrs %0, tpidr_el0\n\t"
                     "adrp %1, :gottprel:filch__forks_self\n\t"
                     "ldr %1, [%1, :gottprel_lo12:filch__forks_self]\n\t"
                     "ldr %0, [%0, %1]"
                     : "=&r"(forks), "=&r"(at));
#else
    forks = filch__forks_current_far();
#endif
    return forks;
}

/* What remains of a fork published at a position that is not below the limit. Returns the position
 * to sync with. */
FILCH_API uintptr_t filch__fork_slow(uintptr_t position);

/*
 * Slow path of a sync. Returns what the job returned, in another worker's hands; or FILCH__MINE: the
 * caller runs it. So the caller has one call of the job, whose arguments need not live longer.
 */
#define FILCH__MINE INT64_MIN
FILCH_API int64_t filch__sync_slow(uintptr_t position);

/* A sync that does not run the job: what it returned in another worker's hands, or -ECANCELED. */
FILCH_API int filch__sync_skip(uintptr_t position);
/* The same, and keeps the thread (sched/hold.h). */
FILCH_API int filch__sync_skip_holding(uintptr_t position);

FILCH_END_DECLS

#endif
