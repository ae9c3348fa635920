/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_DRIVER_H
#define BENCH_DRIVER_H

/* The program that the harness starts: PROGRAM BENCH PARAM WORKERS, one line of JSON on stdout; or
 * PROGRAM --version.
 *
 * A runtime is measured by linking driver.c, workloads.c and uts.c with a file that defines the
 * peer_ functions below. The driver starts the runtime, runs a small case of the same workload as a
 * warm-up, times one run by CLOCK_MONOTONIC and prints {"value":..., "check":"..."}: the value in
 * the unit of the benchmark, and the result that the harness compares with the known one.
 * Benchmarks that only one runtime has are passed to bench_main in a table. */

#include "bench/uts.h"
#include "bench/workloads.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __clang__
#define BENCH_COMPILER __VERSION__
#else
#define BENCH_COMPILER "gcc " __VERSION__
#endif

/* What runs here and its version, and what compiled it, in one line. */
const char *peer_version(void);

/* Called once, before all below, from the main thread, as are they. Nonzero: failed. */
int peer_start(unsigned workers);
void peer_stop(void);

/* None of the workloads has a cutoff. Where a node has n children, all but the last are forked and
 * the last is called, or the runtime's way of n - 1 forks for n branches is used; other than in
 * nqueens, where every child is a task if the runtime lets one fork without calling. */

/* fib(n) with a fork at each inner node. */
int peer_fib(int n);

/* The sum of the ordinals of `leaves` (a power of ten) leaves, ten children at each inner node. */
uint64_t peer_skynet(uint64_t leaves);

/* The number of solutions below a board. */
uint64_t peer_nqueens(const struct queens *board);

/* Matrix product by quadrants, down to MATMUL_LEAF. */
void peer_matmul(const struct block *m);

/* The number of nodes. */
uint64_t peer_uts(const struct uts_tree *tree);

struct bench_result {
    double value;
    char check[160];
};

/* Runs with the peer not started. `param` is a number >= 0. Returns 0, or a negative errno. */
typedef int bench_fn(uint64_t param, unsigned workers, struct bench_result *out);

struct bench_case {
    const char *name;
    bench_fn *run;
};

/* `extra` ends with a NULL name; NULL for none. Returns the exit status of the program. */
int bench_main(int argc, char **argv, const struct bench_case *extra);

/* CLOCK_MONOTONIC, nanoseconds. */
int64_t bench_now(void);

/* The forks of fib(n): its inner nodes. */
double bench_fib_forks(int n);

/* Prints what failed to stderr and exits with status 1. */
void bench_fail(const char *what, int rc) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif

#endif
