/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pipeline: one task makes numbers, three work on them, one counts, with channels in between. Who
 * has seen enough closes what it receives from; so those before it learn that nobody listens, and
 * end. What was on the way then is freed by the channels: nothing is lost.
 */
#include <filch/filch.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define WORKERS 3
#define ENOUGH  100000

static atomic_long made, freed;

static long *make_number(long value)
{
    long *number = malloc(sizeof *number);
    if (number) {
        *number = value;
        made++;
    }
    return number;
}

static void free_number(void *item)
{
    free(*(long **)item);
    freed++;
}

struct pipeline {
    filch_channel numbers, squares;
    filch_latch working; /* workers that may still send */
};

static int produce(void *arg)
{
    struct pipeline *p = arg;
    int rc = 0;
    for (long i = 1; rc == 0; i++) {
        long *number = make_number(i);
        if (!number)
            break;
        rc = filch_channel_send(&p->numbers, &number); /* it is the channel's, or still ours */
        if (rc < 0)
            free_number(&number);
    }
    filch_channel_close(&p->numbers);
    return 0;
}

static int work(void *arg)
{
    struct pipeline *p = arg;
    long *number;
    int rc = 0;
    while (rc == 0 && filch_channel_receive(&p->numbers, &number) == 0) {
        *number *= *number;
        rc = filch_channel_send(&p->squares, &number);
        if (rc < 0)
            free_number(&number);
    }
    filch_latch_done(&p->working, 1);
    return 0;
}

static int consume(void *arg)
{
    struct pipeline *p = arg;
    long *square, count = 0;
    while (count < ENOUGH && filch_channel_receive(&p->squares, &square) == 0) {
        count++;
        free_number(&square);
    }
    printf("%ld squares\n", count);
    filch_channel_close_receiving(&p->squares);
    filch_channel_close_receiving(&p->numbers);
    return 0;
}

static int run(void *arg)
{
    struct pipeline *p = arg;
    filch_scope scope;
    int rc = filch_scope_open(&scope, NULL);
    if (rc < 0)
        return rc;
    filch_fn *parts[] = {produce, work, work, work, consume};
    for (size_t i = 0; i < sizeof parts / sizeof *parts && rc == 0; i++)
        rc = filch_scope_spawn(&scope, NULL, parts[i], p);
    if (filch_latch_wait(&p->working) == 0)
        filch_channel_close(&p->squares);
    int closed = filch_scope_close(&scope);
    return rc < 0 ? rc : closed;
}

int main(void)
{
    struct pipeline p = {.working = FILCH_LATCH(WORKERS)};
    filch_channel_options o = {
        .item_size = sizeof(long *), .capacity = 16, .item_drop = free_number};
    if (filch_channel_create(&p.numbers, &o) < 0 || filch_channel_create(&p.squares, &o) < 0)
        return 1;
    int rc = filch_run(NULL, run, &p);
    filch_channel_destroy(&p.squares);
    filch_channel_destroy(&p.numbers);
    printf("%s\n", made == freed ? "nothing lost" : "something lost");
    return rc < 0;
}
