/* SPDX-License-Identifier: Apache-2.0 */
#include "task/outside.h"

#include "sched/os/clock.h"
#include "sched/os/spin.h"
#include "sched/os/thread.h"
#include "task/holder.h"

#include <pthread.h>

static uint32_t lock;
static struct filch__link entered = {.next = &entered, .prev = &entered}; /* newest first */
static uint64_t serials;

void filch__outside_enter(struct filch__outside *o, const struct filch__topic *topic,
                          const void *on, const uint32_t *word)
{
    o->topic = topic;
    o->on = on;
    o->word = word;
    o->holder = filch__holder_place();
    o->since = filch__now_coarse();
    o->thread = filch__thread_number();
    filch__spin_lock(&lock);
    o->serial = ++serials;
    filch__link_add(&entered, &o->link);
    filch__spin_unlock(&lock);
}

void filch__outside_leave(struct filch__outside *o)
{
    filch__spin_lock(&lock);
    filch__link_remove(&o->link);
    filch__spin_unlock(&lock);
}

static const struct filch__outside *entry_of(const struct filch__link *link)
{
    return (const struct filch__outside *)(const void *)link;
}

const struct filch__outside *filch__outside_lock_next(uint64_t serial)
{
    filch__spin_lock(&lock);
    for (const struct filch__link *l = entered.prev; l != &entered; l = l->prev)
        if (entry_of(l)->serial > serial)
            return entry_of(l);
    return NULL;
}

void filch__outside_unlock(void)
{
    filch__spin_unlock(&lock);
}

/* ---- fork(2): not while somebody has the lock ---- */

static void before_fork(void)
{
    filch__spin_lock(&lock);
}

static void after_fork(void)
{
    filch__spin_unlock(&lock);
}

void filch__outside_forget(void)
{
    filch__link_init(&entered);
}

/* Early, so that it is the last that is taken and the first that is left. */
__attribute__((constructor(101))) static void listen(void)
{
    pthread_atfork(before_fork, after_fork, after_fork);
}
