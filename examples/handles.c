/* SPDX-License-Identifier: Apache-2.0 */
/* What can be done with a handle: join for the result, detach, abort. */
#include <filch/filch.h>

#include <errno.h>
#include <stdio.h>

struct range {
    int first, last;
};

/* Gets its own copy of the range, and leaves its sum where a join can move it from. */
static int sum(void *arg)
{
    const struct range *range = arg;
    long *total = filch_result_buffer();
    for (int i = range->first; i <= range->last; i++)
        *total += i;
    return 0;
}

/* Runs until somebody asks it to stop. */
static int spin(void *arg)
{
    (void)arg;
    int rc;
    do
        rc = filch_yield();
    while (rc == 0);
    return rc;
}

static int program(void *arg)
{
    (void)arg;
    filch_handle *adder, *spinner;
    struct range range = {1, 100};
    filch_spawn_options moved = {
        .name = "adder", .arg_size = sizeof range, .result_size = sizeof(long)};
    int rc = filch_spawn_with(&adder, &moved, sum, &range);
    if (rc < 0)
        return rc;
    range.last = 0; /* the task has a copy */

    int result;
    long total = 0;
    rc = filch_join_into(adder, &result, &total);
    if (rc < 0)
        return rc;
    printf("the sum is %ld\n", total);

    rc = filch_spawn(&spinner, spin, NULL);
    if (rc < 0)
        return rc;
    filch_abort(spinner);
    rc = filch_join(spinner, &result);
    if (rc < 0)
        return rc;
    printf("the spinner was %s\n", result == -ECANCELED ? "cancelled" : "not cancelled");
    return 0;
}

int main(void)
{
    return filch_run(NULL, program, NULL) < 0;
}
