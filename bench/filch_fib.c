/* SPDX-License-Identifier: Apache-2.0 */

/*
 * fib on filch. In a file of its own because what the compiler makes of a recursion this small
 * depends on what else is in the unit: among other functions it unrolls fib_job into itself and
 * saves twice the registers, at a third more per fork.
 */

#include "bench/filch_peer.h"

static int fib(int n);

/* Inline for good: then the last call of fib is one that the compiler can make a loop of. */
__attribute__((always_inline)) static inline int fib_job(void *n)
{
    return fib((int)(intptr_t)n);
}

static int fib(int n)
{
    if (n < 2)
        return n;
    filch_job job = FILCH_JOB(fib_job, (void *)(intptr_t)(n - 1));
    filch_fork(&job);
    int a = fib(n - 2);
    return a + filch_sync(&job);
}

int fib_task(void *n)
{
    return fib((int)(intptr_t)n);
}
