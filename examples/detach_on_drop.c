/* SPDX-License-Identifier: Apache-2.0 */
/* Dropping a handle detaches the task, which goes on. Prints 1 2 done. */
#include <filch/filch.h>

#include <stdio.h>

#define SECOND INT64_C(1000000000)

static int print_later(void *arg)
{
    (void)arg;
    int rc = filch_sleep(1 * SECOND);
    if (rc == 0)
        puts("2");
    return rc;
}

static int program(void *arg)
{
    (void)arg;
    filch_handle *task;
    int rc = filch_spawn(&task, print_later, NULL);
    if (rc < 0)
        return rc;
    puts("1");
    filch_detach(task);
    rc = filch_sleep(2 * SECOND);
    puts("done");
    return rc;
}

int main(void)
{
    return filch_run(NULL, program, NULL) != 0;
}
