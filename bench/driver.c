/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/driver.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

double bench_fib_forks(int n)
{
    double a = 0;
    double b = 1;
    for (int i = 0; i < n; i++) {
        double next = a + b;
        a = b;
        b = next;
    }
    return b - 1;
}

void bench_fail(const char *what, int rc)
{
    fprintf(stderr, "%s: %s\n", what, rc < 0 ? strerror(-rc) : "failed");
    exit(1);
}

static void finish(struct bench_result *out, double value, uint64_t check)
{
    out->value = value;
    snprintf(out->check, sizeof(out->check), "%" PRIu64, check);
}

static double seconds_since(int64_t start)
{
    return (double)(bench_now() - start) * 1e-9;
}

static int run_fib(uint64_t param, struct bench_result *out)
{
    int n = (int)param;
    peer_fib(n < 25 ? n : 25);
    int64_t start = bench_now();
    int r = peer_fib(n);
    finish(out, seconds_since(start) * 1e9 / bench_fib_forks(n), (uint64_t)r);
    return 0;
}

static int run_skynet(uint64_t leaves, struct bench_result *out)
{
    uint64_t power = 1;
    while (power < leaves)
        power *= 10;
    if (power != leaves)
        return -EINVAL;
    peer_skynet(leaves < 100000 ? leaves : 100000);
    int64_t start = bench_now();
    uint64_t r = peer_skynet(leaves);
    finish(out, seconds_since(start), r);
    return 0;
}

static int run_nqueens(uint64_t n, struct bench_result *out)
{
    if (n < 1 || n > QUEENS_MAX)
        return -EINVAL;
    struct queens warm = {.n = 8};
    struct queens board = {.n = (uint8_t)n};
    peer_nqueens(&warm);
    int64_t start = bench_now();
    uint64_t r = peer_nqueens(&board);
    finish(out, seconds_since(start), r);
    return 0;
}

static int run_matmul(uint64_t n, struct bench_result *out)
{
    uint64_t size = MATMUL_LEAF;
    while (size < n)
        size *= 2;
    if (size != n)
        return -EINVAL;
    size_t bytes = n * n * sizeof(int32_t);
    int32_t *a = aligned_alloc(64, bytes);
    int32_t *b = aligned_alloc(64, bytes);
    int32_t *c = aligned_alloc(64, bytes);
    int rc = -ENOMEM;
    if (a != NULL && b != NULL && c != NULL) {
        matrix_fill(a, n, 1);
        matrix_fill(b, n, 2);
        peer_matmul(&(struct block){c, a, b, n < 128 ? n : 128, n});
        memset(c, 0, bytes);
        int64_t start = bench_now();
        peer_matmul(&(struct block){c, a, b, n, n});
        out->value = seconds_since(start);
        rc = matrix_check(c, a, b, n);
        snprintf(out->check, sizeof(out->check), rc == 1 ? "C*v = A*(B*v)" : "C*v != A*(B*v)");
    }
    free(a);
    free(b);
    free(c);
    return rc < 0 ? rc : 0;
}

static int run_uts(const char *name, struct bench_result *out)
{
    const struct uts_tree *tree = uts_find(name);
    if (tree == NULL)
        return -EINVAL;
    peer_fib(25);
    int64_t start = bench_now();
    uint64_t r = peer_uts(tree);
    finish(out, seconds_since(start), r);
    return 0;
}

static int run_common(const char *bench, uint64_t param, struct bench_result *out)
{
    if (strcmp(bench, "fib") == 0)
        return run_fib(param, out);
    if (strcmp(bench, "skynet") == 0)
        return run_skynet(param, out);
    if (strcmp(bench, "nqueens") == 0)
        return run_nqueens(param, out);
    if (strcmp(bench, "matmul") == 0)
        return run_matmul(param, out);
    if (strncmp(bench, "uts-", 4) == 0)
        return run_uts(bench + 4, out);
    return -ENOSYS;
}

static int run(const char *bench, uint64_t param, unsigned workers, const struct bench_case *extra,
               struct bench_result *out)
{
    for (; extra != NULL && extra->name != NULL; extra++) {
        if (strcmp(bench, extra->name) == 0)
            return extra->run(param, workers, out);
    }
    if (peer_start(workers) != 0)
        bench_fail("start of the runtime", 0);
    int rc = run_common(bench, param, out);
    peer_stop();
    return rc;
}

int bench_main(int argc, char **argv, const struct bench_case *extra)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts(peer_version());
        return 0;
    }
    if (argc != 4) {
        fprintf(stderr, "usage: %s BENCH PARAM WORKERS\n", argv[0]);
        return 2;
    }
    unsigned long workers = strtoul(argv[3], NULL, 10);
    if (workers < 1 || workers > 1024) {
        fprintf(stderr, "%s: WORKERS is 1 to 1024\n", argv[0]);
        return 2;
    }
    struct bench_result out = {0};
    int rc = run(argv[1], strtoull(argv[2], NULL, 10), (unsigned)workers, extra, &out);
    if (rc == -ENOSYS) {
        fprintf(stderr, "%s: no benchmark %s\n", argv[0], argv[1]);
        return 2;
    }
    if (rc < 0)
        bench_fail(argv[1], rc);
    printf("{\"value\":%.9g,\"check\":\"%s\"}\n", out.value, out.check);
    return 0;
}
