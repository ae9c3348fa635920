/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: a thread, the deques that it owns, and its part in the runtime.
 *
 *   spawned  new tasks, newest first for the owner, oldest first for thieves
 *   ready    fibers to resume and what came through the injector, in order of arrival
 *   inbox    what is pinned to this worker; nobody else takes it
 * Besides, each fiber has a fork stack (forks.h), and the runtime an injector for other threads.
 */
#ifndef FILCH_SCHED_WORKER_H
#define FILCH_SCHED_WORKER_H

#include "sched/deque.h"
#include "sched/fiber/fp_control.h"
#include "sched/fibers.h"
#include "sched/os/cpus.h"
#include "sched/os/thread.h"
#include "sched/park.h"
#include "sched/roster.h"

#include <filch/runtime.h>

struct filch__cache;
struct filch__call;
struct filch__spare;

/* Written by the worker, read by anyone. */
struct filch__counters {
    uint64_t admitted, retired; /* of what filch__admit counts */
    uint64_t forks, forks_stolen, steals, failed_steals, parks, wakes, switches;
    int64_t blocks; /* blocks taken from the runtime's memory less those given back */
};

#define FILCH__COUNT(w, field) filch__store_relaxed(&(w)->counters.field, (w)->counters.field + 1)

struct filch__worker {
    /* Written by the worker, read by thieves. */
    struct filch__fiber *current;
    int64_t clock; /* the coarse time of a while ago: fibers.h */
    char pad0[48];
    struct filch__deque spawned;
    struct filch__deque ready;
    struct filch__counters counters __attribute__((aligned(64)));
    /* Owner-only. */
    uint64_t random;
    uint32_t tick;
    bool searching;                  /* counted in the runtime's searchers */
    bool beside_poster;              /* on whose CPU it has answered a call just now */
    struct filch__runnable *handoff; /* what the next loop runs first */
    struct filch__fiber *aside;      /* to which it goes back next: hold.h */
    bool left_aside;                 /* what ran beside it has suspended, and not ended */
    struct filch__call *call;        /* that `answer`, its answer, is to run */
    uint32_t call_number;
    struct filch__runnable answer;
    void (*hook)(struct filch__fiber *left); /* to be called for `left`: switch.h */
    struct filch__fiber *left;
    uint32_t *left_lock;       /* held by `left`, for the hook to leave */
    struct filch__fiber *free; /* cache of fibers */
    uint32_t free_count;
    uint32_t beyond; /* fibers that came back to a cache that was full */
    struct filch__runnable *pinned, *pinned_last; /* emptied from the inbox; a survey reads it */
    struct filch__cache *cache;
    struct filch__spare *spare;  /* blocks.h */
    uint32_t spare_count;        /* read by anyone */
    uint32_t spare_limit;        /* shared: blocks.h */
    struct filch__fp_control fp; /* of its thread at the start: what each task starts with */
    int *errno_at;               /* of its thread */
    struct filch__context home;  /* the thread's own stack */
    /* Shared. */
    struct filch__injector inbox __attribute__((aligned(64)));
    uint32_t idle;  /* 1: asleep or about to be, may be woken by who sets it to 0 */
    uint32_t holds; /* 1: asleep for a fiber that holds it */
    int cpu;        /* where its thread was last seen, by itself */
    struct filch__parker parker;
    struct filch__roster roster; /* of what this worker has added */
    /* Immutable. */
    struct filch_runtime *rt __attribute__((aligned(64)));
    uint32_t index;
    filch__thread thread;
};

_Static_assert(offsetof(struct filch__worker, answer) % FILCH__LINE !=
                   offsetof(struct filch__fiber, resume) % FILCH__LINE,
               "see filch__fiber_is_resume");

/* The worker of the calling thread, or NULL. */
static inline struct filch__worker *filch__worker_current(void)
{
    struct filch__fiber *fiber = filch__fiber_current();
    return fiber ? fiber->worker : NULL;
}

/* On w's thread: others see on which CPU it is, as does the caller. */
static inline int filch__worker_show_cpu(struct filch__worker *w)
{
    int cpu = filch__cpu_here();
    if (filch__load_relaxed(&w->cpu) != cpu)
        filch__store_relaxed(&w->cpu, cpu);
    return cpu;
}

/* Thread body. */
void *filch__worker_main(void *worker);
/* Body of a fiber. */
void filch__worker_loop(void *fiber);

/* On w's thread: something of its own to run, or of the injector; NULL: nothing. Does not steal. */
struct filch__runnable *filch__worker_pick(struct filch__worker *w);
/* The same where it takes but a few steps: NULL: it would take more, or there is nothing. */
struct filch__runnable *filch__worker_pick_ready(struct filch__worker *w);

/* On w's thread: r and what follows it by next become ready here, where others can steal them. */
void filch__worker_keep(struct filch__worker *w, struct filch__runnable *r);

/* The rest of take_back, with the newest already popped. */
bool filch__worker_take_back_deep(struct filch__worker *w, struct filch__runnable *r,
                                  struct filch__runnable *newest);

/* On w's thread. If r is the newest spawned, or among the newest few: takes it out. */
static inline bool filch__worker_take_back(struct filch__worker *w, struct filch__runnable *r)
{
    struct filch__runnable *newest = filch__deque_pop(&w->spawned);
    return filch__likely(newest == r) || filch__worker_take_back_deep(w, r, newest);
}

/*
 * Queue something that is ready. Any thread; never fails, never runs it.
 *   spawn  as new work: newest first on the calling worker
 *   ready  in order of arrival
 * Both go to worker `pinned` if that is not NULL.
 */
void filch__submit_spawn(struct filch_runtime *rt, struct filch__runnable *r,
                         struct filch__worker *pinned);
void filch__submit_ready(struct filch_runtime *rt, struct filch__runnable *r,
                         struct filch__worker *pinned);
/* What ready does on other threads than rt's workers; on these, and in signal handlers, too. */
void filch__submit_outside(struct filch_runtime *rt, struct filch__runnable *r,
                           struct filch__worker *pinned);

#endif
