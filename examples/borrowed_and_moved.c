/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who owns what a task works on. Children of a scope borrow from their parent, which outlives them.
 * A free task gets its argument moved, for the frame that spawned it may be gone before it runs.
 * And two waits of one task go on side by side.
 */
#include <filch/filch.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000000)
#define COUNT  8

static int square(void *arg)
{
    int *number = arg; /* borrowed */
    *number *= *number;
    return 0;
}

static int borrow(void)
{
    int number[COUNT], sum = 0;
    filch_scope scope;
    int rc = filch_scope_open(&scope, NULL);
    if (rc < 0)
        return rc;
    for (int i = 0; i < COUNT && rc == 0; i++) {
        number[i] = i;
        rc = filch_scope_spawn(&scope, NULL, square, &number[i]);
    }
    int closed = filch_scope_close(&scope); /* no child has the array any more */
    if (rc < 0 || closed < 0)
        return rc < 0 ? rc : closed;
    for (int i = 0; i < COUNT; i++)
        sum += number[i];
    printf("borrowed: %d\n", sum);
    return 0;
}

struct letter {
    char *text; /* owned */
};

static int read_letter(void *arg)
{
    const struct letter *letter = arg; /* the task's own copy */
    return printf("moved: %s\n", letter->text) < 0 ? -1 : 0;
}

static void drop_letter(void *arg)
{
    free(((struct letter *)arg)->text);
}

/* When this has returned its frame is gone, and the task has perhaps not started. */
static int post(filch_handle **task)
{
    struct letter letter = {strdup("hello")};
    filch_spawn_options options = {.arg_size = sizeof letter, .arg_drop = drop_letter};
    int rc = filch_spawn_with(task, &options, read_letter, &letter);
    if (rc < 0)
        drop_letter(&letter); /* still ours */
    return rc;
}

static int wait_for_two(void)
{
    int64_t start = filch_now();
    filch_sleep_future one = FILCH_SLEEP_FUTURE(start + 1 * SECOND);
    filch_sleep_future two = FILCH_SLEEP_FUTURE(start + 1 * SECOND);
    filch_future *both[] = {&one.future, &two.future};
    int rc = filch_join_all(both, 2);
    if (rc == 0)
        puts(filch_now() - start < 2 * SECOND ? "two seconds in one" : "one after the other");
    return rc;
}

static int program(void *arg)
{
    (void)arg;
    filch_handle *task;
    int rc = borrow(), result = 0;
    if (rc == 0)
        rc = post(&task);
    if (rc == 0)
        rc = filch_join(task, &result);
    if (rc == 0 && result == 0)
        rc = wait_for_two();
    return rc < 0 ? rc : result;
}

int main(void)
{
    return filch_run(NULL, program, NULL) != 0;
}
