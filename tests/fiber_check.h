/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of fibers below the scheduler share: a fiber and whoever drives it.
 */
#ifndef FILCH_TESTS_FIBER_CHECK_H
#define FILCH_TESTS_FIBER_CHECK_H

#include "sched/fiber/context.h"
#include "sched/fiber/stack.h"
#include "tests/check.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Sanitizers keep a shadow of each stack, in mappings of their own. */
enum { SANITIZED = WITH_ASAN || WITH_TSAN };

/* Runs a case and names it after its function. */
#define RUN(test) run_case(#test, test)

/* One fiber and whoever drives it. */
struct pair {
    struct filch__context driver;
    struct filch__context fiber;
    struct filch__stack stack;
    void *seen;
    long count;
    bool ok;
    bool done;
};

static inline void pair_open(struct pair *p, size_t size, void (*entry)(void *))
{
    memset(p, 0, sizeof(*p));
    if (filch__stack_create(&p->stack, size) != 0) {
        fprintf(stderr, "no stack\n");
        exit(1);
    }
    filch__context_adopt(&p->driver);
    filch__context_init(&p->fiber, &p->stack, entry, p);
}

static inline void pair_resume(struct pair *p)
{
    filch__context_switch(&p->driver, &p->fiber);
}

static inline void pair_suspend(struct pair *p)
{
    filch__context_switch(&p->fiber, &p->driver);
}

static inline void pair_end(struct pair *p)
{
    p->done = true;
    filch__context_switch_final(&p->fiber, &p->driver);
}

static inline void pair_close(struct pair *p)
{
    filch__context_release(&p->fiber);
    filch__context_release(&p->driver);
    filch__stack_destroy(&p->stack);
}

/* Takes more than half a KiB of stack a call; returns n. */
static inline long deep(long n)
{
    volatile char frame[512];

    frame[0] = (char)n;
    return n == 0 ? 0 : 1 + deep(n - 1) + (frame[0] - (char)n);
}

#endif
