/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the system's OpenMP libraries on the drop-in share. The program is linked against
 * no libgomp; it starts itself again with LD_LIBRARY_PATH set to the drop-in's folder, and then loads
 * the library as it is.
 */
#ifndef FILCH_TESTS_GOMP_LIBRARY_H
#define FILCH_TESTS_GOMP_LIBRARY_H

#include "tests/adapter_check.h"

#include <dlfcn.h>
#include <math.h>

/* What the libraries leave allocated is theirs. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

/* Returns in the process that has the drop-in in its path. */
static inline void start_with_dropin(char **argv)
{
    if (getenv("FILCH_TEST_DROPIN"))
        return;
    setenv("FILCH_TEST_DROPIN", "1", 1);
    setenv("LD_LIBRARY_PATH", FILCH_GOMP_FOLDER, 1);
    execv("/proc/self/exe", argv);
    perror("execv");
    exit(2);
}

/* Just one libgomp is loaded, from the drop-in's folder. */
static inline bool dropin_is_loaded(void)
{
    char line[4096];
    int ours = 0, others = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    REQUIRE(maps);
    while (fgets(line, sizeof line, maps))
        if (strstr(line, "libgomp.so"))
            *(strstr(line, FILCH_GOMP_FOLDER "/") ? &ours : &others) += 1;
    fclose(maps);
    return ours > 0 && others == 0;
}

static inline void *symbol(void *library, const char *name)
{
    void *found = dlsym(library, name);
    if (!found)
        fprintf(stderr, "no %s\n", name);
    REQUIRE(found);
    return found;
}

/* ---- matrices ---- */

/* Between -1 and 1; from its place alone. */
static inline double entry(int seed, int i, int j)
{
    uint64_t state = (uint64_t)seed << 40 | (uint64_t)i << 20 | (uint64_t)j;
    return (double)test_random(&state, 1 << 20) / (1 << 19) - 1;
}

static inline double *matrix(int seed, int rows, int columns)
{
    double *m = malloc(sizeof *m * (size_t)rows * (size_t)columns);
    REQUIRE(m);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            m[(size_t)i * (size_t)columns + (size_t)j] = entry(seed, i, j);
    return m;
}

/* y = m x, by rows. */
static inline void apply(const double *m, int rows, int columns, const double *x, double *y)
{
    for (int i = 0; i < rows; i++) {
        y[i] = 0;
        for (int j = 0; j < columns; j++)
            y[i] += m[(size_t)i * (size_t)columns + (size_t)j] * x[j];
    }
}

static inline bool close_to(const double *x, const double *y, int n, double tolerance)
{
    for (int i = 0; i < n; i++)
        if (!(fabs(x[i] - y[i]) <= tolerance))
            return false;
    return true;
}

/* ---- matrix products ---- */

typedef void dgemm_fn(int order, int transpose_a, int transpose_b, int m, int n, int k,
                      double alpha, const double *a, int lda, const double *b, int ldb, double beta,
                      double *c, int ldc);

enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111 };

static dgemm_fn *dgemm;

/* c = a b, checked on a vector: c x = a (b x). */
static inline bool multiply(int m, int n, int k)
{
    double *a = matrix(1, m, k), *b = matrix(2, k, n), *x = matrix(3, n, 1);
    double *c = matrix(4, m, n), *bx = matrix(5, k, 1), *abx = matrix(6, m, 1);
    double *cx = matrix(7, m, 1);
    dgemm(ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, m, n, k, 1.0, a, k, b, n, 0.0, c, n);
    apply(b, k, n, x, bx);
    apply(a, m, k, bx, abx);
    apply(c, m, n, x, cx);
    bool right = close_to(cx, abx, m, 1e-9);
    free(a), free(b), free(c), free(x), free(bx), free(abx), free(cx);
    return right;
}

static inline void multiply_some(void)
{
    static const int sizes[][3] = {{1, 1, 1}, {64, 64, 64}, {200, 100, 300}, {333, 222, 111}};
    for (size_t i = 0; i < COUNT(sizes); i++)
        CHECK(multiply(sizes[i][0], sizes[i][1], sizes[i][2]));
    for (int i = 0; i < sized(2, 20, 200); i++)
        CHECK(multiply(256, 256, 128));
}

/* Many small ones inside of a loop's bodies, all of whose workers are busy. */
static inline int multiply_in_body(int64_t first, int64_t last, void *ctx)
{
    (void)ctx;
    for (int64_t i = first; i < last; i++)
        CHECK(multiply(96, 80, 112));
    return 0;
}

static inline int multiply_nested(void *arg)
{
    (void)arg;
    return filch_for(0, sized(100, 400, 4000), 1, multiply_in_body, NULL);
}

static inline void nested_on(int workers)
{
    filch_runtime *rt = runtime_open(workers);
    CHECK(filch_run(rt, multiply_nested, NULL) == 0);
    runtime_close(rt);
}

static inline int multiply_task(void *arg)
{
    (void)arg;
    multiply_some();
    return 0;
}

static inline int multiply_tasks(void *arg)
{
    filch_handle *h[3];
    for (size_t i = 0; i < COUNT(h); i++)
        REQUIRE(filch_spawn(&h[i], multiply_task, arg) == 0);
    for (size_t i = 0; i < COUNT(h); i++)
        join(h[i]);
    return 0;
}

#endif
