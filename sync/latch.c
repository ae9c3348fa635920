/* SPDX-License-Identifier: Apache-2.0 */
/* A gate whose word is twice the count, and WAITED; it is open at zero. */
#include <filch/latch.h>

#include "sync/gate.h"
#include "task/blame.h"

#include <errno.h>
#include <filch/fork.h>

static uint64_t count_of(uint64_t state)
{
    return state >> 1;
}

static struct filch__gate gate_of(filch_latch *l)
{
    return (struct filch__gate){&l->state, &l->queue, &l->leaving, ~(uint64_t)FILCH__GATE_WAITED,
                                0};
}

int filch_latch_add(filch_latch *l, uint32_t n)
{
    if (!l)
        return -EINVAL;
    uint64_t state = filch__load_relaxed(&l->state);
    do
        if (count_of(state) + n > UINT32_MAX)
            return -EOVERFLOW;
    while (!filch__cas_acq_rel(&l->state, &state, state + 2 * (uint64_t)n));
    return 0;
}

int filch_latch_done(filch_latch *l, uint32_t n)
{
    if (!l)
        return -EINVAL;
    struct filch__gate g = gate_of(l);
    uint64_t state = filch__load_relaxed(&l->state);
    bool done;
    do {
        uint64_t to = state - 2 * (uint64_t)n;
        if (count_of(state) < n)
            return -EINVAL;
        done = count_of(to) ? filch__cas_acq_rel(&l->state, &state, to)
                            : filch__gate_open(&g, &state, to);
    } while (!done);
    return 0;
}

uint32_t filch_latch_count(const filch_latch *l)
{
    return l ? (uint32_t)count_of(filch__load_acquire(&l->state)) : 0;
}

int filch_latch_wait(filch_latch *l)
{
    if (!l)
        return -EINVAL;
    if (filch__unlikely(filch_cancelled()))
        return -ECANCELED;
    if (filch_latch_count(l) == 0)
        return 0;
    filch_latch_future f = FILCH_LATCH_FUTURE(l);
    return filch_await(&f.future);
}

int filch_latch_destroy(filch_latch *l)
{
    if (!l)
        return -EINVAL;
    struct filch__gate g = gate_of(l);
    return filch__gate_destroy(&g, 0);
}

static int poll_latch(filch_future *self, const filch_waker *waker)
{
    filch_latch_future *f = (filch_latch_future *)(void *)self;
    if (!f->latch)
        return -EINVAL;
    struct filch__gate g = gate_of(f->latch);
    return filch__gate_poll(&g, &f->waiter, waker);
}

static void drop_latch(filch_future *self)
{
    filch_latch_future *f = (filch_latch_future *)(void *)self;
    if (!f->latch)
        return;
    struct filch__gate g = gate_of(f->latch);
    filch__gate_drop(&g, &f->waiter);
}

FILCH_API const filch_future_ops filch_latch_future_ops = {"a latch", poll_latch, drop_latch};
FILCH__EXPLAIN_ANYBODY(filch_latch_future_ops, filch_latch_future, latch)
