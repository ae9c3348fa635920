/* SPDX-License-Identifier: Apache-2.0 */
/* The second half of a dump: the tree, from the snapshot alone. */
#include "task/dump_text.h"

#include <errno.h>
#include <inttypes.h>

#define say      filch__say_text
#define say_time filch__say_time
#define say_name filch__say_name

/* Deeper levels are not indented any further. */
#define LEVELS 40

/* Branches of a wait for several that are named. */
#define BRANCHES 4

static void say_blames(const struct filch__snapshot *s, struct filch__line *line,
                       const struct filch__wait_record *wait)
{
    uint32_t n = wait->count < BRANCHES ? wait->count : BRANCHES;
    for (uint32_t i = 0; i < n; i++) {
        filch__say_blame(s, line, &s->blames[wait->first + i]);
        if (i + 1 < n)
            say(line, ", ");
    }
    if (n < wait->count || wait->more)
        say(line, " ...");
}

static void say_wait(const struct filch__snapshot *s, struct filch__line *line,
                     const struct filch__wait_record *wait)
{
    if (!wait->what)
        return;
    if (wait->since != 0) {
        say(line, wait->since < 0 ? " at most " : " ");
        say_time(line, s->now_coarse - (wait->since < 0 ? -wait->since : wait->since));
    }
    say(line, ": waits for ");
    if (wait->count > 1 || wait->more)
        say(line, "%s: ", wait->what);
    say_blames(s, line, wait);
}

static void say_life(const struct filch__snapshot *s, struct filch__line *line,
                     const struct filch__record *r)
{
    if (r->cause)
        say(line, r->cause == FILCH_CAUSE_ABORT ? " aborted," : " cancelled,");
    switch (r->task.life) {
    case FILCH__LIFE_QUEUED:
        say(line, " queued");
        if (r->task.worker >= 0)
            say(line, " for worker %d", r->task.worker);
        break;
    case FILCH__LIFE_READY:
        say(line, " ready");
        break;
    case FILCH__LIFE_RUNNING:
        say(line, " running on worker %d", r->task.worker);
        break;
    case FILCH__LIFE_SUSPENDED:
        say(line, r->kind == FILCH__RECORD_THREAD ? " blocked" : " suspended");
        say_wait(s, line, &r->task.wait);
        break;
    }
}

static void say_cause(struct filch__line *line, const struct filch__record *r)
{
    const char *by = r->region.by;
    switch (r->cause) {
    case FILCH_CAUSE_CANCEL:
        say(line, ": reason %d%s", r->region.code, *by ? " by task " : "");
        if (*by)
            say_name(line, by);
        break;
    case FILCH_CAUSE_DEADLINE:
        say(line, ": deadline");
        break;
    case FILCH_CAUSE_FAILURE:
    case FILCH_CAUSE_WON:
        say(line, *by ? ": task " : ": a task");
        if (*by)
            say_name(line, by);
        say(line, r->cause == FILCH_CAUSE_WON ? " won with %d" : " failed with %d", r->region.code);
        break;
    case FILCH_CAUSE_SHUTDOWN:
        say(line, ": the runtime ends");
        break;
    default:
        say(line, ": from outside");
        break;
    }
}

static void say_count(struct filch__line *line, uint64_t n, const char *of_what)
{
    if (n > 0)
        say(line, ", %" PRIu64 " %s", n, of_what);
}

static void say_region(const struct filch__snapshot *s, struct filch__line *line,
                       const struct filch__record *r)
{
    static const char *const policies[] = {"fail-fast", "supervise", "race"};
    if (r->shield) {
        say(line, "shield (%p)", r->self);
    } else {
        filch__say_who(line, "scope ", r->name, r->self);
        say(line, " %s, %" PRIu64 " alive", policies[r->region.policy], r->region.live);
        say_count(line, r->region.succeeded, "succeeded");
        say_count(line, r->region.failed, "failed");
        say_count(line, r->region.cancelled, "cancelled");
    }
    if (r->cause) {
        say(line, ", cancelled ");
        say_time(line, s->now - r->region.cancelled_at);
        say(line, " ago");
        say_cause(line, r);
    } else if (r->region.deadline != FILCH_NEVER) {
        say(line, ", deadline %s", r->region.deadline > s->now ? "in " : "passed ");
        say_time(line, r->region.deadline > s->now ? r->region.deadline - s->now
                                                   : s->now - r->region.deadline);
        say(line, r->region.deadline > s->now ? "" : " ago");
    }
}

/* Of a task that is shown in another runtime's tree, or not in its scope's. */
static void say_where(const struct filch__snapshot *s, struct filch__line *line,
                      const struct filch__record *r, const struct filch__record *top)
{
    uint32_t rt = filch__snapshot_find(s, r->rt);
    if (top->rt != r->rt && rt != FILCH__NOWHERE)
        say(line, " of runtime %s", s->records[rt].name);
    if (r->parent && top->self == (const void *)r->rt && s->records + r->up == top)
        say(line, " of scope (%p)", r->parent);
}

static void say_record(const struct filch__snapshot *s, struct filch__line *line,
                       const struct filch__record *r, const struct filch__record *top)
{
    switch ((enum filch__record_kind)r->kind) {
    case FILCH__RECORD_RUNTIME:
        say(line, "runtime %s (%p): %" PRIu32 " worker%s, %" PRIu32 " task%s%s", r->name, r->self,
            r->runtime.workers, r->runtime.workers == 1 ? "" : "s", r->runtime.tasks,
            r->runtime.tasks == 1 ? "" : "s", r->runtime.closing ? ", closing" : "");
        break;
    case FILCH__RECORD_THREADS:
        say(line, "threads");
        break;
    case FILCH__RECORD_TASK:
        filch__say_who(line, "task ", r->name, r->self);
        say_where(s, line, r, top);
        say_life(s, line, r);
        break;
    case FILCH__RECORD_JOB:
        say(line, "job");
        say_life(s, line, r);
        break;
    case FILCH__RECORD_REGION:
        say_region(s, line, r);
        break;
    case FILCH__RECORD_THREAD:
        say(line, "thread %d", r->task.thread);
        say_life(s, line, r);
        break;
    }
}

/* Links the records into a tree; children keep their order. */
static void link_records(struct filch__snapshot *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        s->records[i].first = s->records[i].next = FILCH__NOWHERE;
    for (uint32_t i = s->count; i-- > 0;) {
        struct filch__record *r = &s->records[i];
        uint32_t rt = filch__snapshot_find(s, r->rt);
        if (r->kind == FILCH__RECORD_TASK) {
            uint32_t scope = r->parent ? filch__snapshot_find(s, r->parent) : FILCH__NOWHERE;
            r->up = scope != FILCH__NOWHERE ? scope : rt;
            if (rt != FILCH__NOWHERE)
                s->records[rt].runtime.tasks++;
        }
        if (r->up == FILCH__NOWHERE)
            continue;
        r->next = s->records[r->up].first;
        s->records[r->up].first = i;
    }
}

static uint32_t not_printed(const struct filch__snapshot *s, uint32_t i)
{
    while (i != FILCH__NOWHERE && s->records[i].printed)
        i = s->records[i].next;
    return i;
}

static int print_one(struct filch__snapshot *s, uint32_t i, uint32_t top, int level, FILE *stream)
{
    struct filch__line line = {.length = 0};
    say(&line, "%*s", 2 * (level < LEVELS ? level : LEVELS), "");
    say_record(s, &line, &s->records[i], &s->records[top]);
    s->records[i].printed = true;
    return filch__line_write(&line, stream);
}

/* Prints what is below `top`, by the tree's own links: it may be very deep. */
static int print_tree(struct filch__snapshot *s, uint32_t top, FILE *stream)
{
    uint32_t i = top, next;
    int rc = 0;
    for (int level = 0; (rc = print_one(s, i, top, level, stream)) == 0; i = next) {
        next = not_printed(s, s->records[i].first);
        if (next != FILCH__NOWHERE) {
            level++;
            continue;
        }
        while (i != top && (next = not_printed(s, s->records[i].next)) == FILCH__NOWHERE) {
            i = s->records[i].up;
            level--;
        }
        if (i == top)
            break;
    }
    return rc;
}

/* What moved while it was looked at may have ended up without a way from the top: it comes last. */
static int print_all(struct filch__snapshot *s, FILE *stream)
{
    int rc = 0;
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < s->count && rc == 0; i++) {
            struct filch__record *r = &s->records[i];
            bool empty = r->kind == FILCH__RECORD_THREADS && r->first == FILCH__NOWHERE;
            if (!r->printed && !empty && (pass > 0 || r->up == FILCH__NOWHERE))
                rc = print_tree(s, i, stream);
        }
    return rc;
}

int filch__snapshot_print(struct filch__snapshot *s, FILE *stream)
{
    link_records(s);
    flockfile(stream);
    int rc = print_all(s, stream);
    if (rc == 0)
        rc = filch__snapshot_print_stuck(s, stream);
    if (rc == 0 && s->truncated) {
        struct filch__line line = {.length = 0};
        say(&line, "(truncated: no memory for more)");
        rc = filch__line_write(&line, stream);
    }
    errno = 0;
    if (fflush(stream) != 0 && rc == 0)
        rc = errno ? -errno : -EIO;
    funlockfile(stream);
    return rc;
}
