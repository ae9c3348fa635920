/* SPDX-License-Identifier: Apache-2.0 */
#include "task/cycle.h"

#ifndef NDEBUG

#include "sched/os/die.h"
#include "sched/os/spin.h"
#include "sched/os/thread.h"
#include "task/blame.h"
#include "task/stackless.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

/* By holder. */
#define BUCKETS 256

/* Longer ways are given up: the rest of one may be a cycle that was there before. */
#define STEPS 4096

static struct filch__cycle *buckets[BUCKETS];
static uint32_t lock;

static struct filch__cycle **bucket_of(const struct filch__holder *h)
{
    return &buckets[((uintptr_t)h >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 56];
}
_Static_assert(BUCKETS == 256, "eight bits of the hash");

static bool is_cancelled(const struct filch__cycle *c)
{
    return c->cancelled && (filch__load_relaxed(c->cancelled) || filch__load_relaxed(c->closing));
}

static const struct filch__cycle *find(const struct filch__holder *h)
{
    const struct filch__cycle *c = *bucket_of(h);
    while (c && c->holder != h)
        c = c->next;
    return c;
}

/* False: it is no wait for one who is known. */
static bool blame_of(const struct filch__cycle *c, struct filch__blame *blame)
{
    struct filch__blames blames;
    filch__blames_of(&blames, c->topic, c->on);
    *blame = blames.blame[0];
    return blames.count == 1 &&
           (blame->kind == FILCH__BLAME_HOLDER || blame->kind == FILCH__BLAME_TASK);
}

/* On which holder a task acts that has not ended: while it is there no other task is on its fiber. */
static const struct filch__holder *holder_of_task(const void *task)
{
    struct filch_handle *t = (struct filch_handle *)(uintptr_t)task;
    if (filch__task_is_stackless(t))
        return &filch__stackless_of(t)->holder;
    filch__spin_lock(&t->lock);
    const struct filch__fiber *fiber = filch__load_relaxed(&t->fiber);
    filch__spin_unlock(&t->lock);
    return fiber ? &fiber->holder : NULL;
}

/* Who must go on first, if he waits himself and was not told to give up; or NULL. */
static const struct filch__cycle *next_of(const struct filch__cycle *c)
{
    struct filch__blame blame;
    if (!blame_of(c, &blame))
        return NULL;
    const struct filch__holder *h =
        blame.kind == FILCH__BLAME_TASK ? holder_of_task(blame.who) : blame.who;
    const struct filch__cycle *next = h && h != c->holder ? find(h) : NULL;
    return next && !is_cancelled(next) ? next : NULL;
}

static bool closes(const struct filch__cycle *c)
{
    const struct filch__cycle *at = next_of(c);
    for (int steps = 0; at && at != c && steps < STEPS; steps++)
        at = next_of(at);
    return at == c;
}

/* ---- the report ---- */

struct text {
    size_t length;
    char text[1024];
};

__attribute__((format(printf, 2, 3))) static void say(struct text *to, const char *format, ...)
{
    size_t room = sizeof to->text - to->length;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(to->text + to->length, room, format, args);
    va_end(args);
    if (n > 0)
        to->length += (size_t)n < room ? (size_t)n : room - 1;
}

static void say_who(struct text *to, const struct filch__cycle *c)
{
    if (!c->task)
        say(to, "thread %d", c->thread);
    else if (*filch__task_name(c->task))
        say(to, "task \"%s\"", filch__task_name(c->task));
    else
        say(to, "task (%p)", (const void *)c->task);
}

/* With the lock. False: it was reported before. */
static bool describe(struct filch__cycle *first, struct text *to)
{
    bool news = false;
    struct filch__cycle *c = first, *next;
    to->length = 0;
    do {
        struct filch__blame blame;
        next = (struct filch__cycle *)(uintptr_t)next_of(c);
        if (!next || !blame_of(c, &blame))
            return false;
        news |= !c->reported;
        c->reported = true;
        if (c == first)
            say_who(to, c);
        say(to, c == first ? " waits for " : ", which waits for ");
        if (blame.kind == FILCH__BLAME_HOLDER)
            say(to, "%s (%p) held by ", blame.name, blame.object);
        else
            say(to, "the end of ");
        say_who(to, next);
        c = next;
    } while (c != first);
    return news;
}

/* ---- entering ---- */

static void fill_in(struct filch__cycle *c, const struct filch__holder *holder,
                    const struct filch__topic *topic, const void *on)
{
    struct filch__fiber *me = filch__fiber_current();
    c->holder = holder;
    c->topic = topic;
    c->on = on;
    c->task = me ? me->task : NULL;
    c->thread = me ? 0 : filch__thread_number();
    c->cancelled = me ? me->forks.cancelled : NULL;
    c->closing = me ? me->forks.closing : NULL;
}

void filch__cycle_enter(struct filch__cycle *c, const struct filch__holder *holder,
                        const struct filch__topic *topic, const void *on)
{
    struct filch__blame blame;
    struct text text;
    fill_in(c, holder, topic, on);
    if (!holder || !blame_of(c, &blame))
        return;
    struct filch__cycle **bucket = bucket_of(holder);
    filch__spin_lock(&lock);
    c->next = *bucket;
    *bucket = c;
    c->entered = true;
    bool news = !is_cancelled(c) && closes(c) && describe(c, &text);
    filch__spin_unlock(&lock);
    if (news)
        filch__say("deadlock", text.text);
}

void filch__cycle_leave(struct filch__cycle *c)
{
    if (!c->entered)
        return;
    struct filch__cycle **at = bucket_of(c->holder);
    filch__spin_lock(&lock);
    while (*at && *at != c)
        at = &(*at)->next;
    if (*at) /* else it was forgotten */
        *at = c->next;
    filch__spin_unlock(&lock);
    c->entered = false;
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

void filch__cycle_forget(void)
{
    for (int i = 0; i < BUCKETS; i++)
        buckets[i] = NULL;
}

/* Early, so that it is the last that is taken and the first that is left. */
__attribute__((constructor(101))) static void listen(void)
{
    pthread_atfork(before_fork, after_fork, after_fork);
}

#endif
