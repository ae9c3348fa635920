/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a dump: a snapshot, gathered without stopping anybody (dump_gather.c; what is waited
 * for: dump_look.c), judged (dump_graph.c), and printed when nothing of the runtimes is looked at
 * any more (dump_print.c, dump_stuck.c).
 *
 * The snapshot is a flat array of records, and a hash table over what they are of, since tasks are
 * met several times, and name by address what they belong to and what they wait for. It lives in an
 * arena of its own.
 */
#ifndef FILCH_TASK_DUMP_H
#define FILCH_TASK_DUMP_H

#include "task/blame.h"
#include "task/scope.h"

#include <stdio.h>

struct filch__arena;
struct filch__stackless;
struct filch__graph;

#define FILCH__NOWHERE UINT32_MAX

enum filch__record_kind {
    FILCH__RECORD_RUNTIME,
    FILCH__RECORD_THREADS, /* above what threads have opened */
    FILCH__RECORD_TASK,
    FILCH__RECORD_JOB, /* a stolen one, on a fiber that is not its task's */
    FILCH__RECORD_REGION,
    FILCH__RECORD_THREAD, /* outside, blocked */
};

enum filch__record_life {
    FILCH__LIFE_QUEUED,
    FILCH__LIFE_READY,
    FILCH__LIFE_RUNNING,
    FILCH__LIFE_SUSPENDED,
};

/* What a task, job or thread waits for; and where to look for it again, while the survey lasts. */
struct filch__wait_record {
    const char *what;      /* NULL: it does not wait */
    int64_t since;         /* as in struct filch__waiting */
    uint32_t first, count; /* of the snapshot's blames; none but of one that stands still */
    bool all, timed, more; /* as in struct filch__blames */
    uint64_t serial;       /* another one once it has stirred */
    /* One of them, or of a thread none. */
    const struct filch__fiber *fiber;
    const struct filch__stackless *stackless;
};

struct filch__record {
    const void *self;   /* of a job the fiber, of a thread its entry */
    const void *parent; /* of a task that is not free the scope, else NULL */
    filch_runtime *rt;  /* only its address counts; NULL: of none */
    /* The tree, by index. */
    uint32_t up, first, next;
    uint8_t kind;
    bool printed;
    bool shield;
    char name[FILCH__NAME];
    uint32_t cause; /* 0: not cancelled */
    union {
        struct {
            uint32_t workers, tasks;
            int64_t live; /* tasks, and scopes of others that it waits for */
            bool closing;
        } runtime;
        struct {
            enum filch__record_life life;
            bool listed;
            bool stuck; /* nobody who is known will ever end its wait */
            bool moves; /* it stirred while it was looked at */
            int worker; /* that runs it, or to which it is pinned; -1 */
            int thread; /* its number */
            const void *holder;
            const void *loot; /* of a job: its slot */
            struct filch__wait_record wait;
        } task; /* and job, and thread */
        struct {
            filch_policy policy;
            int code;
            bool admitted; /* it counts in its runtime's `live` */
            uint64_t live, succeeded, failed, cancelled;
            int64_t deadline, cancelled_at;
            char by[FILCH__NAME];
        } region;
    };
};

struct filch__snapshot {
    struct filch__arena *arena;
    struct filch__record *records;
    uint32_t *slots; /* the hash table: 1 + index, 0: empty; twice as many as records fit */
    uint32_t count, capacity;
    struct filch__blame *blames;
    uint32_t blame_count, blame_capacity;
    struct filch__graph *graph; /* NULL: no memory */
    bool truncated;             /* there was no memory for all */
    int64_t now, now_coarse;    /* at its end */
};

/* Without memory the snapshot is empty and truncated. */
void filch__snapshot_begin(struct filch__snapshot *s);
void filch__snapshot_end(struct filch__snapshot *s);

/* The newest record of self, or FILCH__NOWHERE. */
uint32_t filch__snapshot_find(const struct filch__snapshot *s, const void *self);
/* A new record, zero but for what is given, and `up` nowhere. NULL: no memory; else valid until the
 * next add. */
struct filch__record *filch__snapshot_add(struct filch__snapshot *s, enum filch__record_kind kind,
                                          const void *self);

/* False: no memory. */
bool filch__snapshot_add_blames(struct filch__snapshot *s, const struct filch__blames *b,
                                uint32_t *first);

/* A task, job or thread. */
static inline bool filch__record_is_node(const struct filch__record *r)
{
    return r->kind == FILCH__RECORD_TASK || r->kind == FILCH__RECORD_JOB ||
           r->kind == FILCH__RECORD_THREAD;
}

/* ---- looks, in a survey ---- */

/* What a node waits for, at its first look. */
void filch__snapshot_look(struct filch__snapshot *s, uint32_t i);
/* Adds the threads outside that are blocked, below `up`. */
void filch__snapshot_look_outside(struct filch__snapshot *s, uint32_t up);
/* Whether a node has not stirred since its first look; with `closely`, whether who can end its wait
 * is the same too. */
bool filch__snapshot_look_again(const struct filch__snapshot *s, uint32_t i, bool closely);

/* ---- the graph ---- */

/* In a survey, when all was looked at: finds out who is stuck. */
void filch__graph_build(struct filch__snapshot *s);
void filch__graph_free(struct filch__snapshot *s);
/* Who is to end a wait, or FILCH__NOWHERE: nobody who is known. */
uint32_t filch__graph_find(const struct filch__snapshot *s, const struct filch__blame *blame);
/* Whether nobody at all can go on. */
bool filch__graph_is_still(const struct filch__snapshot *s);

/* The nodes for which a stuck one waits, that are stuck too. */
struct filch__edge {
    uint32_t from, to;
    uint32_t next_from, next_to; /* of the same */
    uint32_t blame;
    bool told; /* in a cycle that was printed */
};
uint32_t filch__graph_first(const struct filch__snapshot *s, uint32_t from);
uint32_t filch__graph_next(const struct filch__snapshot *s, uint32_t edge);
struct filch__edge *filch__graph_edge(const struct filch__snapshot *s, uint32_t edge);

/* Any thread. Fills an empty snapshot. */
void filch__snapshot_gather(struct filch__snapshot *s);
/* 0, or what the stream says. The first; the second, of cycles and of what nobody brings, comes
 * last. */
int filch__snapshot_print(struct filch__snapshot *s, FILE *stream);
int filch__snapshot_print_stuck(struct filch__snapshot *s, FILE *stream);

#endif
