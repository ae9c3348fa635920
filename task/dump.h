/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a dump: a snapshot, gathered without stopping anybody (dump_gather.c), and printed
 * when nothing of the runtimes is looked at any more (dump_print.c).
 *
 * The snapshot is a flat array of records, and a hash table over what they are of, since tasks are
 * met several times, and name by address what they belong to and what they wait for. It lives in an
 * arena of its own.
 */
#ifndef FILCH_TASK_DUMP_H
#define FILCH_TASK_DUMP_H

#include "task/scope.h"

#include <stdio.h>

struct filch__arena;

#define FILCH__NOWHERE UINT32_MAX

enum filch__record_kind {
    FILCH__RECORD_RUNTIME,
    FILCH__RECORD_THREADS, /* above what threads have opened */
    FILCH__RECORD_TASK,
    FILCH__RECORD_JOB, /* a stolen one, on a fiber that is not its task's */
    FILCH__RECORD_REGION,
};

enum filch__record_life {
    FILCH__LIFE_QUEUED,
    FILCH__LIFE_READY,
    FILCH__LIFE_RUNNING,
    FILCH__LIFE_SUSPENDED,
};

struct filch__record {
    const void *self;   /* of a job the fiber */
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
            bool closing;
        } runtime;
        struct {
            enum filch__record_life life;
            bool listed;
            int worker; /* that runs it, or to which it is pinned; -1 */
            struct filch__waiting waiting;
        } task; /* and job */
        struct {
            filch_policy policy;
            int code;
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
    bool truncated;          /* there was no memory for all */
    int64_t now, now_coarse; /* at its end */
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

/* Any thread. Fills an empty snapshot. */
void filch__snapshot_gather(struct filch__snapshot *s);
/* 0, or what the stream says. */
int filch__snapshot_print(struct filch__snapshot *s, FILE *stream);

#endif
