/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime's inside: what its workers share.
 *
 * It ends in three steps. `closing` refuses new work and makes every wait return; when all that was
 * admitted has retired, `stop` ends the workers' loops; the memory goes when the last block is
 * given back, which may be later than filch_runtime_destroy if somebody still holds a handle.
 */
#ifndef FILCH_SCHED_RUNTIME_H
#define FILCH_SCHED_RUNTIME_H

#include "sched/worker.h"

#include <pthread.h>

struct filch__arena;

struct filch_runtime {
    /* Shared, often written. */
    struct filch__injector injector __attribute__((aligned(64)));
    uint32_t searching __attribute__((aligned(64)));
    uint32_t sleepers;
    uint64_t outside_admitted __attribute__((aligned(64))); /* by threads that are not workers */
    int64_t blocks;                                         /* see filch__block_alloc */
    uint64_t failures;
    uint32_t quiet; /* futex: changes when something retires while closing */
    uint32_t visitors; /* see filch__visit_begin */
    /* Shared, hardly ever written. */
    uint32_t closing __attribute__((aligned(64)));
    uint32_t stop;
    uint32_t lost; /* to a fork(2): the threads are not in this process */
    /* Immutable. */
    uint32_t worker_count __attribute__((aligned(64)));
    struct filch__worker *workers;
    struct filch__arena *arena;
    size_t stack_size;
    size_t slots_size; /* bytes of a fork stack */
    filch_options options;
    char name[16];
    /* Under fibers_lock. */
    pthread_mutex_t fibers_lock;
    struct filch__fiber *fibers;    /* all, by next_all */
    struct filch__fiber *stackless; /* those without a stack, by next_free */
    size_t fibers_with_stack;
    /* Under the lock of the list of runtimes. */
    struct filch_runtime *next;
};

/* rt itself, or the default runtime, made now if need be. *out is borrowed. -ENOMEM and others. */
int filch__runtime_get(filch_runtime *rt, filch_runtime **out);

/*
 * Admits a piece of work that will retire later; false: the runtime is closing. Any thread.
 * Pairs with filch__retire on a worker of the runtime. The closer stores `closing`, then runs a
 * membarrier, then reads the counts: an admission that did not see `closing` is in them.
 */
__attribute__((warn_unused_result)) bool filch__admit(filch_runtime *rt);
void filch__retire(struct filch__worker *w);
/* What was admitted and has not retired; racy while the runtime runs, never below the truth. */
int64_t filch__runtime_live(const filch_runtime *rt);
/* Takes an admission back, nothing was queued. Any thread. */
void filch__unadmit(filch_runtime *rt);

/*
 * Around what a thread that is not one of rt's workers does after the step that lets the end of rt
 * come (a push, an admission taken back): rt stays until visit_end, which touches it last. The
 * caller's work is admitted when the visit begins. Pairs with the wait in filch_runtime_destroy.
 */
static inline void filch__visit_begin(filch_runtime *rt)
{
    filch__add_acq_rel(&rt->visitors, 1);
}

static inline void filch__visit_end(filch_runtime *rt)
{
    filch__sub_acq_rel(&rt->visitors, 1);
}

/*
 * Blocks of the runtime's memory that may outlive filch_runtime_destroy. Any thread; 64-byte
 * aligned, size is rounded up by the caller to a multiple of 64. Workers count theirs in their own
 * counters; the count in the runtime starts so high that it cannot reach zero before destroy has
 * folded all counts into it. Whoever brings it to zero frees the runtime.
 */
void *filch__block_alloc(filch_runtime *rt, size_t size);
void filch__block_free(filch_runtime *rt, void *block, size_t size);

#endif
