/* SPDX-License-Identifier: Apache-2.0 */
/* The system's OpenBLAS, built with OpenMP, on the drop-in libgomp.so.1. */
#define _GNU_SOURCE 1
#include "tests/gomp_library.h"

static void (*set_threads)(int n);
static void (*dgetrf)(const int *m, const int *n, double *a, const int *lda, int *pivots,
                      int *info);

static void the_dropin_is_loaded(void)
{
    CHECK(dropin_is_loaded());
}

static const int threads[] = {1, 2, 4, 8};

/* Asks for more threads than there are workers, too. */
static void products_from_the_main_thread(void)
{
    for (size_t i = 0; i < COUNT(threads); i++) {
        set_threads(threads[i]);
        multiply_some();
    }
}

static void products_from_two_threads(void)
{
    on_two_threads(multiply_some);
}

static void products_from_tasks(void)
{
    in_task_of_each(multiply_tasks);
}

static void products_nested_in_loops(void)
{
    nested_on(2);
    nested_on(8);
}

/* By columns: P L U = A, checked on a vector. */
static bool factorize(int n)
{
    size_t size = (size_t)n;
    double *a = matrix(8, n, n), *lu = matrix(8, n, n), *x = matrix(9, n, 1);
    double *ax = matrix(9, n, 1), *ux = matrix(9, n, 1), *lux = matrix(9, n, 1);
    int *pivots = calloc(size, sizeof *pivots), info = -1;
    REQUIRE(pivots);
    dgetrf(&n, &n, lu, &n, pivots, &info);
    for (size_t i = 0; i < size; i++)
        ax[i] = ux[i] = lux[i] = 0;
    for (size_t j = 0; j < size; j++)
        for (size_t i = 0; i < size; i++) {
            ax[i] += a[j * size + i] * x[j];
            ux[i] += i <= j ? lu[j * size + i] * x[j] : 0;
        }
    for (size_t j = 0; j < size; j++)
        for (size_t i = j; i < size; i++)
            lux[i] += (i == j ? 1 : lu[j * size + i]) * ux[j];
    for (size_t i = 0; i < size; i++) {
        size_t with = (size_t)pivots[i] - 1;
        double t = ax[i];
        ax[i] = ax[with];
        ax[with] = t;
    }
    bool right = info == 0 && close_to(ax, lux, n, 1e-8);
    free(a), free(lu), free(x), free(ax), free(ux), free(lux), free(pivots);
    return right;
}

static void factorize_some(void)
{
    CHECK(factorize(1) && factorize(100) && factorize((int)sized(400, 600, 1000)));
}

static int factorize_task(void *arg)
{
    (void)arg;
    factorize_some();
    return 0;
}

static void factorizations(void)
{
    for (size_t i = 0; i < COUNT(threads); i++) {
        set_threads(threads[i]);
        factorize_some();
    }
    on_two_threads(factorize_some);
    in_task_of_each(factorize_task);
}

static void in_cancelled_tasks(void)
{
    in_cancelled_task_of_each(multiply_some);
}

int main(int argc, char **argv)
{
    (void)argc;
    start_with_dropin(argv);
    void *library = dlopen(FILCH_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        fprintf(stderr, "%s\n", dlerror());
    REQUIRE(library);
    dgemm = (dgemm_fn *)symbol(library, "cblas_dgemm");
    dgetrf = (void (*)(const int *, const int *, double *, const int *, int *, int *))symbol(
        library, "dgetrf_");
    set_threads = (void (*)(int))symbol(library, "openblas_set_num_threads");
    RUN(the_dropin_is_loaded);
    RUN(products_from_the_main_thread);
    RUN(products_from_two_threads);
    RUN(products_from_tasks);
    RUN(products_nested_in_loops);
    RUN(factorizations);
    RUN(in_cancelled_tasks);
    return summary();
}
