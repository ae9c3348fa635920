/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at what nodes wait for (sched/look.h), and again. */
#include "sched/look.h"
#include "task/dump.h"
#include "task/outside.h"
#include "task/stackless.h"

#include <string.h>

struct look {
    bool stands; /* it waits, and nobody has told it to look again */
    uint64_t serial;
    const char *what;
    int64_t since;
    struct filch__blames blames;
};

static void explain(struct look *look, const struct filch__topic *topic, const void *on)
{
    filch__blames_of(&look->blames, topic, on);
    look->what = look->blames.count == 1 ? look->blames.blame[0].name : topic->name;
    look->stands = true;
}

/* task: for which it is to wait. */
static void look_at_fiber(struct look *look, const struct filch__fiber *fiber, const void *task)
{
    filch__look_begin();
    bool suspended = filch__load_acquire(&fiber->wait) == FILCH__SUSPENDED;
    look->serial = filch__load_relaxed(&fiber->parks);
    const struct filch__topic *topic = filch__load_acquire(&fiber->waiting.topic);
    look->since = filch__load_relaxed(&fiber->waiting.since);
    /* Forked jobs that are offered may be about to run. */
    bool offers = filch__load_relaxed(&fiber->offered);
    if (suspended && topic && !offers && filch__load_acquire(&fiber->task) == task)
        explain(look, topic, filch__load_relaxed(&fiber->waiting.on));
    filch__look_end();
}

static void look_at_stackless(struct look *look, const struct filch__stackless *t)
{
    filch__look_begin();
    bool idle = filch__load_acquire(&t->turn) == FILCH__TURN_IDLE;
    look->serial = filch__load_relaxed(&t->turns);
    if (idle) {
        filch__blames_begin(&look->blames);
        filch__blames_add_future(&look->blames, (const filch_future *)(const void *)t->future);
        look->what = look->blames.blame[0].name;
        look->stands = true;
    }
    filch__look_end();
}

static void look_at_entry(struct look *look, const struct filch__outside *o)
{
    look->serial = o->serial;
    look->since = o->since;
    if (!filch__load_acquire(o->word))
        explain(look, o->topic, o->on);
}

static void look_at_thread(struct look *look, uint64_t serial)
{
    const struct filch__outside *o = filch__outside_lock_next(serial - 1);
    if (o && o->serial == serial)
        look_at_entry(look, o);
    filch__outside_unlock();
}

/* A task or job. */
static void look_at_task(const struct filch__snapshot *s, struct look *look, uint32_t i)
{
    const struct filch__record *r = &s->records[i];
    const void *task = r->kind == FILCH__RECORD_TASK ? r->self : s->records[r->up].self;
    if (r->task.wait.fiber)
        look_at_fiber(look, r->task.wait.fiber, task);
    else if (r->task.wait.stackless)
        look_at_stackless(look, r->task.wait.stackless);
}

static void take_down(struct filch__snapshot *s, uint32_t i, const struct look *look)
{
    struct filch__wait_record *wait = &s->records[i].task.wait;
    const struct filch__blames *b = &look->blames;
    wait->serial = look->serial;
    wait->since = look->since;
    wait->what = look->stands ? look->what : NULL;
    if (!look->stands || !filch__snapshot_add_blames(s, b, &wait->first))
        return;
    wait->count = b->count;
    wait->all = b->all;
    wait->timed = b->timed;
    wait->more = b->more;
}

void filch__snapshot_look(struct filch__snapshot *s, uint32_t i)
{
    struct look look = {.stands = false};
    if (s->records[i].task.life != FILCH__LIFE_SUSPENDED)
        return;
    look_at_task(s, &look, i);
    take_down(s, i, &look);
}

void filch__snapshot_look_outside(struct filch__snapshot *s, uint32_t up)
{
    uint64_t serial = 0;
    while (!s->truncated) {
        struct look look = {.stands = false};
        struct filch__outside copy;
        const struct filch__outside *o = filch__outside_lock_next(serial);
        if (o) {
            look_at_entry(&look, o);
            copy = *o;
        }
        filch__outside_unlock();
        if (!o)
            return;
        serial = copy.serial;
        if (!look.stands)
            continue;
        struct filch__record *r = filch__snapshot_add(s, FILCH__RECORD_THREAD, o);
        if (!r)
            return;
        r->up = up;
        r->task.life = FILCH__LIFE_SUSPENDED;
        r->task.thread = copy.thread;
        r->task.holder = copy.holder;
        take_down(s, s->count - 1, &look);
    }
}

static bool same(const struct filch__blame *a, const struct filch__blame *b)
{
    return a->kind == b->kind && a->object == b->object && a->who == b->who;
}

bool filch__snapshot_look_again(const struct filch__snapshot *s, uint32_t i, bool closely)
{
    struct look look = {.stands = false};
    const struct filch__record *r = &s->records[i];
    const struct filch__wait_record *wait = &r->task.wait;
    if (r->kind == FILCH__RECORD_THREAD)
        look_at_thread(&look, wait->serial);
    else
        look_at_task(s, &look, i);
    if (!look.stands || look.serial != wait->serial)
        return false;
    if (closely && look.blames.count != wait->count)
        return false;
    for (uint32_t n = 0; closely && n < wait->count; n++)
        if (!same(&look.blames.blame[n], &s->blames[wait->first + n]))
            return false;
    return true;
}
