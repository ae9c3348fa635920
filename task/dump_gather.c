/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first half of a dump: what lives, found by a survey (sched/survey.h).
 *
 * Tasks are read without references, as the survey allows; of their blocks it may not need what a
 * block in limbo is linked by. Regions are on the stacks of those who open them: they are found in
 * their holders' lists, held (region.h), so that they do not close meanwhile, read under their own
 * lock, and let go. Memory is allocated only where no lock of a region or task is held.
 */
#include "sched/blocks.h"
#include "sched/os/clock.h"
#include "sched/survey.h"
#include "task/dump.h"
#include "task/stackless.h"

_Static_assert(sizeof((filch_runtime *)0)->name <= FILCH__NAME, "it fits a record");
_Static_assert(offsetof(struct filch_handle, runnable.next) ==
                       offsetof(struct filch__limbo, next) &&
                   offsetof(struct filch_handle, arg) == offsetof(struct filch__limbo, size),
               "a dump reads neither `next` nor `arg` of a task");

/* Regions held under one lock. */
#define BATCH 16
/* Entries of a roster looked at under one lock. */
#define ENTRIES 64

static void describe_fiber(struct filch__record *record, const struct filch__fiber *fiber)
{
    int worker = filch__survey_worker(fiber->rt, fiber);
    bool suspended = filch__load_acquire(&fiber->wait) == FILCH__SUSPENDED;
    record->task.life = worker >= 0 ? FILCH__LIFE_RUNNING
                        : suspended ? FILCH__LIFE_SUSPENDED
                                    : FILCH__LIFE_READY;
    record->task.worker = worker;
    record->task.wait.fiber = fiber;
    record->task.wait.stackless = NULL;
}

/* The record of a task, made if there is none. NULL: no memory. */
static struct filch__record *record_task(struct filch__snapshot *s, const struct filch_handle *t)
{
    uint32_t known = filch__snapshot_find(s, t);
    struct filch__record *record = known == FILCH__NOWHERE
                                       ? filch__snapshot_add(s, FILCH__RECORD_TASK, t)
                                       : &s->records[known];
    if (!record)
        return NULL;
    uint32_t cause = filch__load_relaxed(&t->cancelled);
    bool aborted = filch__load_relaxed(&t->state) & FILCH__TASK_ABORT;
    record->parent = t->scope;
    record->rt = t->rt;
    record->cause = cause ? cause : aborted ? FILCH_CAUSE_ABORT : FILCH_CAUSE_NONE;
    if (filch__task_is_stackless(t))
        record->task.holder = &((const struct filch__stackless *)(const void *)t)->holder;
    filch__name_copy(record->name, filch__task_name(t));
    return record;
}

static bool look_at_queued(void *ctx, struct filch__runnable *r)
{
    struct filch__snapshot *s = ctx;
    struct filch__fiber *(*run)(struct filch__runnable *) = filch__load_relaxed(&r->run);
    if (run != filch__task_run && run != filch__task_run_own && run != filch__task_run_started &&
        run != filch__stackless_run)
        return true;
    const struct filch_handle *t = (const struct filch_handle *)(const void *)r;
    if (filch__load_acquire(&t->state) & (FILCH__TASK_RUNNING | FILCH__TASK_FINISHED))
        return true;
    struct filch__record *record = record_task(s, t);
    if (!record)
        return false;
    record->task.life = FILCH__LIFE_QUEUED;
    record->task.worker = t->extra && t->extra->pinned ? (int)t->extra->pinned->index : -1;
    return true;
}

/* A task without a stack that is in no poll; else its fiber describes it. False: it was listed
 * before, or there is no memory. */
static bool list_stackless(struct filch__snapshot *s, struct filch__stackless *t)
{
    uint32_t known = filch__snapshot_find(s, &t->task);
    if (known != FILCH__NOWHERE && s->records[known].task.listed)
        return false;
    uint32_t turn = filch__load_acquire(&t->turn);
    if (turn == FILCH__TURN_OVER)
        return true;
    bool queued = !(filch__load_acquire(&t->task.state) & FILCH__TASK_RUNNING);
    struct filch__record *record = record_task(s, &t->task);
    if (!record)
        return false;
    record->task.listed = true;
    record->task.worker = -1;
    record->task.life = turn == FILCH__TURN_IDLE ? FILCH__LIFE_SUSPENDED
                        : queued                 ? FILCH__LIFE_QUEUED
                                                 : FILCH__LIFE_READY;
    record->task.wait.fiber = NULL;
    record->task.wait.stackless = t;
    return true;
}

/*
 * Some at a time, oldest first, each then put before the newest: so the walk goes on where it
 * stopped, and has been round when it meets one that it has listed.
 */
static void look_at_roster(struct filch__snapshot *s, struct filch__roster *roster)
{
    struct filch__link *entry[ENTRIES];
    bool more = true;
    while (more && !s->truncated) {
        int n = 0;
        filch__spin_lock(&roster->lock);
        for (; n < ENTRIES && !filch__link_empty(&roster->entries); n++) {
            entry[n] = roster->entries.prev;
            filch__link_remove(entry[n]);
            filch__link_add(&roster->entries, entry[n]);
        }
        filch__spin_unlock(&roster->lock);
        more = n == ENTRIES;
        for (int i = 0; i < n; i++)
            more &= list_stackless(s, filch__stackless_of_entry(entry[i]));
    }
}

/* A task is described by the fiber on which its fn runs; what others run of it are jobs. */
static void look_at_fiber(struct filch__snapshot *s, struct filch__fiber *fiber)
{
    const struct filch_handle *t = filch__load_acquire(&fiber->task);
    if (!t)
        return;
    const struct filch__fiber *main = filch__load_relaxed(&t->fiber);
    struct filch__record *task = record_task(s, t);
    if (task)
        describe_fiber(task, main ? main : fiber);
    if (task && main)
        task->task.holder = &main->holder;
    if (!task || !main || main == fiber)
        return;
    struct filch__record *job = filch__snapshot_add(s, FILCH__RECORD_JOB, fiber);
    if (!job)
        return;
    job->rt = t->rt;
    job->up = filch__snapshot_find(s, t);
    job->task.holder = &fiber->holder;
    job->task.loot = filch__load_relaxed(&fiber->loot_slot);
    describe_fiber(job, fiber);
}

static bool hold(struct filch__region *r)
{
    filch__spin_lock(&r->lock);
    bool open = filch__load_relaxed(&r->life) == FILCH__REGION_OPEN;
    if (open)
        filch__add_acq_rel(&r->holds, 1);
    filch__spin_unlock(&r->lock);
    return open;
}

/* Records the regions of a list, each with a hold. A held one stays in its list, so the next batch
 * begins after it. */
static void hold_list(struct filch__snapshot *s, uint32_t *lock, struct filch__region **list,
                      uint32_t up)
{
    struct filch__region *held[BATCH], *last = NULL;
    int n = BATCH;
    while (n == BATCH && !s->truncated) {
        n = 0;
        filch__spin_lock(lock);
        for (struct filch__region *r = last ? last->next : *list; r && n < BATCH; r = r->next)
            if (hold(r))
                held[n++] = r;
        filch__spin_unlock(lock);
        for (int i = 0; i < n; i++) {
            struct filch__record *record = filch__snapshot_add(s, FILCH__RECORD_REGION, held[i]);
            if (record)
                record->up = up;
            else
                filch__region_drop_hold(held[i]);
        }
        last = n > 0 ? held[n - 1] : NULL;
    }
}

/* Of a held region. */
static void describe_region(struct filch__record *record, struct filch__region *r)
{
    const struct filch__scope *scope = (const struct filch__scope *)r;
    record->shield = r->frame.kind == FILCH__FRAME_SHIELD;
    record->rt = r->rt;
    record->region.admitted = r->frame.rt != NULL;
    filch__spin_lock(&r->lock);
    record->cause = filch__load_acquire(&r->flag);
    record->region.deadline = filch__load_relaxed(&r->deadline);
    record->region.live = r->live;
    if (record->cause != FILCH_CAUSE_NONE) {
        record->region.code = r->code;
        record->region.cancelled_at = r->cancelled_at;
    }
    if (record->cause != FILCH_CAUSE_NONE && record->cause != FILCH__CAUSE_OUTER)
        filch__name_copy(record->region.by, r->by);
    if (!record->shield) {
        filch__name_copy(record->name, filch__scope_name(scope));
        record->region.policy = scope->options.policy;
        record->region.succeeded = scope->region.succeeded;
        record->region.failed = scope->failed;
        record->region.cancelled = scope->cancelled;
    }
    filch__spin_unlock(&r->lock);
}

/* The regions of one holder, and all inside of them. */
static void look_at_regions(struct filch__snapshot *s, uint32_t *lock, struct filch__region **list,
                            uint32_t up)
{
    uint32_t i = s->count;
    hold_list(s, lock, list, up);
    for (; i < s->count; i++) {
        struct filch__region *r = (struct filch__region *)(uintptr_t)s->records[i].self;
        describe_region(&s->records[i], r);
        hold_list(s, &r->lock, &r->inner, i);
        filch__region_drop_hold(r);
    }
}

static void look_at_runtime(struct filch__snapshot *s, filch_runtime *rt)
{
    struct filch__record *record = filch__snapshot_add(s, FILCH__RECORD_RUNTIME, rt);
    if (!record)
        return;
    record->rt = rt;
    record->runtime.workers = rt->worker_count;
    record->runtime.closing = filch__load_relaxed(&rt->closing);
    memcpy(record->name, rt->name, sizeof rt->name);
    filch__survey_queues(rt, look_at_queued, s);
    for (uint32_t i = 0; i < rt->worker_count; i++)
        look_at_roster(s, &rt->workers[i].roster);
    look_at_roster(s, &rt->roster);
    for (struct filch__fiber *f = filch__survey_fibers(rt); f && !s->truncated; f = f->next_all)
        look_at_fiber(s, f);
}

void filch__snapshot_gather(struct filch__snapshot *s)
{
    for (filch_runtime *rt = filch__survey_begin(); rt; rt = rt->next)
        look_at_runtime(s, rt);
    uint32_t nodes = s->count;
    for (uint32_t i = 0; i < nodes; i++) {
        if (s->records[i].kind != FILCH__RECORD_TASK)
            continue;
        struct filch_handle *t = (struct filch_handle *)(uintptr_t)s->records[i].self;
        look_at_regions(s, &t->lock, &t->regions, i);
    }
    if (filch__snapshot_add(s, FILCH__RECORD_THREADS, &filch__roots))
        look_at_regions(s, &filch__roots_lock, &filch__roots, s->count - 1);
    for (uint32_t i = 0; i < nodes; i++)
        if (filch__record_is_node(&s->records[i]))
            filch__snapshot_look(s, i);
    filch__snapshot_look_outside(s, filch__snapshot_find(s, &filch__roots));
    filch__graph_build(s);
    filch__survey_end();
    s->now = filch__now();
    s->now_coarse = filch__now_coarse();
}
