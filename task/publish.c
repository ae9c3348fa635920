/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scopes whose cancel foreign code watches, by the flag or the event. The runtime's end reaches
 * tasks by a flag of the runtime; these scopes are told of it one by one.
 */
#include "sched/os/event.h"
#include "sched/registry.h"
#include "task/cancel.h"
#include "task/cycle.h"
#include "task/outside.h"
#include "task/scope.h"

#include <errno.h>
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct filch__scope *published;

/* Its children are cancelled by their runtime's end, its opener by that of his own, unless a shield
 * keeps that from the scope. */
static bool sees_closing(const struct filch__region *r)
{
    bool shielded = r->task && r->frame.closing != &r->task->rt->closing;
    return !shielded &&
           (filch__load_seq_cst(r->frame.closing) || filch__load_seq_cst(&r->rt->closing));
}

static void tell_closing(struct filch__scope *s)
{
    if (sees_closing(&s->region))
        (void)filch__region_cancel(&s->region, FILCH_CAUSE_SHUTDOWN, 0, "");
}

void filch__scope_publish(struct filch__scope *s)
{
    pthread_mutex_lock(&lock);
    filch__spin_lock(&s->region.lock); /* a close that comes later sees it */
    if (!s->published && filch__load_relaxed(&s->region.life) == FILCH__REGION_OPEN) {
        s->published = true;
        s->published_next = published;
        published = s;
    }
    filch__spin_unlock(&s->region.lock);
    pthread_mutex_unlock(&lock);
    tell_closing(s); /* pairs with the runtime's store before it looks here */
}

void filch__scope_unpublish(struct filch__scope *s)
{
    pthread_mutex_lock(&lock);
    struct filch__scope **at = &published;
    while (*at && *at != s)
        at = &(*at)->published_next;
    if (*at)
        *at = s->published_next;
    pthread_mutex_unlock(&lock);
}

/* A runtime's flag is set. The list's lock keeps each scope in memory: its close waits for it. */
static void tell_all(filch_runtime *rt)
{
    (void)rt;
    pthread_mutex_lock(&lock);
    for (struct filch__scope *s = published; s; s = s->published_next)
        tell_closing(s);
    pthread_mutex_unlock(&lock);
}

/* In the child of a fork(2). */
static void forget(void)
{
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    published = NULL;
    filch__roots_forget();
    filch__outside_forget();
    filch__cycle_forget();
}

__attribute__((constructor)) static void listen(void)
{
    static struct filch__closing_hook hook = {.fn = tell_all};
    filch__registry_hook(&hook);
    filch__process_forked = forget;
}

const uint32_t *filch_scope_flag(filch_scope *storage)
{
    struct filch__scope *s = filch__scope_of(storage);
    if (!s || filch__load_relaxed(&s->region.life) != FILCH__REGION_OPEN)
        return NULL;
    filch__scope_publish(s);
    return &s->region.flag;
}

/* Who creates it second gives his own back. Under the lock first, an event is raised by the cancel;
 * else here. */
static int create_event(struct filch__scope *s)
{
    int event = filch__event_open();
    if (event < 0)
        return event;
    filch__spin_lock(&s->region.lock);
    int mine = event;
    bool open = filch__load_relaxed(&s->region.life) == FILCH__REGION_OPEN;
    if (open && s->event < 0) {
        s->event = event;
        mine = -1;
    }
    event = open ? s->event : -EINVAL;
    bool cancelled = filch__load_relaxed(&s->region.flag);
    if (open && cancelled)
        filch__event_raise(event);
    filch__spin_unlock(&s->region.lock);
    if (mine >= 0)
        filch__event_close(mine);
    return event;
}

int filch_scope_event(filch_scope *storage)
{
    struct filch__scope *s = filch__scope_of(storage);
    if (!s || filch__load_relaxed(&s->region.life) != FILCH__REGION_OPEN)
        return -EINVAL;
    filch__scope_publish(s);
    filch__spin_lock(&s->region.lock);
    int event = s->event;
    filch__spin_unlock(&s->region.lock);
    return event >= 0 ? event : create_event(s);
}
