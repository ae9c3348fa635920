/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holding a thread: how a fiber waits that should not leave its worker, since the code that called it
 * keeps things by thread, or locks that are not filch's. The worker runs nothing else meanwhile, but
 * that it answers urgent calls, on a fiber beside (`aside` in the worker): what it waits for may be
 * the end of a team that wants this worker. It may also be, in the end, something that only this
 * worker is free to run: so a hold has a limit, after which the fiber suspends like any other.
 *
 * Who ends such a wait makes it true, then wakes the worker's parker. Sleeper and poster of a call:
 *     holder  holds = 1   fence   look at what is waited for and at the urgent calls; sleep
 *     poster  urgent + n   fence   load holds; if set, wake
 * The parker's key was taken before the look, so a wake in between is not lost.
 */
#ifndef FILCH_SCHED_HOLD_H
#define FILCH_SCHED_HOLD_H

#include "sched/worker.h"

struct filch__hold {
    int looks;     /* 0 at first, as is the next */
    int64_t until; /* its limit, once time has passed */
};

/* On a fiber. Waits until over(ctx): true; or some time: false, go on if you like. */
bool filch__hold_on(struct filch__hold *h, bool (*over)(const void *ctx), const void *ctx);

/* It has lasted to its limit. */
bool filch__hold_is_spent(const struct filch__hold *h);

/* By who has made it true, of a holder's worker; any thread, while its runtime lasts. */
void filch__hold_ring(struct filch__worker *w);

/* By a poster of an urgent call, after the fence: holders look for it. */
void filch__hold_tell(struct filch_runtime *rt);

#endif
