/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool has no threads: it is a bound on how many of filch's workers a call may use, the caller
 * included. Calls in a task are helped by the workers of that task's runtime, others by those of the
 * process's default runtime.
 */
#ifndef FILCH_ADAPTERS_PTHREADPOOL_POOL_H
#define FILCH_ADAPTERS_PTHREADPOOL_POOL_H

#include "adapters/pthreadpool/grid.h"

/* What this header declares is exported, all else is hidden. */
#pragma GCC visibility push(default)
#include <pthreadpool.h>
#pragma GCC visibility pop

/*
 * Calls the grid's function for each of its tiles, and returns when all have been called, whether
 * or not the caller's task was cancelled: pthreadpool's callers have no way to hear of it. Calls on
 * one pool run at the same time, and may be nested; a pool has nothing that they could disturb.
 */
void filch__pool_run(pthreadpool_t pool, const struct filch__grid *g, uint32_t flags);

#endif
