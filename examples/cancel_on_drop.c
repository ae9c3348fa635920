/* SPDX-License-Identifier: Apache-2.0 */
/* With cancel_on_drop, dropping the handle aborts the task: one that has not run never will. Prints
 * 1 done. */
#include <filch/filch.h>

#include <stdio.h>

#define SECOND INT64_C(1000000000)

static int print_now(void *arg)
{
    (void)arg;
    return puts("2");
}

static int program(void *arg)
{
    (void)arg;
    filch_handle *task;
    /* On the worker that runs this, so that it cannot start before we wait. */
    filch_spawn_options options = {.cancel_on_drop = true, .worker = 1};
    int rc = filch_spawn_with(&task, &options, print_now, NULL);
    if (rc < 0)
        return rc;
    puts("1");
    filch_detach(task);
    rc = filch_sleep(1 * SECOND);
    puts("done");
    return rc;
}

int main(void)
{
    filch_runtime *runtime;
    int rc = filch_runtime_create(&runtime, &(filch_options){.workers = 1});
    if (rc == 0) {
        rc = filch_run(runtime, program, NULL);
        filch_runtime_destroy(runtime);
    }
    return rc != 0;
}
