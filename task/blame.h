/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who can end a wait: what a topic or a future says of it to a dump, which knows who all these are.
 * Explaining follows `on` and what that points to, so it is done in a look (sched/look.h), by the
 * waiter himself, or under the lock that keeps him from going on. It may take guards, not suspend.
 *
 *     static void explain(const filch_future *f, struct filch__blame *blame)
 *     {
 *         const filch_lock_future *lock = (const filch_lock_future *)(const void *)f;
 *         filch__blame_holder(blame, lock->mutex, ... its owner);
 *     }
 *     FILCH__EXPLAIN(filch_lock_future_ops, explain)
 */
#ifndef FILCH_TASK_BLAME_H
#define FILCH_TASK_BLAME_H

#include "sched/fibers.h"

#include <filch/future.h>

enum filch__blame_kind {
    FILCH__BLAME_OUTSIDE, /* a time, a file descriptor, what filch does not know: it comes by itself */
    FILCH__BLAME_HOLDER,  /* who has it; who: the holder, perhaps of nobody who is known */
    FILCH__BLAME_TASK,    /* who ends: the task */
    FILCH__BLAME_SCOPE,   /* all children of a scope; who: the region */
    FILCH__BLAME_CHILD,   /* any child of it */
    FILCH__BLAME_JOB,     /* who runs a stolen job; who: its slot */
    FILCH__BLAME_ANYBODY, /* whoever is there: sends, notifies, gives back ... */
};

struct filch__blame {
    enum filch__blame_kind kind;
    const char *name;   /* of what is waited for; static */
    const void *object; /* its address, or NULL */
    const void *who;
};

#define FILCH__BLAMES 16
struct filch__blames {
    uint32_t count;
    bool all;   /* it takes all of them, else one will do */
    bool timed; /* it has a deadline of its own */
    bool more;  /* than there was room for */
    struct filch__blame blame[FILCH__BLAMES];
};

static inline void filch__blames_begin(struct filch__blames *b)
{
    b->count = 0;
    b->all = b->timed = b->more = false;
}

static inline void filch__blames_add(struct filch__blames *b, struct filch__blame blame)
{
    if (b->count < FILCH__BLAMES)
        b->blame[b->count++] = blame;
    else
        b->more = true;
}

/* What a wait on `on` for that topic is for: at least one. */
void filch__blames_of(struct filch__blames *b, const struct filch__topic *topic, const void *on);

/* The same for one that is pending. */
void filch__blames_add_future(struct filch__blames *b, const filch_future *f);

/* How futures of a kind explain themselves: they fill a blame in that has the kind's name. Others
 * are OUTSIDE. */
struct filch__explainer {
    const filch_future_ops *ops;
    void (*explain)(const filch_future *f, struct filch__blame *blame);
    struct filch__explainer *next;
};
void filch__explainer_add(struct filch__explainer *e);

#define FILCH__EXPLAIN(ops, explain)                                      \
    __attribute__((constructor)) static void explain##_##ops(void)        \
    {                                                                     \
        static struct filch__explainer explainer = {&ops, explain, NULL}; \
        filch__explainer_add(&explainer);                                 \
    }

/* holder: its address, as locks keep it. */
static inline void filch__blame_holder(struct filch__blame *blame, const void *object,
                                       uint64_t holder)
{
    blame->kind = FILCH__BLAME_HOLDER;
    blame->object = object;
    blame->who = (const void *)(uintptr_t)holder;
}

/* A kind of futures that name what they wait for in `member`, and that anybody can end. */
#define FILCH__EXPLAIN_ANYBODY(ops, type, member)                                 \
    static void blame_of_##ops(const filch_future *f, struct filch__blame *blame) \
    {                                                                             \
        blame->kind = FILCH__BLAME_ANYBODY;                                       \
        blame->object = ((const type *)(const void *)f)->member;                  \
    }                                                                             \
    FILCH__EXPLAIN(ops, blame_of_##ops)

/* A topic of the same kind, whose waits are on the object. */
#define FILCH__TOPIC_ANYBODY(topic, name)                                                       \
    static void explain_##topic(const void *on, struct filch__blames *blames)                   \
    {                                                                                           \
        filch__blames_add(blames, (struct filch__blame){FILCH__BLAME_ANYBODY, name, on, NULL}); \
    }                                                                                           \
    static const struct filch__topic topic = {name, explain_##topic};

#endif
