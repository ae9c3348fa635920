/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A future that was polled and is pending holds what it has taken until it is dropped; then it lets
 * go at once, without waiting for what it waited for. Prints 1 2 done.
 */
#include <filch/filch.h>

#include <errno.h>
#include <stdio.h>

#define SECOND INT64_C(1000000000)

/* Greets, then waits with a guard held. */
struct greeting {
    filch_future future; /* first */
    filch_sleep_future pause;
    int *guards; /* how many are held */
    bool greeted;
};

static int poll(filch_future *self, const filch_waker *waker)
{
    struct greeting *greeting = (struct greeting *)self;
    if (!greeting->greeted) {
        greeting->greeted = true;
        ++*greeting->guards;
        puts("2");
    }
    int rc = filch_poll(&greeting->pause.future, waker);
    if (rc != FILCH_PENDING)
        puts("3");
    return rc;
}

static void drop(filch_future *self)
{
    struct greeting *greeting = (struct greeting *)self;
    filch_future_drop(&greeting->pause.future);
    if (greeting->greeted)
        --*greeting->guards;
}

static const filch_future_ops greeting_ops = {"a greeting", poll, drop};

static int program(void *arg)
{
    (void)arg;
    int guards = 0;
    struct greeting greeting = {FILCH_FUTURE(&greeting_ops),
                                FILCH_SLEEP_FUTURE(filch_now() + 1 * SECOND), &guards, false};
    puts("1");
    int rc = filch_poll(&greeting.future, NULL);
    if (rc != FILCH_PENDING || guards != 1)
        return 1;
    filch_future_drop(&greeting.future);
    puts("done");
    return filch_await(&greeting.future) == -EALREADY && guards == 0 ? 0 : 1;
}

int main(void)
{
    return filch_run(NULL, program, NULL) != 0;
}
