/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a cancel goes down the tree: without recursion, without memory of its own, and without
 * holding any lock for long.
 *
 * Who cancels a region marks it and takes a hold, so that it cannot close meanwhile. Then it tells
 * what is inside: inner scopes are marked, held, and put on a list; children are moved from `fresh`
 * to `told`, some dozen under one lock, their flags set, their waits interrupted, their open
 * regions treated like inner scopes; then the next region of the list. A wait looks at the flag of
 * the innermost region around it, so it is interrupted after that flag is set, for each region
 * that is told. A region that was cancelled
 * before is left out: whoever did that tells its inside. So the whole takes time linear in what is
 * told, and each task is told once.
 */
#ifndef FILCH_TASK_CANCEL_H
#define FILCH_TASK_CANCEL_H

#include "task/region.h"

/*
 * Under r's lock. Cancels it if it is open and was not cancelled. True: the caller owes
 * filch__region_spread. by: name of the task that did it.
 */
__attribute__((warn_unused_result)) bool filch__region_mark(struct filch__region *r, uint32_t cause,
                                                            int code, const char *by);

/* Without any lock, after a mark: tells all that is inside, and drops the mark's hold. */
void filch__region_spread(struct filch__region *r);

/* Both. -EINVAL: it has closed. */
int filch__region_cancel(struct filch__region *r, uint32_t cause, int code, const char *by);

/* Of a task with ABORT set that runs; by the holder of a reference: wakes its waits, and cancels
 * what it has open. */
void filch__cancel_inside(struct filch_handle *t);

/* What filch_cancelled reads in t is set; the first cause stays. */
static inline void filch__task_set_cause(struct filch_handle *t, uint32_t cause)
{
    uint32_t none = FILCH_CAUSE_NONE;
    (void)filch__cas_relaxed(&t->cancelled, &none, cause);
}

/* Name of the calling task, or "". */
const char *filch__cancel_name(void);

#endif
