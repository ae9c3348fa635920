/* SPDX-License-Identifier: Apache-2.0 */
#include <filch/event.h>

#include "sync/gate.h"
#include "task/blame.h"

#include <errno.h>
#include <filch/fork.h>

#define SET UINT64_C(2)

static struct filch__gate gate_of(filch_event *e)
{
    return (struct filch__gate){&e->state, &e->queue, &e->leaving, SET, SET};
}

int filch_event_set(filch_event *e)
{
    if (!e)
        return -EINVAL;
    struct filch__gate g = gate_of(e);
    uint64_t state = filch__load_relaxed(&e->state);
    /* Where it is set already too: what the caller did is seen by those who come next. */
    while (!filch__gate_open(&g, &state, SET))
        ;
    return 0;
}

int filch_event_reset(filch_event *e)
{
    if (!e)
        return -EINVAL;
    (void)filch__and_acq_rel(&e->state, ~SET);
    return 0;
}

bool filch_event_is_set(const filch_event *e)
{
    return e && filch__load_acquire(&e->state) & SET;
}

int filch_event_wait(filch_event *e)
{
    if (!e)
        return -EINVAL;
    if (filch__unlikely(filch_cancelled()))
        return -ECANCELED;
    if (filch__likely(filch_event_is_set(e)))
        return 0;
    filch_event_future f = FILCH_EVENT_FUTURE(e);
    return filch_await(&f.future);
}

int filch_event_destroy(filch_event *e)
{
    if (!e)
        return -EINVAL;
    struct filch__gate g = gate_of(e);
    return filch__gate_destroy(&g, 0);
}

static int poll_event(filch_future *self, const filch_waker *waker)
{
    filch_event_future *f = (filch_event_future *)(void *)self;
    if (!f->event)
        return -EINVAL;
    struct filch__gate g = gate_of(f->event);
    return filch__gate_poll(&g, &f->waiter, waker);
}

static void drop_event(filch_future *self)
{
    filch_event_future *f = (filch_event_future *)(void *)self;
    if (!f->event)
        return;
    struct filch__gate g = gate_of(f->event);
    filch__gate_drop(&g, &f->waiter);
}

FILCH_API const filch_future_ops filch_event_future_ops = {"an event", poll_event, drop_event};
FILCH__EXPLAIN_ANYBODY(filch_event_future_ops, filch_event_future, event)
