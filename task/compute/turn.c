/* SPDX-License-Identifier: Apache-2.0 */
/* All of it under the lock of the runtime's calls, but `granted`, which is written under it. */
#include "task/compute/turn.h"

#include "sched/hold.h"
#include "sched/os/spin.h"
#include "task/alarm.h"
#include "task/await.h"

#include <filch/fork.h>

#include <errno.h>

struct wait {
    struct filch__watch watch; /* first */
    filch_runtime *rt;
    struct filch__worker *holds; /* that it holds, or NULL */
    struct filch__link link;
    struct filch__signal signal;
    bool armed;
    uint32_t granted;
};

static struct wait *wait_of(struct filch__link *link)
{
    return (struct wait *)(void *)((char *)link - offsetof(struct wait, link));
}

/* True: it has the turn at once. */
static bool enter(struct wait *self)
{
    struct filch__calls *calls = &self->rt->calls;
    filch__spin_lock(&calls->lock);
    self->granted = !calls->turn_taken;
    if (!self->granted)
        filch__link_add(calls->turns.prev, &self->link);
    calls->turn_taken = true;
    filch__spin_unlock(&calls->lock);
    return self->granted;
}

/* Holders and those who suspend are told in different ways; the last touch is under the lock, or the
 * signal's. */
void filch__turn_pass(filch_runtime *rt)
{
    struct filch__calls *calls = &rt->calls;
    struct filch__after after = {NULL, NULL};
    struct filch__worker *holder = NULL;
    filch__spin_lock(&calls->lock);
    calls->turn_taken = !filch__link_empty(&calls->turns);
    if (calls->turn_taken) {
        struct wait *next = wait_of(calls->turns.next);
        bool armed = next->armed;
        holder = next->holds;
        filch__link_remove(&next->link);
        if (armed)
            filch__signal_fire(&next->signal, &after);
        filch__store_release(&next->granted, 1);
    }
    filch__spin_unlock(&calls->lock);
    if (holder)
        filch__hold_ring(holder);
    if (after.fn)
        after.fn(after.arg);
}

/* Out of the queue, or on with what it was granted meanwhile. */
static void give_up(struct wait *self)
{
    struct filch__calls *calls = &self->rt->calls;
    filch__spin_lock(&calls->lock);
    bool granted = self->granted;
    if (!granted)
        filch__link_remove(&self->link);
    filch__spin_unlock(&calls->lock);
    if (granted)
        filch__turn_pass(self->rt);
}

static bool is_granted(const void *wait)
{
    return filch__load_acquire(&((const struct wait *)wait)->granted);
}

/* False: it is cancelled, or has held for long. */
static bool hold(struct wait *self, struct filch__fiber *me)
{
    struct filch__hold hold = {.looks = 0};
    bool over = false;
    filch__fiber_begin_wait(me, self->watch.topic, self->rt);
    while (!over && !filch_cancelled() && !filch__hold_is_spent(&hold))
        over = filch__hold_on(&hold, is_granted, self);
    filch__fiber_end_wait(me);
    return over;
}

static bool ready(struct filch__watch *watch, const filch_waker *waker)
{
    struct wait *self = (struct wait *)(void *)watch;
    struct filch__calls *calls = &self->rt->calls;
    filch__spin_lock(&calls->lock);
    bool granted = self->granted;
    if (!granted && !self->armed) {
        filch__signal_arm(&self->signal, waker);
        self->armed = true;
    }
    filch__spin_unlock(&calls->lock);
    return granted;
}

int filch__turn_take(filch_runtime *rt, struct filch__worker *holder)
{
    static const struct filch__topic topic = {"its team's turn", NULL};
    struct filch__fiber *me = filch__fiber_current();
    struct wait self = {
        .watch = {.ready = ready, .topic = &topic},
        .rt = rt,
        .holds = holder,
    };
    if (enter(&self) || (self.holds && hold(&self, me)))
        return 0;
    int rc = filch__await(&self.watch, me, FILCH_NEVER);
    if (rc < 0)
        give_up(&self);
    filch__signal_settle(&self.signal);
    return rc;
}
