/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a dump, and how things are named in them. */
#ifndef FILCH_TASK_DUMP_TEXT_H
#define FILCH_TASK_DUMP_TEXT_H

#include "task/dump.h"

/* Empty at {0}; what does not fit is cut. */
struct filch__line {
    size_t length;
    char text[512];
};

__attribute__((format(printf, 2, 3))) void filch__say_text(struct filch__line *line,
                                                           const char *format, ...);
void filch__say_time(struct filch__line *line, int64_t ns);
/* In quotes; what would spoil the line is replaced. */
void filch__say_name(struct filch__line *line, const char *name);
/* Its name, or its address. */
void filch__say_who(struct filch__line *line, const char *kind, const char *name,
                    const void *address);
/* A task, a job, a thread. */
void filch__say_node(const struct filch__snapshot *s, struct filch__line *line, uint32_t i);
/* What is waited for: whose, or who has it. */
void filch__say_blame(const struct filch__snapshot *s, struct filch__line *line,
                      const struct filch__blame *blame);

/* The end of the line; or its beginning, which is then empty. 0, or what the stream says. */
int filch__line_write(struct filch__line *line, FILE *stream);
int filch__line_write_part(struct filch__line *line, FILE *stream);

#endif
