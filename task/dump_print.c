/* SPDX-License-Identifier: Apache-2.0 */
/* The second half of a dump: the tree, from the snapshot alone. */
#include "task/dump.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>

/* Deeper levels are not indented any further. */
#define LEVELS 40

struct line {
    size_t length;
    char text[512];
};

__attribute__((format(printf, 2, 3))) static void say(struct line *line, const char *format, ...)
{
    size_t room = sizeof line->text - line->length;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line->text + line->length, room, format, args);
    va_end(args);
    if (n > 0)
        line->length += (size_t)n < room ? (size_t)n : room - 1;
}

static void say_time(struct line *line, int64_t ns)
{
    ns = ns > 0 ? ns : 0;
    if (ns < 1000)
        say(line, "%" PRId64 " ns", ns);
    else if (ns < 1000000)
        say(line, "%.1f us", (double)ns / 1e3);
    else if (ns < 1000000000)
        say(line, "%.1f ms", (double)ns / 1e6);
    else
        say(line, "%.1f s", (double)ns / 1e9);
}

/* In quotes; what would spoil the line is replaced. */
static void say_name(struct line *line, const char *name)
{
    char text[FILCH__NAME];
    size_t n = 0;
    for (; n + 1 < sizeof text && name[n]; n++)
        text[n] = (unsigned char)name[n] < ' ' || name[n] == 0x7f ? '?' : name[n];
    text[n] = 0;
    say(line, "\"%s\"", text);
}

/* Its name, or its address. */
static void say_who(struct line *line, const char *kind, const char *name, const void *address)
{
    say(line, "%s", kind);
    if (*name)
        say_name(line, name);
    else
        say(line, "(%p)", address);
}

static void say_waiting(const struct filch__snapshot *s, struct line *line,
                        const struct filch__waiting *waiting)
{
    if (waiting->since != 0 && waiting->what)
        say(line, waiting->since < 0 ? " at most " : " ");
    if (waiting->since != 0 && waiting->what)
        say_time(line, s->now_coarse - (waiting->since < 0 ? -waiting->since : waiting->since));
    if (!waiting->what)
        return;
    say(line, ": waits for %s", waiting->what);
    if (!waiting->on)
        return;
    uint32_t on = filch__snapshot_find(s, waiting->on);
    say_who(line, " ", on == FILCH__NOWHERE ? "" : s->records[on].name, waiting->on);
}

static void say_life(const struct filch__snapshot *s, struct line *line,
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
        say(line, " suspended");
        say_waiting(s, line, &r->task.waiting);
        break;
    }
}

static void say_cause(struct line *line, const struct filch__record *r)
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

static void say_count(struct line *line, uint64_t n, const char *of_what)
{
    if (n > 0)
        say(line, ", %" PRIu64 " %s", n, of_what);
}

static void say_region(const struct filch__snapshot *s, struct line *line,
                       const struct filch__record *r)
{
    static const char *const policies[] = {"fail-fast", "supervise", "race"};
    if (r->shield) {
        say(line, "shield (%p)", r->self);
    } else {
        say_who(line, "scope ", r->name, r->self);
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
static void say_where(const struct filch__snapshot *s, struct line *line,
                      const struct filch__record *r, const struct filch__record *top)
{
    uint32_t rt = filch__snapshot_find(s, r->rt);
    if (top->rt != r->rt && rt != FILCH__NOWHERE)
        say(line, " of runtime %s", s->records[rt].name);
    if (r->parent && top->self == (const void *)r->rt && s->records + r->up == top)
        say(line, " of scope (%p)", r->parent);
}

static void say_record(const struct filch__snapshot *s, struct line *line,
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
        say_who(line, "task ", r->name, r->self);
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

static int write_line(struct line *line, FILE *stream)
{
    say(line, "%s", "\n");
    line->text[line->length - 1] = '\n';
    errno = 0;
    return fputs(line->text, stream) < 0 ? (errno ? -errno : -EIO) : 0;
}

static int print_one(struct filch__snapshot *s, uint32_t i, uint32_t top, int level, FILE *stream)
{
    struct line line = {.length = 0};
    say(&line, "%*s", 2 * (level < LEVELS ? level : LEVELS), "");
    say_record(s, &line, &s->records[i], &s->records[top]);
    s->records[i].printed = true;
    return write_line(&line, stream);
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
    if (rc == 0 && s->truncated) {
        struct line line = {.length = 0};
        say(&line, "(truncated: no memory for more)");
        rc = write_line(&line, stream);
    }
    errno = 0;
    if (fflush(stream) != 0 && rc == 0)
        rc = errno ? -errno : -EIO;
    funlockfile(stream);
    return rc;
}
