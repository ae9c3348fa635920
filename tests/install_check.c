/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest user of an installed filch; C and C++. */
#include <filch/filch.h>

static int fib(int n);

static int fib_job(void *n)
{
    return fib((int)(intptr_t)n);
}

static int fib(int n)
{
    if (n < 2)
        return n;
    filch_job job = FILCH_JOB(fib_job, (void *)(intptr_t)(n - 1));
    filch_fork(&job);
    int b = fib(n - 2);
    return b + filch_sync(&job);
}

int main(void)
{
    return filch_run(NULL, fib_job, (void *)20) == 6765 ? 0 : 1;
}
