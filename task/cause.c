/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked about a cancel: by the cancelled, and by the opener of a scope. */
#include "task/cancel.h"
#include "task/scope.h"

#include <errno.h>
#include <string.h>

/* Of a region with its flag set by itself. */
static void describe(struct filch__region *r, uint32_t flag, filch_cause *out)
{
    out->kind = (filch_cause_kind)flag;
    out->code = r->code;
    filch__name_copy(out->task, r->by);
    filch__name_copy(out->scope, r->frame.kind == FILCH__FRAME_SCOPE
                                     ? filch__scope_name((struct filch__scope *)r)
                                     : "");
}

/*
 * From a region outwards to where the cancel began. What is further out stays open, and its flag
 * and particulars stay what they are.
 */
static void trace(struct filch__region *r, struct filch_handle *task, filch_cause *out)
{
    for (;;) {
        uint32_t flag = r ? filch__load_acquire(&r->flag)
                          : (task ? filch__load_acquire(&task->cancelled) : FILCH_CAUSE_NONE);
        if (flag != FILCH__CAUSE_OUTER) {
            if (r && flag)
                describe(r, flag, out);
            else
                out->kind = (filch_cause_kind)flag;
            return;
        }
        if (r) {
            r = filch__region_around(r->frame.outer);
        } else {
            r = &task->scope->region;
            task = r->task;
        }
    }
}

void filch__scope_trace(struct filch__scope *s, filch_cause *out)
{
    *out = (filch_cause){.kind = FILCH_CAUSE_NONE};
    trace(&s->region, s->region.task, out);
}

int filch_cancel_cause(filch_cause *out)
{
    if (!out)
        return -EINVAL;
    struct filch__fiber *fiber = filch__fiber_current();
    struct filch__frame *frame = *filch__frames_home(fiber);
    filch_cause cause = {.kind = FILCH_CAUSE_NONE};
    trace(filch__region_around(frame), fiber ? fiber->task : NULL, &cause);
    if (cause.kind == FILCH_CAUSE_NONE && fiber && filch__load_relaxed(fiber->forks.closing))
        cause.kind = FILCH_CAUSE_SHUTDOWN;
    if (cause.kind == FILCH_CAUSE_NONE)
        return -ENOENT;
    *out = cause;
    return 0;
}

int filch_scope_report(filch_scope *storage, filch_report *out)
{
    struct filch__scope *s = filch__scope_of(storage);
    if (!s || !out)
        return -EINVAL;
    struct filch__region *r = &s->region;
    uint32_t life = filch__load_relaxed(&r->life);
    if (life != FILCH__REGION_OPEN && life != FILCH__REGION_CLOSED)
        return -EINVAL;
    filch__spin_lock(&r->lock);
    uint32_t listed = s->failed < FILCH_FAILURES_MAX ? (uint32_t)s->failed : FILCH_FAILURES_MAX;
    uint32_t flag = filch__load_relaxed(&r->flag);
    *out = (filch_report){
        .result = s->decided ? s->result
                  : listed   ? s->failures[0].result
                             : 0,
        .ended = s->region.succeeded + s->failed + s->cancelled,
        .succeeded = s->region.succeeded,
        .failed = s->failed,
        .cancelled = s->cancelled,
        .overdue = s->overdue,
        .failures_len = listed,
        .cancel_latency = s->ended_at ? s->ended_at - r->cancelled_at : -1,
    };
    memcpy(out->failures, s->failures, listed * sizeof *out->failures);
    if (s->ended_at)
        filch__name_copy(out->last, s->last);
    filch__spin_unlock(&r->lock);
    if (s->shut_down)
        out->cause.kind = FILCH_CAUSE_SHUTDOWN;
    else if (flag && life == FILCH__REGION_OPEN)
        filch__scope_trace(s, &out->cause);
    else if (flag)
        out->cause = s->cause; /* what is further out may be gone */
    return 0;
}

bool filch_scope_cancelled(const filch_scope *s)
{
    return s && filch__load_acquire(&((const struct filch__scope *)(const void *)s)->region.flag);
}

int64_t filch_deadline(void)
{
    struct filch__fiber *fiber = filch__fiber_current();
    struct filch_handle *task = fiber ? fiber->task : NULL;
    struct filch__region *r = filch__region_around(*filch__frames_home(fiber));
    int64_t least = FILCH_NEVER;
    for (;;) {
        for (; r; r = filch__region_around(r->frame.outer)) {
            int64_t deadline = filch__load_relaxed(&r->deadline);
            if (deadline < least && !filch__load_relaxed(&r->flag))
                least = deadline;
            if (r->frame.kind == FILCH__FRAME_SHIELD)
                return least;
        }
        if (!task || !task->scope)
            return least;
        r = &task->scope->region;
        task = r->task;
    }
}
