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

#include "sched/calls.h"
#include "sched/pool.h"
#include "sched/seats.h"
#include "sched/worker.h"

#include <pthread.h>

struct filch__arena;
struct filch__clock;
struct filch__limbo;
struct filch__reactor;

struct filch_runtime {
    /* Shared, often written. */
    struct filch__injector injector __attribute__((aligned(64)));
    uint32_t searching __attribute__((aligned(64)));
    uint32_t sleepers;
    uint64_t outside_admitted __attribute__((aligned(64))); /* by threads that are not workers */
    int64_t blocks;                                         /* see blocks.h */
    uint64_t failures;
    uint32_t quiet;    /* futex: changes when something retires while closing */
    uint32_t visitors; /* see admission.h */
    /* Shared, hardly ever written. */
    uint32_t closing __attribute__((aligned(64)));
    uint32_t stop;
    uint32_t lost;                  /* to a fork(2): the threads are not in this process */
    struct filch__clock *clock;     /* written once, under clock_lock; NULL: no timer was started */
    struct filch__reactor *reactor; /* the same, under reactor_lock */
    struct filch__pool *pools[FILCH__POOLS]; /* and these, under pool_lock */
    uint32_t surveyed; /* see blocks.h; written under limbo_lock, as is limbo */
    uint32_t limbo_lock;
    struct filch__limbo *limbo;
    uint32_t ended;              /* all that was admitted has retired: see admission.h */
    struct filch__roster roster; /* of what threads outside have added */
    struct filch__calls calls __attribute__((aligned(64)));
    struct filch__seats participants; /* of loops */
    uint32_t guests;                  /* threads outside that take part in loops and teams */
    /* Immutable. */
    uint32_t worker_count __attribute__((aligned(64)));
    struct filch__worker *workers;
    struct filch__arena *arena;
    size_t stack_size;
    filch_options options;
    char name[16];
    /* Under fibers_lock. */
    pthread_mutex_t fibers_lock;
    struct filch__fiber *fibers;    /* all, by next_all */
    struct filch__fiber *stackless; /* those without a stack, by next_free */
    size_t fibers_with_stack;
    pthread_mutex_t clock_lock;
    pthread_mutex_t reactor_lock;
    pthread_mutex_t pool_lock;
    /* Under the lock of the list of runtimes. */
    struct filch_runtime *next;
};

/* On w's thread: onto d, one of its deques; to the injector where that is full. Never fails. */
static inline void filch__worker_push(struct filch__worker *w, struct filch__deque *d,
                                      struct filch__runnable *r)
{
    if (filch__unlikely(!filch__deque_push(d, r)))
        filch__injector_push(&w->rt->injector, r);
}

/* rt itself, or the default runtime, made now if need be. *out is borrowed. -ENOMEM and others. */
int filch__runtime_get(filch_runtime *rt, filch_runtime **out);

/* What a caller means by rt: as above, but NULL on a worker is that worker's. */
int filch__runtime_choose(filch_runtime *rt, filch_runtime **out);

/* The default runtime, or NULL where there is none so far. */
filch_runtime *filch__runtime_default(void);

#endif
