/* SPDX-License-Identifier: Apache-2.0 */
/* Fork-join: every call of fib offers one half of its work to whoever is idle. */
#include <filch/filch.h>

#include <stdio.h>
#include <stdlib.h>

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

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 35;
    if (n < 0 || n > 46) {
        fprintf(stderr, "fib: n must be 0 to 46, so that the result fits an int\n");
        return 2;
    }
    int result = filch_run(NULL, fib_job, (void *)(intptr_t)n);
    if (result < 0) {
        fprintf(stderr, "fib: filch_run: %d\n", result);
        return 1;
    }
    printf("fib(%d) = %d\n", n, result);
    return 0;
}
