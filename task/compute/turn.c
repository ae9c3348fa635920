/* SPDX-License-Identifier: Apache-2.0 */
/* All of it under the lock of the runtime's calls. */
#include "task/compute/turn.h"

#include "sched/os/spin.h"
#include "task/alarm.h"
#include "task/await.h"

enum state { NEW, QUEUED, GRANTED };

struct wait {
    struct filch__watch watch; /* first */
    filch_runtime *rt;
    struct filch__link link;
    struct filch__signal signal;
    enum state state;
};

static struct wait *wait_of(struct filch__link *link)
{
    return (struct wait *)(void *)((char *)link - offsetof(struct wait, link));
}

static bool ready(struct filch__watch *watch, const filch_waker *waker)
{
    struct wait *self = (struct wait *)(void *)watch;
    struct filch__calls *calls = &self->rt->calls;
    filch__spin_lock(&calls->lock);
    if (self->state == NEW && !calls->turn_taken) {
        calls->turn_taken = true;
        self->state = GRANTED;
    } else if (self->state == NEW) {
        filch__signal_arm(&self->signal, waker);
        filch__link_add(calls->turns.prev, &self->link);
        self->state = QUEUED;
    }
    bool granted = self->state == GRANTED;
    filch__spin_unlock(&calls->lock);
    return granted;
}

void filch__turn_pass(filch_runtime *rt)
{
    struct filch__calls *calls = &rt->calls;
    struct filch__after after = {NULL, NULL};
    filch__spin_lock(&calls->lock);
    calls->turn_taken = !filch__link_empty(&calls->turns);
    if (calls->turn_taken) {
        struct wait *next = wait_of(calls->turns.next);
        filch__link_remove(&next->link);
        next->state = GRANTED;
        filch__signal_fire(&next->signal, &after);
    }
    filch__spin_unlock(&calls->lock);
    if (after.fn)
        after.fn(after.arg);
}

/* It was refused while it waited: out of the queue, or on with what it was granted meanwhile. */
static void give_up(struct wait *self)
{
    struct filch__calls *calls = &self->rt->calls;
    filch__spin_lock(&calls->lock);
    enum state state = self->state;
    if (state == QUEUED)
        filch__link_remove(&self->link);
    filch__spin_unlock(&calls->lock);
    if (state == GRANTED)
        filch__turn_pass(self->rt);
}

int filch__turn_take(filch_runtime *rt)
{
    static const struct filch__topic topic = {"its team's turn", NULL};
    struct wait self = {.watch = {.ready = ready, .topic = &topic}, .rt = rt};
    int rc = filch__await(&self.watch, filch__fiber_current(), FILCH_NEVER);
    if (rc < 0)
        give_up(&self);
    filch__signal_settle(&self.signal);
    return rc;
}
