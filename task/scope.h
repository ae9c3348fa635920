/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a scope: a region with children, what became of them, and what to do at the end.
 */
#ifndef FILCH_TASK_SCOPE_H
#define FILCH_TASK_SCOPE_H

#include "task/region.h"

struct filch__scope {
    struct filch__region region; /* first */
    /* Immutable while open. */
    const char *name; /* never NULL */
    filch_policy policy;
    bool collect;
    int64_t grace;
    void (*on_failure)(void *ctx, const char *task, int result);
    void (*on_overdue)(void *ctx, const char *task);
    void *ctx;
    /* Under the region's lock. */
    struct filch__link fresh, told; /* children, those told of a cancel apart */
    struct filch__runnable *kept_last;
    bool decided; /* `result` is what close returns */
    int result;
    uint64_t succeeded, failed, cancelled;
    uint32_t overdue;
    int event; /* file descriptor, -1: none */
    bool published;
    struct filch__scope *published_next; /* under the lock of publish.c */
    void *cleanup;                       /* cleanup.h */
    int64_t ended_at;                    /* when the last child ended after the cancel */
    char last[FILCH__NAME];
    filch_cause cause; /* copied by the close */
    filch_failure failures[FILCH_FAILURES_MAX];
};

_Static_assert(sizeof(struct filch__scope) <= sizeof(filch_scope), "storage of a scope");

static inline struct filch__scope *filch__scope_of(filch_scope *s)
{
    return (struct filch__scope *)(void *)s;
}

/* Under the lock: the first thing to happen decides what close returns. */
static inline void filch__scope_decide(struct filch__scope *s, int result)
{
    if (s->decided)
        return;
    s->decided = true;
    s->result = result;
}

/*
 * t, which nobody else knows so far, becomes a child. Any thread. False: the scope is not open.
 */
__attribute__((warn_unused_result)) bool filch__scope_adopt(struct filch__scope *s,
                                                            struct filch_handle *t);

/* t, which was adopted a moment ago, will not be spawned. */
void filch__scope_disown(struct filch_handle *t);

/* Before the end of a child that failed is published; without locks. */
void filch__scope_observe(struct filch__scope *s, const struct filch_handle *t);

/*
 * On the worker that has ended child t, whose SCHEDULER reference is still held. Returns a fiber to
 * be unparked, or NULL. *marked: the child's end cancels the scope, and the caller owes
 * filch__region_spread; else the scope may be gone afterwards.
 */
__attribute__((warn_unused_result)) struct filch__fiber *
filch__scope_child_ended(struct filch_handle *t, bool *marked);

/* By the opener of a cancelled scope: where the cancel began. */
void filch__scope_trace(struct filch__scope *s, filch_cause *out);

/* On the clock's thread, with a hold: names those that ignore the cancel. */
void filch__scope_report_overdue(struct filch__scope *s);

/* Visible to foreign code: told of the runtime's end too. Without locks. */
void filch__scope_publish(struct filch__scope *s);
void filch__scope_unpublish(struct filch__scope *s);

#endif
