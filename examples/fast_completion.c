/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What completes at once, at any speed, with several waiters: nobody is resumed for what has
 * completed before, and nobody polls it again. No sleep makes that come out right. Prints the
 * rounds, and done.
 */
#include <filch/filch.h>

#include <errno.h>
#include <stdio.h>

#define ROUNDS  100000
#define WAITERS 3

/* Ready at its first poll; counts what is done to it. */
struct instant {
    filch_future future; /* first */
    int polls, drops;
};

static int poll(filch_future *self, const filch_waker *waker)
{
    filch_wake(waker); /* in vain: it is ready */
    ((struct instant *)self)->polls++;
    return 1;
}

static void drop(filch_future *self)
{
    ((struct instant *)self)->drops++;
}

static const filch_future_ops instant_ops = {"an instant", poll, drop};

static int return_one(void *arg)
{
    (void)arg;
    return 1;
}

/* Awaits a future of its own, and a task: how many have completed. */
static int wait_for_both(void *arg)
{
    (void)arg;
    struct instant instant = {FILCH_FUTURE(&instant_ops), 0, 0};
    filch_handle *task;
    int rc = filch_spawn(&task, return_one, NULL);
    if (rc < 0)
        return rc;
    filch_join_future end = FILCH_JOIN_FUTURE(task);
    filch_future *both[] = {&instant.future, &end.future};
    int first = filch_select(both, 2);
    if (first < 0)
        return first;
    int other = filch_await(both[!first]);
    if (filch_await(both[0]) != -EALREADY || filch_await(both[1]) != -EALREADY)
        return -EPROTO;
    if (instant.polls != 1 || instant.drops != 1)
        return -EPROTO;
    return both[first]->result + other;
}

static int program(void *arg)
{
    (void)arg;
    int64_t completed = 0;
    for (int round = 0; round < ROUNDS; round++) {
        filch_scope scope;
        filch_handle *waiter[WAITERS];
        int rc = filch_scope_open(&scope, NULL);
        for (int i = 0; i < WAITERS && rc == 0; i++)
            rc = filch_scope_spawn(&scope, &waiter[i], wait_for_both, NULL);
        for (int i = 0; i < WAITERS && rc == 0; i++) {
            int result;
            rc = filch_join(waiter[i], &result);
            if (rc == 0 && result < 0)
                rc = result;
            completed += result;
        }
        int closed = filch_scope_close(&scope);
        if (rc < 0 || closed < 0)
            return rc < 0 ? rc : closed;
    }
    printf("%d rounds, %lld completions\ndone\n", ROUNDS, (long long)completed);
    return 0;
}

int main(void)
{
    return filch_run(NULL, program, NULL) != 0;
}
