/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE 1
#include "sched/os/die.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static struct iovec part(const char *text)
{
    return (struct iovec){.iov_base = (void *)text, .iov_len = strlen(text)};
}

void filch__say(const char *what, const char *name)
{
    bool named = name && *name;
    struct iovec line[] = {
        part("filch: "), part(what), part(named ? ": " : ""), part(named ? name : ""), part("\n"),
    };
    ssize_t written = writev(STDERR_FILENO, line, sizeof line / sizeof *line);
    (void)written; /* there is nobody else to tell */
}

_Noreturn void filch__die_named(const char *what, const char *name)
{
    filch__say(what, name);
    abort();
}

_Noreturn void filch__die(const char *what)
{
    filch__die_named(what, NULL);
}
