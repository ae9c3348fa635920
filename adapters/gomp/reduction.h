/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reductions in which tasks take part. The compiler describes the items of a construct by arrays of words:
 *
 *     [0] items   [1] bytes of one thread's copies   [2] their alignment, then the address of all
 *     threads' copies   [4] the next array of this construct, then also those of outer ones
 *     [5] 1: first of its construct   [6] the end of the copies
 *     [7 + 3 i] the address of item i   [8 + 3 i] its offset in a thread's copies
 *
 * A group's reductions are such a list. Copies are zero at first; compiled code initialises its
 * thread's when a task comes to it, and combines them all in the end.
 */
#ifndef FILCH_GOMP_REDUCTION_H
#define FILCH_GOMP_REDUCTION_H

#include "adapters/gomp/gomp.h"

/* The copies of a construct's arrays for so many threads. */
void filch__omp_reductions_make(uintptr_t *arrays, unsigned threads);
void filch__omp_reductions_free(uintptr_t *arrays);

/* The task that runs here opens a group with them, of a work-share. from: the arrays of the thread
 * that made the copies, NULL: it is this one. GOMP_workshare_task_reduction_unregister closes it. */
void filch__omp_reductions_enter(struct filch__omp_self *self, uintptr_t *arrays,
                                 const uintptr_t *from);

#endif
