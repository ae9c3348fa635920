/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A timeout reaches everything below it: main gives foo 1 s, foo gives bar 3 s, bar takes 2 s. When
 * main's wait is over nothing of foo and bar runs any more. Prints 1 2 3 done.
 */
#include <filch/filch.h>

#include <errno.h>
#include <stdio.h>

#define SECOND INT64_C(1000000000)

/* Runs fn as a child, at most so long. */
static int within(int64_t time, filch_fn *fn)
{
    filch_scope scope;
    int rc = filch_scope_open(&scope, &(filch_scope_options){.deadline = filch_now() + time});
    if (rc < 0)
        return rc;
    int spawned = filch_scope_spawn(&scope, NULL, fn, NULL);
    rc = filch_scope_close(&scope); /* waits for fn, also when the time is up */
    return spawned < 0 ? spawned : rc;
}

static int bar(void *arg)
{
    (void)arg;
    puts("3");
    int rc = filch_sleep(2 * SECOND); /* -ECANCELED after one of them */
    if (rc == 0)
        puts("bar has slept");
    return rc;
}

static int foo(void *arg)
{
    (void)arg;
    puts("2");
    int rc = within(3 * SECOND, bar);
    if (rc == 0)
        puts("foo has seen bar end");
    return rc;
}

static int program(void *arg)
{
    (void)arg;
    puts("1");
    int rc = within(1 * SECOND, foo);
    if (rc != -ETIMEDOUT)
        return 1;
    puts("done");
    return filch_sleep(2 * SECOND); /* what still ran would print now */
}

int main(void)
{
    return filch_run(NULL, program, NULL) != 0;
}
