/* SPDX-License-Identifier: Apache-2.0 */
/* Aborting a task cuts its waits short; the join says what became of it. Prints 1 done. */
#include <filch/filch.h>

#include <errno.h>
#include <stdio.h>

#define SECOND INT64_C(1000000000)

static int print_later(void *arg)
{
    (void)arg;
    int rc = filch_sleep(1 * SECOND); /* -ECANCELED */
    if (rc == 0)
        puts("2");
    return rc;
}

static int program(void *arg)
{
    (void)arg;
    filch_handle *task;
    int rc = filch_spawn(&task, print_later, NULL), result;
    if (rc < 0)
        return rc;
    puts("1");
    filch_abort(task);
    rc = filch_join(task, &result);
    if (rc < 0)
        return rc;
    rc = filch_sleep(2 * SECOND);
    puts("done");
    return rc < 0 ? rc : result == -ECANCELED ? 0 : 1;
}

int main(void)
{
    return filch_run(NULL, program, NULL) != 0;
}
