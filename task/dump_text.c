/* SPDX-License-Identifier: Apache-2.0 */
#include "task/dump_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>

void filch__say_text(struct filch__line *line, const char *format, ...)
{
    size_t room = sizeof line->text - line->length;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line->text + line->length, room, format, args);
    va_end(args);
    if (n > 0)
        line->length += (size_t)n < room ? (size_t)n : room - 1;
}

void filch__say_time(struct filch__line *line, int64_t ns)
{
    ns = ns > 0 ? ns : 0;
    if (ns < 1000)
        filch__say_text(line, "%" PRId64 " ns", ns);
    else if (ns < 1000000)
        filch__say_text(line, "%.1f us", (double)ns / 1e3);
    else if (ns < 1000000000)
        filch__say_text(line, "%.1f ms", (double)ns / 1e6);
    else
        filch__say_text(line, "%.1f s", (double)ns / 1e9);
}

void filch__say_name(struct filch__line *line, const char *name)
{
    char text[FILCH__NAME];
    size_t n = 0;
    for (; n + 1 < sizeof text && name[n]; n++)
        text[n] = (unsigned char)name[n] < ' ' || name[n] == 0x7f ? '?' : name[n];
    text[n] = 0;
    filch__say_text(line, "\"%s\"", text);
}

void filch__say_who(struct filch__line *line, const char *kind, const char *name,
                    const void *address)
{
    filch__say_text(line, "%s", kind);
    if (*name)
        filch__say_name(line, name);
    else
        filch__say_text(line, "(%p)", address);
}

void filch__say_node(const struct filch__snapshot *s, struct filch__line *line, uint32_t i)
{
    const struct filch__record *r = &s->records[i];
    if (r->kind == FILCH__RECORD_THREAD) {
        filch__say_text(line, "thread %d", r->task.thread);
        return;
    }
    bool job = r->kind == FILCH__RECORD_JOB;
    if (job)
        r = &s->records[r->up];
    filch__say_who(line, job ? "a job of task " : "task ", r->name, r->self);
}

void filch__say_blame(const struct filch__snapshot *s, struct filch__line *line,
                      const struct filch__blame *blame)
{
    uint32_t who = filch__graph_find(s, blame);
    bool known = who != FILCH__NOWHERE;
    filch__say_text(line, "%s", blame->name);
    switch (blame->kind) {
    case FILCH__BLAME_TASK:
    case FILCH__BLAME_SCOPE:
    case FILCH__BLAME_CHILD:
        filch__say_who(line, " ", known ? s->records[who].name : "", blame->who);
        break;
    case FILCH__BLAME_HOLDER:
        filch__say_text(line, " (%p)", blame->object);
        if (known)
            filch__say_text(line, " held by ");
        if (known)
            filch__say_node(s, line, who);
        break;
    default:
        if (blame->object)
            filch__say_text(line, " (%p)", blame->object);
        break;
    }
}

int filch__line_write_part(struct filch__line *line, FILE *stream)
{
    errno = 0;
    line->text[line->length] = 0;
    line->length = 0;
    return fputs(line->text, stream) < 0 ? (errno ? -errno : -EIO) : 0;
}

int filch__line_write(struct filch__line *line, FILE *stream)
{
    filch__say_text(line, "%s", "\n");
    line->text[line->length - 1] = '\n';
    return filch__line_write_part(line, stream);
}
