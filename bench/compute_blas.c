/* SPDX-License-Identifier: Apache-2.0 */

/* A matrix product by dgemm. Built once for each BLAS: BLAS_NAME, and BLAS_VERSION, its function. The
 * numbers are small integers, so that each product is exact whatever the order of its sums. */

#include "bench/compute.h"

#include <stdlib.h>
#include <string.h>

enum { N = 512, BYTES = N * N * (int)sizeof(double) };

extern void dgemm_(const char *transa, const char *transb, const int *m, const int *n, const int *k,
                   const double *alpha, const double *a, const int *lda, const double *b,
                   const int *ldb, const double *beta, double *c, const int *ldc);
extern const char *BLAS_VERSION(void);

static double *a, *b, *c, *expected;

static double *matrix(int step)
{
    double *m = aligned_alloc(64, BYTES);
    for (int i = 0; m && i < N * N; i++)
        m[i] = i * step % 31 % 9 - 4;
    return m;
}

/* expected = a * b, by columns */
static void multiply_serially(void)
{
    memset(expected, 0, BYTES);
    for (int j = 0; j < N; j++)
        for (int k = 0; k < N; k++)
            for (int i = 0; i < N; i++)
                expected[j * N + i] += a[k * N + i] * b[j * N + k];
}

/* The number of threads comes from OMP_NUM_THREADS, and filch by the library that is loaded. */
static int start(int threads, bool filch)
{
    (void)threads;
    (void)filch;
    a = matrix(7);
    b = matrix(11);
    c = matrix(1);
    expected = matrix(1);
    if (!a || !b || !c || !expected)
        return -1;
    multiply_serially();
    return 0;
}

static void call(void)
{
    const double one = 1;
    const double zero = 0;
    const int n = N;
    dgemm_("N", "N", &n, &n, &n, &one, a, &n, b, &n, &zero, c, &n);
}

static void clear(void)
{
    memset(c, 0x55, BYTES);
}

static bool right(void)
{
    for (int i = 0; i < N * N; i++)
        if (c[i] != expected[i])
            return false;
    return true;
}

static void stop(void)
{
    free(a);
    free(b);
    free(c);
    free(expected);
}

int main(int argc, char **argv)
{
    static const struct compute_work work = {
        BLAS_NAME, "libgomp.so.1", BLAS_VERSION, start, call, clear, right, stop,
    };
    return compute_main(argc, argv, &work);
}
