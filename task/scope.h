/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a scope: a region with children, what became of them, and what to do at the end.
 */
#ifndef FILCH_TASK_SCOPE_H
#define FILCH_TASK_SCOPE_H

#include "task/region.h"

struct filch__scope {
    struct filch__region region; /* first */
    filch_scope_options options; /* immutable while open */
    /* Under the region's lock. */
    struct filch__link told; /* children that were told of a cancel */
    int event;               /* file descriptor, -1: none */
    int result;              /* what close returns, once it is decided */
    /* From here to `ended_at` zero at first. */
    bool decided;
    bool published;
    bool shut_down; /* the runtime's end is what decided */
    uint32_t overdue;
    uint64_t failed, cancelled;
    struct filch__runnable *kept_last;
    void *cleanup;                       /* cleanup.h */
    int64_t ended_at;                    /* when the last child ended after the cancel */
    struct filch__scope *published_next; /* under the lock of publish.c */
    char last[FILCH__NAME];
    filch_cause cause; /* copied by the close */
    filch_failure failures[FILCH_FAILURES_MAX];
};

_Static_assert(sizeof(struct filch__scope) <= sizeof(filch_scope), "storage of a scope");

static inline const char *filch__scope_name(const struct filch__scope *s)
{
    return s->options.name ? s->options.name : "";
}

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

/* What is left to do after a child's end. */
struct filch__child_end {
    struct filch__fiber *opener; /* to be unparked, or NULL */
    bool marked;                 /* it cancels the scope: the caller owes filch__region_spread */
};

/*
 * On the worker that has run child t to its end: t leaves the scope. alone: filch__state_is_alone.
 * True: that is all; t is the caller's if it was alone, else its handle's. False: t must be
 * finished first, and then the scope told; it does not close before. Afterwards the scope may be
 * gone, if the end did not mark it.
 */
__attribute__((warn_unused_result)) bool filch__scope_leave(struct filch_handle *t, bool alone,
                                                            struct filch__child_end *end);
void filch__scope_left(struct filch_handle *t, struct filch__child_end *end);

/* By the opener of a cancelled scope: where the cancel began. */
void filch__scope_trace(struct filch__scope *s, filch_cause *out);

/* On the clock's thread, with a hold: names those that ignore the cancel. */
void filch__scope_report_overdue(struct filch__scope *s);

/* Visible to foreign code: told of the runtime's end too. Without locks. */
void filch__scope_publish(struct filch__scope *s);
void filch__scope_unpublish(struct filch__scope *s);

#endif
