/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work-shares: what the threads of a region divide among them, a loop or sections.
 *
 * They are a list, in the order in which each thread comes to them; a thread that does not wait at
 * a construct's end may be any number of constructs ahead. Who comes first appends the next one,
 * whose fields it has set (all would set the same); the last thread that goes on from a work-share
 * frees it. Regions of one thread have none.
 */
#ifndef FILCH_GOMP_SHARE_H
#define FILCH_GOMP_SHARE_H

#include "adapters/gomp/gomp.h"

struct filch__omp_share {
    struct filch__omp_share *next; /* atomic */
    uint32_t left;                 /* threads that have gone on; atomic */
    /* Immutable. */
    int kind;                /* enum filch__omp_schedule, resolved */
    bool ordered, crowded;   /* crowded: the next one is claimed by compare and swap */
    uint64_t first, step;    /* of the loop's variable, modulo 2^64 */
    uint64_t last;           /* its end as the program gave it */
    uint64_t count, chunk;   /* iterations */
    unsigned counts;         /* doacross: loops */
    uint64_t *extent, *done; /* doacross: their lengths; per iteration of the first what is done */
    uintptr_t *reductions;   /* of who came first */
    void *scratch;
    /* Shared. */
    uint64_t claimed __attribute__((aligned(64))); /* iterations or sections */
    uint64_t turn;                                 /* ordered: iterations that have had it */
};

/* What a thread brings to a construct of a real team: share is filled in on its stack, and copied. */
struct filch__omp_share *filch__omp_share_enter(struct filch__omp_self *self,
                                                const struct filch__omp_share *model,
                                                uintptr_t *reductions, size_t scratch);

/* Copies the model's extents, and makes room for what is done (doacross.c). */
void filch__omp_doacross_make(struct filch__omp_share *share);

/* At the region's end: the thread comes to no work-share any more. */
void filch__omp_share_leave(struct filch__omp_self *self);

/*
 * The memory that a construct's threads have in common: *mem is its size, and then its address; zero at
 * first, valid until the thread comes to its next work-share. Work-shares with task reductions
 * register those. For constructs that have nothing else to share, and in regions of one thread.
 */
void filch__omp_share_extras(struct filch__omp_self *self, uintptr_t *reductions, void **mem);

#endif
