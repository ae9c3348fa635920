/* SPDX-License-Identifier: Apache-2.0 */
/* A scope as its children see it. */
#include "task/cancel.h"
#include "task/scope.h"

#include "sched/os/clock.h"
#include "sched/os/die.h"

#include <errno.h>

bool filch__scope_adopt(struct filch__scope *s, struct filch_handle *t)
{
    struct filch__region *r = &s->region;
    filch__spin_lock(&r->lock);
    if (filch__load_relaxed(&r->life) != FILCH__REGION_OPEN) {
        filch__spin_unlock(&r->lock);
        return false;
    }
    r->live++;
    if (filch__unlikely(filch__load_relaxed(&r->flag))) {
        t->cancelled = FILCH__CAUSE_OUTER;
        t->state |= FILCH__TASK_ABORT;
        filch__link_add(&s->told, &t->siblings);
    } else {
        filch__link_add(&s->region.fresh, &t->siblings);
    }
    filch__spin_unlock(&r->lock);
    return true;
}

void filch__scope_disown(struct filch_handle *t)
{
    struct filch__region *r = &t->scope->region;
    filch__spin_lock(&r->lock);
    filch__link_remove(&t->siblings);
    r->live--;
    struct filch__fiber *opener = filch__region_ring(r);
    filch__spin_unlock(&r->lock);
    if (opener)
        filch__unpark(opener);
}

static bool has_failed(const struct filch_handle *t)
{
    if (t->result >= 0)
        return false;
    return t->result != -ECANCELED ||
           !(filch__load_relaxed(&t->cancelled) || filch__load_relaxed(&t->rt->closing));
}

void filch__scope_observe(struct filch__scope *s, const struct filch_handle *t)
{
    if (s->options.on_failure && has_failed(t))
        s->options.on_failure(s->options.ctx, filch__task_name(t), t->result);
}

static void note_failure(struct filch__scope *s, const struct filch_handle *t)
{
    if (s->failed < FILCH_FAILURES_MAX) {
        filch_failure *f = &s->failures[s->failed];
        f->result = t->result;
        filch__name_copy(f->task, filch__task_name(t));
    }
    s->failed++;
}

/* Under the lock. True: the caller owes a spread. */
static bool count(struct filch__scope *s, const struct filch_handle *t)
{
    const char *name = filch__task_name(t);
    if (filch__likely(t->result >= 0)) {
        s->region.succeeded++;
        return s->options.policy == FILCH_RACE &&
               filch__region_mark(&s->region, FILCH_CAUSE_WON, t->result, name);
    }
    if (!has_failed(t)) {
        s->cancelled++;
        return false;
    }
    note_failure(s, t);
    if (s->options.policy == FILCH_FAIL_FAST)
        return filch__region_mark(&s->region, FILCH_CAUSE_FAILURE, t->result, name);
    if (s->options.policy == FILCH_SUPERVISE)
        filch__scope_decide(s, t->result);
    return false;
}

static void keep(struct filch__scope *s, struct filch_handle *t)
{
    filch__runnable_link(&t->runnable, NULL);
    if (s->region.kept)
        filch__runnable_link(s->kept_last, &t->runnable);
    else
        s->region.kept = &t->runnable;
    s->kept_last = &t->runnable;
}

/* Under the lock, before t is out: where it leaves a cancelled scope without a child, that is noted. */
static inline void note_last(struct filch__scope *s, const struct filch_handle *t)
{
    if (filch__likely(!filch__load_relaxed(&s->region.flag)) || s->region.live != 1)
        return;
    s->ended_at = filch__now();
    filch__name_copy(s->last, filch__task_name(t));
}

bool filch__scope_leave(struct filch_handle *t, bool alone, struct filch__child_end *end)
{
    struct filch__scope *s = t->scope;
    struct filch__region *r = &s->region;
    filch__spin_lock(&r->lock);
    filch__link_remove(&t->siblings);
    end->marked = count(s, t);
    if (t->kept)
        keep(s, t);
    note_last(s, t);
    bool done = alone || filch__state_finish_child(&t->state);
    if (filch__likely(done)) { /* t is not touched any more */
        r->live--;
        end->opener = filch__region_ring(r);
    }
    filch__spin_unlock(&r->lock);
    return done;
}

void filch__scope_left(struct filch_handle *t, struct filch__child_end *end)
{
    struct filch__scope *s = t->scope;
    struct filch__region *r = &s->region;
    filch__spin_lock(&r->lock);
    note_last(s, t);
    r->live--;
    end->opener = filch__region_ring(r);
    filch__spin_unlock(&r->lock);
}

/* More of them would tell nothing new. */
#define OVERDUE_NAMED 16

void filch__scope_report_overdue(struct filch__scope *s)
{
    char names[OVERDUE_NAMED][FILCH__NAME];
    int named = 0;
    filch__spin_lock(&s->region.lock);
    for (struct filch__link *link = s->told.next; link != &s->told && named < OVERDUE_NAMED;
         link = link->next) {
        filch__name_copy(names[named++], filch__task_name(filch__task_of_sibling(link)));
    }
    s->overdue = (uint32_t)s->region.live;
    filch__spin_unlock(&s->region.lock);
    for (int i = 0; i < named; i++)
        if (s->options.on_overdue)
            s->options.on_overdue(s->options.ctx, names[i]);
        else
            filch__say("a task ignores the cancel of its scope", names[i]);
}
