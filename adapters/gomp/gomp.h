/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the drop-in libgomp keeps: regions, their threads, and the control variables.
 *
 * A region of n threads is a team of n members (filch/team.h); a region of one is a call. Each
 * thread of a region has a struct filch__omp_self, which only it writes, but for its queue. Code
 * outside of regions finds a self of its thread, whose region has one thread and no end.
 */
#ifndef FILCH_GOMP_GOMP_H
#define FILCH_GOMP_GOMP_H

#include "adapters/gomp/abi.h"

#include <filch/atomic.h>
#include <filch/team.h>
#include <limits.h>

/* A data environment's control variables; what is made in it starts with a copy. */
struct filch__omp_icv {
    int threads;     /* nthreads-var; 0: as many as there are workers */
    int max_levels;  /* max-active-levels-var */
    int schedule;    /* run-sched-var: enum filch__omp_schedule */
    long chunk;      /* its chunk, 0: not given */
    int teams, team; /* of the league: how many, and which */
    bool dynamic;    /* dyn-var */
};

enum filch__omp_schedule {
    FILCH__OMP_RUNTIME,
    FILCH__OMP_STATIC,
    FILCH__OMP_DYNAMIC,
    FILCH__OMP_GUIDED,
    FILCH__OMP_AUTO,
};

/* The kind of a schedule without its modifiers. */
#define FILCH__OMP_KIND(schedule) ((int)((schedule)&0x7fffffff))

struct filch__omp_task;
struct filch__omp_share;
struct filch__omp_self;

/* Tasks that are ready; the newest last. */
struct filch__omp_queue {
    uint32_t lock;
    int length;
    struct filch__omp_task *oldest, *newest;
};

/* A taskgroup. */
struct filch__omp_group {
    struct filch__omp_group *outer;
    uint64_t tasks;        /* that have not ended; atomic */
    uintptr_t *reductions; /* innermost array (reduction.h); of outer groups, too */
    bool owner;            /* of the reductions' memory: a work-share's */
};

struct filch__omp_region {
    /* Immutable while it runs. */
    int size;
    int level, active; /* depth of regions, and of those with more than one thread */
    void (*fn)(void *);
    void *data;
    struct filch__omp_self *outer, *selves;
    struct filch__omp_share *first;
    struct filch__omp_group group; /* of the implicit tasks, if the region has task reductions */

    /* Shared. Who waits counts itself as a sleeper, looks again, and sleeps until events changes;
     * who changes something looks for sleepers after that (wait.c). */
    uint32_t events __attribute__((aligned(64)));
    uint32_t sleepers;
    uint32_t detached; /* tasks whose event has not come */
    void *copied;      /* by the thread of a single construct, for the others */
};

/* A task. Its memory stays until it has ended and all its children have. */
struct filch__omp_task {
    void (*fn)(void *);
    void *arg;
    struct filch__omp_task *parent;
    struct filch__omp_group *group; /* it belongs to; changes while it has groups open */
    struct filch__omp_region *region;
    struct filch__omp_table *table; /* last dependences of its children (depend.c) */
    struct filch__omp_task *older, *newer;
    struct filch__omp_icv icv;
    bool final;
    bool waited; /* its thread waits until it may begin: it comes into no queue */

    /* Shared. */
    uint32_t references;
    uint32_t parts;    /* what must still end: its body, and an event */
    uint64_t children; /* that have not ended */
    uint32_t blockers; /* what it waits for before it begins */
    uint32_t lock;     /* of the rest */
    bool ended;
    uint32_t followers, room;
    struct filch__omp_task **follower; /* they wait for this */
};

/* One thread of a region. */
struct filch__omp_self {
    struct filch__omp_region *region;
    struct filch__omp_self *outer; /* of the thread that made the region */
    filch_member *member;          /* NULL in regions of one that are no team */
    int rank;
    struct filch__omp_icv *icv;   /* of the task that runs here */
    struct filch__omp_task *task; /* that runs here */
    struct filch__omp_share *share, *spare;
    uint64_t trip, from, length; /* the chunk of a loop that it has (loop.c) */
    unsigned section, sections;  /* in a region of one */
    void *scratch;               /* in a region of one: see filch__omp_scratch */
    struct filch__omp_task implicit;
    struct filch__omp_queue queue __attribute__((aligned(64)));
} __attribute__((aligned(64)));

/* ---- seat.c: who am I ---- */

/* The thread of the innermost region that runs here. Never NULL. */
struct filch__omp_self *filch__omp_self(void);

/* Runs r->fn(r->data) as the only thread of a region, which is r with the fields that the caller
 * set. */
void filch__omp_alone(struct filch__omp_self *outer, struct filch__omp_region *r);

/* Runs it on a team of r->size members: what filch_team returns. */
int filch__omp_team(struct filch__omp_region *r);

/* True on the self that a thread has outside of all regions. */
static inline bool filch__omp_is_root(const struct filch__omp_self *self)
{
    return !self->outer;
}

/* ---- icv.c, env.c ---- */

/* The environment's, as the program was started. */
struct filch__omp_environment {
    struct filch__omp_icv icv;
    int threads[8]; /* OMP_NUM_THREADS by level; 0: not given */
    int thread_limit;
};
extern struct filch__omp_environment filch__omp_environment;

/* How many threads a region that is begun here gets if nobody says how many. */
int filch__omp_threads(struct filch__omp_self *self);

/* ---- region.c ---- */

/* A region as GOMP_parallel makes it; group: of its implicit tasks, or NULL. Its size. */
unsigned filch__omp_parallel(void (*fn)(void *), void *data, unsigned threads,
                             const struct filch__omp_group *group);

/* All threads of the region: returns when all have come and all tasks have ended. */
void filch__omp_barrier(struct filch__omp_self *self);

/* ---- die.c ---- */

/* Ends the process with one line. */
_Noreturn void filch__omp_die(const char *function, const char *why);

/* malloc or the end of the process; zero. */
void *filch__omp_alloc(size_t align, size_t size);

#endif
