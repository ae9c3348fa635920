/* SPDX-License-Identifier: Apache-2.0 */
#include "sched/hold.h"

#include "sched/os/clock.h"
#include "sched/os/futex.h"
#include "sched/runtime.h"

/* It spins some microseconds, then gives its CPU away so often, then sleeps. */
#define SPINS  200
#define YIELDS 50
/* ns that it holds. */
#define LIMIT 500000000

/*
 * True: a call was answered, and time has passed. If the answer has suspended, its team may need this
 * worker for it: the hold is spent.
 */
static bool answer(struct filch__hold *h, struct filch__worker *w)
{
    if (filch__likely(!filch__load_relaxed(&w->rt->calls.urgent)) || filch__park_prepare() < 0)
        return false;
    struct filch__runnable *r = filch__calls_answer(w, true);
    if (!r)
        return false;
    if (!filch__fiber_run_aside(r))
        h->until = filch__now();
    return true;
}

static void sleep_on(struct filch__worker *w, bool (*over)(const void *ctx), const void *ctx,
                     int64_t deadline)
{
    uint32_t key = filch__parker_key(&w->parker);
    filch__store_relaxed(&w->holds, 1);
    filch__fence_seq_cst();
    if (!over(ctx) && filch__load_relaxed(&w->rt->calls.urgent))
        filch__os_yield(); /* which it may not answer, or has no fiber for */
    else if (!over(ctx))
        filch__parker_wait(&w->parker, key, deadline);
    filch__store_relaxed(&w->holds, 0);
}

bool filch__hold_on(struct filch__hold *h, bool (*over)(const void *ctx), const void *ctx)
{
    struct filch__worker *w = filch__worker_current();
    for (;; h->looks++) {
        if (over(ctx))
            return true;
        if (answer(h, w)) {
            h->looks = 0;
            if (h->until)
                return over(ctx);
        } else if (h->looks < SPINS) {
            filch__cpu_relax();
        } else if (h->looks < SPINS + YIELDS) {
            filch__os_yield();
        } else {
            int64_t now = filch__now();
            h->until = h->until ? h->until : now + LIMIT;
            sleep_on(w, over, ctx, now + FILCH__NAP);
            return over(ctx);
        }
    }
}

bool filch__hold_is_spent(const struct filch__hold *h)
{
    return h->until && filch__now() >= h->until;
}

void filch__hold_ring(struct filch__worker *w)
{
    filch__parker_wake(&w->parker);
}

void filch__hold_tell(struct filch_runtime *rt)
{
    for (uint32_t i = 0; i < rt->worker_count; i++)
        if (filch__load_relaxed(&rt->workers[i].holds))
            filch__parker_wake(&rt->workers[i].parker);
}
