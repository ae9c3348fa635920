/* SPDX-License-Identifier: Apache-2.0 */
#include "task/stackless.h"

#include "sched/look.h"
#include "sched/os/die.h"
#include "sched/registry.h"
#include "task/future.h"
#include "task/waker.h"

_Static_assert(FILCH_WORKERS_MAX <= UINT16_MAX, "the roster's index fits");

static struct filch__roster *roster_of(struct filch__stackless *s)
{
    filch_runtime *rt = s->task.rt;
    return s->roster < rt->worker_count ? &rt->workers[s->roster].roster : &rt->roster;
}

void filch__stackless_begin(struct filch_handle *t, struct filch__worker *w, filch_future *f,
                            size_t size)
{
    struct filch__stackless *s = filch__stackless_of(t);
    t->runnable.run = filch__stackless_run;
    s->holder.held = NULL;
    s->turn = FILCH__TURN_QUEUED;
    s->roster = (uint16_t)(w ? w->index : t->rt->worker_count);
    s->turns = 0;
    memcpy(s->future, f, size);
    filch__store_relaxed(&f->state, FILCH__FUTURE_DROPPED);
    filch__roster_add(roster_of(s), &s->entry);
}

void filch__stackless_queue(struct filch_handle *t)
{
    filch__submit_ready(t->rt, &t->runnable, filch__task_pinned(t));
}

/* Around each turn. */
static void enter(struct filch__stackless *s, struct filch__fiber *fiber)
{
    filch__fiber_set_task(fiber, &s->task, &s->task.cancelled);
    fiber->pinned = filch__task_pinned(&s->task);
    fiber->guest = &s->holder;
}

static void leave(struct filch__fiber *fiber)
{
    fiber->guest = NULL;
    filch__fiber_clear_task(fiber);
}

/* Its scheduler is the caller; t is its fiber's. */
static struct filch__fiber *end(struct filch_handle *t, struct filch__fiber *fiber, int result)
{
    struct filch__stackless *s = filch__stackless_of(t);
    t->result = result;
    if (filch__unlikely(fiber->frame || fiber->cleanup))
        filch__task_clean_up(t, fiber);
    leave(fiber);
    filch__holder_end(&s->holder);
    filch__turn_end(&s->turn);
    filch__roster_remove(roster_of(s), &s->entry);
    return filch__task_finish(t);
}

/* Aborted, or its runtime ends. */
static bool shall_end(struct filch_handle *t)
{
    uint32_t state = filch__load_acquire(&t->state);
    bool aborted = state & FILCH__TASK_RUNNING ? state & FILCH__TASK_ABORT
                                               : filch__state_start(&t->state) == FILCH__START_SKIP;
    return aborted || filch__load_relaxed(&t->rt->closing);
}

struct filch__fiber *filch__stackless_run(struct filch__runnable *r)
{
    struct filch_handle *t = (struct filch_handle *)(void *)r;
    struct filch__stackless *s = filch__stackless_of(t);
    filch_future *f = filch__stackless_future(s);
    struct filch__fiber *fiber = filch__fiber_here();
    filch_waker waker = {&filch__waker_task, t};
    int result = -ECANCELED;
    filch__turn_begin(&s->turn);
    filch__store_relaxed(&s->turns, (uint16_t)(s->turns + 1));
    filch__stir();
    enter(s, fiber);
    if (filch__unlikely(shall_end(t))) {
        filch__future_abandon(f);
        return end(t, fiber, result);
    }
    bool ready = filch__future_poll(f, &waker, &result);
    if (filch__unlikely(!filch__worker_current()))
        filch__die("a poll has returned in the child of a fork(2) that it made");
    if (ready)
        return end(t, fiber, result);
    if (filch__unlikely(fiber->frame))
        filch__die_named("a poll has returned with a scope, shield or binding open",
                         filch__task_name(t));
    leave(fiber);
    /* At rest it may be run, and end, on another worker. */
    if (filch__turn_rest(&s->turn) == FILCH__TURN_QUEUE)
        filch__stackless_queue(t);
    return NULL;
}

/* Claimed under one lock of a roster: so they stay until they are queued without it. */
#define BATCH 64

/* False: none was left. Entries are moved to `told` meanwhile: each is told once. */
static bool tell_some(struct filch__roster *roster, struct filch__link *told)
{
    struct filch_handle *claimed[BATCH];
    int n = 0, looks = 0;
    filch__spin_lock(&roster->lock);
    while (looks < BATCH && !filch__link_empty(&roster->entries)) {
        struct filch__link *entry = roster->entries.next;
        struct filch__stackless *s = filch__stackless_of_entry(entry);
        filch__link_remove(entry);
        filch__link_add(told, entry);
        looks++;
        if (filch__stackless_claim(&s->task))
            claimed[n++] = &s->task;
    }
    filch__spin_unlock(&roster->lock);
    for (int i = 0; i < n; i++)
        filch__stackless_queue(claimed[i]);
    return looks > 0;
}

static void tell_all(struct filch__roster *roster)
{
    struct filch__link told;
    filch__link_init(&told);
    while (tell_some(roster, &told))
        ;
    filch__spin_lock(&roster->lock);
    filch__link_splice(&roster->entries, &told);
    filch__spin_unlock(&roster->lock);
}

/* What comes onto a roster later was queued after `closing` was set, and sees it in its first turn:
 * its runtime's spawn took the roster's lock after this. */
static void runtime_closes(filch_runtime *rt)
{
    for (uint32_t i = 0; i < rt->worker_count; i++)
        tell_all(&rt->workers[i].roster);
    tell_all(&rt->roster);
}

__attribute__((constructor)) static void listen(void)
{
    static struct filch__closing_hook hook = {.fn = runtime_closes};
    filch__registry_hook(&hook);
}
