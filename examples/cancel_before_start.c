/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Futures are lazy: one that is dropped before it was awaited has run nothing but its drop, which
 * lets go of what it owns. Prints 1 2 done.
 */
#include <filch/filch.h>

#include <stdio.h>

/* A future of our own. It owns a guard, which its drop releases. */
struct greeting {
    filch_future future; /* first */
    const char *guard;
};

static int poll(filch_future *self, const filch_waker *waker)
{
    (void)self, (void)waker;
    puts("3");
    return 0;
}

static void drop(filch_future *self)
{
    const struct greeting *greeting = (struct greeting *)self;
    puts(greeting->guard);
}

static const filch_future_ops greeting_ops = {"a greeting", poll, drop};

static int program(void *arg)
{
    (void)arg;
    struct greeting greeting = {FILCH_FUTURE(&greeting_ops), "2"};
    puts("1");
    int rc = filch_future_drop(&greeting.future);
    puts("done");
    return rc;
}

int main(void)
{
    return filch_run(NULL, program, NULL) != 0;
}
